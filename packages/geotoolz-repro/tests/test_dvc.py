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


def test_git_is_told_to_leave_the_data_alone(tmp_path):
    """As `dvc add` does it in a repository; without one there is nobody to tell."""
    (tmp_path / "a.tif").write_text("x")
    write_dvc(tmp_path / "a.tif")
    assert not (tmp_path / ".gitignore").exists()
    (tmp_path / ".git").mkdir()
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "b.tif").write_text("x")
    (tmp_path / ".gitignore").write_text("*.log")
    for name in ("a.tif", "a.tif", "deep", "deep/b.tif"):
        write_dvc(tmp_path / name)
    assert (tmp_path / ".gitignore").read_text() == "*.log\n/a.tif\n/deep\n"
    assert (tmp_path / "deep" / ".gitignore").read_text() == "/b.tif\n"
