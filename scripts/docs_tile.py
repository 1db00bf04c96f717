"""The tables of docs/tile.md, made from the code.

The page is prose around tables; every table stands between two marks and is written by one function here. The
committed page is checked by tests/test_docs_tile.py, and the docs build puts the tables in afresh.

    uv run python scripts/docs_tile.py            say whether the committed page is what the code says
    uv run python scripts/docs_tile.py --write    bring it up to date
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "tile.md"
_MARKED = re.compile(r"<!-- begin: (?P<name>[\w-]+) -->\n.*?<!-- end: (?P=name) -->", re.DOTALL)


def table(head: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    """Return a Markdown table."""
    names = list(head)
    lines = [names, ["---"] * len(names), *([str(cell) for cell in row] for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def code(names: Iterable[object]) -> str:
    """Return names as code, separated by commas."""
    return ", ".join(f"`{name}`" for name in names)


def roles() -> str:
    """Return which variables may play a role."""
    from geotoolz.core._sensors import ROLES

    return table(
        ("role", "played by, best first"), ((f"`{role}`", code(names)) for role, names in ROLES.items())
    )


def _sensors() -> dict[str, list[str]]:
    """Return the platforms that share a table, by the first of them."""
    from geotoolz.io import TABLES

    groups: dict[str, list[str]] = {}
    for platform, bands in TABLES.items():
        same = next((first for first in groups if TABLES[first] == bands), platform)
        groups.setdefault(same, []).append(platform)
    return groups


def bands() -> str:
    """Return the bands of every sensor: what we call them, what they call them."""
    from geotoolz.io import TABLES

    parts = []
    for first, platforms in _sensors().items():
        rows = [
            (f"`{band.name}`", f"`{band.sensor_name}`", band.title,
             "–" if band.wavelength is None else f"{band.wavelength:g}",
             "–" if band.resolution is None else f"{band.resolution:g}", band.kind)
            for band in TABLES[first].values()
        ]  # fmt: skip
        head = ("variable", "sensor's name", "what it is", "centre (nm)", "native pixel (m)", "kind")
        parts.append(f"**{', '.join(platforms)}**\n\n{table(head, rows)}")
    return "\n".join(parts)


def scaling() -> str:
    """Return what turns the stored numbers into values, as the reader decides it."""
    from geotoolz.io import TABLES
    from geotoolz.io._product import Product
    from geotoolz.io._radiometry import Declared, decide

    s2, oli = TABLES["sentinel-2"], TABLES["landsat-8"]
    c2 = "LC08_L1TP_008059_20191201_20200825_02_T1"

    def sentinel(level: str, baseline: str = "05.09", **more: Any) -> Product:
        return Product(platform="sentinel-2a", level=level, baseline=baseline, **more)

    def landsat(level: str, **more: Any) -> Product:
        return Product(platform="landsat-8", level=level, **more)

    applied, harmonised = sentinel("L2A", offset_applied=True), sentinel("L2A", collection="S2_SR_HARMONIZED")
    level_1 = landsat("L1TP", tile_id=c2, sun_elevation=90.0)
    cases = [
        ("Sentinel-2 L1C, baseline before 04.00", sentinel("L1C", "03.01"), s2["red"]),
        ("Sentinel-2 L1C, baseline from 04.00", sentinel("L1C"), s2["red"]),
        ("Sentinel-2 L2A, baseline before 04.00", sentinel("L2A", "03.01"), s2["red"]),
        ("Sentinel-2 L2A, baseline from 04.00", sentinel("L2A"), s2["red"]),
        ("Sentinel-2 L2A, `earthsearch:boa_offset_applied`", applied, s2["red"]),
        ("Sentinel-2, a collection called “harmonized”", harmonised, s2["red"]),
        ("Sentinel-2 `scl`", sentinel("L2A"), s2["scl"]),
        ("Landsat Collection 2 Level 2, reflectance", landsat("L2SP"), oli["red"]),
        ("Landsat Collection 2 Level 2, thermal", landsat("L2SP"), oli["lwir11"]),
        ("Landsat Collection 2 Level 1, sun at 90°", level_1, oli["red"]),
        ("Landsat `qa_pixel`", landsat("L2SP"), oli["qa_pixel"]),
        ("Sentinel-1 RTC", Product(platform="sentinel-1a", level="RTC"), TABLES["sentinel-1"]["vv"]),
    ]
    rows = []
    for title, product, band in cases:
        found = decide(product, band, Declared())
        nodata = "as the file says" if found.nodata is None else f"{found.nodata:g}"
        rows.append(
            (
                title,
                f"{found.scale:.7g}",
                f"{found.add:.7g}",
                nodata,
                f"`{found.quantity}`",
                found.said_by or "–",
            )
        )
    return table(("product", "× scale", "+ offset", "stored no-data", "`quantity`", "decided by"), rows)


def tile_attrs() -> str:
    """Return the attributes of a tile."""
    from geotoolz.io._product import Product

    full = Product(
        tile_id="S2B_33TWL_20230820_0_L2A",
        platform="sentinel-2b",
        instrument="msi",
        level="L2A",
        baseline="05.09",
        when="2023-08-20T09:58:11Z",
        sun_azimuth=154.2,
        sun_elevation=55.0,
        view_azimuth=105.2,
        view_zenith=6.4,
    )
    notes = {
        "tile_id": "identifier; names the outputs of a batch run",
        "datetime": "acquisition, ISO 8601 in UTC",
        "platform": "lower case with hyphens; decides which band names are understood",
        "instrument": "",
        "processing_level": "tells surface from top-of-atmosphere reflectance",
        "processing_baseline": "Sentinel-2; text, never compared as text",
        "sun_azimuth": "degrees, clockwise from north",
        "sun_elevation": "degrees above the horizon",
        "view_azimuth": "Sentinel-2; the mean over the bands, degrees clockwise from north",
        "view_zenith": "Sentinel-2; the mean over the bands, degrees from the vertical",
    }
    rows = ((f"`{key}`", f"`{value}`", notes[key]) for key, value in full.attrs().items())
    return table(("attribute", "example", "meaning"), rows)


def flags() -> str:
    """Return what the quality layers of products mean."""
    from geotoolz.cloud._products import LAYERS

    rows = [
        (
            f"`{role}`",
            layer.coding,
            "; ".join(f"`{flag}` {layer.describe(flag)}".rstrip() for flag in layer.flags),
        )
        for role, layer in LAYERS.items()
    ]
    return table(("variable", "coding", "flag and the class numbers or bits that set it"), rows)


def path_fields() -> str:
    """Return the fields of an output path and the attributes that fill them."""
    from geotoolz.io._template import FIELDS

    rows = (
        (f"`{{{field}}}`", f"`{attr}`" if attr else "the variable's name") for field, attr in FIELDS.items()
    )
    return table(("field", "filled from"), rows)


def _schema(name: str) -> Callable[[], str]:
    def make() -> str:
        from geotoolz.core import POSTPROCESSED, PREPROCESSED, SEGMENTED

        schemas = {schema.name: schema for schema in (PREPROCESSED, SEGMENTED, POSTPROCESSED)}
        return schemas[name].to_markdown()

    return make


TABLES: dict[str, Callable[[], str]] = {
    "roles": roles,
    "bands": bands,
    "scaling": scaling,
    "tile-attrs": tile_attrs,
    "flags": flags,
    "path-fields": path_fields,
    "preprocessed": _schema("preprocessed"),
    "segmented": _schema("segmented"),
    "postprocessed": _schema("postprocessed"),
}


def filled(text: str) -> str:
    """Return a page with every marked table made afresh."""
    found = [match["name"] for match in _MARKED.finditer(text)]
    if sorted(found) != sorted(TABLES):
        missing, unknown = sorted(set(TABLES) - set(found)), sorted(set(found) - set(TABLES))
        raise SystemExit(f"{PAGE.name}: marks missing {missing}, unknown or twice {unknown}")

    def fresh(match: re.Match[str]) -> str:
        name = match["name"]
        return f"<!-- begin: {name} -->\n\n{TABLES[name]()}\n<!-- end: {name} -->"

    return _MARKED.sub(fresh, text)


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--write", action="store_true", help="write the page instead of checking it")
    args = parser.parse_args()
    before = PAGE.read_text(encoding="utf-8")
    after = filled(before)
    if args.write:
        PAGE.write_text(after, encoding="utf-8")
    elif before != after:
        sys.exit(f"{PAGE.relative_to(ROOT)} is not what the code says; run scripts/docs_tile.py --write")


if __name__ == "__main__":
    main()
