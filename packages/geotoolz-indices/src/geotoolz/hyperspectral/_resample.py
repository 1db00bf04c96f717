"""Cubes on other wavelengths, and bands of other sensors."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from geotoolz.core import (
    ArrayParam,
    Call,
    Coord,
    Map,
    ParameterError,
    Plan,
    Role,
    TileError,
    TileSpec,
    VarSpec,
    as_array,
    require_physical,
)
from geotoolz.hyperspectral import _kernels
from geotoolz.hyperspectral._chunks import chunks
from geotoolz.hyperspectral._cube import DIM, Cube, cube_of, grid_label, listed
from geotoolz.hyperspectral._weights import Weights, gaussian, linear, response, spacing

Array = np.ndarray[Any, Any]

_COVERED = 0.99
"""Share of a Gaussian's area that counts as all of it: what is missing moves its mean by 0.011 widths."""


def _combine(cube: Array, nodata: Any, starts: Array, source: Array, weights: Array, least: float) -> Array:
    """Return the new bands, before the last two axes."""
    used, places = np.unique(source, return_inverse=True)
    size = starts.size - 1
    out = np.empty((*cube.shape[:-3], size, *cube.shape[-2:]), np.float32)
    for (*lead, ys, xs), part in chunks(cube, used):
        made = np.empty((size, part.shape[1]), np.float32)
        _kernels.banded(made, part, nodata, starts, places, weights, least)
        target = out[(*lead, slice(None), ys, xs)]
        target[...] = made.reshape(target.shape)
    return out


def _combine_one(cube: Array, *args: Any) -> Array:
    """Return one new band without its axis."""
    made: Array = _combine(cube, *args)[..., 0, :, :]
    return made


