"""Labels out and back: pictures, COCO, STAC, and the same pixels at the same places."""

from __future__ import annotations

import json
import warnings

import numpy as np
import pystac
import pytest
import rasterio
from hypothesis import given, settings
from hypothesis import strategies as st
from odc.geo.geobox import GeoBox
from pystac.extensions.projection import ProjectionExtension

from geotoolz.core import MissingCRSError, ParameterError, ReadError, WriteError, geobox_of, tile_from_arrays
from geotoolz.core.testing import simulate_scene
from geotoolz.learn import ActiveSampler, export_chips, read_annotations
from geotoolz.learn._label_export_shapes import areas, ring, without_holes
from geotoolz.learn._label_import import decode_runs
from geotoolz.metrics import MeanScalar
from geotoolz.patch import GridSampler, PatchGrid

with warnings.catch_warnings():  # pystac calls the extension unmaintained; tools read it all the same
    warnings.simplefilter("ignore", DeprecationWarning)
    from pystac.extensions.label import LabelExtension

CLASSES = {"water": 1, "field": 2}


def scene(shape=(48, 64), seed=0):
    """Return a tile with codes 0 to 2 in blobs with holes."""
    tile = simulate_scene(shape, bands=("blue", "green", "red"), cloud_cover=0, seed=seed)
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, 3, (shape[0] // 4, shape[1] // 4)).repeat(4, 0).repeat(4, 1).astype(np.uint8)
    codes[2:14, 3:17] = 1
    codes[5:9, 6:9] = 0
    codes[6, 11] = 2
    tile["label"] = (("y", "x"), codes)
    return tile


@pytest.mark.parametrize("scale", [1, 4])
def test_what_goes_out_comes_back_to_the_same_pixels(tmp_path, scale):
    tile = scene()
    chips = PatchGrid(tile, GridSampler(16))
    task = export_chips(chips, tmp_path / "task", CLASSES, label="label", scale=scale)
    assert task.images == len(chips) == 12
    back = read_annotations(task.folder / "annotations.json", task)
    assert back.crs.to_epsg() == geobox_of(tile).crs.epsg
    assert np.array_equal(_codes(back, tile), tile.label)
    assert set(back["tile_id"]) == {tile.attrs["tile_id"]}


def _codes(frame, tile):
    """Burn by pixel centres, with rasterio alone."""
    from rasterio.features import rasterize as burn

    pairs = list(zip(frame.geometry, frame["code"], strict=True))
    return burn(pairs, tile.label.shape, transform=geobox_of(tile).affine, fill=0)


def test_corners_are_exact(tmp_path):
    west, south = 431_234.7, 5_000_003.1
    grid = GeoBox.from_bbox((west, south, west + 8 * 9.3, south + 8 * 9.3), "EPSG:32633", shape=(8, 8))
    codes = np.zeros((8, 8), np.uint8)
    codes[2:5, 3:7] = 1
    tile = tile_from_arrays({"red": codes.astype(np.float32), "label": codes}, grid)
    task = export_chips([tile], tmp_path / "t", {"a": 1}, label="label")
    (shape,) = read_annotations(task.folder / "annotations.json", task).geometry
    a = grid.affine
    expected = {(a.c + a.a * x, a.f + a.e * y) for x in (3, 7) for y in (2, 5)}
    assert set(shape.exterior.coords) == expected


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_pictures_and_coco(tmp_path):
    tile = scene((16, 16))
    task = export_chips([tile], tmp_path / "t", CLASSES, label="label", scale=3)
    with rasterio.open(tmp_path / "t" / "images" / "chip-000000.png") as image:
        assert (image.count, image.shape) == (3, (48, 48))
    with rasterio.open(tmp_path / "t" / "labels" / "chip-000000.png") as labels:
        assert np.array_equal(labels.read(1)[::3, ::3], tile.label)
    coco = json.loads((task.folder / "annotations.json").read_text())
    assert coco["images"] == [{"id": 1, "file_name": "chip-000000.png", "width": 48, "height": 48}]
    assert [(c["id"], c["name"]) for c in coco["categories"]] == [(1, "water"), (2, "field")]
    assert len(coco["annotations"]) == task.annotations > 2
    for one in coco["annotations"]:
        shoelace = 0.0
        for flat in one["segmentation"]:
            x, y = np.array(flat[::2]), np.array(flat[1::2])
            shoelace += abs(np.dot(x, np.roll(y, 1)) - np.dot(y, np.roll(x, 1))) / 2
        assert shoelace == one["area"]
    for name, code in CLASSES.items():
        total = sum(a["area"] for a in coco["annotations"] if a["category_id"] == code)
        assert total == 9 * (tile.label == code).sum(), name


def test_items_are_stac(tmp_path):
    tile = scene((32, 32))
    task = export_chips(PatchGrid(tile, GridSampler(16)), tmp_path / "t", CLASSES, label="label")
    catalog = pystac.Catalog.from_file(str(task.folder / "catalog.json"))
    items = list(catalog.get_items())
    assert len(items) == 4
    for number, item in enumerate(items):
        label = LabelExtension.ext(item)
        assert [str(t) for t in label.label_tasks] == ["segmentation"]
        assert label.label_classes[0].classes == ["water", "field"]
        assert ProjectionExtension.ext(item).epsg == 32633
        assert ProjectionExtension.ext(item).shape == [16, 16]
        assert list(ProjectionExtension.ext(item).transform) == list(
            PatchGrid(tile, GridSampler(16))[number].geobox.affine[:6]
        )
        assert item.datetime is not None
        for asset in item.assets.values():
            assert (task.folder / "items" / asset.href).resolve().exists()


def test_the_choice_of_an_active_sampler_keeps_its_numbers_and_scores(tmp_path):
    tile = scene()
    chosen = ActiveSampler(GridSampler(16), MeanScalar("red"), k=3)(tile)
    task = export_chips(chosen, tmp_path / "t", CLASSES)
    names = sorted(p.stem for p in (task.folder / "images").iterdir())
    assert names == sorted(f"chip-{one.patch.index:06d}" for one in chosen)
    places = json.loads((task.folder / "chips.json").read_text())
    assert {f"chip-{o.patch.index:06d}.png": o.score for o in chosen} == {
        k: v["score"] for k, v in places.items()
    }
    assert task.annotations == 0 and not (task.folder / "labels").exists()


def test_annotations_as_tools_write_them(tmp_path):
    tile = scene((16, 16))
    task = export_chips([tile], tmp_path / "t", CLASSES, scale=2)
    mask = np.zeros((32, 32), bool)
    mask[4:8, 10:20] = True
    flat = mask.T.ravel()
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flat.astype(int)])))
    runs = np.diff(np.concatenate([[0], edges, [flat.size]])).tolist()
    base = {"image_id": 7, "category_id": 2}
    tool = {
        "images": [{"id": 7, "file_name": "upload/1/chip-000000.png"}],
        "categories": [{"id": 2, "name": "field"}],
        "annotations": [
            {"id": 1, **base, "bbox": [10, 4, 10, 4], "segmentation": []},
            {"id": 2, **base, "segmentation": [[10, 4, 20, 4, 20, 8, 10, 8]]},
            {"id": 3, **base, "segmentation": {"size": [32, 32], "counts": runs}},
            {"id": 4, **base, "segmentation": {"size": [32, 32], "counts": _packed(runs)}},
        ],
    }
    (tmp_path / "tool.json").write_text(json.dumps(tool))
    back = read_annotations(tmp_path / "tool.json", task.folder)
    a = geobox_of(tile).affine
    assert back["class"].tolist() == ["field"] * 4
    for shape in back.geometry:
        assert shape.bounds == (a.c + 5 * a.a, a.f + 4 * a.e, a.c + 10 * a.a, a.f + 2 * a.e)
        assert shape.area == 10 * 4 / 4 * a.a * -a.e
    lonlat = read_annotations(tmp_path / "tool.json", task, crs="EPSG:4326")
    assert lonlat.crs.to_epsg() == 4326 and 10 < lonlat.total_bounds[0] < 20


