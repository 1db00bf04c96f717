"""The table of support: which sensor, level and provider is read, and whether a test says so.

The rows are the providers' tables (`geotoolz.io._providers`) and the registered readers; the cases are those
of the tests (packages/geotoolz-core/tests/io/_support.py). They are run when the docs are built: a row is
called tested where its case has just passed, so that the page cannot promise what the code does not do.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from scripts import docs_operators
from scripts.docs_tile import ROOT, code, table

_TESTS = ROOT / "packages/geotoolz-core/tests/io"
_INTRODUCTION = """# Support

What `open_tile`, `geotoolz info` and catalogs read. *Tested* is what was opened and compared with known
values while this page was built, with simulated products (names and metadata of real ones, small pixels) or
real ones; a row without a test says "no". Nothing here was read over the network: items name their
provider's addresses, and the files lay beside them.
"""
_FAMILIES = {"hls": "HLS", "landsat": "Landsat", "sentinel-1": "Sentinel-1", "sentinel-2": "Sentinel-2"}
_OFFSETS = {
    "property": "by `earthsearch:boa_offset_applied`",
    "baseline": "by the processing baseline: not applied by the provider",
    "declared": "scale and offset of the asset",
    "fixed": "one scale, no offset",
    "none": "values as they are",
}


@dataclass(frozen=True)
class Tested:
    """What became of one case."""

    source: str
    what: str
    data: str
    passed: bool


def _outcome(check: Callable[[Path], None]) -> bool | None:
    """Run a case; None where its data are not on this machine.

    Raises
    ------
    SystemExit
        If the case fails: the page would say what is not so.
    """
    import pytest

    with tempfile.TemporaryDirectory() as folder:
        try:
            check(Path(folder))
        except pytest.skip.Exception:
            return None
        except AssertionError as error:
            raise SystemExit(f"{check}: {error}") from error
    return True


@cache
def tested() -> tuple[Tested, ...]:
    """Run every case of the tests."""
    sys.path.insert(0, str(_TESTS))
    try:
        cases: Iterable[Any] = docs_operators.imported(_TESTS / "_support.py", "_docs_support_cases").CASES
    finally:
        sys.path.remove(str(_TESTS))
    return tuple(
        Tested(one.source, f"{one.sensor} {one.level}, {one.form}", one.data, _outcome(one.check) is True)
        for one in cases
    )


def _said(source: str, *, with_form: bool) -> str:
    """Return what passed for a provider's collection or a reader."""
    found: dict[str, list[str]] = {}
    for one in tested():
        if one.source == source and one.passed:
            found.setdefault(one.what if with_form else "", []).append(one.data)
    parts = [f"{what}: {', '.join(data)}" if what else ", ".join(data) for what, data in found.items()]
    return "; ".join(parts) or "no"


def collections() -> str:
    """Return the providers' collections."""
    from geotoolz.io._providers import COLLECTIONS

    rows = []
    for one in COLLECTIONS:
        files = f"{one.files}; {one.access}"
        caveat = f"; {one.caveat}" if one.caveat else ""
        rows.append(
            (
                _FAMILIES[one.family],
                one.level,
                one.provider,
                code([one.name]),
                f"{_OFFSETS[one.offset]}{caveat}",
                files,
                _said(f"{one.provider}/{one.name}", with_form=False),
            )
        )
    head = ("sensor", "level", "provider", "collection", "scale and offset", "files", "tested")
    return table(head, sorted(rows))


def products() -> str:
    """Return what the registered readers read."""
    from geotoolz.io._readers import readers

    rows = [(code([one.name]), one.title, _said(one.name, with_form=True)) for one in readers()]
    return table(("reader", "files", "tested"), rows)


def page() -> str:
    """Return the page."""
    from geotoolz.io import signer_names

    signers = (
        f"\nAddresses that want a signature are read with `sign=`: {code(signer_names())}, an entry point of "
        "the group `geotoolz.signers`, or any function from address to address.\n"
    )
    parts = [f"## Files and folders\n\n{products()}", f"## Items of providers\n\n{collections()}{signers}"]
    return "\n".join([_INTRODUCTION, *parts])


if __name__ == "__main__":
    print(page())
