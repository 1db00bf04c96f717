"""Chips for people who label: pictures, COCO annotations, STAC items, and where all of it lies."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from geotoolz.core import MissingCRSError, ParameterError, TileSpec, WriteError
from geotoolz.core._lazy import xr
from geotoolz.learn._active import ScoredChip
from geotoolz.learn._label_export_shapes import areas, ring, without_holes
from geotoolz.learn._label_export_stac import catalog_of, label_item
from geotoolz.patch import Patch
from geotoolz.viz import encode_png
from geotoolz.viz._picture import View, choose, on_background, render

Array = np.ndarray[Any, Any]
PLACES, CODES = "chips.json", "classes.json"


@dataclass(frozen=True)
class LabelTask:
    """A folder for annotators.

    Attributes
    ----------
    folder : Path
        Holds ``images/`` and ``labels/`` (PNG), ``annotations.json`` (COCO), ``chips.json`` (where each chip
        lies), ``classes.json`` (the code of every class), and ``catalog.json`` with ``items/`` (STAC).
    images, annotations : int
        How many there are.
    """

    folder: Path
    images: int
    annotations: int


def export_chips(
    chips: Iterable[Patch | ScoredChip | xr.Dataset],
    out: str | Path,
    classes: Mapping[str, int],
    *,
    label: str | None = None,
    bands: str | tuple[str, ...] | None = None,
    scale: int = 1,
) -> LabelTask:
    """Write chips for annotation tools: CVAT, Label Studio, Roboflow, FiftyOne and others read PNG with COCO.

    Labels (or a model's suggestions) go along as polygons that follow the pixels' edges, cut where they have
    holes, which COCO's polygons cannot. What comes back is read by `read_annotations`, which knows the
    chips by the names of their files: rename none.

    Parameters
    ----------
    chips : iterable of Patch, ScoredChip or Dataset
        What is to be labelled: a `PatchGrid`, the choice of an `ActiveSampler`, tiles.
    out : path
        A folder, new or empty.
    classes : mapping of str to int
        Name and code of the classes to draw. Codes are the variable's; COCO's ids are these too.
    label : str, optional
        Variable with codes that go along.
    bands : str or three of them, optional
        What the pictures show; as for `geotoolz.viz.quicklook`.
    scale : int
        Screen pixels per pixel: annotators see little in 32 × 32.

    Returns
    -------
    LabelTask

    Raises
    ------
    WriteError
        If the folder is not empty, or cannot be written.
    MissingCRSError
        If a chip has no CRS.
    ParameterError
        If there is no chip or no class, or the labels are no codes.

    Examples
    --------
    >>> import tempfile
    >>> from geotoolz.core.testing import simulate_scene
    >>> from geotoolz.learn import export_chips
    >>> from geotoolz.patch import GridSampler, PatchGrid
    >>> chips = PatchGrid(simulate_scene((64, 64)), GridSampler(32))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     export_chips(chips, folder, {"water": 1, "field": 2}).images
    4
    """
    if not classes or len(set(classes.values())) < len(classes) or min(classes.values()) < 1:
        raise ParameterError(
            f"classes={dict(classes)}", expected="names with different codes, 1 or more (0 is no annotation)"
        )
    if scale < 1:
        raise ParameterError(f"scale={scale}", expected="1 or more")
    folder = Path(out)
    _require_empty(folder)
    writer = _Writer(folder, dict(classes), label, bands, scale)
    try:
        for number, chip in enumerate(chips):
            writer.add(*_opened(chip, number))
        if not writer.images:
            raise ParameterError("there is no chip to export", expected="at least one")
        writer.finish()
    except OSError as error:
        if isinstance(error, WriteError):
            raise
        raise WriteError(f"{folder} cannot be written: {error.strerror or error}") from error
    return LabelTask(folder, len(writer.images), len(writer.annotations))


class _Writer:
    """Writes chip by chip; the tables last."""

    def __init__(
        self, folder: Path, classes: dict[str, int], label: str | None, bands: Any, scale: int
    ) -> None:
        self.folder, self.classes, self.label, self.bands, self.scale = folder, classes, label, bands, scale
        self.images: list[dict[str, Any]] = []
        self.annotations: list[dict[str, Any]] = []
        self.places: dict[str, dict[str, Any]] = {}
        self.items: list[dict[str, Any]] = []
        for part in ("images", "labels", "items") if label else ("images", "items"):
            (folder / part).mkdir(parents=True, exist_ok=True)

    def add(self, tile: xr.Dataset, number: int, score: float | None) -> None:
        """Write one chip."""
        name = f"chip-{number:06d}"
        spec = TileSpec.of(tile)
        grid = spec.window_geobox
        if grid is None or grid.crs is None:
            raise MissingCRSError(f"{name} has no CRS", expected="chips whose place is known")
        pixels = on_background(render(tile, View(choose(tile, self.bands))), (0, 0, 0))
        larger = pixels.repeat(self.scale, axis=0).repeat(self.scale, axis=1)
        (self.folder / "images" / f"{name}.png").write_bytes(encode_png(larger))
        height, width = larger.shape[:2]
        file = f"{name}.png"
        image = {"id": number + 1, "file_name": file, "width": width, "height": height}
        self.images.append(image)
        transform = [float(v) for v in grid.affine[:6]]
        self.places[file] = {
            "crs": grid.crs.to_wkt() if grid.crs.epsg is None else f"EPSG:{grid.crs.epsg}",
            "transform": transform, "shape": list(spec.shape), "scale": self.scale,
            "tile_id": str(tile.attrs.get("tile_id", "")), "datetime": str(tile.attrs.get("datetime", "")),
            "score": score,
        }  # fmt: skip
        shapes = [] if self.label is None else self._labels(tile, name, number + 1)
        self.items.append(label_item(name, self.places[file], grid, shapes, self.classes))

    def _labels(self, tile: xr.Dataset, name: str, image: int) -> list[tuple[str, Any]]:
        """Write the codes of a chip, note its areas, and return them."""
        variable = TileSpec.of(tile).find(str(self.label), "export_chips")
        codes = np.asarray(tile[variable].values)
        if codes.dtype.kind not in "iub" or codes.ndim != 2:
            raise ParameterError(f"{variable!r} holds {codes.dtype}, {codes.shape}", expected="codes (y, x)")
        codes = codes.astype(np.int64)
        names = {code: name for name, code in self.classes.items()}
        grey = np.where(np.isin(codes, list(names)) & (codes < 256), codes, 0).astype(np.uint8)
        (self.folder / "labels" / f"{name}.png").write_bytes(
            encode_png(grey.repeat(self.scale, axis=0).repeat(self.scale, axis=1))
        )
        found = []
        for code, outline, pixels in areas(codes, set(names)):
            self._annotate(image, code, outline, pixels)
            found.append((names[code], outline))
        return found

    def _annotate(self, image: int, code: int, outline: Any, pixels: int) -> None:
        import shapely

        larger = shapely.transform(outline, lambda points: points * self.scale)
        left, top, right, bottom = larger.bounds
        self.annotations.append(
            {
                "id": len(self.annotations) + 1,
                "image_id": image,
                "category_id": code,
                "iscrowd": 0,
                "segmentation": [ring(part) for part in without_holes(larger)],
                "bbox": [left, top, right - left, bottom - top],
                "area": float(pixels * self.scale**2),
            }
        )

    def finish(self) -> None:
        """Write the tables."""
        coco = {
            "info": {"description": "chips exported by geotoolz; chips.json says where they lie"},
            "licenses": [], "images": self.images, "annotations": self.annotations,
            "categories": [
                {"id": code, "name": name, "supercategory": ""} for name, code in self.classes.items()
            ],
        }  # fmt: skip
        _write(self.folder / "annotations.json", coco)
        _write(self.folder / PLACES, self.places)
        _write(self.folder / CODES, self.classes)
        for item in self.items:
            _write(self.folder / "items" / f"{item['id']}.json", item)
        _write(self.folder / "catalog.json", catalog_of(self.items))


def _opened(chip: Any, number: int) -> tuple[xr.Dataset, int, float | None]:
    if isinstance(chip, ScoredChip):
        return chip.patch.tile, chip.patch.index, chip.score
    if isinstance(chip, Patch):
        return chip.tile, chip.index, None
    if isinstance(chip, xr.Dataset):
        return chip, number, None
    raise ParameterError(f"a chip is {type(chip).__name__}", expected="Patch, ScoredChip or a tile")


def _require_empty(folder: Path) -> None:
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise WriteError(
            f"{folder} is there and not empty", expected="a new folder, so that no label is lost"
        )


def _write(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")
