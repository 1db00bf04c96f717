from __future__ import annotations

import geopandas as gpd
import pytest

from geotoolz.catalog import GeoCatalog
from geotoolz.catalog._where import parse_where
from geotoolz.core import ParameterError


def catalog() -> GeoCatalog:
    rows = [
        {
            "id": "a",
            "cloud_cover": 5.0,
            "platform": "sentinel-2a",
            "datetime": "2023-08-10T10:00:00Z",
            "tile": "33TWL",
        },
        {
            "id": "b",
            "cloud_cover": 50.0,
            "platform": "sentinel-2b",
            "datetime": "2023-08-11T10:00:00Z",
            "tile": "33TWL",
        },
        {"id": "c", "cloud_cover": None, "platform": None, "datetime": None, "tile": "it's"},
    ]
    point = {"type": "Point", "coordinates": [15, 45]}
    return GeoCatalog.from_rows([{**r, "source": f"/d/{r['id']}.tif", "geometry": point} for r in rows])


@pytest.mark.parametrize(
    ("where", "ids"),
    [
        ("cloud_cover < 20", "a"),
        ("eo:cloud_cover >= 5", "ab"),
        ("cloud_cover=50", "b"),
        ("cloud_cover != 5", "b"),
        ("cloud_cover is null", "c"),
        ("not cloud_cover is not null", "c"),
        ("platform = sentinel-2a", "a"),
        ("platform in (sentinel-2a, 'sentinel-2b')", "ab"),
        ("platform not in (sentinel-2a)", "b"),
        ("datetime >= 2023-08-11", "b"),
        ("datetime > 2023-08-10", "b"),
        ("datetime = 2023-08-10", "a"),
        ("datetime <= 2023-08-10", "a"),
        ("datetime < 2023-08-10T10:00:00.5Z", "a"),
        ("cloud_cover < 20 or cloud_cover > 40 and tile = nothing", "a"),
        ("(cloud_cover < 20 or cloud_cover > 40) AND NOT tile = nothing", "ab"),
        (r"tile = 'it\'s'", "c"),
        ("cloud_cover < 1e1", "a"),
        ("cloud_cover > -.5", "ab"),
    ],
)
def test_conditions(where: str, ids: str) -> None:
    assert "".join(s for s in catalog().filter(where).frame["id"]) == ids


@pytest.mark.parametrize(
    ("where", "word"),
    [
        ("", "empty"),
        ("cloud_cover", "a comparison"),
        ("cloud_cover <", "the end"),
        ("cloud_cover < 3 4", "character 17"),
        ("cloud_cover < 'a'", "holds numbers"),
        ("platform > 3", "holds text"),
        ("clod_cover < 3", "did you mean 'cloud_cover'"),
        ("(cloud_cover < 3", r"'\)'"),
        ("__import__('os').system('x')", "character"),
        ("a; b", "character"),
        ("platform in ()", "a value"),
        ("(" * 100 + "a = 1", "levels"),
        ("datetime > soon", "not a time"),
    ],
)
def test_bad_conditions_are_located(where: str, word: str) -> None:
    with pytest.raises(ParameterError, match=word):
        catalog().filter(where)


def test_keywords() -> None:
    cat = catalog()
    assert list(cat.filter(cloud_cover=("<", 20)).frame["id"]) == ["a"]
    assert list(cat.filter(platform=["sentinel-2a", "sentinel-2b"], tile="33TWL").frame["id"]) == ["a", "b"]
    assert list(cat.filter(platform=None).frame["id"]) == ["c"]
    assert list(cat.filter(cloud_cover=lambda s: s > 10).frame["id"]) == ["b"]
    assert list(cat.filter(lambda f: f["cloud_cover"] < 10).frame["id"]) == ["a"]
    assert list(cat.filter("cloud_cover < 60", platform="sentinel-2b").frame["id"]) == ["b"]
    assert len(cat.filter()) == 3
    with pytest.raises(ParameterError, match="no comparison"):
        cat.filter(cloud_cover=("~", 3))
    with pytest.raises(ParameterError, match="3 booleans"):
        cat.filter(lambda f: [True])


def test_own_columns() -> None:
    cat = catalog().assign(split=["train", "test", "train"])
    assert list(cat.filter("split = train").frame["id"]) == ["a", "c"]
    assert isinstance(cat.frame, gpd.GeoDataFrame)
    with pytest.raises(ParameterError, match="cannot be set"):
        cat.assign(id=["x", "y", "z"])


def test_parse_is_plain_data() -> None:
    assert parse_where("a = 1") == parse_where(" a  ==  1 ")
