"""The simulated scenes: the same bits everywhere, right geometry, right coding."""

from __future__ import annotations

import hashlib
import math
import os
import subprocess
import sys

import numpy as np
import pytest
import xarray as xr

from geotoolz.core import testing
from geotoolz.core._errors import MissingDependencyError, OutsideError, ParameterError, ReadError
from geotoolz.core._grid import geobox_of
from geotoolz.core.testing import data_path, simulate_scene, simulate_series
from geotoolz.core.testing._simulate_noise import hash2, make_key, normal_pair, value_noise
from geotoolz.core.testing._simulate_world import _transformer, sun_position, to_world, utc

CLASS = {"water": 1, "broadleaf_forest": 2, "winter_cereal": 5, "maize": 6, "built_up": 9}


def digest(ds: xr.Dataset) -> str:
    sha = hashlib.sha256()
    for name in sorted(map(str, ds.data_vars)):
        sha.update(name.encode())
        sha.update(np.ascontiguousarray(ds[name].values).tobytes())
    return sha.hexdigest()


@pytest.fixture(scope="module")
def scene() -> xr.Dataset:
    return simulate_scene((384, 400), truth="full", cloud_cover=0.25, raw=True)


# ---- the same bits -------------------------------------------------------------------------------


def test_splitmix64_is_the_published_one():
    """The first outputs of SplitMix64 from seed 1234567, as Rosetta Code lists them."""
    gamma = 0x9E3779B97F4A7C15
    from geotoolz.core.testing._simulate_noise import mix64

    states = np.array([(1234567 + k * gamma) % 2**64 for k in (1, 2, 3)], dtype=np.uint64)
    assert mix64(states).tolist() == [6457827717110365317, 3203168211198807973, 9817491932198370423]


def test_hash_bits_are_balanced_and_positions_independent():
    bits = hash2(5, np.arange(-50, 50)[:, None], np.arange(-50, 50)[None, :])
    assert len(np.unique(bits)) == bits.size
    ones = [(bits >> np.uint64(k) & np.uint64(1)).mean() for k in range(64)]
    assert max(abs(float(o) - 0.5) for o in ones) < 0.02  # 4 sigma of 10^4 coins
    a, b = normal_pair(7, np.arange(300)[:, None], np.arange(301)[None, :])
    assert abs(float(a.mean())) < 0.01 and abs(float(a.std()) - 1) < 0.01
    assert abs(float(np.corrcoef(a.ravel(), b.ravel())[0, 1])) < 0.01
    assert abs(float(np.corrcoef(a[:, 1:].ravel(), a[:, :-1].ravel())[0, 1])) < 0.01


def test_value_noise_meets_its_nodes_and_dense_lattices_agree():
    key = make_key("test")
    nodes = np.arange(4, dtype=np.float64) * 100.0
    at_nodes = value_noise(nodes[None, :], np.full((1, 4), 200.0), 100.0, key)
    wanted = (hash2(key, np.array([[2]]), np.arange(4)[None, :]) & np.uint64(0xFFFF)).astype("f4") / 65536
    np.testing.assert_array_equal(at_nodes, wanted)
    # far points alone take the per-pixel path, together with a cluster the table path
    x, y = np.array([[0.5, 1e6 + 0.5]]), np.array([[7.25, 2e6 + 7.25]])
    sparse = value_noise(x, y, 10.0, key)
    single = [value_noise(x[:, k : k + 1], y[:, k : k + 1], 10.0, key)[0, 0] for k in (0, 1)]
    assert sparse[0].tolist() == single


def test_equal_arguments_give_equal_bits_in_another_process(scene):
    code = (
        "import hashlib, numpy as np; from geotoolz.core.testing import simulate_scene\n"
        "ds = simulate_scene((384, 400), truth='full', cloud_cover=0.25, raw=True); sha = hashlib.sha256()\n"
        "for n in sorted(map(str, ds.data_vars)):\n"
        "    sha.update(n.encode()); sha.update(np.ascontiguousarray(ds[n].values).tobytes())\n"
        "print(sha.hexdigest())"
    )
    env = {**os.environ, "PYTHONHASHSEED": "77"}
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=env)
    assert out.stdout.strip() == digest(scene)


