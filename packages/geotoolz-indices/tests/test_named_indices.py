"""The classes that people type, against their formulas, and the tasselled cap."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from geotoolz import indices
from geotoolz.core import MissingVariableError, ParameterError, QuantityError, check
from geotoolz.core.testing import contract_tile, simulate_scene
from geotoolz.indices import (
    AWEI,
    EVI,
    KNDVI,
    NDMI,
    SAVI,
    Index,
    TasseledCap,
    compute_evi,
    compute_tasseled_cap,
)
from geotoolz.indices._tasseled_cap import SETS

SCENE = simulate_scene((33, 35))
B, G, R, N, S1, S2, RE1 = (
    SCENE[name].values.astype("f8")
    for name in ("blue", "green", "red", "nir", "swir16", "swir22", "rededge071")
)
RB = R - (B - R)
BY_HAND: dict[str, Any] = {
    "ARVI": (N - RB) / (N + RB),
    "AWEI": B + 2.5 * G - 1.5 * (N + S1) - 0.25 * S2,
    "BSI": ((S1 + R) - (N + B)) / ((S1 + R) + (N + B)),
    "CIG": N / G - 1,
    "CIRE": N / RE1 - 1,
    "EVI": 2.5 * (N - R) / (N + 6 * R - 7.5 * B + 1),
    "EVI2": 2.5 * (N - R) / (N + 2.4 * R + 1),
    "GNDVI": (N - G) / (N + G),
    "KNDVI": np.tanh(((N - R) / (N + R)) ** 2),
    "LSWI": (N - S1) / (N + S1),
    "MNDWI": (G - S1) / (G + S1),
    "MSAVI": 0.5 * (2 * N + 1 - np.sqrt((2 * N + 1) ** 2 - 8 * (N - R))),
    "NBR": (N - S2) / (N + S2),
    "NBR2": (S1 - S2) / (S1 + S2),
    "NDBI": (S1 - N) / (S1 + N),
    "NDMI": (N - S1) / (N + S1),
    "NDRE": (N - RE1) / (N + RE1),
    "NDSI": (G - S1) / (G + S1),
    "NDVI": (N - R) / (N + R),
    "NDWI": (G - N) / (G + N),
    "OSAVI": (N - R) / (N + R + 0.16),
    "SAVI": 1.5 * (N - R) / (N + R + 0.5),
    "VARI": (G - R) / (G + R - B),
}


@pytest.mark.parametrize("name", BY_HAND)
def test_by_hand_and_as_the_catalogue(name: str) -> None:
    op = getattr(indices, name)()
    got = op(SCENE)[name.lower()]
    np.testing.assert_allclose(got, BY_HAND[name], rtol=3e-7, atol=1e-7)
    np.testing.assert_allclose(got, Index(name)(SCENE)[Index(name).variable], rtol=3e-7, atol=1e-7)
    assert got.attrs["units"] == "1" and got.attrs["quantity"] == "index"
    verb = getattr(indices, f"compute_{name.lower()}")
    np.testing.assert_array_equal(verb(SCENE, name="other").other, got)


def test_at_least_twenty_have_a_class() -> None:
    assert len(BY_HAND) >= 20 and set(BY_HAND) <= set(indices.__all__)


def test_parameters_are_typed() -> None:
    np.testing.assert_allclose(SAVI(background=0.25)(SCENE).savi, 1.25 * (N - R) / (N + R + 0.25), rtol=1e-6)
    np.testing.assert_allclose(
        compute_evi(SCENE, gain=2.0, c1=5.0, c2=1.0, background=0.5).evi,
        2 * (N - R) / (N + 5 * R - B + 0.5), rtol=1e-6,
    )  # fmt: skip
    np.testing.assert_allclose(
        AWEI(shadows=False)(SCENE).awei, 4 * (G - S1) - 0.25 * N - 2.75 * S2, rtol=1e-5, atol=1e-7
    )
    np.testing.assert_allclose(
        KNDVI(sigma=0.2)(SCENE).kndvi, np.tanh(((N - R) / 0.4) ** 2), rtol=1e-6, atol=1e-7
    )
    other = EVI(nir="nir08")(SCENE).evi
    assert not np.array_equal(other, EVI()(SCENE).evi)
    assert [name for name in AWEI(shadows=False)(SCENE.drop_vars("blue")).data_vars if name not in SCENE] == [
        "awei"
    ]


@pytest.mark.parametrize(
    ("make", "error", "text"),
    [
        (lambda: EVI(gain="2")(SCENE), ParameterError, "gain"),  # type: ignore[arg-type]
        (lambda: EVI(gain=float("inf")), ParameterError, "the constant g is inf"),
        (lambda: NDMI()(SCENE.drop_vars("swir16")), MissingVariableError, "NDMI reads 'swir16'"),
        (lambda: SAVI()(SCENE.drop_vars("red")), MissingVariableError, "SAVI reads 'red'"),
        (lambda: SAVI()(simulate_scene((8, 8), raw=True)), QuantityError, "offset"),
        (lambda: KNDVI(sigma=0.0), ParameterError, "sigma"),
        (lambda: TasseledCap("landsat-3"), ParameterError, r"sensor='landsat-3' \(did you mean"),
        (lambda: TasseledCap(names=("a", "a", "b")), ParameterError, "three different names"),
        (lambda: TasseledCap()(SCENE.assign_attrs(platform="terra")), ParameterError,
            "no coefficients .* 'terra'"),
        (lambda: TasseledCap()(SCENE.drop_vars("blue")), MissingVariableError, "TasseledCap reads 'blue'"),
        (lambda: TasseledCap()(simulate_scene((8, 8), raw=True)), QuantityError, "offset"),
    ],
)  # fmt: skip
def test_mistakes_are_refused(make: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        make()


@pytest.mark.parametrize("sensor", SETS)
def test_tasselled_caps_are_orthonormal_to_four_decimals(sensor: str) -> None:
    rows = np.array(SETS[sensor].rows)
    apart = np.abs(rows @ rows.T - np.eye(3)).max()
    # six products of numbers that are rounded to 5e-5
    assert apart < 1.3e-4 and round(float(apart), 4) <= 1e-4
    assert (rows[0] > 0).all()


@pytest.mark.parametrize(
    ("platform", "level", "sensor", "doubtful"),
    [
        ("sentinel-2a", "L1C", "sentinel-2-toa", False),
        ("sentinel-2b", "L2A", "sentinel-2-toa", True),
        ("landsat-8", "L1TP", "landsat-8-toa", False),
        ("landsat-9", "L2SP", "landsat-8-sr", False),
        ("landsat-7", "L1TP", "landsat-7-toa", False),
        ("landsat-7", "L2SP", "landsat-tm-sr", False),
        ("landsat-5", "L2SP", "landsat-tm-sr", False),
        ("landsat-5", "L1TP", "landsat-tm-sr", True),
    ],
)
def test_tasselled_cap_of_a_platform(platform: str, level: str, sensor: str, doubtful: bool) -> None:
    tile = SCENE.assign_attrs(platform=platform, processing_level=level)
    for name in tile.data_vars:
        tile[name].attrs.pop("quantity", None)
    out = compute_tasseled_cap(tile)
    for row, name in zip(SETS[sensor].rows, ("tc_brightness", "tc_greenness", "tc_wetness"), strict=True):
        want = sum(c * band for c, band in zip(row, (B, G, R, N, S1, S2), strict=True))
        np.testing.assert_allclose(out[name], want, rtol=1e-6, atol=1e-7)
        assert out[name].attrs["references"] == SETS[sensor].source
    assert [f.level for f in check(TasseledCap(), tile)] == ["warning"] * doubtful
    np.testing.assert_array_equal(TasseledCap(sensor)(tile).tc_wetness, out.tc_wetness)


def test_digital_numbers_without_an_offset_have_no_tasselled_cap() -> None:
    raw = contract_tile(raw=True)
    with pytest.raises(QuantityError, match="TasseledCap reads 'blue', which holds digital numbers"):
        TasseledCap()(raw)
    with pytest.raises(QuantityError, match="EVI reads 'nir'"):
        EVI()(raw)
    assert "ndmi" in NDMI()(raw)  # a ratio
