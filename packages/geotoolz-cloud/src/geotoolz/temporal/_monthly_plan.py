"""What a monthly composite reads, computes and calls its months, before a pixel is read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from geotoolz.core import (
    MissingVariableError,
    Operator,
    OutsideError,
    ParameterError,
    Program,
    Sequential,
    TileSpec,
    VarSpec,
    chosen_bands,
    compile,
    nearest,
)
from geotoolz.temporal._calendar import Every
from geotoolz.temporal._collapse import METHODS
from geotoolz.temporal._composite import Composite
from geotoolz.temporal._monthly_steps import (
    CLEAR,
    CLEAR_SHARE,
    OBSERVATIONS,
    SEEN,
    CountDates,
    RequireObservations,
)
from geotoolz.temporal._times import iso

if TYPE_CHECKING:
    from odc.geo.geobox import GeoBox

    from geotoolz.catalog import GeoCatalog, StackReader
    from geotoolz.io import Asset
    from geotoolz.io._sign import Sign

_PERIODS = {"month": "monthly", "week": "weekly", "day": "daily", "year": "yearly"}
Bands = str | Iterable[str] | Mapping[str, str] | None


@dataclass(frozen=True)
class Recipe:
    """What is made of every month.

    Parameters
    ----------
    pipeline : Operator
        From a stack to a composite.
    reads : tuple of str or mapping of str to str
        Bands to open.
    outputs : tuple of str
        Variables of the composite.
    method : str
        How dates become one.
    told : Operator
        What users know of the pipeline: the mask and the composite.
    min_obs : int
        Observations that a pixel must have.
    """

    pipeline: Operator
    reads: tuple[str, ...] | dict[str, str]
    outputs: tuple[str, ...]
    method: str
    told: Operator
    min_obs: int = 1

    def program(self, reader: StackReader, period: Period) -> Program:
        """Compile the pipeline for the dates of a period."""
        return compile(self.pipeline, reader.at(period.positions or (0,)).spec, self.outputs)

    def described(self, program: Program, period: Period) -> TileSpec:
        """Return the description of a period's composite."""
        tile = program.output
        attrs = {**tile.attrs, "tile_id": f"{period.label}_{self.method}", "period": period.label}
        if not period.positions:
            attrs |= {"datetime": period.start, "start_datetime": period.start}
            attrs.pop("end_datetime", None)
        return tile.evolve({name: tile.variables[name] for name in self.outputs}, attrs)


@dataclass(frozen=True)
class Period:
    """A month, or another step of the calendar."""

    label: str
    time: Any
    positions: tuple[int, ...]

    @property
    def start(self) -> str:
        """When it begins, ISO 8601 in UTC."""
        return iso(self.time)


def periods_of(times: Any, period: str) -> list[Period]:
    """Return the periods from that of the first date to that of the last, those without a date too."""
    every = Every.parse(_PERIODS.get(period, period))
    bins = every.bin_of(times)
    first, last = int(bins.min()), int(bins.max())
    length = len("2023-08") if every.unit == "M" else len("2023-08-01")
    found = []
    for number, start in enumerate(every.starts(first, last), first):
        label = iso(start)[:length]
        found.append(Period(label, start, tuple(np.flatnonzero(bins == number).tolist())))
    return found


def composite_of(reducer: str | Composite) -> Composite:
    """Return the composite that a reducer means.

    Raises
    ------
    ParameterError
        If it is no method that can do without further parameters.
    """
    if isinstance(reducer, Composite):
        return reducer.replace(count=OBSERVATIONS)
    if reducer not in METHODS:
        hint = nearest(str(reducer), METHODS)
        raise ParameterError(
            f"reducer={reducer!r}{hint}",
            expected=f"one of {', '.join(METHODS)}, or a Composite",
            fix='say Composite("best_pixel", …) for that one' if reducer == "best_pixel" else "",
        )
    return Composite(reducer, count=OBSERVATIONS)  # type: ignore[arg-type]


def recipe_of(
    catalog: GeoCatalog,
    grid: GeoBox,
    bands: Bands,
    mask: Operator | None,
    composite: Composite,
    min_obs: int,
    sign: Sign = None,
) -> Recipe:
    """Find out from the first scene which bands are composed and which the mask reads.

    Raises
    ------
    MissingVariableError
        If the scene lacks a band, or what the mask reads.
    """
    if type(min_obs) is not int or min_obs < 1:
        raise ParameterError(f"min_obs={min_obs!r}", expected="1 or more")
    if isinstance(bands, str):
        bands = (bands,)
    bands = bands if bands is None or isinstance(bands, Mapping) else tuple(bands)
    source, tile = _first(catalog, grid, bands, mask, composite, sign)
    try:
        return _recipe(tile, bands, mask, composite, min_obs)
    except MissingVariableError:
        if bands is None or isinstance(bands, Mapping):
            raise
        # a mask may read further bands: look at all that are there
        return _recipe(_described(source, grid, _there(source, sign), sign), bands, mask, composite, min_obs)