def test_another_seed_is_another_world(scene):
    other = simulate_scene((384, 400), truth=True, seed=1, bands=("red",))
    assert (other.truth_class != scene.truth_class).mean() > 0.3


@pytest.mark.parametrize("window", [(0, 384, 0, 400), (100, 101, 7, 8), (0, 50, 333, 400), (371, 384, 0, 11)])
def test_a_window_equals_the_same_window_of_the_whole(scene, window):
    y0, y1, x0, x1 = window
    part = simulate_scene((384, 400), truth="full", cloud_cover=0.25, window=window, raw=True)
    whole = scene.isel(y=slice(y0, y1), x=slice(x0, x1))
    for name in scene.variables:
        if name != "spatial_ref":
            np.testing.assert_array_equal(part[name].values, whole[name].values, err_msg=str(name))
    assert geobox_of(part) == geobox_of(whole)
    assert part.attrs == scene.attrs


def test_a_window_equals_the_whole_in_another_zone_and_at_coarse_resolution():
    options = {
        "crs": "EPSG:32633", "world": "EPSG:32632", "origin": (260_000.0, 5_100_000.0),
        "bands": ("nir", "scl"), "resolution": 120, "nodata_edge": True,
    }  # fmt: skip
    whole = simulate_scene((90, 80), **options)
    part = simulate_scene((90, 80), window=(31, 77, 5, 80), **options)
    for name in ("nir", "scl", "x", "y"):
        np.testing.assert_array_equal(part[name], whole.isel(y=slice(31, 77), x=slice(5, 80))[name])


def test_neighbouring_scenes_show_ground_that_fits():
    left = simulate_scene((40, 60), truth="full", bands=("red",))
    right = simulate_scene((40, 40), truth="full", bands=("red",), origin=(499980.0 + 200.0, 5100000.0))
    np.testing.assert_array_equal(left.truth_red[:, 20:], right.truth_red)
    np.testing.assert_array_equal(left.truth_class[:, 20:], right.truth_class)


@pytest.mark.slow
def test_a_large_scene_in_blocks_stays_small():
    import tracemalloc

    options = {"bands": ("blue", "green", "red", "nir", "scl"), "cloud_cover": 0.3}
    simulate_scene((10980, 10980), window=(0, 8, 0, 8), **options)
    tracemalloc.start()
    ds = simulate_scene((10980, 10980), window=(5000, 5128, 0, 10980), **options)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert ds.red.shape == (128, 10980)
    assert peak < 120e6


# ---- ground --------------------------------------------------------------------------------------


def test_the_default_scene_has_every_kind_of_ground():
    ds = simulate_scene(bands=("red",), truth=True)
    share = {k: float((ds.truth_class == k).mean()) for k in range(1, 11)}
    assert all(v > 0.002 for v in share.values()), share
    assert sum(share.values()) == pytest.approx(1.0)
    assert share[1] < 0.15


def ndvi(ds: xr.Dataset, kind: str) -> float:
    here = ds.truth_class.values == CLASS[kind]
    red, nir = ds.truth_red.values[here], ds.truth_nir.values[here]
    return float(((nir - red) / (nir + red)).mean())


def test_ndvi_follows_the_crop_calendar():
    dates = {d: simulate_scene((384, 400), truth="full", bands=("red", "nir"), datetime=d, cloud_cover=0.0)
             for d in ("2023-02-01", "2023-05-25", "2023-08-01", "2023-11-20")}  # fmt: skip
    wheat = {d: ndvi(ds, "winter_cereal") for d, ds in dates.items()}
    maize = {d: ndvi(ds, "maize") for d, ds in dates.items()}
    wood = {d: ndvi(ds, "broadleaf_forest") for d, ds in dates.items()}
    assert wheat["2023-05-25"] > 0.7 > 0.4 > wheat["2023-08-01"]
    assert maize["2023-05-25"] < 0.4 < 0.7 < maize["2023-08-01"]
    assert wood["2023-08-01"] > 0.75 > 0.6 > wood["2023-02-01"]
    assert all(ndvi(ds, "water") < 0 for ds in dates.values())
    classes = [ds.truth_class for ds in dates.values()]
    assert all((c == classes[0]).all() for c in classes)


