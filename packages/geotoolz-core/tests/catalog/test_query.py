from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely.geometry import box

from geotoolz.catalog import GeoCatalog, _index, _store
from geotoolz.core import CatalogError, ParameterError, ReadError, WriteError

EPOCH = datetime(2023, 1, 1, tzinfo=UTC)
boxes = st.tuples(st.integers(-179, 170), st.integers(-89, 80), st.integers(1, 9), st.integers(1, 9))
times = st.one_of(st.none(), st.tuples(st.integers(0, 60), st.integers(0, 5)))


def make(places: list[tuple[tuple[int, ...], tuple[int, int] | None]]) -> GeoCatalog:
    rows = []
    for number, ((x, y, w, h), when) in enumerate(places):
        row: dict[str, object] = {
            "id": f"r{number}",
            "source": f"/d/{number}.tif",
            "geometry": box(x, y, x + w, y + h),
        }
        if when is not None:
            start = EPOCH + timedelta(days=when[0])
            row |= {"start_datetime": start, "end_datetime": start + timedelta(days=when[1])}
        rows.append(row)
    return GeoCatalog.from_rows(rows)


@settings(max_examples=60, deadline=None)
@given(
    places=st.lists(st.tuples(boxes, times), min_size=1, max_size=30),
    area=boxes,
    when=times,
    tree=st.booleans(),
)
def test_query_equals_brute_force(
    places: list[tuple[tuple[int, ...], tuple[int, int] | None]],
    area: tuple[int, ...],
    when: tuple[int, int] | None,
    tree: bool,
) -> None:
    catalog = make(places)
    window = (area[0], area[1], area[0] + area[2], area[1] + area[3])
    span = None
    if when is not None:
        span = (EPOCH + timedelta(days=when[0]), EPOCH + timedelta(days=when[0] + when[1]))
    wanted = []
    for row in catalog.iter_rows():
        here = row.geometry.intersects(box(*window))
        now = span is None or (
            row.start_datetime is not None and row.start_datetime <= span[1] and row.end_datetime >= span[0]
        )
        if here and now:
            wanted.append(row.id)
    held = _index.TREE_ROWS
    try:
        _index.TREE_ROWS = held if tree else 0
        assert list(catalog.query(bbox=window, time=span).frame["id"]) == wanted
    finally:
        _index.TREE_ROWS = held


@settings(max_examples=10, deadline=None)
@given(places=st.lists(st.tuples(boxes, times), min_size=1, max_size=30), area=boxes, when=times)
def test_pushdown_equals_query(
    tmp_path_factory: pytest.TempPathFactory,
    places: list[tuple[tuple[int, ...], tuple[int, int] | None]],
    area: tuple[int, ...],
    when: tuple[int, int] | None,
) -> None:
    catalog = make(places)
    path = catalog.save(tmp_path_factory.mktemp("c") / "c.parquet")
    window = (area[0], area[1], area[0] + area[2], area[1] + area[3])
    span = None if when is None else (EPOCH + timedelta(days=when[0]), None)
    held = _store.PUSHDOWN_ROWS
    try:
        _store.PUSHDOWN_ROWS = 0
        narrow = GeoCatalog.open(path, bbox=window, time=span)
    finally:
        _store.PUSHDOWN_ROWS = held
    whole = GeoCatalog.open(path, bbox=window, time=span)
    assert list(narrow.frame["id"]) == list(whole.frame["id"])
    assert narrow.frame.dtypes.to_dict() == whole.frame.dtypes.to_dict()
    assert sorted(whole.frame["id"]) == sorted(catalog.query(bbox=window, time=span).frame["id"])


def test_a_box_over_the_antimeridian() -> None:
    catalog = make([((175, 0, 4, 4), None), ((-179, 0, 4, 4), None), ((0, 0, 4, 4), None)])
    assert list(catalog.query(bbox=(178, 1, -178, 2)).frame["id"]) == ["r0", "r1"]


def test_query_by_geometry() -> None:
    catalog = make([((0, 0, 4, 4), None), ((20, 0, 4, 4), None)])
    assert list(catalog.query(geometry=box(21, 1, 22, 2)).frame["id"]) == ["r1"]
    assert list(catalog.query(geometry={"type": "Point", "coordinates": [1, 1]}).frame["id"]) == ["r0"]
    assert list(catalog.query(bbox=(0, 0, 2, 2), geometry=box(1, 1, 30, 2)).frame["id"]) == ["r0"]
    with pytest.raises(ParameterError, match="degrees"):
        catalog.query(geometry=box(500000, 0, 500010, 10))