def _recipe(tile: TileSpec, bands: Any, mask: Operator | None, composite: Composite, min_obs: int) -> Recipe:
    wanted = tuple(bands) if bands is not None else None
    names = chosen_bands(tile, wanted or composite.bands, "monthly_composite")
    if not names:
        raise MissingVariableError(
            f"no measurement among {', '.join(tile.variables)}", fix="name the variables with bands="
        )
    if mask is not None:
        _require_effect(mask, tile, names)
    masks: list[Operator] = [] if mask is None else [mask]
    last = composite.replace(bands=names)
    steps: list[Operator] = [CountDates(names[0], SEEN), *masks, CountDates(names[0], CLEAR), last]
    steps.append(RequireObservations(names, min_obs))
    outputs = (*names, OBSERVATIONS, CLEAR_SHARE)
    pipeline = Sequential(steps)
    inputs = compile(pipeline, tile, outputs).inputs
    ordered = tuple(name for name in tile.variables if name in inputs)
    reads: Any = {n: bands.get(n, n) for n in ordered} if isinstance(bands, Mapping) else ordered
    return Recipe(pipeline, reads, outputs, composite.method, Sequential([*masks, last]), min_obs)


def _require_effect(mask: Operator, tile: TileSpec, names: tuple[str, ...]) -> None:
    """Raise where a mask makes a layer of its own, and none of the bands no-data."""
    try:
        program = compile(mask, tile, names)
    except MissingVariableError as error:
        error.fix += "; mask=None (--mask none on the command line) takes every pixel that has data"
        raise
    if all(slot in program.sources for slot in program.wanted):
        raise ParameterError(
            f"mask={type(mask).__name__} leaves {', '.join(names)} as they are",
            expected="an operator that makes masked pixels no-data",
            fix="MaskClouds(…), or Sequential([MaskFromFlags(…), ApplyMask()]); None for no mask",
        )


def _first(
    catalog: GeoCatalog,
    grid: GeoBox,
    bands: Any,
    mask: Operator | None,
    composite: Composite,
    sign: Sign,
) -> tuple[Any, TileSpec]:
    """Return the first scene that has pixels on the grid, and the description of a stack of it."""
    from geotoolz.catalog._stack_grid import touching

    found = touching(catalog, grid)
    for row in found.iter_rows():
        source = found.source_of(row)
        try:
            return source, _described(source, grid, _asked(source, bands, mask, composite, sign), sign)
        except OutsideError:
            continue  # only its footprint touches the grid
    raise OutsideError("no scene has a pixel on the grid", expected="a grid over the scenes")


def _asked(source: Any, bands: Any, mask: Operator | None, composite: Composite, sign: Sign) -> Any:
    """Return the request: the bands, for a mask every quality layer that is there, and what scores dates."""
    if bands is None:
        return None
    from geotoolz.io._sign import signer
    from geotoolz.io._sources import resolve

    info = resolve(source, signer(sign))
    flags = [a for a in info.assets if a.default and a.band is not None and a.band.kind == "flags"]
    more = [] if mask is None else [asset.name for asset in flags if _exists(asset)]
    if composite.quality is not None:
        more.append(composite.quality)
    if composite.method == "max_ndvi":
        more += [composite.red, composite.nir]
    if isinstance(bands, Mapping):
        return {**{name: name for name in more}, **bands}
    asked = dict.fromkeys(asset.name for asset in info.select(tuple(bands)))
    for name in more:
        asked.setdefault(info.select((name,))[0].name)
    return tuple(asked)


def _exists(asset: Asset) -> bool:
    """Tell whether a file is there, as far as that can be told without a network."""
    return asset.path.startswith("/vsi") or "://" in asset.path or Path(asset.path).exists()


def _there(source: Any, sign: Sign) -> tuple[str, ...] | None:
    """Return the bands of a scene whose files are there, None for all of them."""
    from geotoolz.io._sign import signer
    from geotoolz.io._sources import resolve

    assets = [asset for asset in resolve(source, signer(sign)).assets if asset.default]
    if all(map(_exists, assets)):
        return None
    return tuple(dict.fromkeys(asset.name for asset in assets if _exists(asset)))


def _described(source: Any, grid: GeoBox, asked: Any, sign: Sign) -> TileSpec:
    """Describe a stack of one date."""
    from geotoolz.io import describe

    spec = describe(source, asked, geobox=grid, sign=sign)
    variables = {
        name: VarSpec(("time", *one.dims), one.dtype, one.nodata, one.attrs)
        for name, one in spec.variables.items()
    }
    one_date = np.array(["2000-01-01"], "datetime64[ns]")
    from geotoolz.core import Coord

    lead = {"time": Coord("time", one_date)}
    return replace(spec, variables=variables, sizes={"time": 1, **spec.sizes}, lead=lead)
