"""Change the source a little, many times, and see whether tests notice.

mutmut makes the mutants; their code takes the place of the function's own in a process forked for each of
them, after pytest has imported and collected everything. Only tests that ran the changed line are run, the
fastest first, until one fails. A mutant in a `raise` is another wording and is not run.

Run: uv run --with mutmut scripts/mutants.py SOURCE … --tests PATH … [--budget SECONDS] [--part K/N]
"""

from __future__ import annotations

import argparse
import ast
import collections
import difflib
import gc
import importlib
import inspect
import json
import os
import signal
import sys
import tempfile
import time
import types
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

VERDICTS = {0: "survived", 1: "killed", 7: "changes nothing"}


def main() -> int:
    """Make mutants, see which tests run which line, and run them; 1 if some survived."""
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("sources", nargs="+", type=Path)
    parser.add_argument("--tests", nargs="+", required=True)
    parser.add_argument("--budget", type=float, default=10.0, help="seconds of tests per mutant")
    parser.add_argument("--part", default="0/1", help="K/N: the K-th of N processes, from 0")
    parser.add_argument("-k", dest="keyword", default="", help="as pytest has it")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        (work / "mutants.json").write_text(json.dumps(mutants_of(given.sources, given.part)))
        (work / "coverage.ini").write_text(
            "[run]\ninclude =\n" + "".join(f"  {p.resolve()}\n" for p in given.sources)
        )
        os.environ.update(MUTANTS=folder, MUTANTS_BUDGET=str(given.budget), COVERAGE_FILE=str(work / "lines"))
        sys.path.insert(0, str(Path(__file__).parent))
        import pytest

        common = ["-q", "-p", "no:cacheprovider", "-k", given.keyword, *given.tests]
        seen = [
            "-p",
            "mutants",
            "--cov",
            f"--cov-config={work / 'coverage.ini'}",
            "--cov-context=test",
            "--cov-report=",
        ]
        first = os.fork()  # a process of its own: modules have to be imported while lines are counted
        if first == 0:
            os._exit(pytest.main([*seen, *common]))
        if os.waitstatus_to_exitcode(os.waitpid(first, 0)[1]):
            raise SystemExit("the tests fail as it is")
        os.environ["MUTANTS_RUN"] = "1"
        pytest.main(["-p", "mutants", *common])
        return told([json.loads(line) for line in (work / "verdicts").read_text().splitlines()])


def told(mutants: list[dict[str, Any]]) -> int:
    """Print the counts, and what survived."""
    for m in mutants:
        if m["verdict"] in ("survived", "not run"):
            print(f"{m['file']}:{m['line']} {m['verdict']}, {m['tests']} tests")
            print(f"  - {m['minus']}\n  + {m['plus']}")
    counts = collections.Counter(m["verdict"] for m in mutants)
    print(", ".join(f"{number} {verdict}" for verdict, number in counts.most_common()))
    return int(counts["survived"] > 0)


def mutants_of(sources: list[Path], part: str) -> list[dict[str, Any]]:
    """Return file, module, line, both texts of the line, and the whole mutated source."""
    here, made = Path.cwd(), []
    with tempfile.TemporaryDirectory() as folder:  # mutmut reads its configuration in the working folder
        (Path(folder) / "pyproject.toml").write_text('[tool.mutmut]\nsource_paths = ["."]\n')
        absolute = [source.resolve() for source in sources]
        os.chdir(folder)
        try:
            made = [mutant for source in absolute for mutant in mutants_of_file(source)]
        finally:
            os.chdir(here)
    number, count = map(int, part.split("/"))
    return made[number::count]


def mutants_of_file(source: Path) -> Iterator[dict[str, Any]]:
    """Yield the mutants of one file."""
    from mutmut.mutation.file_mutation import create_mutations  # type: ignore[import-not-found]

    text = source.read_text(encoding="utf-8")
    module = ".".join(source.with_suffix("").parts[source.parts.index("geotoolz") :])
    tree, mutations, *_ = create_mutations(str(source), text)
    for mutation in mutations:
        other = tree.deep_replace(mutation.original_node, mutation.mutated_node).code
        lines = list(difflib.unified_diff(text.splitlines(), other.splitlines(), lineterm="", n=0))[2:]
        if not lines:
            continue
        start = int(lines[0].split()[1].lstrip("-").split(",")[0])
        minus, plus = (" ".join(x[1:].strip() for x in lines[1:] if x[0] == sign) for sign in "-+")
        facts = {"file": str(source), "module": module, "line": start, "source": other}
        yield {**facts, "minus": minus, "plus": plus}


