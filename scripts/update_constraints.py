"""Keep the known-good versions: ``[tool.uv] constraint-dependencies`` in the root pyproject.toml.

``uv.lock`` stays out of git (it names the registry it was solved against), so this list is what makes two
fresh clones install the same versions. Run from anywhere:

    uv run scripts/update_constraints.py            solve anew with the newest versions, write them down
    uv run scripts/update_constraints.py --drop     remove the list (CI, before it tests newest or lowest)
    uv run scripts/update_constraints.py --print    the list as a constraints file for pip or uv pip
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PYPROJECT = ROOT / "pyproject.toml"
BEGIN = "# known-good versions: begin (written by scripts/update_constraints.py)\n"
END = "# known-good versions: end\n"


def with_constraints(text: str, versions: list[str]) -> str:
    """Return the text of pyproject.toml with this list between the two marks."""
    before, mark, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not mark or not end:
        raise SystemExit(f"{PYPROJECT.name}: the marks {BEGIN.strip()!r} and {END.strip()!r} are missing")
    lines = [f'    "{version}",\n' for version in versions]
    block = ["constraint-dependencies = [\n", *lines, "]\n"] if versions else []
    return "".join([before, BEGIN, *block, END, after])


def current(text: str) -> list[str]:
    """Return the list as it stands in pyproject.toml."""
    found = tomllib.loads(text)["tool"]["uv"].get("constraint-dependencies", [])
    return [str(version) for version in found]


def solved() -> list[str]:
    """Return the versions of the solved environment.

    A marker stays only where one package has several versions.
    """
    command = (
        "uv export --quiet --frozen --all-groups --no-emit-workspace --no-hashes --no-annotate --no-header"
    )
    out = subprocess.run(command.split(), cwd=ROOT, check=True, capture_output=True, text=True).stdout
    lines = [line.strip().replace('"', "'") for line in out.splitlines() if line.strip()]
    names = [line.partition("==")[0] for line in lines]
    return [
        line if names.count(name) > 1 else line.partition(" ; ")[0]
        for name, line in zip(names, lines, strict=True)
    ]


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    group = parser.add_mutually_exclusive_group()
    group.add_argument("--drop", action="store_true", help="remove the list")
    group.add_argument("--print", action="store_true", help="print the list, one version a line")
    args = parser.parse_args()
    text = PYPROJECT.read_text(encoding="utf-8")
    if args.print:
        print(*current(text), sep="\n")
        return
    PYPROJECT.write_text(with_constraints(text, []), encoding="utf-8")
    if args.drop:
        return
    try:
        subprocess.run(["uv", "lock", "--upgrade"], cwd=ROOT, check=True)
        versions = solved()
    except subprocess.CalledProcessError as err:
        PYPROJECT.write_text(text, encoding="utf-8")
        raise SystemExit(f"nothing changed: {' '.join(err.cmd)} failed\n{err.stderr or ''}") from None
    PYPROJECT.write_text(with_constraints(text, versions), encoding="utf-8")
    subprocess.run(["uv", "lock", "--quiet"], cwd=ROOT, check=True)
    print(f"{len(versions)} versions written", file=sys.stderr)


if __name__ == "__main__":
    main()
