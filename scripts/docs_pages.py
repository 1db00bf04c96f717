"""Write the API pages: one per public module, as found in the source (run by mkdocs-gen-files)."""

from __future__ import annotations

from pathlib import Path

import mkdocs_gen_files

ROOT = Path(__file__).resolve().parents[1]
SOURCES = [*sorted(ROOT.glob("packages/*/src/geotoolz")), ROOT / "geotoolz-nextgen/src/geotoolz"]


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


def main() -> None:
    """Write one page per module, and the page that lists them."""
    lines = ["# Reference\n\nEvery public name, from the code. A module is one page.\n\n"]
    for name in modules():
        with mkdocs_gen_files.open(f"api/{name}.md", "w") as page:
            page.write(f"# geotoolz.{name}\n\n::: geotoolz.{name}\n")
        lines.append(f"- [`geotoolz.{name}`]({name}.md)\n")
    with mkdocs_gen_files.open("api/index.md", "w") as index:
        index.writelines(lines)


main()
