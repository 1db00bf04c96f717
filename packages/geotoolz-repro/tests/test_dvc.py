from __future__ import annotations

import pytest

from geotoolz.core import ReadError
from geotoolz.repro import write_dvc

# what `dvc add` of DVC 3.67.1 wrote for the same bytes
FILE = """outs:
- md5: 401b30e3b8b5d629635a5c613cdb7919
  size: 2
  hash: md5
  path: one.gtar
"""
FOLDER = """outs:
- md5: 618b3ce61602d927d2f8d798f523bf57.dir
  size: 9
  nfiles: 2
  hash: md5
  path: s
"""


def test_pointers_are_those_of_dvc(tmp_path):
    (tmp_path / "one.gtar").write_text("x\n")
    (tmp_path / "s" / "sub").mkdir(parents=True)
    (tmp_path / "s" / "sub" / "b.tif").write_text("there\n")
    (tmp_path / "s" / "a.tif").write_text("hi\n")
    assert write_dvc(tmp_path / "one.gtar").read_text() == FILE
    assert write_dvc(tmp_path / "s").read_text() == FOLDER
    (tmp_path / "s" / "a.tif").write_text("ho\n")
    assert write_dvc(tmp_path / "s").read_text() != FOLDER


def test_nothing_to_point_to(tmp_path):
    with pytest.raises(ReadError, match="no"):
        write_dvc(tmp_path / "no")