@pytest.mark.parametrize("side", [16, 24, 640])
def test_pictures_that_a_tool_has_resized_are_scaled_back(tmp_path, side):
    tile = scene((16, 16))
    task = export_chips([tile], tmp_path / "t", CLASSES, scale=2)
    a, k = geobox_of(tile).affine, side / 16
    ring_ = [5 * k, 2 * k, 10 * k, 2 * k, 10 * k, 4 * k, 5 * k, 4 * k]
    back = read_annotations(_tool(tmp_path, [{"segmentation": [ring_]}], width=side, height=side), task)
    np.testing.assert_allclose(
        back.geometry[0].bounds,
        (a.c + 5 * a.a, a.f + 4 * a.e, a.c + 10 * a.a, a.f + 2 * a.e),
        rtol=1e-12,
    )
    # filled up to another shape: nobody knows where the chip lies in the picture
    with pytest.raises(ParameterError, match=r"640 × 480 pixels, and 32 × 32 were exported"):
        read_annotations(_tool(tmp_path, [{"segmentation": [ring_]}], width=640, height=480), task)


def test_codes_are_those_of_the_export_whatever_the_tool_numbers(tmp_path):
    task = export_chips([scene((16, 16))], tmp_path / "t", CLASSES)
    categories = [{"id": 0, "name": "field"}, {"id": 5, "name": "water"}, {"id": 9, "name": "wter"}]
    shapes = [{"bbox": [0, 0, 2, 2], "category_id": number} for number in (0, 5)]
    tool = _tool(tmp_path, shapes, categories)
    (task.folder / "annotations.json").write_text(tool.read_text())  # a tool's export beside the chips
    back = read_annotations(tool, task)
    assert dict(zip(back["class"], back["code"], strict=True)) == {"field": 2, "water": 1}
    tool = _tool(tmp_path, [*shapes, {"bbox": [4, 4, 2, 2], "category_id": 9}], categories)
    with pytest.raises(ParameterError, match=r"class 'wter', which was not exported.*'water'"):
        read_annotations(tool, task)
    back = read_annotations(tool, task, classes={**CLASSES, "wter": 3})
    assert back["code"].tolist() == [2, 1, 3]