@pytest.mark.parametrize(
    "bad", [(0, 0, 1), (0, 5, 1, 4), (500000, 0, 600000, 1), "abcd", (0, 0, float("nan"), 1)]
)
def test_bad_boxes(bad: object) -> None:
    with pytest.raises(ParameterError, match="bbox"):
        make([((0, 0, 4, 4), None)]).query(bbox=bad)


def test_sample_does_not_depend_on_order() -> None:
    places = [((x, 0, 4, 4), None) for x in range(100)]
    catalog = make(places)
    order = list(range(100))
    random.Random(0).shuffle(order)
    shuffled = catalog._taken(order)
    first = list(catalog.sample(10, seed=1).frame["id"])
    assert list(shuffled.sample(10, seed=1).frame["id"]) == first
    assert list(catalog.sample(20, seed=1).frame["id"])[:10] == first
    assert list(catalog.sample(10, seed=2).frame["id"]) != first
    # pinned: another machine or version must draw the same
    assert first[:3] == list(catalog.sample(3, seed=1).frame["id"])
    assert len(catalog.sample(0)) == 0
    for bad in (101, -1, 1.0, True):
        with pytest.raises(ParameterError, match="0 to 100"):
            catalog.sample(bad)  # type: ignore[arg-type]


def test_an_empty_selection_is_a_catalog(tmp_path: Path) -> None:
    empty = make([((0, 0, 4, 4), None)]).filter(id="none")
    assert len(empty) == 0
    assert list(empty) == []
    assert list(empty.sample(0)) == []
    assert empty.summary()["rows"] == 0
    assert empty.summary()["bbox"] is None
    assert len(GeoCatalog.open(empty.save(tmp_path / "e.parquet"))) == 0
    with pytest.raises(CatalogError, match="empty"):
        empty.bounds


def test_bad_files(tmp_path: Path) -> None:
    import pandas as pd

    catalog = make([((0, 0, 4, 4), (0, 0))])
    path = catalog.save(tmp_path / "c.parquet")
    whole = path.read_bytes()
    with pytest.raises(ReadError, match="does not exist"):
        GeoCatalog.open(tmp_path / "gone.parquet")
    (tmp_path / "zero.parquet").touch()
    with pytest.raises(ReadError, match="0 bytes"):
        GeoCatalog.open(tmp_path / "zero.parquet")
    (tmp_path / "cut.parquet").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ReadError, match="cannot be read"):
        GeoCatalog.open(tmp_path / "cut.parquet")
    pd.DataFrame({"a": [1]}).to_parquet(tmp_path / "plain.parquet")
    with pytest.raises(CatalogError, match="a catalog that geotoolz wrote"):
        GeoCatalog.open(tmp_path / "plain.parquet")
    catalog.frame[["id", "geometry"]].to_parquet(tmp_path / "other.parquet")
    with pytest.raises(CatalogError, match="no column 'source'"):
        GeoCatalog.open(tmp_path / "other.parquet")


def test_a_failed_save_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    catalog = make([((0, 0, 4, 4), None)])
    path = catalog.save(tmp_path / "c.parquet")
    before = path.read_bytes()

    def full(self: object, target: Path, **kwargs: object) -> None:
        Path(target).write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("geopandas.GeoDataFrame.to_parquet", full)
    with pytest.raises(WriteError, match="No space left"):
        catalog.save(path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["c.parquet"]
    with pytest.raises(WriteError, match=r"\.parquet"):
        catalog.save(tmp_path / "c.csv")


def test_unknown_id_names_the_nearest() -> None:
    with pytest.raises(CatalogError, match="did you mean 'r0'"):
        make([((0, 0, 4, 4), None)])["r00"]


def test_the_file_is_geoparquet(tmp_path: Path) -> None:
    import json

    import pyarrow.parquet as pq

    path = make([((x, 0, 4, 4), None) for x in range(20)]).save(tmp_path / "c.parquet")
    geo = json.loads(pq.read_metadata(path).metadata[b"geo"])
    assert geo["version"] == "1.1.0"
    assert "bbox" in geo["columns"]["geometry"]["covering"]


def test_a_catalog_as_a_table() -> None:
    catalog = make([((n, 0, 1, 1), (n, 0)) for n in range(12)])
    text = catalog._repr_html_()
    assert "GeoCatalog(12 rows" in text and "r9" in text and "r10" not in text
    assert "and 2 more rows" in text and "0.0000 … 12.0000° east" in text
    empty = catalog.filter(lambda frame: frame["id"] == "absent")
    assert "<table" not in empty._repr_html_() and "0 rows" in empty._repr_html_()
    named = GeoCatalog.from_rows([{"id": "<b>", "source": "a.tif", "geometry": box(0, 0, 1, 1)}])
    assert "&lt;b&gt;" in named._repr_html_() and "<b>&lt;" not in named._repr_html_().split("<table")[1]
