"""The examples in the READMEs: a folder with the files that they name, and running them.

Run: uv run python scripts/readmes.py place FOLDER (with the whole workspace), then, in that folder and with
whatever distribution is installed, python …/scripts/readmes.py run README.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any


def place(folder: Path) -> None:
    """Write two scenes, a catalog and a pipeline that needs no more than geotoolz-core."""
    from geotoolz.catalog import GeoCatalog
    from geotoolz.core import Sequential, dump
    from geotoolz.core.testing import write_scene
    from geotoolz.io import WriteCOG
    from geotoolz.radiometry import BandMath

    common: dict[str, Any] = {"shape": (64, 64), "cloud_cover": 0.1}
    sentinel = {**common, "bands": ("red", "nir", "scl"), "tile_id": "S2B_33TWL_20240714"}
    landsat = {"sensor": "landsat-8", "bands": ("red", "nir08"), "tile_id": "LC08_L2SP_008059_20240714"}
    write_scene(sentinel, folder)
    write_scene({**common, **landsat}, folder)
    GeoCatalog.build(folder / sentinel["tile_id"]).save(folder / "scenes.parquet")
    ndvi = BandMath("(nir - red) / (nir + red)", name="ndvi")
    pipeline = Sequential([ndvi, WriteCOG("{tile_id}.tif", bands=("ndvi",))])
    (folder / "pipeline.yaml").write_text(dump(pipeline), encoding="utf-8")


def example(readme: Path) -> str:
    """Return the Python of a README, as one script."""
    blocks = re.findall(r"```python\n(.*?)```", readme.read_text(encoding="utf-8"), re.DOTALL)
    if not blocks:
        raise SystemExit(f"{readme} has no example")
    # Ray has tests of its own; starting it costs ten seconds
    return "\n".join(blocks).replace('engine="ray", n_workers=8', 'engine="inline"')


def run(readme: Path) -> None:
    """Run the example of a README in the folder where we are."""
    exec(compile(example(readme), str(readme), "exec"), {"__name__": "readme"})


if __name__ == "__main__":
    {"place": place, "run": run}[sys.argv[1]](Path(sys.argv[2]).resolve())
