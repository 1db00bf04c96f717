"""A scene from raster files: one file, or a folder of bands with the metadata beside them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from geotoolz.core._errors import ReadError
from geotoolz.io._bands import bands_of_platform, identify
from geotoolz.io._gdal import Header, is_remote, read_header
from geotoolz.io._item import from_item, is_item, read_item
from geotoolz.io._metadata import landsat_product, read_mtl, s2_granule, xml_root
from geotoolz.io._product import Product, from_identifier
from geotoolz.io._radiometry import Declared
from geotoolz.io._scene import Asset, SceneInfo
from geotoolz.io._sign import Signer, without_query
from geotoolz.io._tags import ATTRS_TAG

RASTER_ENDS = (".tif", ".tiff", ".jp2", ".vrt", ".img")
# What ends a file's name: the sensor's band, and for Sentinel-2 perhaps a pixel size.
_BAND = re.compile(
    r"(?:^|[_.-])((?:S[RT]_)?B\d{1,2}(?:_VCID_[12])?|B8A|SCL|(?:MSK_)?QA60|AOT|WVP|MSK_(?:CLD|SNW)PRB"
    r"|QA_PIXEL|QA_RADSAT|SR_QA_AEROSOL|BQA|VV|VH|HH|HV)(?:_(\d+)m)?$",
    re.IGNORECASE,
)
_NOT_BANDS = re.compile(r"(?:^|_)(TCI|PVI|MSK_\w+|preview|thumbnail|overview)(?:_\d+m)?$", re.IGNORECASE)


def rasters_in(folder: Path) -> list[Path]:
    """Return the rasters of a folder, sorted."""
    found = [p for p in folder.iterdir() if p.suffix.lower() in RASTER_ENDS and p.is_file()]
    return sorted(p for p in found if not p.name.startswith("."))


def from_folder(folder: Path) -> SceneInfo:
    """Make a scene of a folder of rasters with the metadata that lies beside them.

    Raises
    ------
    ReadError
        If the folder has no raster.
    """
    rasters = rasters_in(folder)
    if not rasters:
        raise ReadError(
            f"{folder} has no raster ({', '.join(RASTER_ENDS)})",
            expected="a folder of band files, a .SAFE folder or a Landsat folder",
            fix="name the scene's own folder; for a folder of scenes: geotoolz catalog build FOLDER",
        )
    return from_files(rasters, folder)


def from_raster(path: str, sign: Signer | None = None) -> SceneInfo:
    """Make a scene of one raster.

    A band of a sensor (``…_B04.tif``) takes what the metadata beside it says.

    Parameters
    ----------
    path : str
        File or URL.
    sign : callable, optional
        Signs a URL.
    """
    if is_remote(path) or path.startswith("/vsi"):
        plain = without_query(path)
        bands = tuple(_of_header(read_header(path, sign)))
        return SceneInfo(plain, Product(tile_id=Path(plain).stem), bands)
    header = read_header(path)
    file = Path(path)
    return from_files([file], file.parent, headers={path: header})


def from_files(
    paths: Sequence[Path], folder: Path, headers: dict[str, Header] | None = None, mtl: Path | None = None
) -> SceneInfo:
    """Make a scene of raster files and the metadata in a folder.

    Parameters
    ----------
    paths : sequence of Path
        The rasters.
    folder : Path
        Where the metadata may lie.
    headers : dict, optional
        Headers that were read already.
    mtl : Path, optional
        The Landsat MTL, where the folder may have several.

    Returns
    -------
    SceneInfo
    """
    headers = headers or {}
    origin = str(paths[0]) if len(paths) == 1 else str(folder)
    item = _item_beside(paths, folder)
    product = _product_beside(paths, folder, item, mtl)
    assets: list[Asset] = [a for a in item.assets if Path(a.path) in set(paths)] if item else []
    known = {asset.path for asset in assets}
    for path in paths:
        if str(path) in known:
            continue
        named = _named(path, product) if product.platform else None
        if named is not None and not _ours(path, headers):
            assets.append(named)
        elif not (_NOT_BANDS.search(path.stem) and len(paths) > 1):
            header = headers.get(str(path)) or read_header(str(path))
            assets.extend(_of_header(header, alone=len(paths) == 1))
    return SceneInfo(origin, product, finest_files(_known_first(assets, product)))


def _known_first(assets: Sequence[Asset], product: Product) -> list[Asset]:
    """Put the sensor's bands in the sensor's order; what else lies there is read only by name."""
    known = in_sensor_order((a for a in assets if a.band), product)
    if not known:
        return list(assets)
    prefix = f"{_identifier(product.tile_id)}_"
    # a described band is one on purpose; a file that merely lies there has its own name
    others = [
        a if a.key else replace(a, name=a.name.removeprefix(prefix), default=False)
        for a in assets
        if not a.band
    ]
    return [*known, *others]


def _ours(path: Path, headers: dict[str, Header]) -> bool:
    """Tell whether geotoolz wrote a file: it then knows its own names."""
    if path.suffix.lower() not in (".tif", ".tiff"):
        return False
    try:
        header = headers.setdefault(str(path), read_header(str(path)))
    except ReadError:
        return False  # said when, and only if, the band is read
    return ATTRS_TAG in header.file_tags


def _item_beside(paths: Iterable[Path], folder: Path) -> SceneInfo | None:
    """Return the scene of the one STAC item in the folder that names one of the files."""
    names = {path.name for path in paths}
    found: list[SceneInfo] = []
    for path in sorted(folder.glob("*.json"))[:50]:
        if path.stat().st_size > 2_000_000 or "MTL" in path.name:
            continue
        try:
            held = read_item(path)
        except ReadError:
            continue  # some other JSON
        hrefs = {str(a.get("href", "")).rsplit("/", 1)[-1] for a in held["assets"].values()}
        if is_item(held) and names & hrefs:
            found.append(from_item(held, str(folder)))
    return found[0] if len(found) == 1 else None


def _product_beside(
    paths: Sequence[Path], folder: Path, item: SceneInfo | None, mtl: Path | None = None
) -> Product:
    """Merge what the files beside the rasters say: MTL first, then the item, then names."""
    facts: dict[str, Any] = dict(_from_names(paths, folder))
    if item is not None:
        facts |= {k: v for k, v in vars(item.product).items() if v not in ("", None, {})}
    mtl = mtl or _mtl_beside(paths[0], folder)
    if mtl is not None:
        facts |= landsat_product(read_mtl(mtl))
    granule = _one_of(folder, ("granule_metadata.xml", "MTD_TL.xml"))
    if granule is not None and (item is None or item.product.sun_elevation is None):
        facts = {**s2_granule(xml_root(granule.read_bytes(), str(granule))), **facts}
    return Product(**facts)


def _mtl_beside(raster: Path, folder: Path) -> Path | None:
    """Return the folder's MTL; where it has those of several products, the raster's own."""
    if (only := _one_of(folder, ("*MTL.json", "*MTL.txt"))) is not None:
        return only
    found = [*folder.glob("*_MTL.json"), *folder.glob("*_MTL.txt")]
    return next((path for path in found if raster.name.startswith(path.name.split("_MTL.")[0])), None)


def _one_of(folder: Path, patterns: tuple[str, ...]) -> Path | None:
    for pattern in patterns:
        found = sorted(folder.glob(pattern))
        if len(found) == 1:
            return found[0]
    return None


def _from_names(paths: Sequence[Path], folder: Path) -> dict[str, Any]:
    for name in (*(p.stem for p in paths[:1]), folder.name, folder.parent.name):
        found = from_identifier(name)
        if found:
            match = _BAND.search(name)
            found["tile_id"] = name[: match.start()] if match else name.removesuffix(".SAFE")
            return found
    stem = paths[0].stem if len(paths) == 1 else folder.name
    return {"tile_id": stem}


def _named(path: Path, product: Product) -> Asset | None:
    """Make a band of a file whose name ends in one of the sensor's band names."""
    return band_asset(path.name, str(path), product)