# ---- as a plugin of pytest: durations first, then mutants --------------------------------------------------


def pytest_runtest_logreport(report: Any) -> None:
    """Note how long tests take."""
    if "MUTANTS_RUN" not in os.environ:
        with Path(os.environ["MUTANTS"], "durations").open("a") as file:
            file.write(json.dumps([report.nodeid, report.duration]) + "\n")


def pytest_collection_finish(session: Any) -> None:
    """Leave the repository: a mutant may write files under names that nobody thought of."""
    nowhere = Path(os.environ["MUTANTS"], "nowhere")
    nowhere.mkdir(exist_ok=True)
    os.chdir(nowhere)


def pytest_runtestloop(session: Any) -> bool | None:
    """Run every mutant instead of the tests."""
    if "MUTANTS_RUN" not in os.environ:
        return None
    work, budget = Path(os.environ["MUTANTS"]), float(os.environ["MUTANTS_BUDGET"])
    duration: collections.Counter[str] = collections.Counter()
    for line in (work / "durations").read_text().splitlines():
        name, seconds = json.loads(line)
        duration[name] += seconds
    lines, items = lines_of_tests(work / "lines"), {item.nodeid: item for item in session.items}
    trees: dict[str, ast.Module] = {}
    gc.collect()
    gc.freeze()
    for m in json.loads((work / "mutants.json").read_text()):
        tree = trees.setdefault(m["file"], ast.parse(Path(m["file"]).read_text(encoding="utf-8")))
        statement = statement_at(tree, m["line"])
        chosen: list[Any] = []
        total = 0.0
        for name in sorted(
            tests_at(statement, m, lines[m["file"]]) & set(items), key=lambda name: duration[name]
        ):
            total += duration[name]
            if total > budget and chosen:
                break
            chosen.append(items[name])
        wording = isinstance(statement, ast.Raise)
        m["verdict"] = "wording" if wording else verdict(session, m, chosen, total) if chosen else "not run"
        m["tests"] = len(chosen)
        del m["source"]
        with (work / "verdicts").open("a") as file:
            file.write(json.dumps(m) + "\n")
    return True


def lines_of_tests(path: Path) -> dict[str, dict[int, set[str]]]:
    """Return, by file and line, which tests ran it."""
    import coverage

    data = coverage.CoverageData(str(path))
    data.read()
    found: dict[str, dict[int, set[str]]] = collections.defaultdict(dict)
    for file in data.measured_files():
        for line, names in data.contexts_by_lineno(file).items():
            found[file][line] = {name.rpartition("|")[0] for name in names if name}
    return found


def statement_at(tree: ast.Module, line: int) -> ast.stmt | None:
    """Return the innermost statement that holds a line."""
    holding = [
        n for n in ast.walk(tree) if isinstance(n, ast.stmt) and n.lineno <= line <= (n.end_lineno or 0)
    ]
    return max(holding, key=lambda n: (n.lineno, -(n.end_lineno or 0)), default=None)


def tests_at(statement: ast.stmt | None, m: dict[str, Any], ran: dict[int, set[str]]) -> set[str]:
    """Return the tests that ran a statement; of what is no part of a function, those that ran the file."""
    tree = ast.parse(Path(m["file"]).read_text(encoding="utf-8"))
    functions = (n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef))
    if statement is None or not any(n.lineno <= m["line"] <= (n.end_lineno or 0) for n in functions):
        return set().union(*ran.values())
    last = statement.end_lineno or statement.lineno
    body = getattr(statement, "body", None)
    if isinstance(body, list) and body and not isinstance(statement, ast.FunctionDef | ast.ClassDef):
        last = max(body[0].lineno - 1, statement.lineno)  # the head alone
    return set().union(*(ran.get(n, set()) for n in range(statement.lineno, last + 1)))


def verdict(session: Any, m: dict[str, Any], chosen: list[Any], seconds: float) -> str:
    """Run the tests in a process with the mutant."""
    child = os.fork()
    if child == 0:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 1)
        os.dup2(nowhere, 2)
        code = 1  # whatever goes wrong: it is noticed
        try:
            code = run_mutated(session, m, chosen)
        finally:  # and nothing of the parent is left or cleaned up here
            os._exit(code)
    until = time.monotonic() + 4 * seconds + 30
    while time.monotonic() < until:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return VERDICTS.get(os.waitstatus_to_exitcode(status), "killed")
        time.sleep(0.01)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return "killed"  # it does not end


