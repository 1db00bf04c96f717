"""Two tiles band by band."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from geotoolz.core import (
    GridMismatchError,
    MissingVariableError,
    ParameterError,
    QuantityError,
    TileSpec,
    chosen_bands,
    geobox_of,
    image_bands,
    nearest,
)
from geotoolz.core._grid import grid_label
from geotoolz.core._lazy import xr
from geotoolz.core._quantity import is_flags
from geotoolz.metrics._confusion import ConfusionMatrix
from geotoolz.metrics._confusion_counts import ConfusionCounts
from geotoolz.metrics._iou import IoU
from geotoolz.metrics._pairs import PairReduce
from geotoolz.metrics._scores import MAE, R2, RMSE, Bias


@dataclass(frozen=True)
class Comparison:
    """What metrics say of the bands of two tiles.

    Attributes
    ----------
    bands : mapping of str to mapping of str to result
        Results by band and metric (``"rmse"``).
    only_a, only_b : tuple of str
        Bands that one tile has alone.
    """

    bands: Mapping[str, Mapping[str, Any]]
    only_a: tuple[str, ...] = ()
    only_b: tuple[str, ...] = ()

    def __getitem__(self, band: str) -> Mapping[str, Any]:
        if band not in self.bands:
            raise MissingVariableError(
                f"{band!r} was not compared{nearest(band, self.bands)}", expected=", ".join(self.bands)
            )
        return self.bands[band]

    def to_dict(self) -> dict[str, Any]:
        """Return the comparison as plain values."""
        bands = {
            band: {name: result.to_dict() for name, result in found.items()}
            for band, found in self.bands.items()
        }
        return {"bands": bands, "only_a": list(self.only_a), "only_b": list(self.only_b)}

    def __str__(self) -> str:
        lines = []
        for band, found in self.bands.items():
            lines.append(f"{band}: " + ", ".join(_told(name, result) for name, result in found.items()))
            lines += [str(result) for result in found.values() if isinstance(result, ConfusionCounts)]
        return "\n".join(lines)


def compare(
    a: xr.Dataset,
    b: xr.Dataset,
    metrics: Iterable[PairReduce] | None = None,
    *,
    bands: Iterable[str] | None = None,
) -> Comparison:
    """Compare the bands that two tiles have in common.

    Parameters
    ----------
    a, b : xarray.Dataset
        The predicted and the true tile, on one grid.
    metrics : iterable of PairReduce, optional
        `RMSE`, `MAE`, `Bias` and `R2` by default; the names of their variables do not matter.
    bands : iterable of str, optional
        Names or roles of bands; by default all measurements that both tiles have.

    Returns
    -------
    Comparison

    Raises
    ------
    GridMismatchError
        If the tiles lie on different grids, or have other dates; names both.
    MissingVariableError
        If a band is in one tile only, or there is none in both.
    QuantityError
        If `RMSE`, `MAE`, `Bias` or `R2` would compute with the numbers of classes.

    Examples
    --------
    >>> from geotoolz.core.testing import simulate_scene
    >>> from geotoolz.metrics import compare
    >>> tile = simulate_scene((32, 32), bands=("red", "nir"))
    >>> print(compare(tile * 0 + tile, tile))
    red: rmse 0, mae 0, bias 0, r2 1
    nir: rmse 0, mae 0, bias 0, r2 1
    """
    chosen = tuple(metrics) if metrics is not None else (RMSE(), MAE(), Bias(), R2())
    for one in chosen:
        if not isinstance(one, PairReduce):
            raise ParameterError(
                f"{type(one).__name__} compares no pairs", expected="RMSE, ConfusionMatrix, …"
            )
    named = None if bands is None else tuple(bands)
    pairs = common_bands(a, b, named, any(isinstance(one, ConfusionMatrix | IoU) for one in chosen))
    found: dict[str, dict[str, Any]] = {}
    for name, other in pairs.items():
        pair = _pair(a, name, b, other)
        require_fit(name, TileSpec.of(pair), chosen)
        found[name] = {_label(one): one.replace(predicted="predicted", truth="truth")(pair) for one in chosen}
    only_a = tuple(n for n in image_bands(TileSpec.of(a)) if n not in pairs)
    only_b = tuple(n for n in image_bands(TileSpec.of(b)) if n not in pairs.values())
    return Comparison(found, only_a, only_b)


def pooled(metric: PairReduce, a: xr.Dataset, b: xr.Dataset) -> Any:
    """Return a statistic over all bands that two tiles have in common, taken together."""
    metric = metric.replace(predicted="predicted", truth="truth")
    state = None
    for name, other in common_bands(a, b, None, isinstance(metric, ConfusionMatrix | IoU)).items():
        pair = _pair(a, name, b, other)
        spec = TileSpec.of(pair)
        require_fit(name, spec, (metric,))
        metric.plan(spec)  # says what is wrong
        mine = metric.update(metric.init(spec), pair["predicted"].values, pair["truth"].values)
        state = mine if state is None else metric.merge(state, mine)
    return metric.finish(state)


def common_bands(
    a: xr.Dataset, b: xr.Dataset, bands: tuple[str, ...] | None, classes: bool = False
) -> dict[str, str]:
    """Return names of bands in the first tile, and what they are called in the second."""
    require_one_grid(a, b)
    one, two = TileSpec.of(a), TileSpec.of(b)
    if bands is not None:
        mine = chosen_bands(one, bands, "compare")
        theirs = [two.find(name, "compare") for name in mine]
        return dict(zip(mine, theirs, strict=True))
    names = class_bands(one) if classes else image_bands(one)
    pairs = {name: found for name in names if (found := two.lookup(name)) is not None}
    if not pairs:
        held = [name for name in one.variables if two.lookup(name) and is_flags(name, one.variables[name])]
        if held and not classes:
            raise refusal(held[0])
        raise MissingVariableError(
            f"the first tile has {', '.join(one.variables)}, the second {', '.join(two.variables)}",
            expected="a band in both",
            fix="rename one, or compare two variables of one tile",
        )
    return pairs


def class_bands(tile: TileSpec) -> tuple[str, ...]:
    """Return the variables that hold classes: those that say so, or all of a tile of which none does."""
    said = tuple(name for name, spec in tile.variables.items() if is_flags(name, spec))
    return said or tuple(tile.variables)


def refusal(name: str) -> QuantityError:
    """Return the error of a metric of measurements that meets classes."""
    return QuantityError(
        f"{name!r} holds classes, whose numbers are names",
        expected="measurements for RMSE, MAE, Bias and R2",
        fix="compare classes with ConfusionMatrix() or IoU(positive=…), files with --metrics confusion,iou",
    )


def require_fit(name: str, pair: TileSpec, metrics: Iterable[PairReduce]) -> None:
    """Raise if a metric of measurements would compute with the numbers of classes."""
    measures = any(isinstance(one, RMSE | MAE | Bias | R2) for one in metrics)
    if measures and any(is_flags(name, spec) for spec in pair.variables.values()):
        raise refusal(name)


def require_one_grid(a: xr.Dataset, b: xr.Dataset) -> None:
    """Raise if two tiles differ in grid or dates."""
    one, two = geobox_of(TileSpec.require_dataset(a)), geobox_of(TileSpec.require_dataset(b))
    if one != two:
        raise GridMismatchError(
            f"the first tile has {grid_label(one)}, the second {grid_label(two)}",
            expected="two tiles on one grid",
            fix="bring one onto the grid of the other with geotoolz.grid.MatchGrid",
        )
    for dim in {*a.dims, *b.dims} - {"x", "y"}:
        if a.sizes.get(dim) != b.sizes.get(dim) or not _same_coordinate(a, b, str(dim)):
            raise GridMismatchError(f"the tiles differ in {dim!r}", expected=f"the same {dim} in both")


def _same_coordinate(a: xr.Dataset, b: xr.Dataset, dim: str) -> bool:
    if dim not in a.coords or dim not in b.coords:
        return True
    return bool((a[dim].values == b[dim].values).all())


def _pair(a: xr.Dataset, name: str, b: xr.Dataset, other: str) -> xr.Dataset:
    """Return a tile with the two variables."""
    return xr.Dataset({"predicted": a[name].variable, "truth": b[other].variable}, coords=a.coords)


def _label(metric: PairReduce) -> str:
    return str(getattr(metric, "label", type(metric).__name__))


def _told(name: str, result: Any) -> str:
    if isinstance(result, ConfusionCounts):
        shares = (result.overall_accuracy, result.kappa, result.mean_iou)
        text = "overall accuracy {:.6g}, kappa {:.6g}, mean IoU {:.6g}".format(*shares)
        return f"{text}, {result.n} pixels; rows are true, columns predicted"
    return f"{name} {float(result):.6g}"
