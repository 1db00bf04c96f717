"""Run the pages of the gallery: percent-format scripts that are page, test and notebook in one.

A page (``docs/gallery/u1-notebook-exploration.py``) consists of cells. ``# %% [markdown]`` starts text,
``# %%`` starts code. What a code cell prints stands behind it, as lines that start with ``# >>>``, and the
tests compare it with what it does print:

- exactly, with ``...`` standing for any text within a line (times, temporary folders);
- with ``# %% rtol=0.02`` at the head of the cell, numbers may differ by two parts in a hundred;
- with ``# %% needs=ray`` the cell is left out where the module is not installed; ``# %% hidden`` runs a cell
  without showing it.

    uv run python scripts/gallery.py                 run every page and compare
    uv run python scripts/gallery.py u1 --out FOLDER  write the page as Markdown with its pictures
    uv run python scripts/gallery.py u1 --write       put what the cells printed behind them
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "docs" / "gallery"
CACHE = ROOT / ".cache" / "gallery"
LARGEST = 300_000  # bytes of one picture
INDEX = """# Gallery

Each page is a script, `docs/gallery/NAME.py`: the tests run it from top to bottom and compare what it prints
with what stands here. It says first who needs it, and last when not to use it. Open it in an editor that
knows `# %%` cells, or run it as it is.