def run_mutated(session: Any, m: dict[str, Any], chosen: list[Any]) -> int:
    """Put the mutant in place and run tests until one fails."""
    if not put(m):
        return 7
    for item, following in zip(chosen, [*chosen[1:], None], strict=True):
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        if session.testsfailed:
            return 1
    return 0


def put(m: dict[str, Any]) -> bool:
    """Give live functions the code of the mutant; constants and defaults by running the module again."""
    module, text = importlib.import_module(m["module"]), Path(m["file"]).read_text(encoding="utf-8")
    before, after = dict(functions_in(text, m["file"])), dict(functions_in(m["source"], m["file"]))
    changed = [name for name, code in after.items() if name in before and not same(before[name], code)]
    for name in changed:
        function_at(module, name).__code__ = after[name]
    return bool(changed) or put_constants(module, m)


def put_constants(module: types.ModuleType, m: dict[str, Any]) -> bool:
    """Set the defaults and the constants that differ, wherever they were imported."""
    space: dict[str, Any] = {
        "__name__": m["module"],
        "__package__": module.__package__,
        "__file__": m["file"],
    }
    exec(compile(m["source"], m["file"], "exec", dont_inherit=True), space)
    changed = False
    for name, value in space.items():
        mine = vars(module).get(name)
        if isinstance(value, type | types.FunctionType) and getattr(value, "__module__", "") == m["module"]:
            changed |= put_defaults(mine, value)
        elif (
            not name.startswith("__")
            and not isinstance(value, types.ModuleType)
            and repr(value) != repr(mine)
        ):
            for other in [
                o for o in sys.modules.values() if getattr(o, "__name__", "").startswith("geotoolz")
            ]:
                if vars(other).get(name) is mine:
                    setattr(other, name, value)
            changed = True
    return changed


def put_defaults(mine: Any, other: Any) -> bool:
    """Set the defaults of a function, or of a class's methods."""
    pairs = [(mine, other)] if isinstance(other, types.FunctionType) else [
        (vars(mine).get(name), value) for name, value in vars(other).items()
    ]  # fmt: skip
    changed = False
    for own, new in pairs:
        if isinstance(own, types.FunctionType) and isinstance(new, types.FunctionType):
            wanted = new.__defaults__, new.__kwdefaults__
            if repr((own.__defaults__, own.__kwdefaults__)) != repr(wanted):
                own.__defaults__, own.__kwdefaults__ = wanted
                changed = True
    return changed


def functions_in(text: str, path: str) -> Iterator[tuple[str, types.CodeType]]:
    """Yield the functions and methods of a module."""
    held = [compile(text, path, "exec", dont_inherit=True)]
    while held:
        for code in held.pop().co_consts:
            if isinstance(code, types.CodeType) and code.co_flags & inspect.CO_OPTIMIZED:
                yield code.co_qualname, code
            elif isinstance(code, types.CodeType):  # the body of a class
                held.append(code)


def same(one: Any, other: Any) -> bool:
    """Whether two functions do the same, whatever lines they stand on."""
    if not isinstance(one, types.CodeType) or not isinstance(other, types.CodeType):
        return type(one) is type(other) and repr(one) == repr(other)
    parts = ("co_code", "co_names", "co_varnames")
    alike = all(getattr(one, part) == getattr(other, part) for part in parts)
    return (
        alike
        and len(one.co_consts) == len(other.co_consts)
        and all(map(same, one.co_consts, other.co_consts))
    )


def function_at(module: types.ModuleType, name: str) -> types.FunctionType:
    """Return the live function behind decorators, properties and caches, which forget what they hold."""
    found: Any = module
    for part in name.split("."):
        found = inspect.getattr_static(found, part)
    while not (isinstance(found, types.FunctionType) and found.__code__.co_qualname == name):
        with suppress(AttributeError):
            found.cache_clear()
        inner = ("__func__", "fget", "func", "__wrapped__")
        found = next(
            getattr(found, attribute) for attribute in inner if getattr(found, attribute, None) is not None
        )
    return found


if __name__ == "__main__":
    sys.exit(main())