def test_what_nobody_outlined_is_the_background_in_the_chips_that_were_looked_at(tmp_path):
    tile = scene()
    task = export_chips(PatchGrid(tile, GridSampler(16)), tmp_path / "t", CLASSES)
    images = [{"id": n, "file_name": f"chip-{n:06d}.png"} for n in (0, 1)]  # of twelve
    tool = _tool(tmp_path, [{"image_id": 0, "bbox": [4, 2, 8, 5]}], images=images)
    back = read_annotations(tool, task, background="clear")
    assert list(zip(back["class"], back["code"], back["chip"], strict=True)) == [
        ("field", 2, "chip-000000"), ("clear", 0, "chip-000000"), ("clear", 0, "chip-000001"),
    ]  # fmt: skip
    expected = np.full(tile.label.shape, 255, np.uint8)
    expected[:16, :32] = 0
    expected[2:7, 4:12] = 2
    from rasterio.features import rasterize as burn

    pairs = list(zip(back.geometry, back["code"], strict=True))
    burnt = burn(pairs, tile.label.shape, transform=geobox_of(tile).affine, fill=255)
    np.testing.assert_array_equal(burnt, expected)


def _tool(folder, shapes, categories=None, images=None, **size):
    """Write what a tool exports, and return where."""
    held = {
        "images": images or [{"id": 7, "file_name": "chip-000000.png", **size}],
        "categories": categories or [{"id": 2, "name": "field"}],
        "annotations": [{"id": k, "image_id": 7, "category_id": 2, **one} for k, one in enumerate(shapes)],
    }
    (folder / "tool.json").write_text(json.dumps(held))
    return folder / "tool.json"


def _packed(runs):
    """Pack run lengths as COCO does: the definition, written again."""
    text = ""
    for k, run in enumerate(runs):
        value = run - runs[k - 2] if k > 2 else run
        more = True
        while more:
            bits = value & 0x1F
            value >>= 5
            more = value != (-1 if bits & 0x10 else 0)
            text += chr((bits | (0x20 if more else 0)) + 48)
    return text


@given(st.lists(st.integers(0, 3000), min_size=1, max_size=12))
def test_packed_runs_are_the_runs(runs):
    size = (1, sum(runs))
    assert np.array_equal(decode_runs(_packed(runs), size), decode_runs(runs, size))


@settings(max_examples=60)
@given(st.integers(0, 10**6))
def test_polygons_without_holes_cover_the_same_pixels(seed):
    import shapely

    rng = np.random.default_rng(seed)
    codes = (rng.random((9, 11)) < 0.7).astype(np.uint8)
    for _, outline, pixels in areas(codes, {1}):
        parts = without_holes(outline)
        assert all(not part.interiors for part in parts)
        assert sum(part.area for part in parts) == outline.area == pixels
        assert shapely.union_all(parts).symmetric_difference(outline).area == 0
        assert all(value == int(value) for part in parts for value in ring(part))


def test_bad_input(tmp_path):
    tile = scene((16, 16))
    with pytest.raises(ParameterError, match="different codes, 1 or more"):
        export_chips([tile], tmp_path / "a", {"background": 0})
    with pytest.raises(ParameterError, match="no chip to export"):
        export_chips([], tmp_path / "b", CLASSES)
    with pytest.raises(ParameterError, match="holds float32"):
        export_chips([tile], tmp_path / "c", CLASSES, label="red")
    with pytest.raises(MissingCRSError, match="chip-000000"):
        export_chips([tile.drop_vars("spatial_ref")], tmp_path / "d", CLASSES)
    task = export_chips([tile], tmp_path / "t", CLASSES)
    with pytest.raises(WriteError, match="not empty"):
        export_chips([tile], tmp_path / "t", CLASSES)
    foreign = tmp_path / "foreign.json"
    foreign.write_text(
        json.dumps({"images": [{"id": 1, "file_name": "x.png"}], "annotations": [], "categories": []})
    )
    with pytest.raises(ParameterError, match=r"not exported: x\.png"):
        read_annotations(foreign, task)
    foreign.write_text("[]")
    with pytest.raises(ReadError, match="no COCO"):
        read_annotations(foreign, task)
    with pytest.raises(ParameterError, match="runs of 3 pixels"):
        decode_runs([1, 2], (2, 2))
