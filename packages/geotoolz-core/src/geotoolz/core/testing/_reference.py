"""What an operator is compared with: something independent, and the largest deviation from it."""

from __future__ import annotations

import ast
import importlib
import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pytest

from geotoolz.core._operator import Operator
from geotoolz.core.testing._contract_help import is_operator


@dataclass(frozen=True)
class Reference:
    """An operator, something independent that computes the same, and how far they are apart.

    Parameters
    ----------
    operator : type of Operator
        The operator.
    against : str
        What it is compared with: a library and function, a formula and its source, a measurement.
    deviation : callable
        Computes both and returns the largest absolute difference.
    bound : float
        What the difference may be at most; 0 for the same bits.
    unit : str
        Of the difference: ``"1"``, ``"K"``, ``"px"``, ``"pixels that differ"``.
    bad_input : str
        The test that hands the operator wrong input, ``"test_lee.py::test_even_windows"``; the
        file lies beside the suite's.

    Examples
    --------
    ::

        class TestSar(ReferenceSuite):
            module = "geotoolz.sar"
            references = (
                Reference(LeeSpeckle, "scipy.ndimage.uniform_filter", lee_against_scipy, 1e-6,
                          bad_input="test_lee.py::test_even_windows_are_refused"),
            )
    """

    operator: type[Operator]
    against: str
    deviation: Callable[[], float]
    bound: float
    unit: str = "1"
    bad_input: str = ""


class ReferenceSuite:
    """Comparisons as a test class; a package inherits it and lists its operators.

    Attributes
    ----------
    module : str
        Public module; every operator in its ``__all__`` needs a reference or a reason.
    references : sequence of Reference
        At least one per operator.
    exempt : mapping of str to str
        Names of operators that compute nothing, with the reason.
    """

    module: ClassVar[str] = ""
    references: ClassVar[Sequence[Reference]] = ()
    exempt: ClassVar[dict[str, str]] = {}

    def pytest_generate_tests(self, metafunc: Any) -> None:
        """Run every check for every reference."""
        if "reference" in metafunc.fixturenames:
            if not self.references:
                none = pytest.mark.skip(reason=f"{self.module}: nothing computes a pixel, see exempt")
                metafunc.parametrize("reference", [pytest.param(None, marks=none)], ids=["none"])
                return
            ids = [f"{one.operator.__name__}-{i}" for i, one in enumerate(self.references)]
            metafunc.parametrize("reference", self.references, ids=ids)

    def test_every_operator_has_a_reference(self) -> None:
        """An operator in ``__all__`` without a reference fails."""
        module = importlib.import_module(self.module)
        public = {n for n in module.__all__ if is_operator(getattr(module, n))}
        covered = {one.operator.__name__ for one in self.references} | set(self.exempt)
        assert public - covered == set(), f"without a reference: {sorted(public - covered)}"
        assert covered <= public, f"not in {self.module}.__all__: {sorted(covered - public)}"
        assert all(self.exempt.values()), "an exempt operator needs a reason"

    def test_deviation(self, reference: Reference) -> None:
        """The operator is as near to its reference as is said."""
        assert reference.against and reference.unit
        found = float(reference.deviation())
        assert found <= reference.bound, (
            f"{reference.operator.__name__} differs from {reference.against} by {found} {reference.unit}"
        )

    def test_bad_input_is_tested(self, reference: Reference) -> None:
        """The named test exists, is a test, and expects an error or a warning."""
        file, _, name = reference.bad_input.partition("::")
        path = Path(inspect.getfile(type(self))).parent / file
        assert file and path.is_file(), f"{reference.operator.__name__}: no file {file!r} beside this one"
        text = path.read_text(encoding="utf-8")
        bodies = {
            node.name: ast.get_source_segment(text, node) or ""
            for node in ast.walk(ast.parse(text))
            if isinstance(node, ast.FunctionDef)
        }
        assert name.startswith("test") and name in bodies, f"{file} has no test {name!r}"
        assert any(word in bodies[name] for word in ("raises", "warns", "Error", "refus")), (
            f"{name} expects neither an error nor a warning"
        )
