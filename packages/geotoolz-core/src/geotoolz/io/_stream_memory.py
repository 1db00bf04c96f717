"""How much memory a stream takes: computed from the windows before a pixel is read."""

from __future__ import annotations

import math
import pickle
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from geotoolz.core import Sink
from geotoolz.core._execute import Job, run_window
from geotoolz.core._extent import Extent
from geotoolz.core._memory import MB
from geotoolz.core._stream import AHEAD, block_rows, blocks_of, job_inputs
from geotoolz.io._stream_source import SceneInput
from geotoolz.io._write import WriteCOG
from geotoolz.io._write_zarr import WriteZarr

_STRIP = 512  # rows in which resampled bands are read (`_pixels._ROWS`)
_TAKEN = 8  # bytes per pixel of a look-up in a table


def input_bytes(job: Job, source: SceneInput, extents: Iterable[Extent]) -> int:
    """Return the most bytes that one thread's raw pixels take."""
    most = 0
    for extent in extents:
        needed = job.input_extents(extent)
        loaded = {slot: needed[slot] for slot in job_inputs(job)}
        groups = source.groups(loaded)
        total = sum(
            math.prod(e.shape) * len(slots) * dtype.itemsize for (_, dtype), (e, slots) in groups.items()
        )
        extra = 0
        for slot in loaded.keys() - {slot for _, slots in groups.values() for slot in slots}:
            rows, cols = needed[slot].shape
            total += rows * cols * source.band(slot).spec.dtype.itemsize
            extra = max(extra, _resampling_bytes(source, slot, rows, cols))
        most = max(most, total + extra)
    return most


def _resampling_bytes(source: SceneInput, slot: int, rows: int, cols: int) -> int:
    """Return the bytes that reading a resampled band takes besides its values (measured)."""
    band = source.band(slot)
    size, finer = band.source.dtype.itemsize, source.finer(slot)
    strip = min(rows, _STRIP) * cols
    if band.source.nearest:
        return int(rows * cols * 2 * size + strip * finer * size)
    return int(rows * cols * 29 + strip * (48 + finer * (size + 5)))


def compute_bytes(job: Job, extents: Iterable[Extent]) -> int:
    """Return the most bytes that one thread's blocks take, by following what is alive after each call."""
    most = 0
    for extent in extents:
        for block in blocks_of(job, extent, block_rows(job, extent))[:2]:
            most = max(most, _block_bytes(job, block))
    return most


def _block_bytes(job: Job, block: Extent) -> int:
    program = job.program
    needed = job.input_extents(block)

    def size(slot: int) -> int:
        lead = math.prod(program.leads[slot])
        return math.prod(needed[slot].shape) * lead * program.slots[slot].dtype.itemsize

    inputs = job_inputs(job)
    taken = max((math.prod(needed[slot].shape) * _TAKEN for slot in inputs), default=0)
    live: dict[int, int] = {}
    most = 0
    for index, step in enumerate(job.instructions):
        live.update((slot, size(slot)) for slot in (*step.reads, *step.writes))
        largest = max((math.prod(needed[slot].shape) for slot in (*step.reads, *step.writes)), default=0)
        scratch = 0 if step.is_pointwise else 16 * largest  # two planes of float64 in the kernel
        most = max(most, sum(live.values()) + max(scratch, taken))
        for slot in job.frees[index]:
            del live[slot]
    return max(most, sum(live.values()) + taken)


def output_bytes(job: Job, extents: Iterable[Extent], threads: int) -> int:
    """Return the bytes of all output buffers."""
    pixels = max((math.prod(extent.shape) for extent in extents), default=0)
    each = sum(job.program.slots[s].dtype.itemsize * math.prod(job.program.leads[s]) for s in job.wanted)
    return pixels * each * (threads + AHEAD)


def encoder_bytes(cache: int, threads: int, raw: int) -> int:
    """Return the bytes that GDAL takes while it makes COGs of the staging files.

    Measured with GDAL 3.10 for 2048 to 20000 columns, 1 to 8 bytes a pixel, 1 to 4 bands (see
    benchmarks/stream.py): its threads free what others allocated, so twice the cache is held.
    """
    most = cache + 47 * MB if threads == 1 else int(2.2 * cache) + (15 + 25 * threads) * MB
    return min(most, 22 * MB + 4 * raw)


def region_bytes(sink: Sink | None, itemsize: int) -> int:
    """Return the bytes that Zarr takes while it encodes the chunks of a window."""
    return 20 * sink.chunks**2 * itemsize if isinstance(sink, WriteZarr) else 0


def reader_bytes(source: SceneInput, threads: int) -> int:
    """Return the bytes that open files take: a block, encoded and decoded, and what malloc keeps."""
    return threads * (2 * source.block_bytes() + 4 * MB)


def state_bytes(jobs: Iterable[Job], threads: int) -> int:
    """Return the bytes that statistics take while they are gathered."""
    total = 0
    for job in jobs:
        for reduction in job.reductions:
            try:
                total += len(pickle.dumps(reduction.op.init(reduction.spec, None), protocol=5))
            except (pickle.PicklingError, AttributeError, TypeError):
                total += MB  # a state that cannot be pickled: nobody knows
    return total * threads


def some_extents(extents: list[Extent], most: int = 64) -> list[Extent]:
    """Return windows from everywhere: the first, the last, and evenly spread ones."""
    if len(extents) <= most:
        return extents
    step = len(extents) / most
    return [*(extents[int(n * step)] for n in range(most)), extents[-1]]


def warm_up(jobs: Iterable[Job], source: SceneInput, sink: Sink | None) -> None:
    """Compile the kernels, open the files, load what GDAL and Zarr load: the same for every size of scene.

    One block of a few pixels is read and computed; nothing is kept.
    """
    for job in jobs:
        rows, cols = (min(size, 16) for size in job.shape)
        along_y, along_x = job.whole_axes
        corner = Extent(0, job.shape[0] if along_y else rows, 0, job.shape[1] if along_x else cols)
        needed = job.input_extents(corner)
        fetch = source.load({slot: needed[slot] for slot in job_inputs(job)})
        run_window(job, fetch, corner, [r.op.init(r.spec, None) for r in job.reductions] or None)
    source.release()
    if sink is not None:
        _warm_sink(sink)


def _warm_sink(sink: Sink) -> None:
    from affine import Affine
    from odc.geo.geobox import GeoBox

    from geotoolz.core import tile_from_arrays

    box = GeoBox((64, 64), Affine(10, 0, 500_000, 0, -10, 5_000_000), "EPSG:32633")
    tile = tile_from_arrays({"a": np.zeros((64, 64), np.float32)}, box)
    with tempfile.TemporaryDirectory() as folder:
        changes: Mapping[str, object] = {"bands": None}
        if isinstance(sink, WriteCOG):
            sink.replace(path=str(Path(folder) / "a.tif"), **changes).write(tile, created=("a",))
        elif isinstance(sink, WriteZarr):
            sink.replace(path=str(Path(folder) / "a.zarr"), **changes).write(tile, created=("a",))
