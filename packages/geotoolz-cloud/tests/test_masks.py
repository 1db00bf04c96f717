"""Masks from quality layers, bit by bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import xarray as xr
from affine import Affine
from odc.geo.geobox import GeoBox

from geotoolz.cloud import (
    ApplyMask,
    CloudFraction,
    CombineMasks,
    MaskClouds,
    MaskFromFlags,
    MaskFromQABits,
    MaskFromSCL,
)
from geotoolz.core import (
    Branch,
    GeotoolzError,
    MissingVariableError,
    ParameterError,
    QuantityError,
    Sequential,
    TileError,
    TileSpec,
    check,
    compile,
    dump,
    load,
    tile_from_arrays,
)

SCL = np.arange(13, dtype="u1")[None]  # 12 is no class; lossy copies of the product hold it


def tile(platform: str = "sentinel-2a", nodata: Any = None, fills: Any = None, **bands: Any) -> xr.Dataset:
    arrays = {n: np.atleast_2d(v) for n, v in bands.items()}
    box = GeoBox(next(iter(arrays.values())).shape[-2:], Affine(10, 0, 5e5, 0, -10, 5e6), "EPSG:32633")
    own = {n: nodata for n in arrays if n not in ("scl", "qa60", "qa_pixel", "mask")}
    return tile_from_arrays(arrays, box, attrs={"platform": platform}, nodata=own | (fills or {}))


def masked_classes(flags: tuple[str, ...]) -> list[int]:
    return np.flatnonzero(MaskFromSCL(flags)(tile(scl=SCL)).mask.values).tolist()


@pytest.mark.parametrize(
    ("flag", "classes"),
    [
        ("nodata", [0]),
        ("saturated", [1]),
        ("dark", [2]),
        ("shadow", [3]),
        ("vegetation", [4]),
        ("bare", [5]),
        ("water", [6]),
        ("unclassified", [7]),
        ("cloud_medium", [8]),
        ("cloud_high", [9]),
        ("cloud", [8, 9]),
        ("cirrus", [10]),
        ("snow", [11]),
    ],
)
def test_scl(flag: str, classes: list[int]) -> None:
    assert masked_classes((flag,)) == classes


def test_scl_defaults_and_numbers_that_are_no_class() -> None:
    assert masked_classes(("cloud", "cirrus", "shadow")) == [3, 8, 9, 10]
    everything = (
        "nodata",
        "saturated",
        "dark",
        "shadow",
        "vegetation",
        "bare",
        "water",
        "unclassified",
        "cloud",
        "cirrus",
        "snow",
    )
    assert masked_classes(everything) == list(range(12))
    odd = np.array([[12, 63, 64, 72, 73, 255]], "u1")  # 72 = 64 + 8: a shift that wraps would call it cloud
    assert not MaskFromSCL(everything)(tile(scl=odd)).mask.any()
    negative = np.array([[-1, -56, -120, 8]], "i1")
    assert MaskFromSCL(("cloud",))(tile(scl=negative)).mask.values.tolist() == [[False, False, False, True]]


def test_the_mask_says_what_it_is() -> None:
    mask = MaskFromSCL(("cloud",), name="clouds")(tile(scl=SCL)).clouds
    assert mask.dtype == bool
    assert mask.attrs["quantity"] == "mask"
    assert "_FillValue" not in mask.attrs
    assert "cloud by scl" in mask.attrs["long_name"]


@pytest.mark.parametrize("dtype", ["u1", "u2", "i2", "u4", "i4", "u8", "i8"])
def test_every_bit_of_every_integer(dtype: str) -> None:
    width = np.dtype(dtype).itemsize * 8
    values = np.array([1 << b for b in range(width)] + [0], "u8").astype(f"u{width // 8}").view(dtype)
    for bit in range(min(width, 63)):
        mask = MaskFromQABits("qa60", (bit,))(tile(qa60=values)).mask.values[0]
        assert np.flatnonzero(mask).tolist() == [bit]


def test_bit_15_of_int16_is_negative() -> None:
    values = np.array([[-32768, 32767, -1, 0]], "i2")
    assert MaskFromQABits("qa", (15,))(tile(qa=values)).mask.values.tolist() == [[True, False, True, False]]
    assert MaskFromQABits("qa", (0, 15))(tile(qa=values)).mask.values.tolist() == [[True, True, True, False]]


@pytest.mark.parametrize("bits", [(), (-1,), (63,), (64,)])
def test_bits_that_do_not_exist(bits: tuple[int, ...]) -> None:
    with pytest.raises(ParameterError, match="bit positions"):
        MaskFromQABits("qa", bits)


def test_bits_beyond_the_layer() -> None:
    with pytest.raises(ParameterError, match="bit 8 of 'qa', which is uint8"):
        MaskFromQABits("qa", (8,))(tile(qa=SCL))


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_float_layers_are_decoded_and_nan_is_flagged(dtype: str) -> None:
    values = np.append(SCL.astype(dtype), [[np.nan, np.inf, -1, 8.5, 1e20]], axis=1)
    ds = tile(scl=values, red=np.ones((1, 18), "f4"))
    wrong = [13, 14, 15, 16, 17]  # no data, and numbers that are no code
    assert np.flatnonzero(MaskFromSCL()(ds).mask.values).tolist() == [3, 8, 9, 10, *wrong]
    assert np.flatnonzero(MaskFromSCL(("water",))(ds).mask.values).tolist() == [6]
    assert np.flatnonzero(MaskFromQABits("scl", (3,))(ds).mask.values).tolist() == [8, 9, 10, 11, 12, *wrong]
    assert np.flatnonzero(np.isnan(MaskClouds()(ds).red.values)).tolist() == [3, 8, 9, 10, *wrong]


def test_layers_of_another_kind_are_refused() -> None:
    ds = tile(scl=SCL.astype("c8"), red=np.ones((1, 13), "f4"))
    with pytest.raises(QuantityError, match=r"quality layer 'scl', which is complex64.*integers"):
        MaskFromSCL()(ds)
    with pytest.raises(QuantityError, match=r"tests bit 10 of 'qa60', which is uint8.*unscaled"):
        MaskClouds()(tile(qa60=SCL, red=np.ones((1, 13), "f4")))


def red(values: Any = range(1, 14), dtype: str = "u2") -> np.ndarray[Any, Any]:
    return np.array(list(values), dtype)


def holes(ds: xr.Dataset, name: str = "red") -> list[int]:
    return np.flatnonzero(ds[name].values[0] == ds[name].attrs["_FillValue"]).tolist()


def test_mask_clouds_by_scl() -> None:
    ds = tile(nodata=0, red=red(), scl=SCL)
    out = MaskClouds()(ds)
    assert holes(out) == [3, 8, 9, 10]
    assert out.red.dtype == np.uint16
    xr.testing.assert_identical(out.scl, ds.scl)
    assert list(out.data_vars) == ["red", "scl"]


def test_mask_clouds_by_qa_pixel() -> None:
    # fill, dilated, cirrus, cloud, shadow, snow, clear, water, and real values of the product
    qa = np.array([1, 2, 4, 8, 16, 32, 64, 128, 21824, 22280, 23888, 54596, 55052], "u2")
    ds = tile("landsat-8", nodata=0, red=red(), qa_pixel=qa)
    assert holes(MaskClouds()(ds)) == [2, 3, 4, 9, 10, 11, 12]
    assert holes(MaskClouds(("cloud",))(ds)) == [3, 9, 12]
    assert holes(MaskClouds(("dilated", "snow", "water"))(ds)) == [1, 5, 7]


def test_mask_clouds_by_qa60() -> None:
    qa = np.array([0, 1024, 2048, 3072, 512, 4096], "u2")
    ds = tile(nodata=0, red=red(range(1, 7)), qa60=qa)
    op = MaskClouds()
    assert holes(op(ds)) == [1, 2, 3]
    assert holes(MaskClouds(("cloud",))(ds)) == [1, 3]
    # a flag that the layer does not know is told, and none that it knows is an error
    (finding,) = check(Sequential([op]), ds)
    assert (finding.level, finding.path) == ("warning", "operators[0]")
    assert "'qa60' has no flag 'shadow'" in finding.message
    (finding,) = check(Sequential([MaskClouds(("shadow", "snow"))]), ds)
    assert finding.level == "error"
    assert "'qa60' (qa60) has no flag 'shadow', 'snow'; expected some of cloud, cirrus" in finding.message
    with pytest.raises(ParameterError, match=r"no flag 'shadow'"):  # one that it has does not help
        MaskClouds(("cloud", "shadow"))(ds)


def test_the_most_telling_layer_wins_unless_one_is_named() -> None:
    ds = tile(nodata=0, red=red(), scl=SCL, qa60=np.full(13, 1024, "u2"))
    assert holes(MaskClouds()(ds)) == [3, 8, 9, 10]
    assert holes(MaskClouds(layer="qa60")(ds)) == list(range(13))
    assert holes(MaskClouds(qa="qa60")(ds)) == list(range(13))
    own = ds.rename(scl="classes")[["red", "classes"]]
    with pytest.raises(ParameterError, match=r"coding of 'classes' is not known.*layer="):
        MaskClouds(qa="classes", bands=("red",))(own)
    assert holes(MaskClouds(qa="classes", layer="scl", bands=("red",))(own)) == [3, 8, 9, 10]
    assert holes(MaskClouds()(ds.rename(scl="SCL")[["red", "SCL"]])) == [3, 8, 9, 10]


def own_layer(dtype: str = "u1", nodata: int | None = None, **attrs: Any) -> Any:
    """Three bits of a product that nobody knows: cloud, and a thickness of haze."""
    cf = {"flag_masks": [1, 6, 6, 6], "flag_values": [1, 2, 4, 6], "flag_meanings": "cloud thin thick opaque"}
    ds = tile(nodata=None, fills={"quality": nodata}, quality=np.arange(8).astype(dtype))
    ds.quality.attrs.update({"quantity": "flags"} | cf | attrs)
    return ds


def test_a_layer_that_says_its_flags_itself() -> None:
    ds = own_layer()

    def flagged(*flags: str) -> list[int]:
        return np.flatnonzero(MaskFromFlags(flags, qa="quality")(ds).mask.values).tolist()

    assert flagged("cloud") == [1, 3, 5, 7]
    assert flagged("thick") == [4, 5]
    assert flagged("cloud", "opaque") == [1, 3, 5, 6, 7]
    made = MaskFromFlags(qa="quality")(ds).mask
    assert made.attrs["long_name"] == "cloud by quality" and made.values.ravel().tolist() == [False, True] * 4
    classes = own_layer(flag_meanings="water crop haze haze", flag_values=[0, 1, 5, 6])
    del classes.quality.attrs["flag_masks"]
    found = MaskFromFlags("haze", qa="quality")(classes).mask
    assert np.flatnonzero(found.values).tolist() == [5, 6]
    numbers = own_layer(flag_masks=np.array([1, 6, 6, 6], "u1"), flag_values=np.array([1, 2, 4, 6], "u1"))
    assert MaskFromFlags("thin", qa="quality")(numbers).mask.values.ravel().tolist() == [
        n & 6 == 2 for n in range(8)
    ]
    one = own_layer(flag_masks=np.uint8(4), flag_values=np.uint8(4), flag_meanings="cloud")
    assert np.flatnonzero(MaskFromFlags(qa="quality")(one).mask.values).tolist() == [4, 5, 6, 7]


def test_the_fill_value_of_such_a_layer() -> None:
    words = "cloud thin thick snow"
    whole = own_layer(nodata=7, flag_meanings=words)
    floats = own_layer("f4", nodata=np.nan, flag_meanings=words)
    floats["quality"] = floats.quality.where(floats.quality != 7)
    for given in (whole, floats):
        found = MaskFromFlags("thick", qa="quality")(given).mask
        assert np.flatnonzero(found.values).tolist() == [4, 5, 7]  # not to be trusted
        assert np.flatnonzero(MaskFromFlags("snow", qa="quality")(given).mask.values).tolist() == [6]
        assert CloudFraction("cloud", qa="quality")(given) == pytest.approx(3 / 7)


@pytest.mark.parametrize(
    ("attrs", "said"),
    [
        ({"flag_meanings": "cloud"}, r"has 4 flag_masks \(int64\) and 1 flag_meanings; expected an integer"),
        ({"flag_values": "1, 2, 4, 6"}, r"has 1 flag_values \(<U10\) and 4 flag_meanings"),
        ({"flag_masks": [1.0, 6.0, 6.0, 6.0]}, r"has 4 flag_masks \(float64\)"),
        (
            {"flag_meanings": "a b c d"},
            r"'quality' has none of cloud, cirrus, shadow; expected flags= some of a, b",
        ),
    ],
)
def test_attributes_that_contradict_themselves(attrs: dict[str, Any], said: str) -> None:
    with pytest.raises(ParameterError, match=said):
        MaskFromFlags(qa="quality")(own_layer(**attrs))


def test_flags_of_such_a_layer_are_checked_when_it_is_known() -> None:
    with pytest.raises(
        ParameterError, match=r"has no flag 'tihck' \(did you mean 'thick'\?\); expected some of"
    ):
        MaskFromFlags("tihck", qa="quality")(own_layer())
    with pytest.raises(ParameterError, match=r"does not know the flag 'thick'.*needs qa=, its variable"):
        MaskFromFlags("thick")
    with pytest.raises(
        MissingVariableError, match=r"name it: qa='quality', whose flags are cloud, thin, thick"
    ):
        MaskFromFlags()(own_layer())
    with pytest.raises(ParameterError, match=r"got no flags"):
        MaskFromFlags((), qa="quality")


def test_what_mask_clouds_refuses() -> None:
    with pytest.raises(
        MissingVariableError, match=r"no quality layer among red.*scl, qa_pixel, qa60, fmask, state_1km, udm2"
    ):
        MaskClouds()(tile(nodata=0, red=red()))
    with pytest.raises(ParameterError, match=r"flag 'clouds' \(did you mean 'cloud'\?\)"):
        MaskClouds(("clouds",))
    with pytest.raises(ParameterError, match="no flags"):
        MaskClouds(())
    with pytest.raises(QuantityError, match=r"'red', which is uint16 and has no no-data value.*ToFloat32"):
        MaskClouds()(tile(red=red(), scl=SCL))
    with pytest.raises(QuantityError, match="-9999 does not fit uint16"):
        MaskClouds()(tile(nodata=-9999, red=red(), scl=SCL))
    stack = tile(nodata=0, red=red(), scl=SCL)
    stack["red"] = stack.red.expand_dims(time=2)
    with pytest.raises(QuantityError, match="has dims"):
        MaskClouds()(stack)


def test_other_dates_have_other_clouds() -> None:
    ds = tile(scl=SCL, red=np.ones((1, 13), "f4"))
    both = xr.concat(
        [ds, ds.assign(scl=ds.scl * 0 + 4)],
        "time",
        data_vars="all",
        coords="minimal",
        compat="override",
        join="override",
    )
    out = MaskClouds()(both).red.values
    assert np.flatnonzero(np.isnan(out[0, 0])).tolist() == [3, 8, 9, 10]
    assert not np.isnan(out[1]).any()


@pytest.mark.parametrize("dtype", ["u1", "i2", "u2", "i4", "f4", "f8"])
def test_bands_keep_their_dtype_and_values(dtype: str) -> None:
    nodata: Any = np.nan if dtype[0] == "f" else 0
    ds = tile(nodata=nodata, red=red(dtype=dtype), nir=red(dtype=dtype), scl=SCL)
    out = MaskClouds(bands=("red",))(ds)
    assert out.red.dtype == dtype
    keep = [i for i in range(13) if i not in (3, 8, 9, 10)]
    np.testing.assert_array_equal(out.red.values[0, keep], ds.red.values[0, keep])
    xr.testing.assert_identical(out.nir, ds.nir)
    assert repr(out.red.attrs) == repr(ds.red.attrs)  # NaN by its spelling


def test_only_the_layer_and_the_bands_asked_for_are_read() -> None:
    ds = tile(nodata=0, blue=red(), red=red(), nir=red(), scl=SCL)
    assert set(compile(MaskClouds(), TileSpec.of(ds), outputs=("red",)).inputs) == {"scl", "red"}
    assert compile(MaskClouds(), TileSpec.of(ds), outputs=("scl",)).inputs == ("scl",)


# --- ApplyMask -------------------------------------------------------------------------------------
def test_apply_a_mask_by_name_or_by_operator() -> None:
    ds = tile(nodata=0, red=red(), nir=red(), scl=SCL)
    by_operator = ApplyMask(MaskFromSCL())(ds)
    xr.testing.assert_identical(by_operator, MaskClouds()(ds))
    by_name = Sequential([MaskFromSCL(name="m"), ApplyMask("m")])(ds)
    xr.testing.assert_identical(by_name.drop_vars("m"), by_operator)
    assert holes(ApplyMask(MaskFromSCL(), ("nir",))(ds), "red") == []
    op = Sequential([ApplyMask(MaskFromQABits("scl", (3,)))])
    assert load(dump(op)) == op


def test_a_mask_of_the_same_name_as_the_operators_own() -> None:
    ds = tile(nodata=0, red=red(), scl=SCL, mask=np.zeros((1, 13), bool))
    out = ApplyMask(MaskFromSCL())(ds)
    assert holes(out) == [3, 8, 9, 10]
    xr.testing.assert_identical(out["mask"], ds["mask"])


@pytest.mark.parametrize(
    ("op", "error", "text"),
    [
        (ApplyMask("scl"), QuantityError, r"mask 'scl' of uint8.*bool"),
        (ApplyMask("clouds"), MissingVariableError, "reads 'clouds'"),
        (ApplyMask(MaskClouds(bands=())), TileError, "writes nothing; expected exactly one mask"),
        (
            ApplyMask(Branch({"a": MaskFromSCL(name="a"), "b": MaskFromSCL(name="b")})),
            TileError,
            "writes a, b",
        ),
        (ApplyMask(MaskFromSCL(qa="sclx")), MissingVariableError, r"^mask \(MaskFromSCL\)"),
    ],
    ids=lambda v: repr(v)[:40],
)
def test_what_apply_mask_refuses(op: Any, error: type[GeotoolzError], text: str) -> None:
    with pytest.raises(error, match=text):
        op(tile(nodata=0, red=red(), scl=SCL))


def test_one_mask_for_every_date_and_never_the_other_way_round() -> None:
    ds = tile(nodata=0, red=red(), scl=SCL)
    stack = ds.assign(red=ds.red.expand_dims(time=3))
    out = ApplyMask(MaskFromSCL())(stack).red
    assert out.dims == ("time", "y", "x")
    for date in range(3):
        np.testing.assert_array_equal(out.values[date], MaskClouds()(ds).red.values)
    dated = ds.assign(scl=ds.scl.expand_dims(time=3))
    cube = dated.assign(red=ds.red.expand_dims(wavelength=3))
    for one in (dated, cube):
        with pytest.raises(QuantityError, match="has dims"):
            ApplyMask(MaskFromSCL())(one)


def test_one_name_alone_will_do() -> None:
    assert MaskFromSCL("cloud") == MaskFromSCL(("cloud",))
    assert MaskFromFlags("cloud") == MaskFromFlags(("cloud",))
    assert MaskClouds(flags="cloud", bands="red") == MaskClouds(("cloud",), ("red",))
    assert CloudFraction("cloud") == CloudFraction(("cloud",))
    assert ApplyMask("mask", bands="red") == ApplyMask("mask", ("red",))
    assert CombineMasks("mask", how="not") == CombineMasks(("mask",), how="not")
    assert load(dump(MaskClouds("cloud"))) == MaskClouds(("cloud",))
    with pytest.raises(ParameterError, match="'clud'"):
        MaskFromSCL("clud")
