"""How far an incremental fit has come, in one file."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from geotoolz.core import ConfigError, Operator, ParameterError, ReadError
from geotoolz.core._whole_file import write_whole
from geotoolz.learn._estimators import walk_steps
from geotoolz.learn._incremental_rows import Position, RowStream
from geotoolz.learn._persist import _archive, _skops_bytes
from geotoolz.learn._skops import load_skops
from geotoolz.learn._summary import Summary

_LAYOUT = 1
_STATE, _ESTIMATOR = "state.json", "estimator.skops"
_LIBRARIES = ("sklearn", "numpy", "scipy")


@dataclass
class Progress:
    """How far an incremental fit has come.

    Attributes
    ----------
    estimator : object
        As the last chunk left it.
    position : Position
        The first row that it has not seen.
    chunks : int
        Calls of ``partial_fit``.
    rows : list of int
        Rows seen, per epoch.
    seen : list of int
        Rows seen, per class.
    summary : Summary, optional
        Extent, dates and class names of what was read.
    """

    estimator: Any
    position: Position = field(default_factory=Position)
    chunks: int = 0
    rows: list[int] = field(default_factory=list)
    seen: list[int] = field(default_factory=list)
    summary: Summary | None = None


def save_progress(path: Path, progress: Progress, recipe: Mapping[str, Any]) -> None:
    """Write the state; a kill at any time leaves the old one or the new one."""
    summary = progress.summary
    about = {
        "layout": _LAYOUT,
        "recipe": dict(recipe),
        "position": [progress.position.epoch, progress.position.block, progress.position.row],
        "chunks": progress.chunks,
        "rows": progress.rows,
        "seen": progress.seen,
        "summary": None if summary is None else {
            "features": list(summary.features), "dtype": summary.dtype, "targets": list(summary.targets),
            "class_names": [[int(k), v] for k, v in summary.class_names.items()],
            "quantities": dict(summary.quantities), "target_units": dict(summary.target_units),
            "extent": summary.extent, "dates": summary.dates,
        },
    }  # fmt: skip
    content = _archive(
        {_STATE: json.dumps(about, indent=1).encode(), _ESTIMATOR: _skops_bytes(progress.estimator)}
    )
    write_whole(path, content, parents=True)


def load_progress(path: Path, estimator: Any, recipe: Mapping[str, Any]) -> Progress | None:
    """Return the state of an earlier run; None if there is none.

    Raises
    ------
    ReadError
        If the file is no state, or holds types that the estimator's own libraries do not have.
    ParameterError
        If it is the state of another fit; says what differs.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ReadError(f"{path} cannot be read: {error.strerror}") from error
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            about, kept = json.loads(archive.read(_STATE)), archive.read(_ESTIMATOR)
        if about["layout"] != _LAYOUT:
            raise ReadError(f"{path} has the layout {about['layout']!r}", expected=str(_LAYOUT))
        _require_same(path, about["recipe"], recipe)
        summary = _summary(about["summary"])
        progress = Progress(
            None, Position(*about["position"]), about["chunks"], about["rows"], about["seen"], summary
        )
    except (zipfile.BadZipFile, ValueError, KeyError, TypeError) as error:
        if isinstance(error, ParameterError):
            raise
        raise ReadError(
            f"{path} is no state of an incremental fit: {error}",
            expected="a file that fit_pixelwise_incremental wrote",
            fix="delete it to begin anew",
        ) from error
    progress.estimator = _loaded(path, kept, estimator)
    return progress


def _summary(kept: Mapping[str, Any] | None) -> Summary | None:
    if kept is None:
        return None
    return Summary(
        features=tuple(kept["features"]), dtype=kept["dtype"], targets=tuple(kept["targets"]),
        class_names=dict(kept["class_names"]), quantities=kept["quantities"],
        target_units=kept["target_units"], extent=None if kept["extent"] is None else tuple(kept["extent"]),
        dates=None if kept["dates"] is None else tuple(kept["dates"]),
    )  # fmt: skip


def _require_same(path: Path, found: Mapping[str, Any], recipe: Mapping[str, Any]) -> None:
    differ = [name for name in recipe if found.get(name) != recipe[name]]
    if differ:
        name = differ[0]
        raise ParameterError(
            f"{path} is the state of another fit: {', '.join(differ)} differ"
            f" ({name} was {str(found.get(name))[:60]}, and is {str(recipe[name])[:60]})",
            fix="call it as before, or give another state",
        )


def _loaded(path: Path, kept: bytes, estimator: Any) -> Any:
    """Load the estimator; no type is trusted but those of the libraries that the given one comes from."""
    import skops.io

    own = {type(step).__module__.partition(".")[0] for step in walk_steps(estimator)}.union(_LIBRARIES)
    try:
        types = skops.io.get_untrusted_types(data=kept)
    except Exception as error:  # a broken archive: skops raises what it meets
        raise ReadError(f"{path} cannot be read: {error}", fix="delete it to begin anew") from error
    return load_skops(kept, [name for name in types if name.partition(".")[0] in own], str(path))


def recipe_of(
    estimator: Any,
    pipelines: Mapping[str, Operator | str | Sequence[str] | None],
    stream: RowStream,
    numbers: Mapping[str, Any],
) -> dict[str, Any]:
    """Return what must be the same for a state to be taken up: plain values by name."""
    params = estimator.get_params(deep=True) if hasattr(estimator, "get_params") else vars(estimator)
    kind = f"{type(estimator).__module__}.{type(estimator).__qualname__}"
    scenes = [
        [str(s.spec.attrs.get("tile_id", "")), str(s.spec.attrs.get("datetime", "")), list(s.spec.shape)]
        for s in stream.sources
    ]
    return {
        "estimator": f"{kind}({sorted((k, repr(v)) for k, v in params.items())})",
        **{name: _told(pipeline) for name, pipeline in pipelines.items()},
        "scenes": hashlib.sha256(json.dumps(scenes).encode()).hexdigest(),
        "features": list(stream.first.layout.features),
        **numbers,
    }


def _told(pipeline: Operator | str | Sequence[str] | None) -> Any:
    if not isinstance(pipeline, Operator):
        return pipeline if pipeline is None or isinstance(pipeline, str) else list(pipeline)
    try:
        return pipeline.config_hash()
    except ConfigError:  # a part of it exists in memory only
        return repr(pipeline)
