"""The hash of a tile's pixels: what counts and what does not."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
import xarray as xr

from geotoolz.core import MissingVariableError, TileError, pixel_hash
from geotoolz.core.testing import contract_tile


def one(values: np.ndarray) -> xr.Dataset:
    return xr.Dataset({"a": (("y", "x"), values)})


def test_by_hand() -> None:
    values = np.arange(6, dtype="<u2").reshape(2, 3)
    expected = hashlib.sha256(b'["a", "<u2", [2, 3]]\n' + values.tobytes()).hexdigest()
    assert pixel_hash(one(values)) == expected


def test_memory_layout_and_byte_order_do_not_count() -> None:
    values = np.random.default_rng(0).random((5, 7)).astype("<f4")
    expected = pixel_hash(one(values))
    assert pixel_hash(one(values.astype(">f4"))) == expected
    assert pixel_hash(one(np.asfortranarray(values))) == expected
    assert pixel_hash(one(np.repeat(values, 2, axis=1)[:, ::2])) == expected


def test_bits_names_types_and_shapes_count() -> None:
    values = np.zeros((2, 3), "f4")
    found = {
        pixel_hash(one(values)),
        pixel_hash(one(-values)),  # -0.0
        pixel_hash(one(values.astype("f8"))),
        pixel_hash(one(values.reshape(3, 2))),
        pixel_hash(one(values).rename(a="b")),
        pixel_hash(one(np.full((2, 3), np.nan, "f4"))),
        pixel_hash(one(-np.full((2, 3), np.nan, "f4"))),
    }
    assert len(found) == 7


def test_coordinates_and_attributes_do_not_count() -> None:
    tile = contract_tile((8, 9))
    moved = tile.assign_coords(x=tile.x + 1).assign_attrs(tile_id="another")
    assert pixel_hash(tile) == pixel_hash(moved)


def test_names_choose_and_order() -> None:
    tile = contract_tile((8, 9))
    assert pixel_hash(tile, "red") == pixel_hash(tile[["red"]]) == pixel_hash(tile, ("red",))
    assert pixel_hash(tile, ("red", "nir")) != pixel_hash(tile, ("nir", "red"))
    assert pixel_hash(tile) == pixel_hash(tile, list(tile.data_vars))


@pytest.mark.parametrize("shape", [(0, 5), (1, 1)])
def test_small_tiles(shape: tuple[int, int]) -> None:
    assert len(pixel_hash(contract_tile(shape))) == 64


def test_errors() -> None:
    with pytest.raises(MissingVariableError, match="did you mean 'red'"):
        pixel_hash(contract_tile((4, 4)), "rde")
    with pytest.raises(TileError, match="expected numbers"):
        pixel_hash(one(np.array([["x"]])))
    with pytest.raises(TileError):
        pixel_hash("no tile")  # type: ignore[arg-type]
