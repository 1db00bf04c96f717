"""Measure masks and corrections on reference data, and write the tables into the guide.

Precision and recall of `SpectralClouds` against the expert masks of ``cloudmask_reference_csmask``; bias and
RMSE of `DarkObjectSubtraction` against the surface reflectance of iCOR and SMAC in
``atmcorr_icor_smac_antwerp_s2``.

Run: python scripts/cloud_tables.py [--write]; without it the tables are printed. The data are looked for at
GEOTOOLZ_DATA (default: ../shared/data).
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from affine import Affine
from odc.geo.geobox import GeoBox

from geotoolz.cloud import BufferMask, RemoveSmall, SpectralClouds
from geotoolz.core import Operator, Sequential, tile_from_arrays
from geotoolz.core.testing import data_path
from geotoolz.correction import DarkObjectSubtraction

GUIDE = Path(__file__).resolve().parents[1] / "docs/guide"
_OPTICAL = ("blue", "green", "red", "nir", "swir16", "swir22")
_SENSORS = {"landsat7": "Landsat 7", "sentinel2": "Sentinel-2"}
_ANTWERP = {"blue": "B02", "green": "B03", "red": "B04", "nir": "B08"}
#: what uint16 makes of the small negative reflectances of iCOR and SMAC, and their no-data
_WRAPPED = 60_000


def table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """Return a Markdown table."""
    lines = [head, tuple("---" for _ in head), *rows]
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


def toa_tile(arrays: dict[str, Any], box: GeoBox) -> xr.Dataset:
    """Return top-of-atmosphere reflectance as a tile."""
    attrs = {name: {"quantity": "toa_reflectance", "units": "1"} for name in arrays}
    return tile_from_arrays(arrays, box, attrs={"processing_level": "L1C"}, var_attrs=attrs)


def clouds() -> str:
    """Return precision, recall and F1 per sensor."""
    chains: dict[str, Operator] = {
        "`SpectralClouds()`": SpectralClouds(),
        "`SpectralClouds(hot=0.1)`": SpectralClouds(hot=0.1),
        "`SpectralClouds()`, `RemoveSmall(9)`, `BufferMask(60.0)`": Sequential(
            [SpectralClouds(), RemoveSmall(9, mask="cloud"), BufferMask(60.0, "cloud")]
        ),
    }
    rows = []
    for sensor, title in _SENSORS.items():
        held = np.load(data_path("cloudmask_reference_csmask") / f"{sensor}_toa6band_and_mask.npz")
        truth = held["msk"][..., 0] == 4
        box = GeoBox(truth.shape, Affine(30, 0, 5e5, 0, -30, 5e6), "EPSG:32633")  # the data name no place
        tile = toa_tile({name: held["img"][..., i] for i, name in enumerate(_OPTICAL)}, box)
        for label, op in chains.items():
            found = op(tile).cloud.values  # type: ignore[operator]
            hits = float((found & truth).sum())
            precision, recall = hits / found.sum(), hits / truth.sum()
            f1 = 2 * hits / (found.sum() + truth.sum())
            scores = (f"{value:.3f}" for value in (precision, recall, f1))
            rows.append((title, f"{truth.mean():.1%}", label, *scores))
    return table(("sensor", "cloud by the expert", "mask", "precision", "recall", "F1"), rows)


def _read(name: str) -> tuple[np.ndarray[Any, Any], GeoBox]:
    import rasterio

    with rasterio.open(data_path("atmcorr_icor_smac_antwerp_s2") / f"{name}.tif") as file:
        box = GeoBox((file.height, file.width), file.transform, str(file.crs))
        return file.read(1), box


def corrections() -> str:
    """Return bias and RMSE of every correction, band and reference."""
    arrays, box = {}, None
    for band, sensor in _ANTWERP.items():
        dn, box = _read(f"ref_input_S2_{sensor}")
        arrays[band] = np.where(dn == 65535, np.nan, dn * 1e-4).astype(np.float32)
    if box is None:
        raise SystemExit("no bands")
    tile = toa_tile(arrays, box)
    results = {
        "none (top of atmosphere)": tile,
        "`DarkObjectSubtraction(percentile=0.1)`": DarkObjectSubtraction(percentile=0.1)(tile),
        "DOS1: `DarkObjectSubtraction(percentile=0.1, residual=0.01)`": DarkObjectSubtraction(
            percentile=0.1, residual=0.01
        )(tile),
    }
    rows = []
    for reference in ("icor", "smac"):
        for label, out in results.items():
            cells = [_compared(out[band].values, reference, sensor) for band, sensor in _ANTWERP.items()]
            rows.append((reference.upper().replace("ICOR", "iCOR"), label, *cells))
    return table(("reference", "correction", *_ANTWERP), rows)


def _compared(ours: np.ndarray[Any, Any], reference: str, sensor: str) -> str:
    theirs, _ = _read(f"ref_check_{reference}_S2_{sensor}")
    counted = (theirs < _WRAPPED) & ~np.isnan(ours)
    off = ours[counted].astype(np.float64) - theirs[counted] * 1e-4
    return f"{off.mean():+.4f} / {np.sqrt((off * off).mean()):.4f}"


TABLES = {"clouds.md": {"clouds": clouds}, "corrections.md": {"corrections": corrections}}


def main() -> None:
    """Print the tables, or write them."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--write", action="store_true")
    write = parser.parse_args().write
    for page, tables in TABLES.items():
        path = GUIDE / page
        for name, make in tables.items():
            found = make()
            print(found)
            if write:
                marks = rf"(<!-- begin: {name} -->\n).*?(<!-- end: {name} -->)"
                text = path.read_text(encoding="utf-8")
                between = found.replace("\\", r"\\")
                new, count = re.subn(marks, rf"\1\n{between}\n\2", text, flags=re.DOTALL)
                if count != 1:
                    raise SystemExit(f"{path} has the marks of {name} {count} times")
                path.write_text(new, encoding="utf-8")


if __name__ == "__main__":
    main()
