"""STAC items of labelled chips and of models: extensions label, projection and mlm."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from geotoolz.core import Ref

if TYPE_CHECKING:
    from odc.geo.geobox import GeoBox

VERSION = "1.0.0"
LABEL = "https://stac-extensions.github.io/label/v1.0.1/schema.json"
PROJECTION = "https://stac-extensions.github.io/projection/v2.0.0/schema.json"
MLM = "https://stac-extensions.github.io/mlm/v1.4.0/schema.json"
_LONLAT = "EPSG:4326"
_TASKS = {
    "binary": "semantic-segmentation", "multiclass": "semantic-segmentation",
    "multilabel": "semantic-segmentation", "regression": "regression", "super_resolution": "super-resolution",
}  # fmt: skip


def label_item(
    name: str,
    place: Mapping[str, Any],
    grid: GeoBox,
    shapes: Sequence[tuple[str, Any]],
    classes: Mapping[str, int],
) -> dict[str, Any]:
    """Return the item of a chip; its labels are counted, and stand in a COCO file and a PNG beside it."""
    import shapely

    outline = grid.extent.to_crs(_LONLAT).geom
    counts = [{"name": name, "count": sum(one == name for one, _ in shapes)} for name in classes]
    code = str(place["crs"]) if str(place["crs"]).startswith("EPSG:") else None
    properties: dict[str, Any] = {
        **_moment(str(place["datetime"])),
        "label:type": "raster",
        "label:description": f"classes of {place['tile_id'] or 'a chip'}, to be drawn or corrected",
        "label:properties": None,  # of rasters, as the extension wants it
        "label:classes": [{"name": None, "classes": list(classes)}],
        "label:tasks": ["segmentation"],
        "label:overviews": [{"property_key": None, "counts": counts}],
        "proj:code": code, "proj:transform": place["transform"], "proj:shape": place["shape"],
    }  # fmt: skip
    if code is None:
        properties["proj:wkt2"] = place["crs"]
    assets = {
        "image": {"href": f"../images/{name}.png", "type": "image/png", "roles": ["overview"]},
        "annotations": {"href": "../annotations.json", "type": "application/json", "roles": ["labels"]},
    }
    if shapes:
        assets["labels"] = {
            "href": f"../labels/{name}.png",
            "type": "image/png",
            "roles": ["labels", "labels-raster"],
        }
    return {
        "type": "Feature", "stac_version": VERSION, "stac_extensions": [LABEL, PROJECTION], "id": name,
        "geometry": shapely.geometry.mapping(outline), "bbox": list(outline.bounds), "properties": properties,
        "links": [{"rel": "root", "href": "../catalog.json", "type": "application/json"},
                  {"rel": "parent", "href": "../catalog.json", "type": "application/json"}],
        "assets": assets,
    }  # fmt: skip


def catalog_of(items: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the catalog that links the items of a folder."""
    links = [
        {"rel": "item", "href": f"./items/{one['id']}.json", "type": "application/geo+json"} for one in items
    ]
    return {
        "type": "Catalog", "stac_version": VERSION, "id": "chips",
        "description": "Chips to label, and their labels",
        "links": [{"rel": "root", "href": "./catalog.json", "type": "application/json"}, *links],
    }  # fmt: skip


def model_item(checkpoint: Any, name: str, *, href: str | None = None) -> dict[str, Any]:
    """Describe a checkpoint as a STAC item with the machine-learning-model extension.

    Parameters
    ----------
    checkpoint : path or Ref
        A file of `save_checkpoint` or `train`.
    name : str
        Id of the item.
    href : str, optional
        Where the file will be found; by default where it is.

    Returns
    -------
    dict
        Inputs with their order, normalisation and patch size, outputs with their classes, framework and
        version, checksum. Its geometry is none: say where the model may be used with an area of
        applicability.

    References
    ----------
    STAC machine learning model extension, https://github.com/stac-extensions/mlm
    """
    from geotoolz.learn._checkpoint import load_checkpoint
    from geotoolz.learn._torch_import import require

    held = load_checkpoint(checkpoint)
    config, scaling = held.config, held.config.scaling
    size, bands = config.patch_size, list(config.input_combination)
    outputs = [{"name": text, "value": k} for k, text in enumerate(config.classes)]
    result: dict[str, Any] = {
        "name": config.task, "tasks": [_TASKS[config.task]],
        "result": {
            "shape": [-1, len(config.classes), size * config.zoom, size * config.zoom],
            "dim_order": ["batch", "channel", "height", "width"], "data_type": "float32",
        },
    }  # fmt: skip
    if config.task in ("binary", "multiclass", "multilabel"):
        result["classification:classes"] = outputs
    properties: dict[str, Any] = {
        "datetime": datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        "mlm:name": name,
        "mlm:architecture": str(config.model.get("architecture", config.model_framework)),
        "mlm:tasks": [_TASKS[config.task]],
        "mlm:framework": "PyTorch", "mlm:framework_version": str(require("torch", "model_item").__version__),
        "mlm:total_parameters": sum(int(value.numel()) for value in held.weights.values()),
        "mlm:input": [{
            "name": "chip", "bands": bands,
            "input": {"shape": [-1, len(bands), size, size], "data_type": "float32",
                      "dim_order": ["batch", "channel", "height", "width"]},
            "value_scaling": [{"type": "z-score", "mean": mean, "stddev": deviation}
                              for mean, deviation in zip(scaling.offset, scaling.scale, strict=True)],
            "resize_type": None,
        }],
        "mlm:output": [result],
    }  # fmt: skip
    where = checkpoint.uri if isinstance(checkpoint, Ref) else str(checkpoint)
    asset = {
        "href": href or where, "type": "application/octet-stream; framework=pytorch", "roles": ["mlm:model"],
        "mlm:artifact_type": "torch.save", "file:checksum": f"1220{held.sha256}",
    }  # fmt: skip
    return {
        "type": "Feature", "stac_version": VERSION, "id": name, "geometry": None, "properties": properties,
        "stac_extensions": [MLM, "https://stac-extensions.github.io/file/v2.1.0/schema.json"],
        "links": [], "assets": {"model": asset},
    }  # fmt: skip


def _moment(text: str) -> dict[str, Any]:
    """Return the time of a tile; where none is known, any time."""
    first, _, last = text.partition("/")
    if first and not last:
        return {"datetime": first}
    start, end = (first, last) if last else ("0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z")
    return {"datetime": None, "start_datetime": start, "end_datetime": end}
