"""The whole catalogue against spyndex in float64, on every sensor, and what is refused."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from affine import Affine
from odc.geo.geobox import GeoBox

from geotoolz.core import (
    MissingVariableError,
    ParameterError,
    QuantityError,
    TileSpec,
    check,
    compile,
    tile_from_arrays,
)
from geotoolz.core.testing import contract_tile, simulate_scene
from geotoolz.indices import AWEI, Index, Indices, catalogue, compute_index, compute_indices
from geotoolz.indices._catalogue import BANDS, wavelengths
from geotoolz.indices._constants import CONSTANTS, DOUBTS, FORMULAS
from geotoolz.indices._formula import is_ratio

spyndex = pytest.importorskip("spyndex")

BOX = GeoBox((23, 31), Affine(10, 0, 5e5, 0, -10, 5e6), "EPSG:32633")
NAMES = sorted(catalogue())
# names are lower-cased for variables; the two that would collide go into different groups
GROUPS = [NAMES[i::28] for i in range(28)]


def every_band(seed: int = 0) -> xr.Dataset:
    """Return a tile with every band that the catalogue knows."""
    rng = np.random.default_rng(seed)
    arrays = {role: rng.uniform(0.02, 0.6, BOX.shape).astype("f4") for role in BANDS.values()}
    for role in ("lwir", "lwir11", "lwir12"):
        arrays[role] = rng.uniform(270, 320, BOX.shape).astype("f4")
    return tile_from_arrays(arrays, BOX, attrs={"platform": "sentinel-2a", "processing_level": "L2A"})


def constants_of(name: str, tile: xr.Dataset) -> dict[str, float]:
    """Return the constants that ours has for a tile of Sentinel-2A, PAR aside."""
    entry = catalogue()[name]
    known = wavelengths("sentinel-2a")
    lambdas = {n: known[BANDS[n[6:]]] for n in entry.constants if n.startswith("lambda")}
    return {**entry.defaults, **lambdas, **({"PAR": 900.0} if "PAR" in entry.constants else {})}


def _arvi(p: dict[str, Any], factor: float = 1.0, soil: float = 0.0) -> Any:
    rb = p["R"] - p["gamma"] * (p["B"] - p["R"])
    return factor * (p["N"] - rb) / (p["N"] + rb + soil)


def _nddi(p: dict[str, Any]) -> Any:
    ndvi, ndwi = (p["N"] - p["R"]) / (p["N"] + p["R"]), (p["N"] - p["S2"]) / (p["N"] + p["S2"])
    return (ndvi - ndwi) / (ndvi + ndwi)


# the exceptions: indices whose formula in spyndex is not that of their paper, straight from the paper
OURS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "ARVI": _arvi,
    "AWEInsh": lambda p: 4 * (p["G"] - p["S1"]) - 0.25 * p["N"] - 2.75 * p["S2"],
    "BAIM": lambda p: 1 / (np.square(p["N"] - 0.05) + np.square(p["S2"] - 0.2)),
    "NDDI": _nddi,
    "SARVI": lambda p: _arvi(p, 1 + p["L"], p["L"]),
    "VARI700": lambda p: (p["RE1"] - 1.7 * p["R"] + 0.7 * p["B"]) / (p["RE1"] + 2.3 * p["R"] - 1.3 * p["B"]),
    "mND705": lambda p: (p["RE2"] - p["RE1"]) / (p["RE2"] + p["RE1"] - 2 * p["A"]),
    "mSR705": lambda p: (p["RE2"] - p["A"]) / (p["RE1"] - p["A"]),
}


def reference(name: str, tile: xr.Dataset) -> np.ndarray[Any, Any]:
    """Return the index as spyndex gives it in float64; where ours differs on purpose, by its formula."""
    entry = catalogue()[name]
    bands = {letter: tile[BANDS[letter]].values.astype("f8") for letter in entry.bands}
    params: dict[str, Any] = {**bands, **constants_of(name, tile)}
    with np.errstate(all="ignore"):
        if name in FORMULAS:
            return np.asarray(OURS[name](params))
        for kernel in entry.kernels:
            a, b = params[kernel[1]], params[kernel[2]]
            one = spyndex.computeKernel("RBF", a=a, b=b, sigma=(a + b) / 2)
            params[kernel] = one
        needed = {key: params[key] for key in spyndex.indices[name].bands}
        found = spyndex.computeIndex(name, needed)
    return np.where(np.isfinite(found), found, np.nan)


def test_it_is_the_whole_catalogue() -> None:
    assert len(catalogue()) == len(list(spyndex.indices)) == 280
    for name, entry in catalogue().items():
        theirs = spyndex.indices[name]
        assert entry.long_name == theirs.long_name and entry.reference == theirs.reference
        if name not in FORMULAS:
            assert entry.formula == theirs.formula.replace(" ", "")


def test_the_exceptions_are_named_and_differ_from_spyndex() -> None:
    assert set(OURS) == set(FORMULAS)
    for name, (formula, why) in FORMULAS.items():
        assert formula.replace(" ", "") != spyndex.indices[name].formula.replace(" ", "")
        assert "spyndex" in why
        assert catalogue()[name].doubt == ""


@pytest.mark.parametrize(
    ("name", "bands", "value"),
    [
        # 4 (.20 − .38) − (.25 · .33 + 2.75 · .36) = −.72 − 1.0725: dry, and so below 0
        ("AWEInsh", {"green": 0.20, "nir": 0.33, "swir16": 0.38, "swir22": 0.36}, -1.7925),
        # grass: NDVI .35/.45 = 7/9, NDWI .25/.55 = 5/11; (77 − 45) / (77 + 45)
        ("NDDI", {"nir": 0.4, "red": 0.05, "green": 0.07, "swir22": 0.15}, 32 / 122),
        # (.10 − .17 + .035) / (.10 + .23 − .065)
        ("VARI700", {"rededge071": 0.10, "red": 0.10, "blue": 0.05}, -0.035 / 0.265),
        # 1 / (.05² + .1²): a burnt field
        ("BAIM", {"nir": 0.10, "swir22": 0.30}, 80.0),
        # (.40 − .15) / (.40 + .15 − .10)
        ("mND705", {"rededge075": 0.40, "rededge071": 0.15, "coastal": 0.05}, 0.25 / 0.45),
        # (.40 − .05) / (.15 − .05)
        ("mSR705", {"rededge075": 0.40, "rededge071": 0.15, "coastal": 0.05}, 3.5),
    ],
)
def test_formulas_of_the_papers_by_hand(name: str, bands: dict[str, float], value: float) -> None:
    tile = tile_from_arrays({role: np.full(BOX.shape, v, "f4") for role, v in bands.items()}, BOX)
    assert Index(name)(tile)[name.lower()].values[0, 0] == pytest.approx(value, rel=2e-6)
    if name == "AWEInsh":
        assert AWEI(shadows=False)(tile).awei.values[0, 0] == pytest.approx(value, rel=2e-6)


def test_the_file_is_what_the_script_writes() -> None:
    script = Path(__file__).parents[3] / "scripts/update_spyndex.py"
    if not script.is_file():
        pytest.skip("a package alone has no scripts")
    done = subprocess.run(
        [sys.executable, str(script), "--check"], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("group", GROUPS, ids=lambda names: names[0])
def test_every_index_is_spyndex_in_float64_rounded_once_the_exceptions_their_papers(group: list[str]) -> None:
    tile = every_band()
    constants = {n: {"PAR": 900.0} for n in group if "PAR" in catalogue()[n].constants}
    out = Indices(group, constants=constants)(tile)
    for name in group:
        ours, theirs = out[name.lower()].values, reference(name, tile)
        assert ours.dtype == np.float32
        np.testing.assert_array_equal(np.isnan(ours), np.isnan(theirs), err_msg=name)
        seen = ~np.isnan(ours)
        assert seen.mean() > 0.05, name
        np.testing.assert_array_max_ulp(ours[seen], theirs[seen].astype("f4"), maxulp=1)


def test_alone_and_together_are_the_same_bits() -> None:
    tile = every_band(1)
    names = ["NDVI", "EVI", "SAVI", "kNDVI", "AVI", "GDVI"]
    together = compute_indices(tile, names)
    for name in names:
        np.testing.assert_array_equal(compute_index(tile, name)[name.lower()], together[name.lower()])


def test_constants_are_each_index_s_own() -> None:
    tile = every_band()
    n, r = tile.nir.values.astype("f8"), tile.red.values.astype("f8")
    savi, evi2 = Index("SAVI")(tile).savi, Index("EVI2")(tile).evi2
    np.testing.assert_allclose(savi, 1.5 * (n - r) / (n + r + 0.5), rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(evi2, 2.5 * (n - r) / (n + 2.4 * r + 1), rtol=1e-6, atol=1e-7)
    dense = Index("SAVI", constants={"L": 0.25})(tile).savi
    np.testing.assert_allclose(dense, 1.25 * (n - r) / (n + r + 0.25), rtol=1e-6, atol=1e-7)
    both = Indices(["SAVI", "EVI2"], constants={"savi": {"L": 0.25}})(tile)
    np.testing.assert_array_equal(both.savi, dense)
    np.testing.assert_array_equal(both.evi2, evi2)
    for name, (own, why) in CONSTANTS.items():
        assert why and all(catalogue()[name].defaults[key] == value for key, value in own.items())


def test_kernels() -> None:
    tile = every_band()
    n, r = tile.nir.values.astype("f8"), tile.red.values.astype("f8")
    ndvi = (n - r) / (n + r)
    np.testing.assert_allclose(Index("kNDVI")(tile).kndvi, np.tanh(ndvi**2), atol=1e-7)
    fixed = Index("kNDVI", constants={"sigma": 0.2})(tile).kndvi
    np.testing.assert_allclose(fixed, np.tanh(((n - r) / 0.4) ** 2), atol=1e-7)
    linear = Index("kNDVI", kernel_type="linear")(tile).kndvi
    np.testing.assert_allclose(linear, ndvi, atol=1e-7)
    for constants, (c, p) in (({}, (1, 2)), ({"c": 0.5, "p": 3.0}, (0.5, 3))):
        poly = Index("kNDVI", kernel_type="poly", constants=constants)(tile).kndvi
        knn, knr = (n * n + c) ** p, (n * r + c) ** p
        np.testing.assert_allclose(poly, (knn - knr) / (knn + knr), atol=1e-7)


S2_BANDS = ("B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B11", "B12")
SENSORS: dict[str, tuple[str, dict[str, str]]] = {
    "Sentinel-2": (
        "sentinel-2a",
        {b: b for b in ["B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B11", "B12"]},
    ),
    "Landsat-OLI": ("landsat-8", {f"B{i}": f"SR_B{i}" for i in (1, 2, 3, 4, 5, 6, 7, 10, 11)}),
    "Landsat-TM": ("landsat-5", {f"B{i}": f"B{i}" for i in range(1, 8)}),
    "Landsat-ETM+": ("landsat-7", {f"B{i}": f"SR_B{i}" for i in range(1, 8)}),
    "MODIS": ("terra", {f"B{i}": f"sur_refl_b{i:02d}" for i in (1, 2, 3, 4, 5, 6, 7, 11)}),
    "Sentinel-1 (Dual Polarisation VV-VH)": ("sentinel-1a", {"VV": "VV", "VH": "VH"}),
    "Sentinel-1 (Dual Polarisation HH-HV)": ("sentinel-1a", {"HH": "HH", "HV": "HV"}),
}


@pytest.mark.parametrize("listed", SENSORS)
def test_bands_are_found_by_the_sensor_s_own_names(listed: str) -> None:
    platform, names = SENSORS[listed]
    arrays = {n: np.full(BOX.shape, 0.1, "f4") for n in names.values()}
    spec = TileSpec.of(tile_from_arrays(arrays, BOX, attrs={"platform": platform}))
    found = 0
    for name, entry in catalogue().items():
        if listed in entry.platforms:
            given = {"PAR": 900.0} if "PAR" in entry.constants else {}
            plan = Index(name, constants=given).plan(spec)
            assert len(plan.all_reads()) == len(set(entry.bands)), name
            found += 1
    assert found == sum(listed in spyndex.indices[n].platforms for n in spyndex.indices)


def test_the_right_bands_of_landsat_and_modis() -> None:
    values = {f"B{i}": i / 10 for i in range(1, 8)}
    expected = {
        "landsat-8": (0.5 - 0.4) / 0.9,
        "landsat-9": (0.5 - 0.4) / 0.9,
        "landsat-5": (0.4 - 0.3) / 0.7,
        "terra": (0.2 - 0.1) / 0.3,
        "aqua": (0.2 - 0.1) / 0.3,
    }
    for platform, ndvi in expected.items():
        arrays = {n: np.full(BOX.shape, v, "f4") for n, v in values.items()}
        tile = tile_from_arrays(arrays, BOX, attrs={"platform": platform})
        assert Index("NDVI")(tile).ndvi.values[0, 0] == pytest.approx(ndvi, rel=1e-5)
    s2 = {"B04": 0.1, "B08": 0.4, "B8A": 0.5}
    tile = tile_from_arrays({n: np.full(BOX.shape, v, "f4") for n, v in s2.items()}, BOX,
                            attrs={"platform": "sentinel-2b"})  # fmt: skip
    assert Index("NDVI")(tile).ndvi.values[0, 0] == pytest.approx(0.6, rel=1e-5)
    other = Index("NDVI", bands={"N": "nir08"})(tile).ndvi
    assert other.values[0, 0] == pytest.approx(0.4 / 0.6, rel=1e-5)


def test_wavelengths_are_those_of_the_platform() -> None:
    tile = every_band()
    n, r, s = (tile[b].values.astype("f8") for b in ("nir", "red", "swir16"))
    for platform, (ln, lr, ls) in {"sentinel-2a": (832.8, 664.6, 1613.7), "landsat-8": (865.0, 655.0, 1610.0),
                                   "sentinel-2c": (832.8, 664.6, 1613.7)}.items():  # fmt: skip
        fai = Index("FAI")(tile.assign_attrs(platform=platform)).fai
        np.testing.assert_allclose(fai, n - (r + (s - r) * (ln - lr) / (ls - lr)), atol=1e-6)
    given = Index("FAI", constants={"lambdaN": 850.0, "lambdaR": 650.0, "lambdaS1": 1600.0})
    assert np.isfinite(given(tile.assign_attrs(platform="pigeon")).fai).all()
    with pytest.raises(ParameterError, match=r"wavelength of 'nir'.*'pigeon'.*lambdaN"):
        Index("FAI")(tile.assign_attrs(platform="pigeon"))


def test_no_data_zero_by_zero_and_roots_of_negatives() -> None:
    arrays = {"red": np.array([[0, 7, 0, 50]], "u2"), "nir": np.array([[0, 0, 9, 60]], "u2")}
    box = GeoBox((1, 4), BOX.affine, BOX.crs)
    without = tile_from_arrays(arrays, box)
    np.testing.assert_array_equal(np.isnan(Index("NDVI")(without).ndvi), [[True, False, False, False]])
    np.testing.assert_array_equal(np.isnan(Index("SR")(without).sr), [[True, False, True, False]])
    with_nodata = tile_from_arrays(arrays, box, nodata={"red": 0, "nir": 0})
    for tile in (without, with_nodata):
        for band in ("red", "nir"):
            tile[band].attrs["quantity"] = "reflectance"  # integers that say nothing are refused
    assert np.isnan(Index("DVI")(with_nodata).dvi.values).tolist() == [[True, True, True, False]]
    assert Index("DVI")(without).dvi.values.tolist() == [[0, -7, 9, 10]]  # uint16 does not wrap
    assert np.isnan(Index("RDVI")(tile_from_arrays({n: -1.0 * a for n, a in arrays.items()}, box)).rdvi).all()


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: Index("NDVJ"), r"'NDVJ' is not in the catalogue \(did you mean 'NDVI'\?\).*280"),
        (lambda: Index("ndvj"), "did you mean 'ndvi'"),
        (lambda: Index("bai"), "BAI or BaI"),
        (lambda: Index("EVI", constants={"q": 1.0}), "EVI has no constant 'q'; expected g, C1, C2, L"),
        (lambda: Index("EVI", constants={"L": float("nan")}), "the constant L is nan"),
        (lambda: Index("EVI", constants={"L": "1"}), "constants"),  # type: ignore[dict-item]
        (lambda: Index("EVI", bands={"S1": "swir16"}), "EVI has no band 'S1'; expected N, R, B"),
        (lambda: Index("NIRvP"), "needs 'PAR', which has no default"),
        (lambda: Index("GDVI", constants={"nexp": 40.0})(every_band()), "the exponent 40"),
        (lambda: Index("kNDVI", kernel_type="RBG"), "kernel_type='RBG'"),
        (lambda: Index("NDVI", constants={"sigma": 1.0}), "no constant 'sigma'"),
        (lambda: Index(3), "index=3"),  # type: ignore[arg-type]
        (lambda: Indices([]), "no index"),
        (lambda: Indices(["BAI", "BaI"]), "both be called 'bai'"),
        (lambda: Indices(["NDVI", "ndvi"]), "NDVI and NDVI would both be called 'ndvi'; .*listed twice"),
        (lambda: Indices(["NDVI"], constants={"EVI": {"L": 1.0}}), "constants has 'EVI'"),
        (lambda: Indices(["NDVI"], bands={"B": "blue"}), "none of the indices reads the band 'B'"),
    ],
)  # fmt: skip
def test_mistakes(make: Any, text: str) -> None:
    with pytest.raises(ParameterError, match=text):
        make()


def test_digital_numbers_only_where_the_formula_is_a_ratio() -> None:
    raw = simulate_scene((8, 8), raw=True)
    for name in ("NDVI", "EVI"):
        with pytest.raises(QuantityError, match=r"offset of -0\.1"):
            Index(name)(raw)
    for band in raw.data_vars:
        raw[band].attrs["add_offset"] = 0.0  # the offset is applied already
    assert [f.level for f in check(Index("NDVI"), raw)] == ["warning", "warning"]
    with pytest.raises(QuantityError, match=r"EVI reads 'nir', which holds digital numbers, .*no ratio"):
        Index("EVI")(raw)
    ratios = [n for n in NAMES if is_ratio(catalogue()[n])]
    tile = every_band()
    large = tile * 1000
    large.attrs = dict(tile.attrs)
    for name in ("NDVI", "ARVI", "CVI", "EVI", "DVI", "GEMI", "TriVI", "RWI", "kNDVI"):
        a, b = (Index(name)(t)[name.lower()].values for t in (tile, large))
        assert bool(np.allclose(a, b, rtol=1e-4, equal_nan=True)) == (name in ratios), name


def test_stretched_flags_and_decibels_are_refused() -> None:
    tile = contract_tile()
    tile["nir"].attrs["quantity"] = "stretched"
    with pytest.raises(QuantityError, match="put EVI before the stretch"):
        Index("EVI")(tile)
    with pytest.raises(QuantityError, match="flags or a mask"):
        Index("EVI", bands={"N": "scl"})(contract_tile())
    radar = tile_from_arrays({"vv": np.full(BOX.shape, 0.1, "f4"), "vh": np.full(BOX.shape, 0.02, "f4")}, BOX)
    assert Index("VHVVR")(radar).vhvvr.values[0, 0] == pytest.approx(0.2)
    radar["vv"].attrs["units"] = "dB"
    with pytest.raises(QuantityError, match=r"VHVVR reads 'vv', which is in dB.*DBToLinear"):
        Index("VHVVR")(radar)


@pytest.mark.parametrize(
    ("index", "attrs", "said"),
    [
        ("EVI", {"units": "%"}, r"is in %: .*expected reflectance between 0 and 1; divide it by 100"),
        ("EVI", {"quantity": "radiance"}, r"holds radiance: .*put RadianceToReflectance first"),
        ("EVI", {"units": "W m-2 sr-1 um-1", "quantity": None}, r"holds radiance"),
        ("EVI", {"quantity": "brightness_temperature"}, r"holds brightness temperature: "),
        ("NDVI", {"quantity": "brightness_temperature"}, r"holds brightness temperature: "),
        ("EVI", {"units": "K", "quantity": None}, r"holds kelvin: .*name another band"),
        ("NDVI", {"quantity": "elevation"}, r"holds elevation"),
    ],
)
def test_bands_that_hold_something_else_are_refused(index: str, attrs: dict[str, Any], said: str) -> None:
    tile = contract_tile()
    tile["nir"].attrs = {k: v for k, v in (tile["nir"].attrs | attrs).items() if v is not None}
    with pytest.raises(QuantityError, match=rf"{index} reads 'nir', which {said}"):
        Index(index)(tile)


def test_a_ratio_takes_any_scale_that_all_bands_share() -> None:
    tile = contract_tile()
    wanted = Index("NDVI")(tile).ndvi.values
    for name in ("nir", "red"):
        tile[name] = tile[name] * 100
        tile[name].attrs = {"units": "%", "quantity": "reflectance"}
    np.testing.assert_allclose(Index("NDVI")(tile).ndvi.values, wanted, rtol=1e-5, atol=1e-6)


def test_doubts_are_told_by_check() -> None:
    spec_tile = every_band()
    for name in DOUBTS:
        assert any(DOUBTS[name] in f.message for f in check(Index(name), spec_tile)), name
    for band in spec_tile.data_vars.values():
        band.attrs["units"] = "1"
    assert check(Index("TSAVI", constants={"sla": 1.2, "slb": 0.04}), spec_tile) == ()


def test_what_is_written_and_read() -> None:
    tile = contract_tile()
    evi = Index("EVI", name="green")(tile).green
    assert evi.attrs["long_name"] == "Enhanced Vegetation Index" and evi.attrs["units"] == "1"
    assert evi.attrs["quantity"] == "index" and evi.attrs["references"].startswith("https://doi.org/")
    assert np.isnan(evi.attrs["_FillValue"])
    spec = TileSpec.of(tile)
    assert set(compile(Index("EVI"), spec, outputs=("evi",)).inputs) == {"nir", "red", "blue"}
    both = Indices(["EVI", "NDMI"])
    assert set(compile(both, spec, outputs=("ndmi",)).inputs) == {"nir", "red", "blue", "swir16"}
    assert compile(both, spec).created == ("evi", "ndmi")
    assert Index("evi") == Index("EVI") and Index("bsi") == Index("BI")
    with pytest.raises(MissingVariableError, match="CIRE reads 'rededge071'"):
        Index("CIRE")(tile)
    with pytest.raises(ParameterError, match="equal dims"):
        Index("NDVI")(tile.assign(nir=tile.nir.expand_dims(time=2)))
