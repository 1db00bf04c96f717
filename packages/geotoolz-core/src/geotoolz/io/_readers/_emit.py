"""EMIT Level-2A reflectance: a swath in NetCDF, put on its map grid by its own lookup table."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from affine import Affine

from geotoolz.core._coord import Coord
from geotoolz.core._errors import ReadError
from geotoolz.core._lazy import xr
from geotoolz.io._gdal import crs_of_wkt
from geotoolz.io._product import Product, iso_utc
from geotoolz.io._radiometry import Radiometry
from geotoolz.io._readers._array_scene import (
    ArrayScene,
    Contents,
    layered,
    refuse_offset,
)
from geotoolz.io._readers._base import OpenScene, Reader
from geotoolz.io._readers._blocks import Blocks, BlockSource
from geotoolz.io._readers._netcdf import is_netcdf, open_store
from geotoolz.io._resample import Array
from geotoolz.io._scene import Asset, BandRequest, SceneInfo

if TYPE_CHECKING:
    from odc.geo.geobox import GeoBox

    from geotoolz.io._variables import Offset

# EMIT_L2A_RFL_001_20220903T163129_2224611_012.nc
_FILE = re.compile(r"EMIT_L2A_RFL_\d{3}_(\d{8}T\d{6})_\d+_\d+.*", re.IGNORECASE)
CUBE = "reflectance"
_NODATA = -9999.0
_BANDS = "sensor_band_parameters"


class EMIT(Reader):
    """EMIT Level-2A reflectance (``EMIT_L2A_RFL_…nc``): ``reflectance`` along ``wavelength``.

    The swath is put on the product's geographic grid by its geometric lookup table: every pixel is a copy
    of one of the swath, none is interpolated. Bands without ``good_wavelengths`` (water vapour) are left
    out; ``raw=True`` keeps them, with a coordinate of that name. No-data is -9999, NaN in the tile.

    References
    ----------
    Green, R. et al. (2023): EMIT L2A Estimated Surface Reflectance and Uncertainty and Masks 60 m V001,
    NASA LP DAAC; EMIT L2A Algorithm and User Guide.
    """

    name = "emit-l2a"
    title = "EMIT Level-2A reflectance (NetCDF), orthorectified by its lookup table"

    def recognises(self, path: Path) -> bool:
        """Tell by the name."""
        return is_netcdf(path) and bool(_FILE.fullmatch(path.stem))

    def scene(self, path: Path) -> SceneInfo:
        """Say what the product is."""
        with open_store(path, decode_times=False) as store:
            return SceneInfo(str(path), _product(path, store), (Asset(CUBE, str(path), key=CUBE),))

    def open(
        self,
        path: Path,
        bands: BandRequest,
        aoi: Any,
        resolution: float | None,
        raw: bool,
        offset: Offset,
        geobox: GeoBox | None,
    ) -> OpenScene:
        """Open the cube on its map grid, or on the wanted one."""
        refuse_offset(offset, str(path))
        store = open_store(path, decode_times=False)
        if CUBE not in store or store[CUBE].ndim != 3:
            raise ReadError(
                f"{path} has no variable {CUBE!r} (downtrack, crosstrack, bands)",
                expected="an EMIT Level-2A reflectance file",
                fix="choose the RFL file of the granule",
            )
        spectral = _spectral(path, int(store[CUBE].shape[2]))
        good = spectral["good_wavelengths"] == 1
        kept = np.arange(good.size) if raw else np.flatnonzero(good)
        grid, table = _grid(path, store)
        dtype = np.dtype(store[CUBE].dtype).newbyteorder("=")
        fill = float(store[CUBE].attrs.get("_FillValue", _NODATA))
        blocks = Swath(store[CUBE].variable, kept, table, fill, dtype)
        source = BlockSource(str(path), 1, grid, dtype, fill, nearest=False, blocks=blocks)
        attrs = {"long_name": "EMIT estimated surface reflectance", "data_source": path.name}
        radiometry = Radiometry(nodata=fill, units="1", quantity="surface_reflectance")
        cube = layered(CUBE, source, radiometry, ("wavelength", "y", "x"), attrs, raw)
        tile_attrs = _product(path, store).attrs()
        if kept.size < good.size:
            tile_attrs["bands_left_out"] = f"{good.size - kept.size} of {good.size} (good_wavelengths is 0)"
        coords = _coords(spectral, kept, raw)
        contents = Contents(str(path), {CUBE: cube}, coords, tile_attrs, (str(path),))
        return ArrayScene(contents, bands, aoi, resolution, geobox)


class Swath(Blocks):
    """Bands of a swath (downtrack, crosstrack, bands), seen through a lookup table.

    Parameters
    ----------
    variable : xarray.Variable
        The swath, not read yet.
    bands : array of int
        Which bands, from 0.
    table : xarray.Dataset
        ``glt_x`` and ``glt_y``: column and row in the swath of every pixel of the map, from 1; 0 for none.
    fill : float
        What a pixel outside the swath holds.
    dtype : numpy.dtype
        Of the pixels.
    """

    def __init__(
        self, variable: xr.Variable, bands: Array, table: xr.Dataset, fill: float, dtype: np.dtype[Any]
    ) -> None:
        super().__init__(len(bands), dtype)
        self._variable = variable
        self._bands = bands
        self._table = table
        self._fill = fill

    def read(self, layers: slice, row: int, col: int, height: int, width: int) -> Array:
        """Look the window's pixels up in the part of the swath that they come from."""
        bands = self._bands[layers]
        window = {"ortho_y": slice(row, row + height), "ortho_x": slice(col, col + width)}
        # a negative number marks a pixel that its neighbour fills, as in ENVI's tables
        cols, rows = (
            np.abs(self._table[key].isel(window).values.astype(np.int64)) for key in ("glt_x", "glt_y")
        )
        inside = (cols > 0) & (rows > 0)
        out = np.full((len(bands), height, width), self._fill, self.dtype)
        if inside.any():
            rows, cols = rows[inside] - 1, cols[inside] - 1
            r0, c0 = int(rows.min()), int(cols.min())
            part = self._variable[
                r0 : int(rows.max()) + 1, c0 : int(cols.max()) + 1, int(bands[0]) : int(bands[-1]) + 1
            ]
            swath = np.asarray(part.values)
            out[:, inside] = swath[rows - r0, cols - c0][:, bands - bands[0]].T
        return out