def test_southern_seasons_are_half_a_year_away():
    options = {"crs": "EPSG:32733", "bands": ("red", "nir"), "truth": "full", "cloud_cover": 0.0}
    june, december = (simulate_scene((256, 256), datetime=d, **options) for d in ("2023-06-18", "2023-12-18"))
    assert ndvi(december, "broadleaf_forest") > ndvi(june, "broadleaf_forest") + 0.2


def test_two_zones_show_the_same_ground():
    """Points of the overlap, found by PROJ, have the same class but for pixels cut by a border."""
    options = {"world": "EPSG:32632", "bands": ("red",), "truth": "full", "cloud_cover": 0.0}
    a, b = simulate_series(
        2, dates=["2023-06-18", "2023-06-18"], zones=("EPSG:32632", "EPSG:32633"), shape=(300, 300), **options
    )
    assert a.attrs["tile_id"] != b.attrs["tile_id"]
    assert [geobox_of(t).crs.epsg for t in (a, b)] == [32632, 32633]
    rows, cols = np.mgrid[60:240:3, 60:240:3]
    x, y = _transformer("EPSG:32632", "EPSG:32633").transform(a.x.values[cols], a.y.values[rows])
    c = np.rint((x - b.x.values[0]) / 10).astype(int)
    r = np.rint((b.y.values[0] - y) / 10).astype(int)
    same = a.truth_class.values[rows, cols] == b.truth_class.values[r, c]
    assert same.mean() > 0.85
    # and nowhere else: a shift of 100 m destroys the agreement
    moved = a.truth_class.values[rows, cols] == b.truth_class.values[r + 10, c]
    assert moved.mean() < same.mean() - 0.2
    away = np.abs(a.truth_red.values[rows, cols] - b.truth_red.values[r, c])
    assert float(np.median(away)) < 0.005


def test_the_polynomial_between_zones_is_good_to_a_millimetre():
    origin = (202_000.0, 5_150_000.0)
    d = np.linspace(0, 110_000, 12)
    x, y = (v.ravel() for v in np.meshgrid(origin[0] + d, origin[1] - d))
    got = to_world("EPSG:32633", "EPSG:32632", origin)(x, y)
    wanted = _transformer("EPSG:32633", "EPSG:32632").transform(x, y)
    assert max(float(np.abs(g - w).max()) for g, w in zip(got, wanted, strict=True)) < 1e-3


# ---- sky -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("when", "lon", "lat", "azimuth", "elevation"),
    [
        # means over two real scenes, from their STAC item and MTL (../shared/data)
        ("2023-08-15T09:58:11.662Z", 15.70, 45.555, 151.832, 55.764),
        ("2019-12-01T15:13:51.861Z", -75.075, 1.444, 136.317, 57.087),
    ],
)
def test_the_sun_stands_where_real_scenes_say(when, lon, lat, azimuth, elevation):
    got = sun_position(utc(when), lon, lat)
    assert got == pytest.approx((azimuth, elevation), abs=0.05)


@pytest.mark.parametrize("cover", [0.0, 0.05, 0.2, 0.5, 0.9, 1.0])
@pytest.mark.parametrize("seed", [0, 3])
def test_cloud_cover_is_what_was_asked(cover, seed):
    ds = simulate_scene((300, 300), bands=("red", "scl", "qa60"), truth=True, cloud_cover=cover, seed=seed)
    assert float(ds.truth_cloud.mean()) == pytest.approx(cover, abs=0.02)
    coded = np.isin(ds.scl, (8, 9, 10))
    np.testing.assert_array_equal(coded, ds.truth_cloud)
    np.testing.assert_array_equal(ds.qa60 != 0, ds.truth_cloud)
    np.testing.assert_array_equal(ds.scl == 3, ds.truth_shadow)


