"""Write the catalogue of spectral indices from an installed spyndex: ``python scripts/update_spyndex.py``.

spyndex is no dependency of geotoolz; its list of indices, which is data, is copied (MIT licence, kept in the
file). Names, bands, formulas, references and wavelengths come over as they are: what geotoolz does otherwise
(constants, kernels, band roles) stands in ``geotoolz.indices``, and in docs/guide/indices.md.
"""

from __future__ import annotations

import argparse
import json
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
TARGET = ROOT / "packages/geotoolz-indices/src/geotoolz/indices/spyndex.json"
_FIELDS = {"long_name": "long_name", "formula": "formula", "application_domain": "domain",
           "platforms": "platforms", "reference": "reference"}  # fmt: skip


def catalogue(folder: Path) -> dict[str, Any]:
    """Return the indices of a spyndex installation, by name."""
    listed = json.loads((folder / "spectral-indices-dict.json").read_text("utf-8"))["SpectralIndices"]
    return {name: {new: entry[old] for old, new in _FIELDS.items()} for name, entry in sorted(listed.items())}


def wavelengths(folder: Path) -> dict[str, dict[str, float]]:
    """Return the central wavelengths in nm of every platform's bands, by common name."""
    found: dict[str, dict[str, float]] = {}
    for band in json.loads((folder / "bands.json").read_text("utf-8")).values():
        for platform, entry in band["platforms"].items():
            found.setdefault(platform, {})[band["common_name"]] = entry["wavelength"]
    return {platform: dict(sorted(bands.items())) for platform, bands in sorted(found.items())}


def constants(folder: Path) -> dict[str, float | None]:
    """Return spyndex's default of every constant."""
    listed = json.loads((folder / "constants.json").read_text("utf-8"))
    return {name: entry["default"] for name, entry in sorted(listed.items())}


def text() -> str:
    """Return the file, one index per line, so that changes read well."""
    import spyndex  # type: ignore[import-untyped]

    folder = Path(spyndex.__file__).parent / "data"
    about = distribution("spyndex")
    licence = next(about.locate_file(f) for f in about.files or () if Path(str(f)).name.startswith("LICENSE"))
    head = {
        "source": f"spyndex {about.version}, https://github.com/awesome-spectral-indices/spyndex",
        "licence": Path(str(licence)).read_text("utf-8"),
        "constants": constants(folder),
        "wavelengths": wavelengths(folder),
    }
    lines = [f"  {json.dumps(key)}: {json.dumps(value, ensure_ascii=False)}," for key, value in head.items()]
    rows = ",\n".join(
        f"    {json.dumps(name)}: {json.dumps(entry, ensure_ascii=False)}"
        for name, entry in catalogue(folder).items()
    )
    return "\n".join(["{", *lines, '  "indices": {', rows, "  }", "}", ""])


def main() -> None:
    """Write the file, or with ``--check`` say whether it is what spyndex gives."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if the file differs")
    options = parser.parse_args()
    new = text()
    if options.check:
        raise SystemExit(0 if TARGET.read_text("utf-8") == new else f"{TARGET} differs: run {__file__}")
    TARGET.write_text(new, encoding="utf-8")
    print(f"{TARGET}: {new.count(chr(10))} lines")


if __name__ == "__main__":
    main()
