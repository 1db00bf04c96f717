"""The example in the README of every package, and of the workspace, runs as printed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from geotoolz.catalog import GeoCatalog
from geotoolz.core import Sequential, dump
from geotoolz.core.testing import write_scene
from geotoolz.indices import NDVI
from geotoolz.io import WriteCOG

ROOT = Path(__file__).parent.parent
READMES = sorted(
    [*ROOT.glob("packages/*/README.md"), *(ROOT / name / "README.md" for name in ("", "geotoolz-nextgen"))]
)


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    common = {"shape": (64, 64), "cloud_cover": 0.1}
    write_scene({**common, "bands": ("red", "nir", "scl"), "tile_id": "S2B_33TWL_20240714"}, tmp_path)
    GeoCatalog.build(tmp_path / "S2B_33TWL_20240714").save(tmp_path / "scenes.parquet")
    landsat = {"sensor": "landsat-8", "bands": ("red", "nir08"), "tile_id": "LC08_L2SP_008059_20240714"}
    write_scene({**common, **landsat}, tmp_path)
    pipeline = Sequential([NDVI(), WriteCOG("{tile_id}.tif", bands=("ndvi",))])
    (tmp_path / "pipeline.yaml").write_text(dump(pipeline))
    return tmp_path


@pytest.mark.parametrize("readme", READMES, ids=[path.parent.name for path in READMES])
def test_the_example_runs(readme: Path, workplace: Path) -> None:
    blocks = re.findall(r"```python\n(.*?)```", readme.read_text(), re.DOTALL)
    assert blocks, "a README without an example"
    # Ray has tests of its own; starting it costs ten seconds
    code = "\n".join(blocks).replace('engine="ray", n_workers=8', 'engine="inline"')
    exec(compile(code, str(readme), "exec"), {"__name__": "readme"})