"""
_HEAD = re.compile(r"^# %%(?P<rest>.*)$")
_EXPECTED = "# >>>"
_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")


@dataclass
class Cell:
    """One cell of a page."""

    kind: str  # "markdown" or "code"
    text: str
    line: int
    options: dict[str, str] = field(default_factory=dict)
    expected: list[str] = field(default_factory=list)
    printed: str = ""
    pictures: list[str] = field(default_factory=list)
    skipped: str = ""


@dataclass(frozen=True)
class Rendered:
    """A page that was run."""

    title: str
    lead: str
    markdown: str
    pictures: dict[str, bytes]


@dataclass(frozen=True)
class Outcome:
    """What running a page gave."""

    cells: list[Cell]
    folder: Path
    skipped: str = ""  # why nothing was run
    error: str = ""  # traceback of the cell that failed
    watched: dict[str, Any] = field(default_factory=dict)  # what the watcher found, if there was one


def pages() -> list[Path]:
    """Return the pages in the order of their rows."""

    def rank(path: Path) -> tuple[str, int, str]:
        row = re.match(r"([a-z]+)(\d+)", path.stem)
        return (row[1], int(row[2]), path.stem) if row else (path.stem, 0, "")

    return sorted(FOLDER.glob("*.py"), key=rank)


# ---- reading a page ----------------------------------------------------------------------------------------


def parse(text: str) -> list[Cell]:
    """Return the cells of a page."""
    cells: list[Cell] = []
    for number, line in enumerate(text.splitlines(), 1):
        head = _HEAD.match(line)
        if head:
            words = head["rest"].split()
            kind = "markdown" if "[markdown]" in words else "code"
            options = dict(w.partition("=")[::2] for w in words if w != "[markdown]")
            cells.append(Cell(kind, "", number, options))
        elif not cells:
            if line.strip() and not line.startswith("#"):
                raise SystemExit(f"line {number}: text before the first '# %%'")
        elif cells[-1].kind == "code" and line.startswith(_EXPECTED):
            cells[-1].expected.append(line[len(_EXPECTED) :].removeprefix(" ").rstrip())
        else:
            cells[-1].text += line + "\n"
    for cell in cells:
        if cell.kind == "markdown":
            cell.text = re.sub(r"^# ?", "", cell.text, flags=re.MULTILINE)
        cell.line += len(cell.text) - len(cell.text.lstrip("\n"))  # so that tracebacks name the right line
        cell.text = cell.text.strip("\n")
    return [cell for cell in cells if cell.text]


# ---- running a page ----------------------------------------------------------------------------------------


def run(page: Path, folder: Path, timeout: float = 600) -> Outcome:
    """Run a page in a fresh process, in a folder of its own, and return what it printed and drew."""
    work = folder / "work"
    work.mkdir(parents=True, exist_ok=True)
    cells = parse(page.read_text(encoding="utf-8"))
    environment = {**os.environ, "MPLBACKEND": "Agg", "PYTHONHASHSEED": "0", "PYTHONUNBUFFERED": "1"}
    environment["RAY_ENABLE_UV_RUN_RUNTIME_ENV"] = "0"  # Ray's own hook for `uv run` makes tasks hang
    command = [
        sys.executable,
        str(Path(__file__).resolve()),
        "--child",
        str(page.resolve()),
        str(folder.resolve()),
    ]
    done = subprocess.run(
        command, cwd=work, env=environment, capture_output=True, text=True, timeout=timeout, check=False
    )
    result = folder / "result.json"
    if not result.exists():
        return Outcome(cells, folder, error=f"the page's process died with {done.returncode}\n{done.stderr}")
    told = json.loads(result.read_text(encoding="utf-8"))
    for cell, found in zip(cells, told["cells"], strict=False):
        cell.printed, cell.pictures, cell.skipped = found["printed"], found["pictures"], found["skipped"]
    return Outcome(cells, folder, told["skipped"], told["error"], told.get("watched", {}))


def _child(page: Path, folder: Path) -> None:
    """Run the cells; called in the fresh process."""
    import traceback
    import types

    sys.path[0] = ""  # like a notebook: the working folder, not the folder of this script
    main_module = types.ModuleType("__main__")  # like a notebook's: no file, and pickle looks for it by name
    sys.modules["__main__"] = main_module
    namespace = vars(main_module)
    told: dict[str, Any] = {"cells": [], "skipped": "", "error": ""}
    watcher = _watcher()
    for number, cell in enumerate(parse(page.read_text(encoding="utf-8"))):
        found: dict[str, Any] = {"printed": "", "pictures": [], "skipped": _missing(cell)}
        told["cells"].append(found)
        if cell.kind != "code" or found["skipped"]:
            continue
        try:
            found["printed"] = _printed(cell, page, namespace)
        except BaseException as error:  # noqa: BLE001 - told in the result, whatever a page raises
            if type(error).__name__ == "Skipped":  # pytest's, from data_path
                told["skipped"] = str(error)
            else:
                told["error"] = f"{page.name}, the cell at line {cell.line}:\n{traceback.format_exc()}"
            break
        found["pictures"] = _pictures(folder, f"{page.stem}-{number}")
    if watcher is not None and not told["error"] and not told["skipped"]:
        told["watched"] = watcher.finish()
    (folder / "result.json").write_text(json.dumps(told), encoding="utf-8")


def _watcher() -> Any:
    """Import the file that wants to watch pages run, if there is one, and let it install itself."""
    import importlib.util

    path = os.environ.get("GEOTOOLZ_GALLERY_WATCH")
    spec = importlib.util.spec_from_file_location("gallery_watcher", path) if path else None
    if spec is None or spec.loader is None:
        return None
    watcher = importlib.util.module_from_spec(spec)
    sys.modules["gallery_watcher"] = watcher
    spec.loader.exec_module(watcher)
    watcher.install()
    return watcher


def _missing(cell: Cell) -> str:
    import importlib.util

    name = cell.options.get("needs", "")
    return f"needs {name}, which is not installed" if name and importlib.util.find_spec(name) is None else ""


def _printed(cell: Cell, page: Path, namespace: dict[str, Any]) -> str:
    """Run a cell and return what it printed, with the value of its last line like a notebook."""
    import ast
    import io

    tree = ast.parse(cell.text, str(page))
    ast.increment_lineno(tree, cell.line)
    last = tree.body[-1] if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        body = tree.body[:-1] if last is not None else tree.body
        exec(compile(ast.Module(body, []), str(page), "exec", dont_inherit=True), namespace)
        if last is not None:
            value = eval(compile(ast.Expression(last.value), str(page), "eval", dont_inherit=True), namespace)
            if value is not None and "matplotlib" not in type(value).__module__:
                print(repr(value))
    return out.getvalue()


def _pictures(folder: Path, stem: str) -> list[str]:
    """Save the open figures below the largest size and close them."""
    if "matplotlib.pyplot" not in sys.modules:
        return []
    import matplotlib.pyplot as plt

    names = []
    for index, number in enumerate(plt.get_fignums()):
        figure = plt.figure(number)
        path = folder / f"{stem}-{index}.png"
        for dpi in (110, 90, 75):
            figure.savefig(path, dpi=dpi, bbox_inches="tight", metadata={"Software": None})
            squeeze(path)
            if path.stat().st_size < LARGEST:
                break
        names.append(path.name)
        plt.close(figure)
    return names


def squeeze(path: Path, largest: int = LARGEST) -> None:
    """Store a picture that is too large with a palette of 256 colours, dithered so that no bands are seen."""
    from PIL import Image

    if path.stat().st_size < largest:
        return
    with Image.open(path) as picture:
        plain = picture.convert("RGB")
    # colours of a sixteenth of the pixels: choosing them from all takes seconds a picture
    sample = plain.resize((plain.width // 4 + 1, plain.height // 4 + 1), Image.Resampling.NEAREST)
    palette = sample.quantize(256, Image.Quantize.MAXCOVERAGE)
    plain.quantize(palette=palette, dither=Image.Dither.FLOYDSTEINBERG).save(path, optimize=True)


# ---- comparing ---------------------------------------------------------------------------------------------


def problems(outcome: Outcome) -> list[str]:
    """Return where a page printed something else than it says."""
    if outcome.error:
        return [outcome.error]
    if outcome.skipped:
        return []
    found = []
    for cell in outcome.cells:
        if cell.kind != "code" or cell.skipped:
            continue
        lines = (
            [line.rstrip() for line in cell.printed.rstrip("\n").split("\n")] if cell.printed.strip() else []
        )
        if not same_text(cell.expected, lines, float(cell.options.get("rtol", 0))):
            wanted, got = "\n  ".join(cell.expected) or "(nothing)", "\n  ".join(lines) or "(nothing)"
            found.append(f"the cell at line {cell.line} should print\n  {wanted}\nand printed\n  {got}")
    return found


def same_text(expected: list[str], found: list[str], rtol: float = 0.0) -> bool:
    """Whether lines are as expected.

    Examples
    --------
    >>> same_text(["took ... s", "0.50"], ["took 3 s", "0.50"]), same_text(["0.50"], ["0.51"])
    (True, False)
    >>> same_text(["share 0.50"], ["share 0.51"], rtol=0.05)
    True
    """
    return len(expected) == len(found) and all(
        _same_line(want, got, rtol) for want, got in zip(expected, found, strict=True)
    )


def _same_line(want: str, got: str, rtol: float) -> bool:
    if rtol:
        numbers, others = _NUMBER.findall(want), _NUMBER.findall(got)
        close = len(numbers) == len(others) and all(
            abs(float(a) - float(b)) <= rtol * abs(float(a)) for a, b in zip(numbers, others, strict=True)
        )
        return close and " ".join(_NUMBER.sub("#", want).split()) == " ".join(_NUMBER.sub("#", got).split())
    return re.fullmatch(".*".join(map(re.escape, want.split("..."))), got) is not None


# ---- showing -----------------------------------------------------------------------------------------------


def rendered(page: Path, outcome: Outcome) -> Rendered:
    """Return a page as Markdown with its pictures."""
    parts, pictures = [], {}
    if outcome.skipped:
        parts.append(f'!!! note "Not run here"\n    {outcome.skipped}\n')
    for cell in outcome.cells:
        if cell.kind == "markdown":
            parts.append(cell.text + "\n")
            continue
        if "hidden" not in cell.options:
            parts.append(f"```python\n{cell.text}\n```\n")
        if cell.skipped:
            parts.append(f"*Not run here: {cell.skipped}.*\n")
        elif outcome.skipped and cell.expected:
            parts.append("```text\n" + "\n".join(cell.expected) + "\n```\n")
        elif cell.printed.strip():
            parts.append(f"```text\n{cell.printed.rstrip()}\n```\n")
        for name in cell.pictures:
            pictures[name] = (outcome.folder / name).read_bytes()
            parts.append(f"![{cell.options.get('alt', page.stem).replace('_', ' ')}]({name})\n")
    first = next(cell.text for cell in outcome.cells if cell.kind == "markdown")
    title, _, rest = first.partition("\n")
    lead = next((line for line in rest.strip().split("\n\n") if line), "")
    parts.append(f"---\n\n*This page is the script `docs/gallery/{page.name}`; the tests run it.*\n")
    return Rendered(
        title.lstrip("# "), re.sub(r"[*_]", "", " ".join(lead.split())), "\n".join(parts), pictures
    )


def cached(page: Path) -> Rendered:
    """Return a page as `rendered` gives it; run it only if the page or the packages have changed."""
    here = CACHE / _key(page)
    if not (here / "result.json").exists():
        here.mkdir(parents=True, exist_ok=True)
        outcome = run(page, here)
    else:
        outcome = _again(page, here)
    wrong = problems(outcome)
    if wrong:
        (here / "result.json").unlink(missing_ok=True)
        raise SystemExit(f"docs/gallery/{page.name}:\n" + "\n".join(wrong))
    return rendered(page, outcome)


def remember(page: Path, folder: Path) -> None:
    """Keep what a run in `folder` gave, so that `cached` shows it and need not run the page again."""
    here = CACHE / _key(page)
    here.mkdir(parents=True, exist_ok=True)
    for path in sorted(folder.glob("*.png")):
        shutil.copy(path, here)
    shutil.copy(folder / "result.json", here)  # last: it says that all is there


def _again(page: Path, folder: Path) -> Outcome:
    told = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    cells = parse(page.read_text(encoding="utf-8"))
    for cell, found in zip(cells, told["cells"], strict=False):
        cell.printed, cell.pictures, cell.skipped = found["printed"], found["pictures"], found["skipped"]
    return Outcome(cells, folder, told["skipped"], told["error"])


def _key(page: Path) -> str:
    found = hashlib.sha256(os.environ.get("GEOTOOLZ_DATA", "").encode())
    sources = [*ROOT.glob("packages/*/src/**/*.py"), *ROOT.glob("geotoolz-nextgen/src/**/*.py")]
    for path in (page, Path(__file__), *sorted(sources)):
        found.update(path.read_bytes())
    return f"{page.stem}-{found.hexdigest()[:16]}"


def written(page: Path, outcome: Outcome) -> str:
    """Return a page's text with what its cells printed behind them."""
    kept = [line for line in page.read_text(encoding="utf-8").splitlines() if not line.startswith(_EXPECTED)]
    text = "\n".join(kept) + "\n"
    blocks = re.split(r"(?m)^(?=# %%)", text)
    cells = iter([cell for cell in outcome.cells if cell.kind == "code"])
    out = []
    for block in blocks:
        is_code = block.startswith("# %%") and "[markdown]" not in block.partition("\n")[0]
        if is_code and block.partition("\n")[2].strip():
            cell = next(cells)
            lines = cell.printed.rstrip("\n").split("\n") if cell.printed.strip() else []
            lines = cell.expected if cell.skipped else _kept_wildcards(cell.expected, lines)
            block = (
                block.rstrip("\n")
                + "\n"
                + "".join(f"{_EXPECTED} {line}".rstrip() + "\n" for line in lines)
                + "\n"
            )
        out.append(block)
    return "".join(out).rstrip("\n") + "\n"