def test_shadows_lie_away_from_the_sun_by_the_height_of_the_cloud():
    """Sun in the south-east: shadows fall to the north-west, h·tan(SZA) away."""
    from geotoolz.core.testing._simulate_sky import CLOUD_FROM

    when = "2023-09-20T08:30:00Z"
    ds = simulate_scene((400, 400), bands=("scl",), truth=True, cloud_cover=0.15, datetime=when)
    azimuth, elevation = math.radians(ds.attrs["sun_azimuth"]), math.radians(ds.attrs["sun_elevation"])
    assert 90 < ds.attrs["sun_azimuth"] < 180
    d = ds.truth_shadow.attrs["cloud_height_m"] / math.tan(elevation) / 10
    # facts/science.md: Δcol = −d·sin(az), Δrow = +d·cos(az)
    dcol, drow = round(-d * math.sin(azimuth)), round(d * math.cos(azimuth))
    assert dcol < 0 and drow < 0
    cloud = np.isin(ds.scl, (8, 9))
    moved = np.zeros_like(cloud)
    moved[:drow, :dcol] = cloud[-drow:, -dcol:]
    inner = np.s_[: drow - 1, : dcol - 1]
    expected = (moved & ~ds.truth_cloud.values)[inner]
    got = ds.truth_shadow.values[inner]
    assert expected.sum() > 500
    assert (expected & got).sum() / (expected | got).sum() > 0.9
    assert 0 < CLOUD_FROM < 1


def test_clouds_are_white_and_shadows_dark(scene):
    red = scene.red.astype("f8") * 1e-4 - 0.1
    clear = ~scene.truth_cloud & ~scene.truth_shadow & (scene.scl != 7)
    shadow = scene.truth_shadow & (scene.scl == 3)
    assert float(red.where(scene.scl == 9).mean()) > 0.45
    assert float((red / scene.truth_red).where(shadow).median()) < 0.6
    # outside clouds only noise and the faintest cirrus are between the ground and the band
    assert float(abs(red - scene.truth_red).where(clear & (scene.qa60 == 0)).median()) < 0.003


def test_dates_have_other_clouds():
    a, b = simulate_series(2, shape=(128, 128), bands=("red",), truth=True, cloud_cover=0.3)
    assert (a.truth_cloud != b.truth_cloud).mean() > 0.2
    np.testing.assert_array_equal(a.truth_class, b.truth_class)


# ---- coding --------------------------------------------------------------------------------------


def test_dn_carry_the_offset_from_baseline_four_on():
    options = {"bands": ("red",), "cloud_cover": 0.0}
    old, new = (simulate_scene((64, 64), baseline=b, **options, raw=True) for b in ("03.01", "04.00"))
    assert (old.red.attrs["add_offset"], new.red.attrs["add_offset"]) == (0.0, -0.1)
    np.testing.assert_array_equal(new.red.values, old.red.values + 1000)
    late = simulate_scene(
        (64, 64), baseline="10.00", **options, raw=True
    )  # not "less" than 04.00 as text would be
    assert late.red.attrs["add_offset"] == -0.1
    assert new.red.attrs | {"long_name": ""} == {
        "long_name": "", "data_source": "geotoolz simulation of sentinel-2", "units": "1", "quantity": "dn",
        "scale_factor": 1e-4, "add_offset": -0.1, "_FillValue": 0,
    }  # fmt: skip


@pytest.mark.parametrize("sensor", ["sentinel-2", "landsat-8"])
@pytest.mark.parametrize("level", ["L2A", "L1C"])
def test_reflectance_is_the_decoded_dn(sensor, level):
    options = {"sensor": sensor, "level": level, "nodata_edge": True, "cloud_cover": 0.0}
    dn, rho = (simulate_scene((70, 50), raw=raw, **options) for raw in (True, False))
    name = "nir08"
    scale, offset = dn[name].attrs["scale_factor"], dn[name].attrs["add_offset"]
    wanted = dn[name].values * scale + offset
    if (sensor, level) == ("landsat-8", "L1C"):
        assert (scale, offset) == (2e-5, -0.1)
        wanted /= math.sin(math.radians(dn.attrs["sun_elevation"]))
    wanted[dn[name].values == 0] = np.nan
    np.testing.assert_allclose(rho[name], wanted.astype("f4"), rtol=1e-6)
    assert rho[name].dtype == np.float32 and np.isnan(rho[name].attrs["_FillValue"])
    kind = "surface_reflectance" if level == "L2A" else "toa_reflectance"
    assert rho[name].attrs["quantity"] == kind
    assert 0.15 < float(rho[name].mean()) < 0.6


