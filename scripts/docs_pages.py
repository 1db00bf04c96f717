"""Write the generated pages of the docs (run by mkdocs-gen-files).

The API pages, one per public module as found in the source; the table of all operators; the tables of
tile.md; the executed pages of the gallery.
"""

from __future__ import annotations

import sys
from pathlib import Path

import mkdocs_gen_files

ROOT = Path(__file__).resolve().parents[1]
SOURCES = [*sorted(ROOT.glob("packages/*/src/geotoolz")), ROOT / "geotoolz-nextgen/src/geotoolz"]
sys.path.insert(0, str(ROOT))

from scripts import (  # noqa: E402 - mkdocs runs this file by its path
    docs_evidence,
    docs_gallery,
    docs_operators,
    docs_support,
    docs_tile,
    gallery,
)


def modules() -> list[str]:
    """Return the public modules: core, its public parts, the others in the order of the distributions."""
    found = [path.parent for source in SOURCES for path in sorted(source.glob("[a-z]*/__init__.py"))]
    found += [path.parent for source in SOURCES for path in sorted(source.glob("core/[a-z]*/__init__.py"))]
    names = [
        path.relative_to(source).as_posix() for path in found for source in SOURCES if source in path.parents
    ]
    return sorted(
        (name.replace("/", ".") for name in names), key=lambda name: name.partition(".")[0] != "core"
    )


def write_reference() -> None:
    """Write one page per module, the page of all operators, and the page that lists them."""
    lines = [
        "# Reference\n\nEvery public name, from the code. A module is one page; "
        "[all operators](operators.md) stand in one table, [what each is compared with](evidence.md) in "
        "another, and [which products are read](support.md) in a third.\n\n"
    ]
    for name in modules():
        rows = docs_operators.module_table(f"geotoolz.{name}")
        with mkdocs_gen_files.open(f"api/{name}.md", "w") as page:
            page.write(f"# geotoolz.{name}\n\n{rows}\n::: geotoolz.{name}\n")
        lines.append(f"- [`geotoolz.{name}`]({name}.md)\n")
    with mkdocs_gen_files.open("api/operators.md", "w") as page:
        page.write(docs_operators.page())
    with mkdocs_gen_files.open("api/evidence.md", "w") as page:
        page.write(docs_evidence.page())
    with mkdocs_gen_files.open("api/support.md", "w") as page:
        page.write(docs_support.page())
    with mkdocs_gen_files.open("api/index.md", "w") as index:
        index.writelines(lines)


def write_tile() -> None:
    """Write the page of the tile with its tables made afresh."""
    with mkdocs_gen_files.open("tile.md", "w") as page:
        page.write(docs_tile.filled(docs_tile.PAGE.read_text(encoding="utf-8")))


def write_gallery() -> None:
    """Run the pages of the gallery and write them with their results and pictures."""
    for source in gallery.pages():
        done = gallery.cached(source)
        with mkdocs_gen_files.open(f"gallery/{source.stem}.md", "w") as page:
            page.write(done.markdown)
        for name, data in done.pictures.items():
            with mkdocs_gen_files.open(f"gallery/{name}", "wb") as picture:
                picture.write(data)
    with mkdocs_gen_files.open("gallery/index.md", "w") as index:
        index.write(docs_gallery.index(gallery.INDEX, gallery.pages()))


write_reference()
write_tile()
write_gallery()
