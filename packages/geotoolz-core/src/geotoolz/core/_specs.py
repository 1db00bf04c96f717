"""What is known of a tile without its pixels."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from geotoolz.core._coord import Coord, changed_coords, coords_of
from geotoolz.core._errors import MissingCRSError, MissingVariableError, TileError, nearest
from geotoolz.core._footprint import POINT, Footprint
from geotoolz.core._grid import geobox_of
from geotoolz.core._lazy import xr
from geotoolz.core._sensors import ROLES, common_name, sensor_of

if TYPE_CHECKING:
    from odc.geo.geobox import GeoBox

    from geotoolz.core._regrid import GridChange

NoData = float | int | None
YX = ("y", "x")


@dataclass(frozen=True, slots=True)
class VarSpec:
    """A variable without its pixels.

    Parameters
    ----------
    dims : tuple of str
        Dimension names; the last two are ``y`` and ``x``.
    dtype : numpy.dtype
        Data type; a name such as ``"float32"`` is accepted.
    nodata : float, int or None
        The value that means "no data". NaN for floats unless told otherwise.
    attrs : mapping
        Attributes other than ``_FillValue``.
    """

    dims: tuple[str, ...] = YX
    dtype: np.dtype[Any] = np.dtype(np.float32)  # noqa: RUF009 - dtypes are immutable
    nodata: NoData = math.nan
    attrs: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        dtype = self.dtype
        if not isinstance(dtype, np.dtype):
            dtype = np.dtype(dtype)
            object.__setattr__(self, "dtype", dtype)
        if self.nodata != self.nodata and dtype.kind not in "fc":
            object.__setattr__(self, "nodata", None)

    @property
    def quantity(self) -> str | None:
        """What the values are (``"dn"``, ``"surface_reflectance"``, ``"stretched"``, …), if said."""
        value = self.attrs.get("quantity")
        return value if isinstance(value, str) else None

    @property
    def nodata_scalar(self) -> float:
        """No-data for kernels, of the variable's own type; NaN (equal to nothing) where there is none.

        Comparing with a number of another type would widen every pixel first.
        """
        nodata, kind = self.nodata, self.dtype.kind
        if nodata is None:
            return math.nan
        if kind == "f" or (kind in "iu" and nodata == int(nodata) and _fits(int(nodata), self.dtype)):
            return self.dtype.type(nodata)  # type: ignore[no-any-return]
        return float(nodata)

    def with_attrs(self, **attrs: Any) -> VarSpec:
        """Return a copy with attributes set; None removes one."""
        merged = {**self.attrs, **attrs}
        return replace(self, attrs={k: v for k, v in merged.items() if v is not None})

    def dataset_attrs(self) -> dict[str, Any]:
        """Return the attributes as a Dataset keeps them, with ``_FillValue``."""
        attrs = dict(self.attrs)
        if self.nodata is not None:
            attrs["_FillValue"] = self.nodata
        return attrs

    @classmethod
    def of(cls, variable: xr.Variable) -> VarSpec:
        """Describe a variable of a Dataset."""
        attrs = variable.attrs
        nodata = attrs.get("_FillValue")
        if nodata is None and variable.dtype.kind in "fc":
            nodata = math.nan
        if "_FillValue" in attrs:
            attrs = {k: v for k, v in attrs.items() if k != "_FillValue"}
            nodata = _number(nodata)
            if variable.dtype.kind == "f" and isinstance(nodata, int | float):
                nodata = float(variable.dtype.type(nodata))  # 0.1 in float32 is not 0.1 in float64
        dtype = variable.dtype if variable.dtype.isnative else variable.dtype.newbyteorder("=")
        return cls(variable.dims, dtype, nodata, attrs)  # type: ignore[arg-type]


def _fits(value: int, dtype: np.dtype[Any]) -> bool:
    limits = np.iinfo(dtype)
    return int(limits.min) <= value <= int(limits.max)


def _number(fill: Any) -> NoData:
    """Return a ``_FillValue`` as a number; NetCDF readers give arrays of one element."""
    value = fill.item() if isinstance(fill, np.generic | np.ndarray) and fill.size == 1 else fill
    if value is not None and not isinstance(value, bool | int | float):
        raise TileError(f"_FillValue is {fill!r}", expected="one number", fix="ds[name].rio.write_nodata(…)")
    return value


@dataclass(frozen=True)
class TileSpec:
    """A tile without its pixels.

    Parameters
    ----------
    variables : mapping of str to VarSpec
        The data variables, in order.
    sizes : mapping of str to int
        Length of every dimension.
    grid : GeoBox, callable returning one, or None
        The parent grid; a callable is asked at the first use, because most plans never need it.
    offset : tuple of int
        Row and column of this tile's first pixel on an infinite parent lattice; windows of one
        scene share the scene's grid and differ in the offset.
    attrs : mapping
        Attributes of the tile.
    lead : mapping of str to Coord, or callable returning one
        Coordinates along dimensions other than ``y`` and ``x``; read them as `coords`.
    """

    variables: Mapping[str, VarSpec]
    sizes: Mapping[str, int]
    grid: GeoBox | Callable[[], GeoBox | None] | None = None
    offset: tuple[int, int] = (0, 0)
    attrs: Mapping[str, Any] = field(default_factory=dict)
    lead: Mapping[str, Coord] | Callable[[], Mapping[str, Coord]] = field(default_factory=dict)

    @classmethod
    def of(cls, ds: xr.Dataset) -> TileSpec:
        """Describe a Dataset; no pixel is read."""
        cls.require_dataset(ds)
        sizes = ds.sizes
        if "y" not in sizes or "x" not in sizes:
            geobox_of(ds)  # says what is wrong and what to do
        held = ds.variables
        wrong = [n for n in ds.data_vars if not isinstance(n, str)]
        if wrong:
            raise TileError(f"the tile has a variable called {wrong[0]!r}", expected="names that are text")
        variables = {str(n): VarSpec.of(held[n]) for n in ds.data_vars}
        lengths: dict[str, int] = dict(sizes)  # type: ignore[arg-type]
        return cls(variables, lengths, lambda: geobox_of(ds), (0, 0), ds.attrs, lambda: coords_of(ds))

    @staticmethod
    def require_dataset(ds: Any) -> xr.Dataset:
        """Return a Dataset as it is; raise for anything else."""
        if not isinstance(ds, xr.Dataset):
            raise TileError(
                f"got {type(ds).__name__}",
                expected="an xarray.Dataset with dims (y, x) or (time, y, x)",
                fix="make one with geotoolz.core.as_tile(obj)",
            )
        return ds

    @cached_property
    def geobox(self) -> GeoBox | None:
        """The parent grid, or None where it is not known."""
        return self.grid() if callable(self.grid) else self.grid

    @cached_property
    def coords(self) -> Mapping[str, Coord]:
        """The coordinates along dimensions other than ``y`` and ``x`` (``time``, ``wavelength``)."""
        return self.lead() if callable(self.lead) else self.lead

    def coordinate(self, dim: str, needed_by: str = "this step") -> np.ndarray[Any, Any]:
        """Return the values along a dimension: times as ``datetime64[ns]``, wavelengths.

        Parameters
        ----------
        dim : str
            ``"time"`` or ``"wavelength"``.
        needed_by : str
            Who asks; named in the error.

        Raises
        ------
        TileError
            If the tile has no such dimension, or the dimension no values.
        """
        if dim not in self.sizes:
            raise TileError(
                f"{needed_by} works along {dim!r}, and the tile has the dimensions {', '.join(self.sizes)}",
                expected=f"variables with dims ({dim}, y, x)",
                fix=f"xr.concat([tile, …], {dim!r}) puts tiles on one grid into a stack",
            )
        if dim not in self.coords:
            raise TileError(
                f"{needed_by} needs to know what the {self.sizes[dim]} positions along {dim!r} are",
                expected=f"a coordinate {dim!r}",
                fix=f"tile.assign_coords({dim}=[…])",
            )
        return self.coords[dim].values

    def require_geobox(self, needed_by: str) -> GeoBox:
        """Return the grid with its CRS, or say who needs it."""
        box = self.geobox
        if box is None or box.crs is None:
            raise MissingCRSError(
                f"{needed_by} needs the tile's grid in a known CRS, and the tile has none",
                fix="set it with ds.rio.write_crs(…), or read the tile with geotoolz.open_tile",
            )
        return box

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return (self.sizes["y"], self.sizes["x"])

    def __contains__(self, name: object) -> bool:
        return name in self.variables

    def __getitem__(self, name: str) -> VarSpec:
        return self.variables[self.find(name)]

    def lookup(self, role: str) -> str | None:
        """Return the variable that plays a role, or None.

        Looked up in this order: a variable of that name, the role's stand-ins (``nir`` →
        ``nir08``), the sensor's own band names by the tile's ``platform`` (``B04`` → ``red``), in both
        directions, and the attribute ``sensor_band``, which readers write.
        """
        if role in self.variables:
            return role
        wanted = ROLES.get(role, (role,))
        for name in wanted:
            if name in self.variables:
                return name
        platform = sensor_of(self.attrs)
        if platform:
            asked = common_name(role, platform)
            if asked is not None and asked in self.variables:
                return asked
            by_common = {common_name(name, platform): name for name in self.variables}
            for name in wanted:
                if name in by_common:
                    return by_common[name]
        same = [name for name, spec in self.variables.items() if spec.attrs.get("sensor_band") == role]
        return same[0] if len(same) == 1 else None

    def find(self, role: str, needed_by: str = "this step") -> str:
        """Return the variable that plays a role.

        Parameters
        ----------
        role : str
            A common name, a role or a sensor's band name.
        needed_by : str
            Who asks; named in the error.

        Raises
        ------
        MissingVariableError
            With what the tile has and the nearest name.
        """
        name = self.lookup(role)
        if name is None:
            have = ", ".join(self.variables) or "no variables"
            raise MissingVariableError(
                f"{needed_by} reads {role!r}, and the tile has {have}{nearest(role, self.variables)}",
                fix=f"read that band too, or name the variable that plays the role {role!r}",
            )
        return name

    @property
    def window_geobox(self) -> GeoBox | None:
        """The tile's own grid: that part of the parent's that its pixels cover."""
        box, (row, col) = self.geobox, self.offset
        if box is None or (self.offset == (0, 0) and tuple(map(int, box.shape)) == self.shape):
            return box
        from odc.geo.geobox import GeoBox

        t = box.affine
        x, y = t.a * col + t.b * row + t.c, t.d * col + t.e * row + t.f
        return GeoBox(self.shape, type(t)(t.a, t.b, x, t.d, t.e, y), box.crs)

    def evolve(self, variables: Mapping[str, VarSpec], attrs: Mapping[str, Any] | None = None) -> TileSpec:
        """Return the same tile with other variables (and attributes)."""
        attrs = self.attrs if attrs is None else attrs
        return TileSpec(variables, self.sizes, self.grid, self.offset, attrs, self.lead)

    def on(self, change: GridChange) -> TileSpec:
        """Return the same tile on the grid that a plan changes to."""
        sizes = {**self.sizes, "y": change.shape[0], "x": change.shape[1]}
        return TileSpec(self.variables, sizes, change.geobox, change.offset, self.attrs, self.lead)

    def along(self, changes: Mapping[str, Any]) -> tuple[TileSpec, set[str]]:
        """Return the same tile with the coordinates that a plan gives, and the dimensions changed."""
        sizes, coords, changed = changed_coords(self.sizes, self.coords, changes)
        return TileSpec(self.variables, sizes, self.grid, self.offset, self.attrs, coords), changed


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a kernel: arrays by name in, arrays by name out.

    Names that a plan does not write are temporaries of that plan. A `located` kernel is told which
    pixels it works on, by the keyword ``extent`` (an `Extent` on the lattice of the parent grid):
    for labels burnt from polygons, or random numbers per absolute pixel.
    """

    reads: tuple[str, ...]
    writes: tuple[str, ...]
    kernel: Callable[..., Any]
    args: tuple[Any, ...] = ()
    footprint: Footprint | None = None
    located: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """What an operator will do to a tile, said before a pixel is touched.

    Parameters
    ----------
    reads : tuple of str
        Variables handed to the kernel, in order.
    writes : mapping of str to VarSpec
        Variables that the kernel returns, in order; a name that exists is replaced.
    args : tuple
        Further positional arguments of the kernel, after the arrays.
    footprint : Footprint
        How far the kernel looks.
    calls : tuple of Call
        Several kernel calls instead of the one above, for operators that treat many variables;
        a call whose result nobody needs is left out by the runner.
    drops : tuple of str
        Variables that are gone afterwards.
    renames : mapping of str to str
        Old name to new name; no pixel is touched.
    order : tuple of str
        Variables to put first, in this order.
    attrs : mapping
        Tile attributes to set; None removes one.
    notes : tuple of str
        Doubts worth telling; `check` shows them as warnings.
    grid : GridChange, optional
        Where the output lies on another grid than the input. Every call then reads variables of the
        input and returns pixels of the output; a variable that is neither written nor dropped is an
        error, because it would stay behind on the old grid.
    coords : mapping of str to Coord, array or None
        What happens to dimensions other than ``y`` and ``x``: new values (their number may change),
        or None where the dimension is gone afterwards. A variable along such a dimension must be
        written or dropped; other coordinates along it are gone unless they are given too.
    """

    reads: tuple[str, ...] = ()
    writes: Mapping[str, VarSpec] = field(default_factory=dict)
    args: tuple[Any, ...] = ()
    footprint: Footprint = POINT
    calls: tuple[Call, ...] = ()
    drops: tuple[str, ...] = ()
    renames: Mapping[str, str] = field(default_factory=dict)
    order: tuple[str, ...] = ()
    attrs: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    grid: GridChange | None = None
    coords: Mapping[str, Coord | np.ndarray[Any, Any] | None] = field(default_factory=dict)

    def all_reads(self) -> tuple[str, ...]:
        """Return the tile's variables that the plan reads, without its own temporaries."""
        if not self.calls:
            return self.reads
        made: set[str] = set()
        reads: dict[str, None] = dict.fromkeys(self.reads)
        for call in self.calls:
            reads.update((name, None) for name in call.reads if name not in made)
            made.update(call.writes)
        return tuple(reads)

    def whole_footprint(self) -> Footprint:
        """Return the footprint over all calls."""
        total = self.footprint
        for call in self.calls:
            if call.footprint is not None:
                total = total.union(call.footprint)
        return total