def test_the_swath_edge_is_no_data_in_every_band():
    ds = simulate_scene((100, 100), nodata_edge=True, truth="full", cloud_cover=0.5, raw=True)
    outside = ds.red.values == 0
    assert 0.05 < outside.mean() < 0.4
    assert outside[:, -1].all() and not outside[:, 0].any()
    for name in ("blue", "nir", "swir22", "scl", "qa60", "truth_class"):
        assert (ds[name].values[outside] == 0).all(), name
    assert ds.scl.attrs["_FillValue"] == 0
    assert (ds.scl.values[~outside] != 0).all()
    assert np.isnan(ds.truth_red.values[outside]).all() and not ds.truth_cloud.values[outside].any()
    # dn 0 means no data and nothing else
    assert (ds.blue.values[~outside] > 0).all()


def test_landsat_codes_qa_pixel():
    ds = simulate_scene(
        (120, 120), sensor="landsat-8", truth=True, nodata_edge=True, cloud_cover=0.4, raw=True
    )
    qa = ds.qa_pixel.values
    assert set(np.unique(qa)) <= {1, 21824, 21952, 21762, 22280, 23888, 54596, 55052}
    np.testing.assert_array_equal((qa & 1) != 0, ds.red.values == 0)
    np.testing.assert_array_equal((qa & (1 << 3 | 1 << 2)) != 0, ds.truth_cloud)
    np.testing.assert_array_equal((qa & 1 << 4) != 0, ds.truth_shadow)
    assert (ds.truth_class.values[(qa & 1 << 7) != 0] == 1).all()
    assert ds.attrs["processing_level"] == "L2SP" and "processing_baseline" not in ds.attrs
    assert ds.red.attrs["scale_factor"] == 2.75e-5 and float(ds.x.diff("x")[0]) == 30.0


def test_landsat_temperature():
    ds = simulate_scene((64, 64), sensor="landsat-8", bands=("lwir11",), raw=False, cloud_cover=0.0)
    assert ds.lwir11.attrs["units"] == "K"
    assert 285 < float(ds.lwir11.mean()) < 315


def test_toa_adds_blue_haze():
    boa, toa = (simulate_scene((64, 64), level=lv, raw=False, cloud_cover=0.0, bands=("blue", "swir16"))
                for lv in ("L2A", "L1C"))  # fmt: skip
    assert float((toa.blue - boa.blue).mean()) > 0.04
    assert abs(float((toa.swir16 - boa.swir16).mean())) < 0.03


def test_native_resolutions_cover_the_same_ground():
    tiles = simulate_scene((120, 180), native=True, bands=("coastal", "red", "nir08", "scl", "qa60"))
    assert {k: tuple(v.sizes.values()) for k, v in tiles.items()} == {
        10: (120, 180),
        20: (60, 90),
        60: (20, 30),
    }
    assert {k: list(v.data_vars) for k, v in tiles.items()} == {
        10: ["red"], 20: ["nir08", "scl"], 60: ["coastal", "qa60"],
    }  # fmt: skip
    assert len({geobox_of(t).boundingbox for t in tiles.values()}) == 1
    assert len({t.attrs["tile_id"] for t in tiles.values()}) == 1
    odd = simulate_scene((31, 31), native=True, bands=("red", "qa60"))
    assert odd[60].sizes == {"y": 6, "x": 6}


def test_the_tile_keeps_the_conventions(scene):
    assert set(scene.attrs) == {
        "tile_id", "datetime", "platform", "instrument", "processing_level", "sun_azimuth", "sun_elevation",
        "processing_baseline",
    }  # fmt: skip
    assert scene.attrs["datetime"] == "2023-06-18T10:00:31Z"
    box = geobox_of(scene)
    assert box.crs.epsg == 32633 and tuple(box.affine)[:6] == (10.0, 0.0, 499980.0, 0.0, -10.0, 5100000.0)
    for name, variable in scene.data_vars.items():
        assert variable.dims == ("y", "x")
        assert {"long_name", "quantity", "data_source"} <= set(variable.attrs), name
    assert scene.scl.dtype == np.uint8 and scene.qa60.dtype == np.uint16 and scene.truth_cloud.dtype == bool
    assert len(scene.scl.attrs["flag_values"]) == len(scene.scl.attrs["flag_meanings"].split()) == 12
    truth = scene.truth_class.attrs
    assert len(truth["flag_values"]) == len(truth["flag_meanings"].split())


def test_one_pixel():
    ds = simulate_scene((1, 1), truth="full")
    assert ds.sizes == {"y": 1, "x": 1}


# ---- series --------------------------------------------------------------------------------------


