# /// script
# requires-python = ">=3.11"
# dependencies = ["geotoolz-serve", "geotoolz-indices", "geotoolz-cloud", "hypothesis", "atheris"]
#
# [tool.uv.sources]
# geotoolz-core = { path = "../packages/geotoolz-core", editable = true }
# geotoolz-indices = { path = "../packages/geotoolz-indices", editable = true }
# geotoolz-cloud = { path = "../packages/geotoolz-cloud", editable = true }
# geotoolz-serve = { path = "../packages/geotoolz-serve", editable = true }
# ///
"""Texts of all kinds for the loader that strangers reach (safety row 16): its own error, or a pipeline.

Claims: whatever the text, `load_sandboxed` returns an operator or raises a `GeotoolzError`, in less than 5 s;
what it accepts has the same hash when it is loaded again, and when it is written and read back; the editor's
`validate` never raises, and calls a text valid exactly if the loader takes it.

``--with hypothesis`` draws broken texts, documents, and pipelines of known operators with odd parameters;
``--with atheris`` (libFuzzer) changes the bytes of a corpus so that they reach new branches of the parser and
the loader, which are instrumented. Prints the number of texts; stops at the first one that breaks a claim.

Run: uv run benchmarks/fuzz_loader.py --seconds 180
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

WORDS = [
    "_target_: ", "operators:\n", "- ", "  ", "\n", ": ", ", ", "{", "}", "[", "]", '"', "'", "|", ">",
    "&a ", "*a ", "<<: ", "!!int ", "!!python/name:os.system ", "---\n", "%YAML 1.1\n", "? ", "#", "\t",
    "\x00", "\u2028", "\ufeff", "geotoolz.core.Sequential", "geotoolz.core.Branch", "geotoolz.core.Switch",
    "geotoolz.core.Graph", "branches", "geotoolz.core.Ref", "geotoolz.indices.NDVI",
    "geotoolz.indices.Index", "geotoolz.radiometry.BandMath", "geotoolz.radiometry.BoxMean",
    "geotoolz.grid.Reproject", "geotoolz.cloud.MaskClouds", "geotoolz.viz.Colormap", "expression",
    "nir / (red - red)", "red", "name", "key", "cases", "default", "nodes", "inputs", "outputs", "uri",
    "sha256", "${x:1}", "${x}", "$${", "${env:HOME}", "1e999", ".nan", ".inf", "0x10", "0o7", "-0", "~",
    "null", "yes", "9" * 30, "1_0", "crs", "EPSG:0", "radius", "bands", "vmin", "version", "true", "\u0663",
    "\U0001f6f0",
]  # fmt: skip
CORPUS = [
    "_target_: geotoolz.indices.NDVI\n",
    "_target_: geotoolz.core.Sequential\noperators:\n- _target_: geotoolz.indices.NDVI\n  name: a\n"
    "- _target_: geotoolz.viz.Colormap\n  band: a\n  vmin: 0.0\n  vmax: 1.0\n",
    '{"_target_": "geotoolz.radiometry.BandMath", "expression": "nir / red", "name": "ratio"}',
    "_target_: geotoolz.core.Branch\nbranches:\n  a: {_target_: geotoolz.indices.NDVI}\n",
    "_target_: geotoolz.core.Switch\nkey: platform\ncases:\n  s2: {_target_: geotoolz.indices.NDVI}\n",
    "_target_: geotoolz.radiometry.BoxMean\nradius: ${r:3}\nbands: [red]\n",
]


class BrokenClaimError(AssertionError):
    """A claim does not hold."""


def judge(text: str) -> bool:
    """Load a text; return whether it is a pipeline.

    Raises
    ------
    BrokenClaimError
        Where a claim does not hold; any other exception is one, too.
    """
    from geotoolz.core import GeotoolzError, dump, load_sandboxed
    from geotoolz.serve._validate import validate

    verdict = validate(text)
    try:
        op = load_sandboxed(text)
    except GeotoolzError as error:
        if verdict.operator is not None:
            raise BrokenClaimError("the editor calls it valid") from error
        str(error)
        return False
    if verdict.operator is None:
        raise BrokenClaimError(f"the editor says {verdict.problems[0].message}")
    hashes = {op.config_hash(), load_sandboxed(text).config_hash(), load_sandboxed(dump(op)).config_hash()}
    if len(hashes) != 1:
        raise BrokenClaimError(f"its hashes are {hashes}")
    return True


def with_hypothesis(seconds: float) -> tuple[int, int]:
    """Draw texts for some time; return how many, and how many of them were pipelines."""
    from hypothesis import HealthCheck, Phase, given, seed, settings

    texts = _texts()
    counted = [0, 0]

    def one(text: str) -> None:
        counted[0] += 1
        counted[1] += judge(text)

    end, number = time.monotonic() + seconds, int(time.time())
    while time.monotonic() < end:
        number += 1
        quiet = settings(
            max_examples=500, deadline=None, database=None, suppress_health_check=list(HealthCheck),
            phases=[Phase.generate, Phase.shrink],
        )  # fmt: skip
        seed(number)(quiet(given(texts)(one)))()
    return counted[0], counted[1]


def _texts() -> Any:
    """Return a strategy: broken texts, documents, and pipelines of known operators with odd parameters."""
    from hypothesis import strategies as st

    from geotoolz.serve._completion import completions

    words = st.sampled_from(WORDS)
    scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12) | words

    def nested(leaves: Any) -> Any:
        return st.recursive(
            leaves,
            lambda inner: (
                st.lists(inner, max_size=4) | st.dictionaries(words | st.text(max_size=6), inner, max_size=4)
            ),
            max_leaves=16,
        )

    def step(operator: dict[str, Any]) -> Any:
        given = {}
        for one in operator["parameters"]:
            likely = [*one["choices"], one["default"], 1, 0.5, "red", ["red"], {"red": 1.0}]
            given[one["name"]] = st.sampled_from(likely) | nested(scalars)
        required = {name: given.pop(name) for name in list(given) if _is_required(operator, name)}
        target = st.just(operator["path"])
        return st.fixed_dictionaries({"_target_": target, **required}, optional=given)

    steps = st.sampled_from(completions()).flatmap(step)
    sequence = {"_target_": st.just("geotoolz.core.Sequential"), "operators": st.lists(steps, max_size=4)}
    spliced = st.builds(_spliced, st.sampled_from(CORPUS), st.integers(0, 400), st.integers(0, 30), words)
    broken = st.lists(words | st.text(max_size=5), max_size=40).map("".join)
    documents = nested(scalars) | steps | st.fixed_dictionaries(sequence)
    return broken | spliced | documents.map(_written)


def _is_required(operator: dict[str, Any], name: str) -> bool:
    return any(one["name"] == name and one["required"] for one in operator["parameters"])


def _spliced(text: str, place: int, gone: int, word: str) -> str:
    place %= len(text) + 1
    return text[:place] + word + text[place + gone :]


def _written(value: Any) -> str:
    import yaml

    return yaml.safe_dump(value)


def with_atheris(seconds: float) -> None:
    """Let libFuzzer change texts for some time; it ends this process itself."""
    import atheris

    with atheris.instrument_imports(include=["yaml", "geotoolz.core"]):
        import geotoolz.core._load
        import geotoolz.core._yaml  # noqa: F401
    from geotoolz.core import load_sandboxed

    with suppress(ValueError):  # every operator is imported before the clock starts
        load_sandboxed("_target_: none")

    def one(data: bytes) -> None:
        judge(data.decode("utf-8", "replace"))

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for number, text in enumerate(CORPUS):
            (folder / str(number)).write_text(text)
        quoted = ('"' + re.sub(r"[^ -~]|[\"\\]", _escaped, word) + '"' for word in WORDS)
        (folder.parent / f"{folder.name}.dict").write_text("\n".join(quoted) + "\n")
        options = [f"-max_total_time={int(seconds)}", "-timeout=5", "-max_len=4096", "-print_final_stats=1"]
        options += [f"-dict={folder}.dict", f"-artifact_prefix={Path.cwd()}/", "-rss_limit_mb=4096"]
        atheris.Setup([sys.argv[0], *options, str(folder)], one)
        atheris.Fuzz()


def _escaped(match: re.Match[str]) -> str:
    return "".join(f"\\x{byte:02x}" for byte in match[0].encode())


def main() -> int:
    """Fuzz."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=180)
    parser.add_argument("--with", dest="tool", choices=("hypothesis", "atheris"), default="hypothesis")
    arguments = parser.parse_args()
    sys.argv[1:] = []
    if arguments.tool == "atheris":
        with_atheris(arguments.seconds)
        return 0
    texts, pipelines = with_hypothesis(arguments.seconds)
    print(f"{texts} texts in {arguments.seconds:.0f} s, {pipelines} of them pipelines, nothing broken")
    return 0


if __name__ == "__main__":
    sys.exit(main())
