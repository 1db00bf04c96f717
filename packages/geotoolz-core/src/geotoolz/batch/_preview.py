"""What a run will take, measured: a few tiles are made, the rest is reckoned from them, with its doubt."""

from __future__ import annotations

import math
import statistics
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ._budget import Budget
from ._driver import Driver
from ._engine import default_workers, get_engine
from ._layout import Layout
from ._task import TileResult, TileTask, run_tile

if TYPE_CHECKING:
    from ._pipeline import CatalogPipeline

__all__ = ["Estimate", "Preview", "preview_of", "spread"]

#: Student's t, two-sided 90 %, by degrees of freedom from 1 to 20 (Abramowitz & Stegun 1964, table 26.10)
_T90 = (6.314, 2.920, 2.353, 2.132, 2.015, 1.943, 1.895, 1.860, 1.833, 1.812,
        1.796, 1.782, 1.771, 1.761, 1.753, 1.746, 1.740, 1.734, 1.729, 1.725)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number with the interval that it lies in with 90 % probability.

    Attributes
    ----------
    value : float
    low, high : float or None
        None where one tile was measured: one number says nothing about its spread.
    """

    value: float
    low: float | None = None
    high: float | None = None

    @classmethod
    def total(cls, measured: Sequence[float], count: int) -> Estimate:
        """Estimate the sum over `count` tiles from those that were measured.

        The interval is Student's, for a sample without replacement: it closes where all are measured. Tiles
        that differ in kind (empty ones, a few giants) make it wider than it says as long as few are measured.

        Examples
        --------
        >>> Estimate.total([1.0, 2.0, 3.0], 3)
        Estimate(value=6.0, low=6.0, high=6.0)
        >>> Estimate.total([2.0], 10)
        Estimate(value=20.0, low=None, high=None)
        """
        known, mean = len(measured), statistics.fmean(measured)
        if known >= count:
            return cls(math.fsum(measured), math.fsum(measured), math.fsum(measured))
        if known == 1:
            return cls(mean * count)
        t = _T90[min(known - 1, len(_T90)) - 1]
        half = t * statistics.stdev(measured) * math.sqrt(count * (count - known) / known)
        # the tiles that were measured are in the sum: it is no less than theirs
        return cls(mean * count, max(mean * count - half, math.fsum(measured)), mean * count + half)

    def times(self, factor: float) -> Estimate:
        """Return the estimate in another unit."""
        low, high = (None if bound is None else bound * factor for bound in (self.low, self.high))
        return Estimate(self.value * factor, low, high)

    def to_dict(self) -> dict[str, float | None]:
        """Return values for JSON."""
        return {"value": self.value, "low": self.low, "high": self.high}


@dataclass(frozen=True)
class Preview:
    """What a few tiles took, and what all tiles that are to do will take.

    Attributes
    ----------
    todo : int
        Tiles that a run would make, the measured ones too: they are not kept.
    seconds : mapping of str to float
        Tile to the seconds that its worker was busy with it.
    cpu_seconds : tuple of float
        CPU time of the same tiles, as far as the system tells it.
    sizes : tuple of int
        Bytes of their outputs.
    peak_bytes : int
        The most memory that the worker held; 0 where the system does not tell.
    startup : float
        Seconds that a worker's first tile takes longer: libraries, compiled kernels.
    failed : mapping of str to str
        Tiles that could not be made, and why.
    workers : int
        For how many the hours are told.
    budget : Budget
        With the prices.
    """

    todo: int
    seconds: dict[str, float]
    cpu_seconds: tuple[float, ...]
    sizes: tuple[int, ...]
    peak_bytes: int
    startup: float
    failed: dict[str, str]
    workers: int
    budget: Budget

    @property
    def median(self) -> float:
        """Seconds per tile."""
        return statistics.median(self.seconds.values())

    @property
    def range(self) -> tuple[float, float]:
        """Seconds of the quickest and of the slowest tile."""
        return min(self.seconds.values()), max(self.seconds.values())

    @property
    def cpu_hours(self) -> Estimate:
        """Hours that workers will be busy, each counted as one CPU: what a cluster bills."""
        return Estimate.total([*self.seconds.values()], self.todo).times(1 / 3600)

    @property
    def hours(self) -> Estimate:
        """Hours from start to end; a run is no shorter than its slowest tile."""
        busy = self.cpu_hours.times(1 / min(self.workers, self.todo))
        least = (self.startup + self.range[1]) / 3600
        start = self.startup / 3600
        low, high = (None if bound is None else max(bound + start, least) for bound in (busy.low, busy.high))
        return Estimate(max(busy.value + start, least), low, high)

    @property
    def output_bytes(self) -> Estimate:
        """Bytes of all outputs."""
        return Estimate.total(self.sizes, self.todo)

    @property
    def cost(self) -> Estimate | None:
        """The price of all, None without prices; both parts at their low, or both at their high end."""
        hours, size = self.cpu_hours, self.output_bytes
        value = self.budget.cost_of(cpu_hours=hours.value, size=size.value)
        if value is None:
            return None
        bounds = [
            None if one is None or other is None else self.budget.cost_of(cpu_hours=one, size=other)
            for one, other in ((hours.low, size.low), (hours.high, size.high))
        ]
        return Estimate(value, *bounds)

    def to_dict(self) -> dict[str, Any]:
        """Return values for JSON."""
        return {
            "todo": self.todo,
            "measured": len(self.seconds),
            "failed": self.failed,
            "seconds": self.seconds,
            "median_seconds": self.median,
            "cpu_seconds": list(self.cpu_seconds),
            "startup_seconds": self.startup,
            "workers": self.workers,
            "hours": self.hours.to_dict(),
            "cpu_hours": self.cpu_hours.to_dict(),
            "peak_bytes": self.peak_bytes,
            "output_bytes": self.output_bytes.to_dict(),
            "cost": None if self.cost is None else self.cost.to_dict(),
        }


def spread(count: int, wanted: int) -> list[int]:
    """Return the places of `wanted` of `count` things, evenly over all of them.

    Examples
    --------
    >>> spread(100, 4), spread(3, 5)
    ([12, 37, 62, 87], [0, 1, 2])
    """
    if wanted >= count:
        return list(range(count))
    return [(2 * place + 1) * count // (2 * wanted) for place in range(wanted)]


def preview_of(job: CatalogPipeline, wanted: int, workers: int | None) -> Preview:
    """Make `wanted` tiles of a job in a temporary folder, and measure.

    Raises
    ------
    ParameterError
        If `wanted` is no number of tiles.
    BatchError
        If there is nothing to do, or none of the tiles could be made.
    """
    from geotoolz.core._errors import BatchError, ParameterError

    if type(wanted) is not int or wanted < 1:
        raise ParameterError(f"a preview of {wanted!r} tiles", expected="a whole number of at least 1")
    tasks = [tile.task for tile in job.plan().todo if tile.task is not None]
    if not tasks:
        raise BatchError(
            "there is nothing to do", expected="tiles to measure", fix="`geotoolz plan` tells why"
        )
    chosen = [tasks[place] for place in spread(len(tasks), wanted)]
    with tempfile.TemporaryDirectory(prefix="geotoolz-preview-") as folder:
        warm, made, failed = _measured(job, chosen, folder)
    if not made:
        tile, why = next(iter(failed.items()))
        raise BatchError(f"none of {len(chosen)} tiles could be made; {tile}: {why}")
    usage = [result.usage for _, result in made.values()]
    first = made.get(chosen[0].tile_id)
    return Preview(
        len(tasks),
        {tile: seconds for tile, (seconds, _) in made.items()},
        tuple(used["cpu_seconds"] for used in usage if "cpu_seconds" in used),
        tuple(sum(file.size for file in result.outputs) for _, result in made.values()),
        int(max((used.get("peak_bytes", 0) for used in usage), default=0)),
        max(0.0, warm - first[0]) if first is not None else 0.0,
        failed,
        workers or job.n_workers or (1 if job.engine == "inline" else default_workers()),
        job.budget,
    )


def _measured(
    job: CatalogPipeline, tasks: Sequence[TileTask], folder: str
) -> tuple[float, dict[str, tuple[float, TileResult]], dict[str, str]]:
    """Make tiles in one process below a folder; the first one twice, because libraries are loaded then."""
    Layout(Path(folder)).make()
    moved = [replace(task, out=folder, owned=()) for task in tasks]
    # a function that signs addresses may be in no module: then it can be called here only
    engine = get_engine("inline" if callable(job.read.get("sign")) else "process", 1)
    payloads = [("", moved[0]), *((task.tile_id, task) for task in moved)]
    driver = Driver(engine, policy=job.retries, timeout=None if engine.name == "inline" else job.timeout)
    warm, made, failed = 0.0, {}, {}
    for outcome in driver.run(run_tile, payloads, len(payloads)):
        seconds = outcome.attempts[-1].seconds
        if not outcome.ident:
            warm = seconds
        elif outcome.failure is None:
            made[outcome.ident] = (seconds, outcome.value)
        else:
            failed[outcome.ident] = f"{outcome.failure.error}: {outcome.failure.message}"
    return warm, made, failed
