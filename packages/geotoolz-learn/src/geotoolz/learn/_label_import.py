"""Annotations of tools, back on the map."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from geotoolz.core import ParameterError, ReadError, nearest
from geotoolz.learn._label_export import CODES, PLACES, LabelTask

if TYPE_CHECKING:
    import geopandas as gpd

Array = np.ndarray[Any, Any]


def read_annotations(
    annotations: str | Path,
    task: LabelTask | str | Path,
    *,
    crs: str | None = None,
    classes: Mapping[str, int] | None = None,
    background: str | None = None,
) -> gpd.GeoDataFrame:
    """Read the annotations of chips that `export_chips` wrote, and put them where they lie.

    Takes COCO as tools write it: polygons, masks by run lengths (compressed or not), or boxes alone. Images
    are known by their file names (folders in front of them do not matter), classes by their names. Where a
    tool has made the pictures larger or smaller, its corners are scaled back.

    Parameters
    ----------
    annotations : path
        The tool's COCO file.
    task : LabelTask or path
        The folder of `export_chips`.
    crs : str, optional
        System of the result. By default that of the chips, or longitude and latitude where they have several.
    classes : mapping of str to int, optional
        Name and code of the classes; by default those of `export_chips`. Give them all where the annotators
        have added one.
    background : str, optional
        Class of what nobody has outlined in the chips that the tool's file lists: a row more per chip, with
        code 0 where it is none of `classes`. Without it such pixels have no label.

    Returns
    -------
    geopandas.GeoDataFrame
        A row per annotation: ``class``, ``code``, ``chip``, ``tile_id``, ``datetime``, ``geometry``. It goes
        into `geotoolz.vector.sample_training`, `ReadLabel` (as a file) or ``data.labels`` of a training run.
        A corner at a pixel's corner comes back at that pixel's corner, to the last bit of the transform.

    Raises
    ------
    ReadError
        If the file is no COCO.
    ParameterError
        If it has images that were not exported, or that have another shape now; annotations of classes that
        nobody exported, or of images and categories that it does not list.
    """
    import geopandas

    folder = task.folder if isinstance(task, LabelTask) else Path(task)
    places = _json(folder / PLACES)
    coco = _json(Path(annotations))
    if not isinstance(coco, Mapping) or not {"images", "annotations", "categories"} <= coco.keys():
        raise ReadError(f"{annotations} is no COCO file", expected="images, annotations, categories")
    codes = dict(_json(folder / CODES) if classes is None else classes)
    names = {one["id"]: str(one["name"]) for one in coco["categories"]}
    files = {one["id"]: Path(str(one["file_name"])).name for one in coco["images"]}
    sizes = {one["id"]: (one.get("width"), one.get("height")) for one in coco["images"]}
    unknown = sorted(set(files.values()) - set(places))
    if unknown:
        raise ParameterError(
            f"{annotations} has {len(unknown)} images that were not exported: {unknown[0]}",
            expected=f"the file names of {folder / 'images'}",
        )
    made = _Rows(places)
    for number, one in enumerate(coco["annotations"]):
        if one.get("image_id") not in files or one.get("category_id") not in names:
            raise ParameterError(
                f"annotation {one.get('id', number)} has image {one.get('image_id')} and category "
                f"{one.get('category_id')}",
                expected="ids that the file lists",
            )
        name, file = names[one["category_id"]], files[one["image_id"]]
        _require_known(name, codes)
        made.add(file, name, codes[name], _in_chip(one, sizes[one["image_id"]], places[file], annotations))
    if background is not None:
        made.fill(dict.fromkeys(files.values()), background, codes.get(background, 0))
    target = crs or _common(made.systems or [place["crs"] for place in places.values()])
    placed = _together(made.placed, made.systems, target)
    return geopandas.GeoDataFrame(made.table, geometry=geopandas.GeoSeries(placed, crs=target))


def _require_known(name: str, codes: Mapping[str, int]) -> None:
    if name not in codes:
        raise ParameterError(
            f"there are annotations of class {name!r}, which was not exported{nearest(name, codes)}",
            expected=", ".join(codes),
            fix=f"classes={{…, {name!r}: {max(codes.values(), default=0) + 1}}} takes it in",
        )


class _Rows:
    """The rows of the result, and what is outlined in each chip, in its pixels."""

    def __init__(self, places: Mapping[str, Any]) -> None:
        self.places = places
        columns = ("class", "code", "chip", "tile_id", "datetime")
        self.table: dict[str, list[Any]] = {name: [] for name in columns}
        self.placed: list[Any] = []
        self.systems: list[str] = []
        self.outlined: dict[str, list[Any]] = {}

    def add(self, file: str, name: str, code: int, outline: Any) -> None:
        """Take an annotation of a chip."""
        place = self.places[file]
        row = (name, code, Path(file).stem, place["tile_id"], place["datetime"])
        for held, value in zip(self.table.values(), row, strict=True):
            held.append(value)
        self.outlined.setdefault(file, []).append(outline)
        self.placed.append(_placed(outline, place))
        self.systems.append(place["crs"])

    def fill(self, files: Iterable[str], name: str, code: int) -> None:
        """Give what is left of every chip to a class."""
        import shapely

        for file in files:
            height, width = self.places[file]["shape"]
            left: Any = shapely.box(0, 0, width, height)
            if self.outlined.get(file):
                left = shapely.difference(left, shapely.union_all(self.outlined[file]))
            if not left.is_empty:
                self.add(file, name, code, left)


def decode_runs(counts: str | list[int], size: tuple[int, int]) -> Array:
    """Return the mask of a COCO run-length code: runs of 0 and 1 in turn, column by column.

    Parameters
    ----------
    counts : str or list of int
        The runs; as text they are packed, six bits a letter, from the third on as differences to the last but
        one.
    size : tuple of int
        Rows and columns.

    Examples
    --------
    >>> decode_runs([1, 2, 1], (2, 2)).tolist()
    [[False, True], [True, False]]
    >>> decode_runs("121", (2, 2)).tolist()
    [[False, True], [True, False]]
    """
    runs = _unpacked(counts) if isinstance(counts, str) else list(map(int, counts))
    if sum(runs) != size[0] * size[1] or min(runs, default=0) < 0:
        raise ParameterError(f"runs of {sum(runs)} pixels for a mask of {size[0]} × {size[1]}")
    flat = np.repeat(np.arange(len(runs)) % 2 == 1, runs)
    return np.ascontiguousarray(flat.reshape(size[1], size[0]).T)


def _unpacked(text: str) -> list[int]:
    runs: list[int] = []
    value, shift = 0, 0
    for letter in text:
        bits = ord(letter) - 48
        value |= (bits & 0x1F) << shift
        shift += 5
        if bits & 0x20:
            continue
        if bits & 0x10:  # the sign goes on
            value -= 1 << shift
        runs.append(value + runs[-2] if len(runs) > 2 else value)
        value, shift = 0, 0
    return runs


def _in_chip(one: Mapping[str, Any], size: tuple[Any, Any], place: Mapping[str, Any], source: Any) -> Any:
    """Return an annotation's shape in pixels of the chip, whatever size the tool showed it in."""
    import shapely

    held = one.get("segmentation")
    if isinstance(held, Mapping):
        size = (held["size"][1], held["size"][0])
    rows, columns = place["shape"]
    exported = (columns * place["scale"], rows * place["scale"])
    width, height = (int(new or old) for new, old in zip(size, exported, strict=True))
    # a tool that resizes rounds to whole pixels; another shape means that it has cut or filled up
    if abs(width * exported[1] - height * exported[0]) > max(exported):
        raise ParameterError(
            f"{source}: the picture of annotation {one.get('id')} has {width} × {height} pixels, and "
            f"{exported[0]} × {exported[1]} were exported",
            expected="the pictures as they are, or all of them larger or smaller",
            fix="leave resizing, tiling and padding out of the tool's export",
        )
    # multiplied first: a corner at a pixel's corner stays there to the last bit
    return shapely.transform(_outline(one, source), lambda points: points * (columns, rows) / (width, height))