def _product(path: Path, store: xr.Dataset) -> Product:
    return Product(
        tile_id=path.stem,
        platform="iss",
        instrument="emit",
        level="L2A",
        when=iso_utc(_offset_colon(str(store.attrs.get("time_coverage_start", "")))),
    )


def _offset_colon(text: str) -> str:
    """Return a time whose offset may lack its colon (``+0000``) as ISO 8601."""
    return re.sub(r"([+-]\d\d)(\d\d)$", r"\1:\2", text)


def _spectral(path: Path, count: int) -> dict[str, Array]:
    """Return centres, widths and which bands are good.

    Raises
    ------
    ReadError
        If they are not there for every band.
    """
    told = open_store(path, _BANDS, decode_times=False)
    found = {}
    for key in ("wavelengths", "fwhm", "good_wavelengths"):
        if key not in told or told[key].shape != (count,):
            raise ReadError(
                f"{path} has no {_BANDS}/{key} for its {count} bands",
                expected="an EMIT Level-2A reflectance file",
                fix="download it again",
            )
        found[key] = np.asarray(told[key].values, np.float64)
    return found


def _coords(spectral: dict[str, Array], kept: Array, raw: bool) -> dict[str, Coord]:
    centres, widths = spectral["wavelengths"][kept], spectral["fwhm"][kept]
    coords = {
        "wavelength": Coord("wavelength", centres, {"units": "nm", "long_name": "wavelength"}),
        "fwhm": Coord("wavelength", widths, {"units": "nm", "long_name": "full width at half maximum"}),
    }
    if raw:
        good = spectral["good_wavelengths"] == 1
        coords["good_wavelengths"] = Coord("wavelength", good, {"long_name": "bands that hold data"})
    return coords


def _grid(path: Path, store: xr.Dataset) -> tuple[Any, xr.Dataset]:
    """Return the map grid and the lookup table.

    Raises
    ------
    ReadError
        If the file lacks one of them.
    """
    table = open_store(path, "location", decode_times=False)
    transform, wkt = store.attrs.get("geotransform"), store.attrs.get("spatial_ref")
    missing = [key for key in ("glt_x", "glt_y") if key not in table]
    missing += [key for key, value in (("geotransform", transform), ("spatial_ref", wkt)) if value is None]
    if missing:
        raise ReadError(
            f"{path} has no {', '.join(missing)}",
            expected="an EMIT file with its geometric lookup table",
            fix="download it again",
        )
    from odc.geo.geobox import GeoBox

    crs = crs_of_wkt(str(wkt))
    height, width = map(int, table["glt_x"].shape)
    affine = Affine.from_gdal(*(float(value) for value in np.asarray(transform).ravel()))
    return GeoBox((height, width), affine, crs), table[["glt_x", "glt_y"]]
