"""Collects what tiles bring, as they come, and makes the report when all have."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from geotoolz.diff._bimodal import bimodality
from geotoolz.diff._drift import Drift, drift, years
from geotoolz.diff._kinds import COMMON, HIGHER_IS_BETTER, METRICS, class_names, metric_of
from geotoolz.diff._measures import Pooled, measure
from geotoolz.diff._resample import intervals, moments_of, resamples
from geotoolz.diff._tile_pair import TilePair, VariablePair
from geotoolz.diff._variable_report import TileRow, VariableReport, WorstTile, worst_first


class Gather:
    """What the tiles of a run bring; the order in which they come does not matter.

    Parameters
    ----------
    metric : str or mapping, optional
    worst : int
        How many tiles per variable are shown.
    """

    def __init__(self, metric: str | Mapping[str, str] | None, worst: int) -> None:
        self.metric = metric
        self.worst = worst
        self.variables: dict[tuple[str, str], _Variable] = {}
        self.different: dict[str, dict[str, str]] = {}
        self.only_a: Counter[str] = Counter()
        self.only_b: Counter[str] = Counter()
        self.notes: Counter[str] = Counter()

    def add(self, tile: TilePair) -> None:
        """Add a tile."""
        for name, found in tile.variables.items():
            key = (name, found.kind)
            if key not in self.variables:
                chosen = metric_of(found.kind, self.metric, name)
                self.variables[key] = _Variable(name, found.kind, chosen, self.worst)
            self.variables[key].add(tile, found)
        if tile.different:
            self.different.setdefault(tile.tile_id, {}).update(tile.different)
        self.only_a.update(tile.only_a)
        self.only_b.update(tile.only_b)
        self.notes.update(tile.notes)

    def reports(
        self, order: Sequence[str], times: int, seed: int, confidence: float
    ) -> dict[str, VariableReport]:
        """Return the report of every variable, with tiles in this order.

        Of a variable that holds one kind of values on some tiles and another on others, the tiles of the
        more frequent kind count; the others are named in `different`.
        """
        by_size = sorted(self.variables.values(), key=lambda one: (one.name, -len(one.rows), one.kind))
        chosen: dict[str, _Variable] = {}
        for one in by_size:
            kept = chosen.setdefault(one.name, one)
            for tile in one.rows if kept is not one else ():
                why = f"values: {one.kind}, and {kept.kind} on other tiles"
                self.different.setdefault(tile, {})[one.name] = why
        return {name: one.report(order, times, seed, confidence) for name, one in chosen.items()}


class _Variable:
    """What is kept of one variable: sums, a row per tile, pixels of the worst tiles only."""

    def __init__(self, name: str, kind: str, metric: str, worst: int) -> None:
        self.name, self.kind, self.metric, self.most = name, kind, metric, worst
        self.pooled = Pooled(kind)
        self.rows: dict[str, TileRow] = {}
        self.pixels: dict[str, tuple[Any, Mapping[str, Any]]] = {}
        self.names: dict[int, str] = {}
        self.by: dict[float, Pooled] = {}
        self.by_names: dict[int, str] = {}

    def add(self, tile: TilePair, found: VariablePair) -> None:
        """Add a tile."""
        gathered = found.compared.gathered
        self.pooled.add(gathered)
        pairs = gathered.pairs if self.kind == "classes" else None
        row = TileRow(tile.tile_id, tile.datetime, tile.place, found.metrics, found.sums, pairs)
        self.rows[tile.tile_id] = row
        self.names.update(_names(found.attrs))
        self.by_names.update(_names(found.by_attrs))
        for value, part in found.by.items():
            self.by.setdefault(value, Pooled(self.kind)).add(part)
        self.pixels[tile.tile_id] = (found.compared.thumbs, found.attrs)
        shown = worst_first(self.metric, [self.rows[name] for name in self.pixels])
        for dropped in shown[self.most :]:
            del self.pixels[dropped.tile_id]

    def report(self, order: Sequence[str], times: int, seed: int, confidence: float) -> VariableReport:
        """Return the report."""
        rows = tuple(self.rows[name] for name in order if name in self.rows)
        found = self.pooled.gathered()
        drawn = resamples(len(rows), times, seed)
        moments = moments_of(rows)
        metrics = measure(self.kind, found)
        values = [row.metrics[self.metric] for row in rows]
        return VariableReport(
            self.name,
            self.kind,
            self.metric,
            found.n,
            found.only_a,
            found.only_b,
            metrics,
            intervals(moments, (*METRICS[self.kind], *COMMON), drawn, confidence),
            rows,
            bimodality(
                values, [row.tile_id for row in rows], higher_is_better=self.metric in HIGHER_IS_BETTER
            ),
            tuple(_drifts(self.kind, rows, drawn, confidence)),
            tuple(self._worst()),
            found.pairs,
            self.names,
            dict(self._by_class()),
        )

    def _by_class(self) -> Iterator[tuple[str, dict[str, float]]]:
        for value, pooled in sorted(self.by.items()):
            name = self.by_names.get(int(value), f"{value:g}")
            found = pooled.gathered()
            yield name, {"pixels": float(found.n), **measure(self.kind, found)}

    def _worst(self) -> Iterator[WorstTile]:
        for row in worst_first(self.metric, [self.rows[name] for name in self.pixels]):
            thumbs, attrs = self.pixels[row.tile_id]
            yield WorstTile(row.tile_id, row.metrics[self.metric], self.kind, thumbs, attrs)


def _names(attrs: Mapping[str, Any]) -> dict[int, str]:
    from geotoolz.core import VarSpec

    return class_names(VarSpec(attrs=attrs))


def _drifts(kind: str, rows: Sequence[TileRow], drawn: Any, confidence: float) -> Iterator[Drift]:
    """Yield the slopes of the signed difference, of classes of the agreement."""
    metric = "agreement" if kind == "classes" else "bias"
    values = [row.metrics[metric] for row in rows]
    unknown = (float("nan"), float("nan"))
    places = [row.place or unknown for row in rows]
    axes = {
        "time": [years(row.datetime) for row in rows],
        "longitude": [lon for lon, _ in places],
        "latitude": [lat for _, lat in places],
    }
    for along, where in axes.items():
        found = drift(along, where, values, drawn, confidence)
        if found is not None:
            yield found
