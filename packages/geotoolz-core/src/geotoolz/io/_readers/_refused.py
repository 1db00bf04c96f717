"""Products that are recognised in order to be refused, with the name of the tool that reads them."""

from __future__ import annotations

import re
from abc import abstractmethod
from pathlib import Path
from typing import ClassVar

from geotoolz.core._errors import ReadError
from geotoolz.io._readers._base import Reader
from geotoolz.io._scene import SceneInfo

_S1 = re.compile(
    r"S1[A-D]_(?:IW|EW|WV|SM|S[1-6])_(GRD|SLC|RAW|OCN)[FHM_]?_.*?(\.SAFE)?(\.zip)?$", re.IGNORECASE
)
_HDF4 = b"\x0e\x03\x13\x01"
# what is opened all the time and never is HDF4
_OTHERS = (".tif", ".tiff", ".jp2", ".vrt", ".json", ".geojson", ".zip", ".tar", ".gz", ".nc", ".zarr")


class Refused(Reader):
    """A kind of product that geotoolz does not read."""

    @abstractmethod
    def reason(self, path: Path) -> ReadError:
        """Return the error that says why, and what reads it."""

    def scene(self, path: Path) -> SceneInfo:
        """Refuse the product.

        Raises
        ------
        ReadError
            Always.
        """
        raise self.reason(path)


class Sentinel1SAFE(Refused):
    """Sentinel-1 in SAFE format: in radar geometry, its pixels have no affine grid."""

    name: ClassVar[str] = "sentinel-1-safe"
    title: ClassVar[str] = "Sentinel-1 GRD, SLC, OCN in SAFE format (refused: radar geometry)"

    def recognises(self, path: Path) -> bool:
        """Tell by the product's name."""
        match = _S1.match(path.name)
        return match is not None and bool(match[2] or match[3] or (path / "manifest.safe").is_file())

    def reason(self, path: Path) -> ReadError:
        """Say what makes a map of it."""
        match = _S1.match(path.name)
        kind = match[1].upper() if match else "SAFE"
        if kind in ("RAW", "OCN"):
            return ReadError(
                f"{path} is Sentinel-1 {kind}: no image on a map",
                expected="radiometrically terrain-corrected backscatter (RTC)",
                fix="take the GRD or SLC of the same pass through ESA SNAP, or an RTC product",
            )
        return ReadError(
            f"{path} is Sentinel-1 {kind} in radar geometry: it has ground control points, no affine grid",
            expected="radiometrically terrain-corrected backscatter (RTC) on a map grid",
            fix="make one with ESA SNAP (Range-Doppler Terrain Correction; pyroSAR drives it from Python), "
            "or take one: OPERA RTC-S1 or HyP3 of the Alaska Satellite Facility, sentinel-1-rtc of the "
            "Planetary Computer",
        )


class HDF4(Refused):
    """HDF4 and HDF-EOS2, the format of MODIS: rasterio's GDAL is built without it."""

    name: ClassVar[str] = "hdf4"
    title: ClassVar[str] = "HDF4 and HDF-EOS2, such as MODIS (refused: GDAL is built without it)"

    def recognises(self, path: Path) -> bool:
        """Tell by the first four bytes; HDF5 has others."""
        if path.suffix.lower() in _OTHERS or not path.is_file():
            return False
        with path.open("rb") as file:
            return file.read(4) == _HDF4

    def reason(self, path: Path) -> ReadError:
        """Say what converts it."""
        return ReadError(
            f"{path} is HDF4 (HDF-EOS2), which the GDAL in rasterio's wheels cannot read",
            expected="GeoTIFF, JPEG 2000, netCDF or HDF5",
            fix="convert it where GDAL has HDF4 (conda install -c conda-forge gdal libgdal-hdf4): gdalinfo "
            "lists the layers, gdal_translate 'HDF4_EOS:EOS_GRID:\"FILE\":GRID:LAYER' layer.tif writes one; "
            "or order GeoTIFF from NASA AppEEARS",
        )