def _outline(one: Mapping[str, Any], source: Any) -> Any:
    """Return an annotation's shape in screen pixels."""
    import shapely

    held = one.get("segmentation")
    if isinstance(held, Mapping):
        from geotoolz.learn._label_export_shapes import areas

        rows, columns = map(int, held["size"])
        mask = decode_runs(held["counts"], (rows, columns))
        return shapely.union_all([outline for _, outline, _ in areas(mask.astype(np.uint8), {1})])
    if held:
        parts = [shapely.Polygon(np.asarray(points, float).reshape(-1, 2)) for points in held]
        return shapely.union_all([part if part.is_valid else shapely.make_valid(part) for part in parts])
    if one.get("bbox"):
        left, top, width, height = map(float, one["bbox"])
        return shapely.box(left, top, left + width, top + height)
    raise ReadError(f"{source}: annotation {one.get('id')} has no shape", expected="segmentation or bbox")


def _placed(outline: Any, place: Mapping[str, Any]) -> Any:
    import shapely

    a, b, c, d, e, f = place["transform"]

    def onto(points: Array) -> Array:
        x, y = points[:, 0], points[:, 1]
        return np.column_stack([c + a * x + b * y, f + d * x + e * y])

    return shapely.transform(outline, onto)


def _together(shapes: list[Any], systems: list[str], target: str) -> list[Any]:
    import geopandas

    return [
        shape if system == target else geopandas.GeoSeries([shape], crs=system).to_crs(target).iloc[0]
        for shape, system in zip(shapes, systems, strict=True)
    ]


def _common(systems: list[str]) -> str:
    return systems[0] if len(set(systems)) == 1 else "EPSG:4326"


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ReadError(
            f"{path} cannot be read: {error}", expected="JSON of export_chips or a tool"
        ) from error
