"""Whose keys GDAL gets: the caller's, a provider's, or those that it finds itself; boto3 is never asked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from rasterio.env import getenv
from rasterio.session import DummySession, Session

from geotoolz.core.testing import write_safe, write_scene
from geotoolz.io import WriteCOG, open_tile
from geotoolz.io._gdal_session import gdal_env
from geotoolz.io._side_by_side import side_by_side

KEYS = {"AWS_ACCESS_KEY_ID": "mine", "AWS_SECRET_ACCESS_KEY": "secret"}


class Own(DummySession):  # type: ignore[misc]
    """A user's session, as `AWSSession` hands out its keys."""

    def get_credential_options(self) -> dict[str, str]:
        return KEYS


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Set keys in the environment, and note every session that rasterio makes of them."""
    found: list[str] = []

    def noted(*args: Any, **kwargs: Any) -> Any:
        found.append("asked")
        return DummySession()

    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(Session, "from_environ", staticmethod(noted))
    return found


def test_rasterio_alone_asks(asked: list[str]) -> None:
    with rasterio.Env():  # else the tests below show nothing
        pass
    assert asked


def test_local_files_are_read_and_written_without_a_session(asked: list[str], tmp_path: Path) -> None:
    with rasterio.Env(DummySession()):
        source = write_scene({"shape": (64, 48), "bands": ("red", "nir")}, tmp_path / "in")
    tile = open_tile(source, ("red",))
    (path,) = WriteCOG(str(tmp_path / "{band}.tif")).write(tile)
    with rasterio.Env(DummySession()), rasterio.open(path) as raster:
        assert raster.shape == (64, 48)
    assert not asked


def test_angles_of_a_product_are_read_without_a_session(asked: list[str], tmp_path: Path) -> None:
    with rasterio.Env(DummySession()):  # the files of the simulation are written by rasterio alone
        product = write_safe({"shape": (120, 120)}, tmp_path)
    tile = open_tile(product, ("red", "sun_zenith"))
    assert np.isfinite(tile.sun_zenith.values).any()
    assert not asked


def test_the_keys_of_a_users_environment_stay(asked: list[str]) -> None:
    with rasterio.Env(Own()), gdal_env("s3://bucket/scene.tif", GDAL_HTTP_MAX_RETRY=1):
        held = getenv()
    assert KEYS.items() <= held.items()
    assert not asked


def test_threads_that_open_remote_files_have_the_users_keys(asked: list[str]) -> None:
    with rasterio.Env(Own(), GDAL_HTTP_MAX_RETRY=7):
        found = side_by_side(lambda _: dict(getenv()), (1, 2, 3), remote=True)
    for held in found:
        assert KEYS.items() <= held.items()
        assert held["GDAL_HTTP_MAX_RETRY"] == 7
    assert not asked