class SpectralResample(Map):
    """Cube on other wavelengths: ``Σ w·x / Σ w``, a weighted mean of bands for every new band.

    Weights are the new band's response at the centres of the cube's bands, times the nanometres that
    each of these stands for: a Gaussian by default (cut off at two full widths), or response
    functions, or linear interpolation between the two neighbours.

    Reads one cube ``(wavelength, y, x)`` of physical values. Replaces it by a float32 cube on the new
    wavelengths; or, with `names`, by one float32 variable per new band, and ``wavelength`` is gone.
    Units stay. NaN where a band that has weight holds no data, unless `least` allows it. Footprint:
    one pixel, all bands. Sums run in float64 in the order of the wavelengths.

    A Gaussian may hang over the ends of the cube, or over a gap (where neighbouring bands are more than
    three times the median distance apart), by 1 % of its area; by more only if `least` allows it. A band
    stands for half the way to its neighbours. What is missing is not made up for: the mean is that of the
    part inside, whose centre lies nearer to the cube's middle by 0.011 full widths for 1 % missing at one
    end, 0.08 for 10 % and 0.34 for half, while the coordinate keeps the number that was asked for.

    A band's own width in the cube is not taken out: new bands narrower than those of the cube come out
    as wide as the cube's.

    Parameters
    ----------
    wavelengths : sequence of float
        Centres of the new bands in nanometres; with `responses` they may be left out.
    fwhm : float or sequence of float, optional
        Full widths at half maximum in nanometres; by default the new bands' spacing.
    method : {"gaussian", "linear"}
        How a new band is made.
    responses : array or Ref to ``.npy``, optional
        Response functions instead: columns wavelength (nm), response of the first new band, of the
        second, …
    names : sequence of str, optional
        Names of variables, one per new band: ``("blue", "green", "red", "nir")``.
    cube : str, optional
        The variable; by default the only one with a ``wavelength``.
    least : float
        Share of a new band's weight that must lie on valid bands, for every pixel; 1 asks for all. Also the
        share of a Gaussian's area that the cube's bands must cover (0.99 is enough for 1).

    Raises
    ------
    TileError
        If a new band lies outside the cube's wavelengths, or too much of its response does.
    ParameterError
        If numbers of wavelengths, widths, responses and names differ, or are not positive.
    MissingVariableError
        If the tile has no cube.
    QuantityError
        If the cube was stretched, or holds digital numbers with an offset.

    References
    ----------
    D'Odorico, P., Gonsamo, A., Damm, A., Schaepman, M. E. (2013). Experimental evaluation of
    Sentinel-2 spectral response functions for NDVI time-series continuity. IEEE Transactions on
    Geoscience and Remote Sensing 51, 1336–1348 (band averages by response functions).

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> from geotoolz.hyperspectral import SpectralResample
    >>> values = np.arange(9, dtype=np.float32).reshape(9, 1, 1)
    >>> centres = np.arange(400.0, 490.0, 10.0)
    >>> tile = xr.Dataset({"cube": (("wavelength", "y", "x"), values)}, {"wavelength": centres})
    >>> SpectralResample([425.0, 440.0], method="linear")(tile).cube[:, 0, 0].values.tolist()
    [2.5, 4.0]
    >>> list(SpectralResample([440.0], 30.0, names=["blue"])(tile).data_vars)
    ['blue']
    """

    wavelengths: tuple[float, ...] = ()
    fwhm: float | tuple[float, ...] | None = None
    method: Literal["gaussian", "linear"] = "gaussian"
    responses: ArrayParam = None
    names: tuple[str, ...] | None = None
    cube: Role | None = None
    least: float = 1.0

    def prepare(self, values: dict[str, Any]) -> dict[str, Any]:
        """Accept arrays of wavelengths and widths."""
        for field in ("wavelengths", "fwhm"):
            if isinstance(values[field], np.ndarray):
                values[field] = tuple(values[field].astype(np.float64).tolist())
        return values

    def validate(self) -> None:
        """Check that everything is there once per new band."""
        if not self.wavelengths and self.responses is None:
            raise ParameterError(
                "SpectralResample has no wavelengths", expected="wavelengths=, or responses="
            )
        widths = () if self.fwhm is None else self.fwhm if isinstance(self.fwhm, tuple) else (self.fwhm,)
        if not all(value > 0 for value in (*self.wavelengths, *widths)):
            raise ParameterError("SpectralResample has wavelengths or widths below 0", expected="nanometres")
        size = len(self.wavelengths)
        for field in ("fwhm", "names"):
            given = getattr(self, field)
            if isinstance(given, tuple) and size and len(given) != size:
                raise ParameterError(f"SpectralResample: {field} has {len(given)} values", expected=f"{size}")
        if self.names is not None and len(set(self.names)) < len(self.names):
            raise ParameterError(f"SpectralResample: names={self.names}", expected="every name once")
        if not 0 < self.least <= 1:
            raise ParameterError(f"SpectralResample: least={self.least}", expected="above 0, up to 1")

    def plan(self, tile: TileSpec) -> Plan:
        """Replace the cube, or take bands from it."""
        cube = cube_of(tile, self.cube, "SpectralResample")
        notes = require_physical(tile, (cube.name,), "SpectralResample")
        centres, widths, found = self._bands(cube)
        attrs = {k: v for k, v in cube.spec.attrs.items() if k not in ("scale_factor", "add_offset")}
        nodata = cube.spec.nodata_scalar
        if self.names is None:
            coords: dict[str, Any] = {DIM: Coord(DIM, centres, {"units": "nm", "long_name": "wavelength"})}
            if widths is not None:
                coords["fwhm"] = Coord(DIM, widths, {"units": "nm"})
            args = (nodata, *_sparse(found), self.least)
            call = Call((cube.name,), (cube.name,), _combine, args)
            return Plan(
                writes={cube.name: VarSpec(cube.spec.dims, attrs=attrs)},
                calls=(call,),
                coords=coords,
                notes=notes,
            )
        writes, calls = {}, []
        for name, centre, one in zip(self.names, centres.tolist(), found, strict=True):
            writes[name] = VarSpec(cube.dims, attrs={**attrs, "wavelength_nm": centre})
            args = (nodata, *_sparse([one]), self.least)
            calls.append(Call((cube.name,), (name,), _combine_one, args))
        drops = () if cube.name in writes else (cube.name,)
        return Plan(writes=writes, calls=tuple(calls), drops=drops, coords={DIM: None}, notes=notes)

    def _bands(self, cube: Cube) -> tuple[Array, Array | None, list[Weights]]:
        """Return centres, widths and weights of the new bands."""
        centres = np.array(self.wavelengths, np.float64)
        widths: Array | None = None
        found: list[Weights | None]
        if self.responses is not None:
            table = self._table()
            if not centres.size:
                centres = table[:, 0] @ table[:, 1:] / table[:, 1:].sum(axis=0)
            columns = table[:, 1:].T
            found = [response(cube.wavelengths, table[:, 0], column) for column in columns]
        elif self.method == "linear":
            found = [linear(cube.wavelengths, centre) for centre in centres]
        else:
            widths = np.broadcast_to(spacing(centres) if self.fwhm is None else self.fwhm, centres.shape)
            share = min(self.least, _COVERED)
            found = [gaussian(cube.wavelengths, c, w, share) for c, w in zip(centres, widths, strict=True)]
        outside = [centre for centre, one in zip(centres, found, strict=True) if one is None]
        if outside:
            raise TileError(
                f"SpectralResample: {cube.name!r} has no bands for new ones at {listed(outside)} nm, "
                f"or not for enough of their response",
                expected=f"responses within {grid_label(cube.wavelengths)}, and not over a gap",
                fix="leave them out, give narrower fwhm=, or take what is there with least=0.5",
            )
        return centres, widths, [one for one in found if one is not None]

    def _table(self) -> Array:
        if self.responses is None:
            raise ParameterError("SpectralResample has no responses")
        table = as_array(self.responses).astype(np.float64)
        expected = len(self.wavelengths) or (len(self.names) if self.names is not None else None)
        if table.ndim != 2 or table.shape[1] < 2 or (expected and table.shape[1] - 1 != expected):
            raise ParameterError(
                f"SpectralResample: responses has shape {table.shape}",
                expected=f"columns wavelength and {expected or 'one or more'} responses",
            )
        if (
            not np.isfinite(table).all()
            or (table[:, 1:] < 0).any()
            or not (table[:, 1:].sum(axis=0) > 0).all()
        ):
            raise ParameterError("SpectralResample: responses has negative, empty or NaN columns")
        return table


def _sparse(found: list[Weights]) -> tuple[Array, Array, Array]:
    """Return where each new band's weights begin, the bands, the weights."""
    starts = np.cumsum([0, *(len(bands) for bands, _ in found)])
    source = np.array([band for bands, _ in found for band in bands], np.int64)
    return starts, source, np.array([w for _, ws in found for w in ws], np.float64)
