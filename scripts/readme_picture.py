"""Draw docs/assets/readme.png of real scenes: one as read, clouds masked, and the NDVI of its month.

GEOTOOLZ_DATA=… uv run python scripts/readme_picture.py
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PICTURE = ROOT / "docs" / "assets" / "readme.png"
LARGEST = 300_000


def panels() -> list[tuple[str, Any, dict[str, Any]]]:
    """Return title, image and options of every panel."""
    import geotoolz as gz
    from geotoolz.cloud import MaskClouds
    from geotoolz.core.testing import data_path
    from geotoolz.indices import NDVI
    from geotoolz.radiometry import MinMax, PercentileClip
    from geotoolz.temporal import monthly_composite

    bands, scenes = ("red", "green", "blue"), data_path("s2_l2a_33TWL_croatia")
    item = scenes / "S2A_33TWL_20230818_0_L2A" / "S2A_33TWL_20230818_0_L2A_stac_item.json"
    part = {"y": slice(90, 490), "x": slice(330, 730)}  # Zagreb and the Medvednica
    tile = gz.open_tile(item, (*bands, "nir", "scl")).isel(part)
    masked = MaskClouds()(tile)
    month: Any = monthly_composite(scenes, bands=("red", "nir"))
    month = month.isel(part | {"time": 0})
    show = gz.freeze(gz.Sequential([PercentileClip(1, 99, bands=bands), MinMax(bands, clip=True)]), masked)

    def rgb(ds: Any) -> Any:
        image = show(ds)[list(bands)].to_array("band").transpose("y", "x", "band") ** 0.7
        return image.where(image.notnull().all("band"), 0.88).values

    return [
        ("open_tile(scene)", rgb(tile), {}),
        ("MaskClouds()", rgb(masked), {}),
        (
            "NDVI() of the month",
            NDVI()(month).ndvi.values,
            {"cmap": "RdYlGn", "vmin": -0.1, "vmax": 0.95},
        ),
    ]


def main() -> None:
    """Draw the picture."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    sys.path.insert(0, str(ROOT))
    from scripts.gallery import squeeze

    figure, axes = plt.subplots(1, 3, figsize=(10.5, 3.75), layout="constrained", facecolor="white")
    for axis, (title, image, options) in zip(axes, panels(), strict=True):
        if "cmap" in options:
            options["cmap"] = plt.get_cmap(options["cmap"]).with_extremes(bad="0.88")
        axis.imshow(image, interpolation_stage="rgba", **options)
        axis.set_title(title, fontsize=11, family="monospace", loc="left")
        axis.set_axis_off()
    PICTURE.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(PICTURE, dpi=110, metadata={"Software": None})
    squeeze(PICTURE, LARGEST)
    print(f"{PICTURE.relative_to(ROOT)}: {PICTURE.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