def test_series_of_twelve_in_two_zones():
    series = simulate_series(shape=(30, 30), zones=("EPSG:32632", "EPSG:32633"), bands=("red", "scl"))
    assert len(series) == len({s.attrs["tile_id"] for s in series}) == 12
    assert [geobox_of(s).crs.epsg for s in series] == [32632, 32633] * 6
    days = [s.attrs["datetime"] for s in series]
    assert days == sorted(days)
    assert {s.attrs["platform"] for s in series} == {"sentinel-2a", "sentinel-2b"}
    for s in series:
        lon, lat = _transformer(f"EPSG:{geobox_of(s).crs.epsg}", "EPSG:4326").transform(
            float(s.x.mean()), float(s.y.mean())
        )
        assert (lon, lat) == (pytest.approx(12.0, abs=0.001), pytest.approx(46.0, abs=0.001))


def test_series_takes_dates_and_covers():
    series = simulate_series(
        dates=["2023-05-01", "2023-06-01"], cloud_cover=(0.0, 1.0), shape=(20, 20), bands=("scl",), truth=True
    )
    assert [float(s.truth_cloud.mean()) for s in series] == [0.0, 1.0]
    with pytest.raises(ParameterError, match="one per scene"):
        simulate_series(3, cloud_cover=(0.1, 0.2))


# ---- refusals ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sensor": "sentinel2"}, "did you mean 'sentinel-2'"),
        ({"level": "L3"}, "'L3'"),
        ({"bands": ("reed",)}, "did you mean 'red'"),
        ({"bands": ("cirrus",)}, "cirrus"),
        ({"bands": ()}, "at least one"),
        ({"bands": ("red", "red")}, "each once"),
        ({"cloud_cover": 1.5}, "1.5"),
        ({"cloud_cover": float("nan")}, "nan"),
        ({"shape": (0, 5)}, "at least"),
        ({"resolution": 0}, "above 0"),
        ({"crs": "EPSG:4326"}, "projected CRS in metres"),
        ({"crs": "nonsense"}, "nonsense"),
        ({"datetime": "yesterday"}, "ISO 8601"),
        ({"datetime": "2023-06-18T23:00:00Z"}, "below the horizon"),
        ({"baseline": "new"}, "05.09"),
        ({"native": True, "window": (0, 1, 0, 1)}, "one resolution at a time"),
    ],
)
def test_refuses(options, message):
    shape = options.pop("shape", (8, 8))
    with pytest.raises(ParameterError, match=message):
        simulate_scene(shape, **options)


@pytest.mark.parametrize("window", [(0, 9, 0, 8), (-1, 4, 0, 8), (3, 3, 0, 8)])
def test_refuses_windows_outside(window):
    with pytest.raises(OutsideError, match="window"):
        simulate_scene((8, 8), window=window)


# ---- data_path and the package's face ------------------------------------------------------------


def test_data_path(tmp_path, monkeypatch):
    monkeypatch.setenv("GEOTOOLZ_DATA", str(tmp_path))
    (tmp_path / "some").mkdir()
    assert data_path("some") == tmp_path / "some"
    with pytest.raises(pytest.skip.Exception, match=r"no real data 'other'.*GEOTOOLZ_DATA"):
        data_path("other")
    monkeypatch.setitem(sys.modules, "pytest", None)
    with pytest.raises(ReadError, match="no real data"):
        data_path("other")


def test_data_path_finds_what_lies_beside_the_checkout(monkeypatch):
    monkeypatch.delenv("GEOTOOLZ_DATA", raising=False)
    assert data_path("s2_l2a_33TWL_croatia").is_dir()


def test_every_public_name_exists_and_optional_ones_say_what_they_need(monkeypatch):
    assert all(callable(getattr(testing, name)) for name in testing.__all__)
    assert set(testing.__all__) <= set(dir(testing))
    with pytest.raises(AttributeError, match="no attribute 'simulate'"):
        testing.simulate
    monkeypatch.delitem(testing.__dict__, "tiles", raising=False)
    monkeypatch.delitem(sys.modules, "geotoolz.core.testing._strategies", raising=False)
    monkeypatch.setitem(sys.modules, "hypothesis", None)
    with pytest.raises(MissingDependencyError, match=r"geotoolz-core\[testing\]"):
        testing.tiles
