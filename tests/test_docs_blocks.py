"""The Python blocks of the guide run, in order, page by page, and print what stands behind them as ``# >>>``.

A block with ``title="path"`` is a file: all files of a page are written into one folder, and its tests are
run. A block that is not to be run says why in a comment before it: ``<!-- not run: reason -->``.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
PAGES = [
    DOCS / "index.md",
    DOCS / "tile.md",
    DOCS / "tutorial.md",
    *sorted((DOCS / "concepts").glob("*.md")),
    *sorted((DOCS / "howto").glob("*.md")),
    *sorted((DOCS / "guide").glob("*.md")),
    DOCS / "contributing/new-operator.md",
]
FENCE = re.compile(
    r"(?P<before>[^\n]*)\n+```(?P<info>python[^\n]*)\n(?P<code>.*?)^```", re.DOTALL | re.MULTILINE
)
EXPECTED = "# >>>"


@dataclass(frozen=True)
class Block:
    title: str
    code: str
    line: int
    not_run: str


def blocks(page):
    text = page.read_text(encoding="utf-8")
    found = []
    for match in FENCE.finditer(text):
        title = re.search(r'title="([^"]+)"', match["info"])
        reason = re.search(r"<!-- not run: (.+) -->", match["before"])
        line = text.count("\n", 0, match.start("code"))
        found.append(Block(title[1] if title else "", match["code"], line, reason[1] if reason else ""))
    return found


def test_every_block_is_seen():
    for page in PAGES:
        fences = re.findall(r"^```python", page.read_text(encoding="utf-8"), re.MULTILINE)
        assert len(fences) == len(blocks(page)), page


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(DOCS).as_posix())
def test_blocks_run_and_print(page, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    namespace = {"__name__": "__docs__"}
    for block in blocks(page):
        if block.title or block.not_run:
            continue
        code = compile("\n" * block.line + block.code, str(page), "exec", dont_inherit=True)
        exec(code, namespace)
        printed = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
        wanted = [
            line[len(EXPECTED) :].removeprefix(" ").rstrip()
            for line in block.code.splitlines()
            if line.startswith(EXPECTED)
        ]
        assert printed == wanted, f"{page.name}, line {block.line}"


@pytest.mark.slow
def test_the_package_of_the_page_passes_its_tests(tmp_path):
    page = DOCS / "contributing" / "new-operator.md"
    files = [block for block in blocks(page) if block.title]
    options = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["pytest"][
        "ini_options"
    ]
    allowed = options["filterwarnings"]
    for block in files:
        path = tmp_path / block.title
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(block.code, encoding="utf-8")
    (tmp_path / "pytest.ini").write_text(
        "[pytest]\naddopts = --import-mode=importlib --doctest-modules -p no:cacheprovider\n"
        "pythonpath = src\ntestpaths = src tests\nfilterwarnings =\n"
        + "".join(f"    {line}\n" for line in allowed)
    )
    environment = {
        **os.environ,
        "PYTHONPATH": str(tmp_path / "src"),
        "NUMBA_CACHE_DIR": str(tmp_path / "cache"),
    }
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q"],
        cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert "EVI2" in "".join(block.code for block in files)


def test_the_files_of_the_page_are_tidy(tmp_path):
    """They pass the project's own lint: a newcomer copies them."""
    for page in PAGES:
        for block in blocks(page):
            if block.title:
                path = tmp_path / block.title
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(block.code, encoding="utf-8")
    options = ["--config", str(ROOT / "pyproject.toml"), "--ignore", "I001"]
    done = subprocess.run(
        [sys.executable, "-m", "ruff", "check", *options, "."],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if "No module named ruff" in done.stderr:
        pytest.skip("ruff is not installed")
    assert done.returncode == 0, done.stdout