def band_asset(name: str, path: str, product: Product) -> Asset | None:
    """Make a band of a file whose name ends in one of the sensor's band names.

    Parameters
    ----------
    name : str
        The file's name.
    path : str
        The path by which GDAL reads it.
    product : Product
        The metadata.
    """
    match = _BAND.search(name.rsplit(".", 1)[0])
    band = identify(match[1], product.sensor) if match else None
    if match is None or band is None:
        return None
    key = f"{match[1]}_{match[2]}m" if match[2] else match[1]
    return Asset(band.name, path, band=band, key=key, extent=product.extent, default=band.kind != "aux")


def in_sensor_order(assets: Iterable[Asset], product: Product) -> list[Asset]:
    """Return the sensor's bands in the sensor's order, others behind them."""
    order = list(bands_of_platform(product.sensor))
    return sorted(assets, key=lambda a: order.index(a.name) if a.name in order else len(order))


def _of_header(header: Header, alone: bool = True) -> list[Asset]:
    """Make bands of what a raster says of itself."""
    assets = []
    for index, name in enumerate(_band_names(header, alone), start=1):
        scale, offset = header.scales[index - 1], header.offsets[index - 1]
        scaled = (scale, offset) != (1.0, 0.0)
        declared = Declared(
            scale if scaled else None, offset if scaled else None, units=header.units[index - 1] or ""
        )
        assets.append(
            Asset(name, header.path, index, key=str(header.names[index - 1] or ""), declared=declared)
        )
    return assets


def _band_names(header: Header, alone: bool) -> list[str]:
    """Return variable names: the descriptions, the file's name, or band_1 and so on."""
    count = len(header.dtypes)
    described = [_identifier(name or "") for name in header.names]
    if all(described) and len(set(described)) == count:
        return described
    if alone:
        match = _BAND.search(Path(without_query(header.path)).stem)
        if count == 1 and match is not None and match[1].upper() in ("VV", "VH", "HH", "HV"):
            return [match[1].lower()]
        return [f"band_{i}" for i in range(1, count + 1)]
    stem = _identifier(Path(without_query(header.path)).stem)
    return [stem] if count == 1 else [f"{stem}_{i}" for i in range(1, count + 1)]


def _identifier(text: str) -> str:
    return re.sub(r"\W+", "_", text.strip()).strip("_")


def finest_files(assets: Sequence[Asset]) -> tuple[Asset, ...]:
    """Keep the finest pixel size of a band (R10m before R20m); true duplicates stay and are refused later."""
    sizes: dict[str, int] = {}
    for asset in assets:
        if match := re.search(r"_(\d+)m$", asset.key):
            sizes[asset.name] = min(sizes.get(asset.name, 10**6), int(match[1]))
    return tuple(a for a in assets if a.name not in sizes or a.key.endswith(f"_{sizes[a.name]}m"))
