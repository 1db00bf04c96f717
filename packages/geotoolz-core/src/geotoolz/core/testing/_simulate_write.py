"""`write_scene`: a simulated scene as providers deliver it, a folder of GeoTIFFs with a STAC item."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from geotoolz.core._errors import ParameterError
from geotoolz.core._grid import geobox_of
from geotoolz.core.testing import _simulate_spectra as spectra
from geotoolz.core.testing._simulate import simulate_scene
from geotoolz.core.testing._simulate_item import Count, count_pixels, cover_shares, stac_asset, stac_item

if TYPE_CHECKING:
    import xarray as xr

_STRIP = 512
_SENSOR_NAMES = {"scl": "SCL", "qa60": "QA60", "qa_pixel": "QA_PIXEL"}


def write_scene(
    scene: xr.Dataset | Mapping[int, xr.Dataset] | Mapping[str, Any], folder: str | Path, *, item: bool = True
) -> Path:
    """Write one scene as a folder of single-band GeoTIFFs (tiled, deflate) with a STAC item.

    The files are named as the sensor names its bands (``B04.tif``, ``SR_B4.tif``, ``SCL.tif``); truth
    layers get their own names. Scale and offset stand in the files and in the item.

    Parameters
    ----------
    scene : xarray.Dataset, mapping of int to Dataset, or mapping of str
        What `simulate_scene` returned (also with ``native=True``), or the arguments to call it with:
        then it is simulated and written strip by strip, as digital numbers unless ``raw`` is False,
        and may be of any size.
    folder : str or Path
        The scene becomes the folder ``<tile_id>`` in it.
    item : bool
        Also write ``<tile_id>.json``.

    Returns
    -------
    pathlib.Path
        The scene's folder.

    Raises
    ------
    ParameterError
        If there is nothing to write.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as tmp:
    ...     out = write_scene({"shape": (32, 32), "bands": ("red", "scl")}, tmp)
    ...     sorted(p.name for p in out.iterdir())
    ['B04.tif', 'S2A_T33E500N5100_20230618_0_L2A.json', 'SCL.tif']
    """
    layers = _layers(scene)
    attrs = layers[0].attrs
    tile_id = str(attrs["tile_id"])
    out = Path(folder) / tile_id
    out.mkdir(parents=True, exist_ok=True)
    assets: dict[str, dict[str, Any]] = {}
    counts: dict[str, Count] = {}
    for layer in layers:
        _write_layer(layer, out, assets, counts)
    if item:
        # The largest grid is the finest; all cover the same ground.
        finest = max((layer.box for layer in layers), key=lambda box: box.shape[0] * box.shape[1])
        text = json.dumps(
            stac_item(attrs, finest, tile_id, assets, cover_shares(counts)), indent=1, allow_nan=False
        )
        (out / f"{tile_id}.json").write_text(text + "\n", encoding="utf-8")
    return out


@dataclass(frozen=True)
class _Layer:
    """Variables on one grid, given strip by strip from the top."""

    box: Any
    attrs: dict[str, Any]
    variables: dict[str, xr.DataArray]
    """The variables' attributes and dtypes; not all their pixels."""
    strips: Iterable[xr.Dataset]


def _layers(scene: xr.Dataset | Mapping[int, xr.Dataset] | Mapping[str, Any]) -> list[_Layer]:
    import xarray as xr

    tiles: list[xr.Dataset]
    if isinstance(scene, xr.Dataset):
        tiles = [scene]
    elif scene and all(isinstance(v, xr.Dataset) for v in scene.values()):
        tiles = list(scene.values())
    else:
        # archives hold digital numbers
        options: dict[str, Any] = {"raw": True, **{str(k): v for k, v in scene.items()}}
        if not options.get("native"):
            return [_streamed(options)]
        made: Any = simulate_scene(**options)
        tiles = list(made.values())
    if not any(len(t.data_vars) for t in tiles):
        raise ParameterError("a scene without variables", expected="at least one band")
    return [_Layer(geobox_of(t), t.attrs, {str(n): t[n] for n in t.data_vars}, [t]) for t in tiles]


def _streamed(options: dict[str, Any]) -> _Layer:
    """Simulate strip by strip: a scene of 10980² never lies in memory."""
    rows, cols = options.setdefault("shape", (512, 512))
    y0, y1, x0, x1 = options.pop("window", None) or (0, rows, 0, cols)

    def part(top: int, bottom: int) -> xr.Dataset:
        made: Any = simulate_scene(**options, window=(top, bottom, x0, x1))
        return cast("xr.Dataset", made)

    first = part(y0, y0 + 1)
    box = geobox_of(first).expand((y1 - y0, x1 - x0))
    strips = (part(top, min(top + _STRIP, y1)) for top in range(y0, y1, _STRIP))
    return _Layer(box, first.attrs, {str(n): first[n] for n in first.data_vars}, strips)


def _band_of(platform: str, name: str) -> spectra.Band | None:
    sensor = next((s for s in spectra.SENSORS if platform.startswith(s)), None)
    return spectra.SENSORS[sensor].get(name) if sensor else None


def _write_layer(
    layer: _Layer, out: Path, assets: dict[str, dict[str, Any]], counts: dict[str, Count]
) -> None:
    """Write the variables of one grid; add their STAC assets and what there is to count."""
    names = [n for n in layer.variables if n not in assets]
    with ExitStack() as stack:
        files = {}
        for name in names:
            band = _band_of(str(layer.attrs.get("platform", "")), name)
            stem = band.sensor_name if band else _SENSOR_NAMES.get(name, name)
            files[name] = stack.enter_context(_create(out / f"{stem}.tif", layer, name))
            assets[name] = stac_asset(name, stem, layer.variables[name], layer.box, band)
            counts[name] = Count(coded="_FillValue" in layer.variables[name].attrs)
        top = 0
        for strip in layer.strips:
            rows, cols = strip.sizes["y"], strip.sizes["x"]
            for name in names:
                values = strip[name].values
                count_pixels(counts[name], name, strip[name])
                raster = values.astype("uint8") if values.dtype == bool else values
                files[name].write(raster, 1, window=((top, top + rows), (0, cols)))
            top += rows


def _create(path: Path, layer: _Layer, name: str) -> Any:
    """Open a new GeoTIFF for one variable."""
    import rasterio

    variable, box = layer.variables[name], layer.box
    dtype = "uint8" if variable.dtype == bool else variable.dtype.name
    profile: dict[str, Any] = {
        "driver": "GTiff", "dtype": dtype, "count": 1, "height": box.shape[0], "width": box.shape[1],
        "crs": box.crs.to_wkt() if box.crs else None, "transform": box.affine,
        "nodata": variable.attrs.get("_FillValue"), "compress": "deflate", "zlevel": 4,
        "predictor": 3 if variable.dtype.kind == "f" else 2, "tiled": True, "blockxsize": 256,
        "blockysize": 256,
    }  # fmt: skip
    dst = rasterio.open(path, "w", **profile)
    dst.set_band_description(1, name)
    if "scale_factor" in variable.attrs:
        dst.scales, dst.offsets = (variable.attrs["scale_factor"],), (variable.attrs["add_offset"],)
    moment = str(layer.attrs["datetime"])[:19].replace("-", ":").replace("T", " ")
    dst.update_tags(TIFFTAG_DATETIME=moment)
    return dst
