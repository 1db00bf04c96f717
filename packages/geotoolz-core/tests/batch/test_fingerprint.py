"""What counts as an input of a tile: the files that an item names and a reader opens."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from geotoolz.batch._fingerprint import fingerprint


def _item(folder: Path, assets: Any) -> Path:
    path = folder / "item.json"
    path.write_text(json.dumps({"type": "Feature", "id": "x", "assets": assets}))
    return path


def test_second_files_of_bands_are_no_inputs(tmp_path: Path) -> None:
    """Copies of Earth Search items still name the JPEG2000 files in a bucket: it is not asked for them."""
    (tmp_path / "B04.tif").write_bytes(b"1234")
    red = {"href": "B04.tif"}
    path = _item(tmp_path, {"red": red, "red-jp2": {"href": "s3://sentinel-s2-l2a/tiles/B04.jp2"}})
    found = fingerprint([str(path)])
    assert [stamp.path for stamp in found] == [str(path), str(tmp_path / "B04.tif")]
    assert found[1].size == 4


def test_remote_files_stay_addresses_without_their_signatures(tmp_path: Path) -> None:
    path = _item(tmp_path, {"red": {"href": "https://host/B04.tif?sig=1"}, "nir": {"href": "s3://b/B08.tif"}})
    assert [(one.path, one.size) for one in fingerprint([str(path)])[1:]] == [
        ("s3://b/B08.tif", -2),
        ("https://host/B04.tif", -2),
    ]


@pytest.mark.parametrize("assets", [None, [], {"red": None}, {"red": {}}, {"red": {"href": 7}}])
def test_what_is_no_item_has_no_files(tmp_path: Path, assets: Any) -> None:
    path = _item(tmp_path, assets)
    assert [stamp.path for stamp in fingerprint([str(path)])] == [str(path)]
