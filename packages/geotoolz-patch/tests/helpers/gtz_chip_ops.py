"""Operators that look at whole chips, and tiles to stitch."""

from __future__ import annotations

import numpy as np
import xarray as xr
from affine import Affine
from odc.geo.geobox import GeoBox

from geotoolz import patch
from geotoolz.core import WHOLE, Map, Plan, TileSpec, tile_from_arrays
from geotoolz.patch import ApplyToChips, Stitcher

AXES = {
    name: "a parameter of other operators, no step; test_stitching.py and test_samplers.py"
    for name in patch.__all__
    if isinstance(getattr(patch, name), type)
    and hasattr(getattr(patch, name), "is_abstract")
    and not getattr(patch, name).is_abstract()
    and name != "ApplyToChips"
}


class Same(Map):
    """Every pixel as it is, and nothing known of how far it looks: chips cannot be cropped."""

    def plan(self, tile: TileSpec) -> Plan:
        return Plan(tuple(tile.variables), dict(tile.variables), footprint=WHOLE)

    @staticmethod
    def kernel(*arrays):
        return tuple(array.copy() for array in arrays)


class Place(Map):
    """What a pixel's place in the chip is, from 0 at the left: chips that do not agree."""

    def plan(self, tile: TileSpec) -> Plan:
        return Plan(tuple(tile.variables), dict(tile.variables), footprint=WHOLE)

    @staticmethod
    def kernel(*arrays):
        width = arrays[0].shape[-1]
        return tuple(np.broadcast_to(np.arange(width, dtype=a.dtype), a.shape).copy() for a in arrays)


class Labels(Map):
    """Class 0 in the left half of a chip, class 2 in the right."""

    def plan(self, tile):
        return Plan(("a",), {"a": tile.variables["a"]}, footprint=WHOLE)

    @staticmethod
    def kernel(a):
        out = np.zeros_like(a)
        out[..., a.shape[-1] // 2 :] = 2
        return out


def tile(values, nodata=None, dims=None, **attrs):
    values = np.asarray(values)
    box = GeoBox(values.shape[-2:], Affine(10, 0, 500_000, 0, -10, 5_000_000), "EPSG:32633")
    given = (dims, values) if dims else values
    fill = {} if nodata is None else {"a": nodata}
    return tile_from_arrays({"a": given}, box, nodata=fill, var_attrs={"a": {"units": "1", **attrs}})


def scene(shape, dtype, seed=0):
    rng = np.random.default_rng(seed)
    if dtype == "bool":
        return rng.random(shape) < 0.5
    if np.dtype(dtype).kind == "f":
        return (rng.standard_normal(shape) * 1000).astype(dtype)
    limits = np.iinfo(dtype)
    return rng.integers(limits.min, limits.max, shape, dtype=dtype, endpoint=True)


def stitched(values, sampler, stitcher=None, op=None, **kwargs):
    ds = values if isinstance(values, xr.Dataset) else tile(values, **kwargs)
    return ApplyToChips(sampler, op or Same(), stitcher or Stitcher())(ds).a


def same_bits(found, wanted):
    found, wanted = np.asarray(found), np.asarray(wanted)
    assert found.dtype == wanted.dtype and found.shape == wanted.shape
    assert found.tobytes() == np.ascontiguousarray(wanted).tobytes()
