"""The one law for streams, as a test: files do not depend on windows and threads."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from geotoolz.core import Operator, run_detailed
from geotoolz.core._provenance import made_by, origin_of
from geotoolz.core.testing import LawBrokenError
from geotoolz.core.testing._law import cuts
from geotoolz.io._reader import open_scene
from geotoolz.io._readers import OpenScene
from geotoolz.io._stream import stream
from geotoolz.io._write import WriteCOG
from geotoolz.io._write_zarr import WriteZarr

__all__ = ["assert_stream_law"]


def assert_stream_law(
    op: Operator,
    source: Any,
    *,
    windows: Iterable[tuple[int, int]] | None = None,
    threads: Iterable[int] = (1, 2, 3),
    formats: Iterable[str] = ("tif", "zarr"),
    outputs: tuple[str, ...] | None = None,
    **read: Any,
) -> None:
    """Raise unless streaming a pipeline writes the bytes that its sink writes of the whole tile.

    Parameters
    ----------
    op : Operator
        A frozen pipeline without a sink.
    source : path, STAC item or OpenScene
        What `stream` takes.
    windows : iterable of (rows, columns), optional
        Window sizes; by default one larger than the tile, an odd one, random ones, and `stream`'s choice.
    threads : iterable of int
        Numbers of threads.
    formats : iterable of {"tif", "zarr"}
        What to write.
    outputs : tuple of str, optional
        Variables to write.
    **read
        As for `open_scene`.

    Raises
    ------
    LawBrokenError
        Naming the window, the threads and the file.

    Examples
    --------
    >>> import tempfile
    >>> from geotoolz.core.testing import simulate_scene
    >>> from geotoolz.io import write_tile
    >>> from geotoolz.io.testing import assert_stream_law
    >>> from geotoolz.radiometry import BoxMean
    >>> with tempfile.TemporaryDirectory() as tmp:
    ...     paths = write_tile(simulate_scene((60, 70), bands=("red",)), f"{tmp}/red.tif")
    ...     assert_stream_law(BoxMean(radius=2), paths[0], windows=[(13, 17)], threads=[2])
    """
    reader = source if isinstance(source, OpenScene) else open_scene(source, **read)
    sizes = [None, *(windows if windows is not None else cuts(reader.spec.shape, count=2)[2:])]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for form in formats:
            wanted = _whole(op, reader, _sink(folder / "whole", form, outputs))
            for number, size in enumerate(sizes):
                for n in threads:
                    sink = _sink(folder / f"{form}-{number}-{n}", form, outputs)
                    got = stream(op, reader, sink, window=size, threads=n).paths
                    _compare(wanted, got, f"windows of {size}, {n} thread(s)")


def _sink(folder: Path, form: str, outputs: tuple[str, ...] | None) -> WriteCOG | WriteZarr:
    if form == "zarr":
        return WriteZarr(str(folder / "tile.zarr"), outputs, chunks=64)
    return WriteCOG(str(folder / "{band}.tif"), outputs, blocksize=128)


def _whole(op: Operator, reader: OpenScene, sink: WriteCOG | WriteZarr) -> tuple[str, ...]:
    """Write what the sink makes of the whole tile in memory."""
    whole = reader.read()
    result = run_detailed(op, whole)
    tile = next(iter(result.tiles.values()))
    with made_by(op, **origin_of(result.program, sink, {"": whole})):  # as every driver does
        return sink.write(tile, created=result.program.created)


def _compare(wanted: tuple[str, ...], got: tuple[str, ...], what: str) -> None:
    one, two = ({Path(p).name: files_of(Path(p)) for p in paths} for paths in (wanted, got))
    if list(one) != list(two):
        raise LawBrokenError(f"{what}: the stream wrote {list(two)}, the whole tile gives {list(one)}")
    for name, files in one.items():
        for inner in {*files, *two[name]}:
            if files.get(inner) != two[name].get(inner):
                raise LawBrokenError(
                    f"{what}: {name}{'/' if inner else ''}{inner} differs from the whole tile's"
                )


def files_of(path: Path) -> dict[str, bytes]:
    """Return the bytes of a file, or of all files below a folder, and of the sidecar beside it."""
    if path.is_dir():
        return {
            p.relative_to(path).as_posix(): p.read_bytes() for p in sorted(path.rglob("*")) if p.is_file()
        }
    sidecar = path.with_name(path.name + ".aux.xml")
    return {"": path.read_bytes(), **({".aux.xml": sidecar.read_bytes()} if sidecar.is_file() else {})}
