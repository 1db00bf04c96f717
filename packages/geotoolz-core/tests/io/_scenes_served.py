"""Scenes behind a file server on this machine: what is asked for is counted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from _http import Server

from geotoolz.core.testing import write_scene

DAYS = ("2023-07-04", "2023-07-14", "2023-07-24")


def written(folder: Path, size: int = 1024, **more: Any) -> list[dict[str, Any]]:
    """Write scenes of three dates, in tiles of 256 pixels, and return their items with local hrefs."""
    import rasterio

    items = []
    for day in DAYS:
        scene = {"shape": (size, size), "bands": ("red", "nir", "scl"), "datetime": f"{day}T10:00:31Z"}
        out = write_scene({**scene, "cloud_cover": 0.2, "seed": 4, **more}, folder)
        for path in out.glob("*.tif"):
            with rasterio.open(path) as file:
                profile, pixels, tags = file.profile, file.read(), file.tags()
            profile |= {"tiled": True, "blockxsize": 256, "blockysize": 256}
            with rasterio.open(path, "w", **profile) as file:
                file.write(pixels)
                file.update_tags(**tags)
        (path,) = out.glob("*.json")
        item = json.loads(path.read_text(encoding="utf-8"))
        for asset in item["assets"].values():
            asset["href"] = str(out / Path(asset["href"]).name)
        items.append(item)
    return items


def served(items: list[dict[str, Any]], server: Server, folder: Path) -> list[dict[str, Any]]:
    """Return the items with the server's addresses."""
    found = []
    for item in items:
        assets = {
            key: {**asset, "href": f"{server.url}/{Path(asset['href']).relative_to(folder).as_posix()}"}
            for key, asset in item["assets"].items()
        }
        found.append({**item, "assets": assets, "links": []})
    return found
