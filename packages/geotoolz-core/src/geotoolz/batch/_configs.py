"""The pipelines that an output folder has seen, a file per hash: so a plan can say what has changed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from geotoolz.io._object_path import Place

from ._commit import read_item, write_atomic
from ._layout import Layout
from ._sinks import split

if TYPE_CHECKING:
    from geotoolz.core import Operator

__all__ = ["described", "find_config", "keep_config"]


def described(op: Operator) -> dict[str, Any]:
    """Return a pipeline's configuration without its sink, every operator with its ``version``.

    It says what the hash is taken of, and of files behind a `Ref` also where they are.
    """
    described: dict[str, Any] = _with_versions(split(op)[0].config())
    return described


def keep_config(layout: Layout, config_hash: str, config: Mapping[str, Any]) -> None:
    """Write a configuration, unless it is there already."""
    path = _path(layout, config_hash)
    if not path.exists():
        write_atomic(path, (json.dumps(config, indent=1) + "\n").encode())


def find_config(layout: Layout, config_hash: str, tile_id: str) -> dict[str, Any] | None:
    """Return the configuration of a hash: as it was kept, else as the item of a tile tells it."""
    try:
        kept = json.loads(_path(layout, config_hash).read_bytes())
    except (OSError, ValueError):
        item, _ = read_item(layout, tile_id)
        told = {} if item is None else item["properties"]
        same = told.get("geotoolz:config_hash") == config_hash
        kept = told.get("processing:expression", {}).get("expression") if same else None
    return kept if isinstance(kept, dict) else None


def _path(layout: Layout, config_hash: str) -> Place:
    return layout.private / "configs" / f"{config_hash.removeprefix('sha256:')}.json"


def _with_versions(value: Any) -> Any:
    from geotoolz.core import _registry

    if isinstance(value, Mapping):
        own = {name: _with_versions(inner) for name, inner in value.items()}
        target = value.get("_target_")
        if isinstance(target, str) and target != "geotoolz.core.Ref":
            own["_version_"] = _registry.find(target).version
        return own
    return [_with_versions(inner) for inner in value] if isinstance(value, list) else value