def _kept_wildcards(expected: list[str], lines: list[str]) -> list[str]:
    """Return the printed lines, except where the page had a line with ``...`` that matches."""
    if len(expected) != len(lines):
        return lines
    return [
        w if "..." in w and _same_line(w, got, 0) else got for w, got in zip(expected, lines, strict=True)
    ]


# ---- command line ------------------------------------------------------------------------------------------


def main() -> None:
    """Run the command line."""
    if sys.argv[1:2] == ["--child"]:
        _child(Path(sys.argv[2]), Path(sys.argv[3]))
        return
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("names", nargs="*", help="beginnings of the pages' names; all by default")
    parser.add_argument("--out", type=Path, help="write Markdown and pictures here")
    parser.add_argument("--write", action="store_true", help="put what the cells printed behind them")
    args = parser.parse_args()
    wrong = False
    for page in pages():
        if args.names and not page.stem.startswith(tuple(args.names)):
            continue
        with tempfile.TemporaryDirectory() as folder:
            outcome = run(page, Path(folder))
            found = problems(outcome)
            if args.write and not outcome.error and not outcome.skipped:
                page.write_text(written(page, outcome), encoding="utf-8")
            elif found:
                wrong = True
            print(f"{page.stem}: {outcome.skipped or ('ok' if not found else chr(10).join(found))}")
            if args.out:
                args.out.mkdir(parents=True, exist_ok=True)
                shown = rendered(page, outcome)
                (args.out / f"{page.stem}.md").write_text(shown.markdown, encoding="utf-8")
                for name, data in shown.pictures.items():
                    (args.out / name).write_bytes(data)
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
