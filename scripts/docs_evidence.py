"""The table of evidence: what every operator reads, writes, is compared with, and how far it is from that.

The comparisons are those of the tests (`ReferenceSuite`); they are run when the docs are built, so that the
page cannot promise what the code does not do.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from scripts import docs_operators
from scripts.docs_tile import ROOT, code, table

_INTRODUCTION = """# Evidence

What every operator that computes something is compared with. *Deviation* is the largest absolute difference
from the reference, measured when this page was built, and the bound that the tests hold it to. *Bad input* is
the test that hands the operator something wrong. The contract suite and the law (windows, threads, chunks,
orders) stand behind every row.
"""
HEAD = ("operator", "reads", "writes", "looks", "source", "reference", "deviation (bound)", "bad input")


@dataclass(frozen=True)
class Evidence:
    """One comparison of one operator."""

    path: str
    against: str
    deviation: float
    bound: float
    unit: str
    bad_input: str


def suites() -> Iterator[tuple[Path, Any]]:
    """Yield every suite of references with the file it stands in."""
    from geotoolz.core.testing import ReferenceSuite

    for number, path in enumerate(sorted(ROOT.glob("packages/*/tests/**/test_references*.py"))):
        module = docs_operators.imported(path, f"_docs_references_{number}")
        for value in list(vars(module).values()):  # a comparison may set names of its module
            if inspect.isclass(value) and issubclass(value, ReferenceSuite) and value is not ReferenceSuite:
                yield path, value


def contract() -> tuple[int, list[str]]:
    """Return the number of contract cases, and the operators without one with the reasons."""
    spared = {
        f"`{suite.module.removeprefix('geotoolz.')}.{name}` ({reason})"
        for suite in docs_operators.contract_suites()
        for name, reason in suite.exempt.items()
    }
    return sum(len(suite.cases) for suite in docs_operators.contract_suites()), sorted(spared)


@cache
def evidence() -> tuple[Evidence, ...]:
    """Run every comparison."""
    found = []
    for path, suite in suites():
        for one in suite.references:
            where = path.parent.relative_to(ROOT) / one.bad_input
            found.append(
                Evidence(
                    one.operator.target(),
                    one.against,
                    float(one.deviation()),
                    one.bound,
                    one.unit,
                    str(where),
                )
            )
    return tuple(found)


def rows() -> list[tuple[str, ...]]:
    """Return the table, a row per comparison, in the order of the operators' reference."""
    order = {entry.path: entry for entry in docs_operators.entries()}
    made: list[tuple[str, ...]] = []
    for path, entry in order.items():
        for one in (e for e in evidence() if e.path == path):
            package, _, test = one.bad_input.partition("/tests/")
            made.append(
                (
                    f"[`{path.removeprefix('geotoolz.')}`][{path}]",
                    entry.reads,
                    entry.writes,
                    entry.footprint,
                    entry.source or "this library’s own definition",
                    one.against.replace("|", "\\|"),
                    f"{one.deviation:.2g} ({one.bound:g}) {one.unit}"
                    if one.deviation
                    else f"none ({one.unit})",
                    f"{package.rpartition('/')[2].removeprefix('geotoolz-')}: {code([test])}",
                )
            )
    return made


def page() -> str:
    """Return the page."""
    compared = {one.path for one in evidence()}
    exempt = sorted(
        f"`{suite.module.removeprefix('geotoolz.')}.{name}` ({reason})"
        for _, suite in suites()
        for name, reason in suite.exempt.items()
        if f"{suite.module}.{name}" not in compared  # some have a suite of their own
    )
    made = rows()
    cases, spared = contract()
    counted = (
        f"\n{len({row[0] for row in made})} operators, {len(made)} comparisons. "
        f"{cases} cases of {len(docs_operators.entries())} operators are under contract"
        + (f"; tested elsewhere: {'; '.join(spared)}.\n" if spared else ", none exempt.\n")
    )
    rest = f"\nNothing to compare: {'; '.join(exempt)}.\n" if exempt else ""
    return f"{_INTRODUCTION}\n{table(HEAD, made)}{counted}{rest}"


if __name__ == "__main__":
    print(page())
