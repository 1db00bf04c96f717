"""The index of the gallery: its rows, the packages that they need, the drivers that run them."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]

GROUPS = {
    "U": "Use cases",
    "S": "scikit-learn on pixels",
    "N": "Patches and augmentation",
    "D": "From a tile to a map, stage by stage",
    "B": "The stack around machine learning",
    "P": "What practitioners come with",
    "X": "What one graph makes possible",
}
#: what in a page's code says that a driver runs the pipeline there
DRIVERS = {
    "stream": r"\bgz\.stream\(|\brun_chips\(|\bgeotoolz stream\b",
    "dask": r"\.chunk\(|chunks=",
    "batch": r"\bCatalogPipeline\(|\bgeotoolz run\b|\bJob\.load\(",
    "processes": r"engine=\"process\"|--engine process|n_workers=[2-9]|--workers",
    "Ray": r"engine=\"ray\"|RayEngine\(|--engine ray|\"ray\"",
    "HTTP": r"create_app\(|TestClient\(|httpx\.|\bserve run\b|LitServer",
    "data loader": r"DataLoader\(|\.loader\(",
    "orchestrator": r"\bdagster\b|\bprefect\b|\bairflow\b",
}


class Row(NamedTuple):
    """One line of the index."""

    row: str
    page: str
    title: str
    lead: str
    packages: tuple[str, ...]
    drivers: tuple[str, ...]


def distributions() -> dict[str, str]:
    """Return which distribution holds each room of the namespace."""
    found = {}
    for folder in (*sorted(ROOT.glob("packages/*")), ROOT / "geotoolz-nextgen"):
        name = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]["name"]
        for room in (folder / "src" / "geotoolz").glob("[a-z]*/__init__.py"):
            found[room.parent.name] = name
    return found


def row_of(page: Path) -> Row:
    """Read a line of the index from a page's own text."""
    text = page.read_text(encoding="utf-8")
    code = "\n".join(part.partition("\n")[2] for part in _code(text))
    rooms = set(re.findall(r"\bgeotoolz\.([a-z]+)\b", code))
    own = distributions()
    packages = sorted({own[room] for room in rooms if room in own} | {"geotoolz-core"})
    drivers = [name for name, sign in DRIVERS.items() if re.search(sign, code)]
    head, _, rest = (
        re.sub(r"(?m)^# ?", "", text.partition("# %%")[2].partition("\n")[2]).strip().partition("\n")
    )
    title = head.lstrip("# ").partition(" · ")[2]
    lead = " ".join(rest.strip().partition("\n\n")[0].split())
    row = re.match(r"[a-z]+\d+", page.stem)
    if row is None:
        raise SystemExit(f"{page.name}: a page is named ROW-what-it-shows.py")
    return Row(row[0].upper(), page.stem, title, lead, tuple(packages), tuple(drivers or ["in memory"]))


def _code(text: str) -> list[str]:
    blocks = re.split(r"(?m)^(?=# %%)", text)
    return [
        block for block in blocks if block.startswith("# %%") and "[markdown]" not in block.partition("\n")[0]
    ]


def index(intro: str, pages: list[Path]) -> str:
    """Return the index as Markdown: a table per group, in the order of the rows."""
    rows = [row_of(page) for page in pages]
    parts = [intro]
    for letter, name in GROUPS.items():
        own = sorted((row for row in rows if row.row[0] == letter), key=lambda row: int(row.row[1:]))
        if not own:
            continue
        parts.append(f"## {name}\n\n| row | page | packages | drivers |\n| --- | --- | --- | --- |\n")
        for row in own:
            lead = re.sub(r"[*_|]", "", row.lead).partition(". ")[0].rstrip(".")
            packages = ", ".join(package.removeprefix("geotoolz-") for package in row.packages)
            page = f"[{row.title}]({row.page}.md)<br>{lead}."
            parts.append(f"| {row.row} | {page} | {packages} | {', '.join(row.drivers)} |\n")
        parts.append("\n")
    return "".join(parts)


if __name__ == "__main__":
    print(index("", sorted((ROOT / "docs" / "gallery").glob("*.py"))))
