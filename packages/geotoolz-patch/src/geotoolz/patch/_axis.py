"""What chips are made of: small frozen parts that stand in a configuration like operators do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from geotoolz.core import Operator, ParameterError

if TYPE_CHECKING:
    from geotoolz.core import Builder, State


class Axis(Operator, abstract=True):
    """Base of geometries, samplers, windows, aggregations: parameters of a step, never a step."""

    def emit(self, builder: Builder, state: State, path: str) -> State:
        """Refuse: this is no step."""
        raise ParameterError(
            f"{type(self).__name__} is no step of a pipeline",
            expected="an operator that makes pixels",
            fix="hand it to ApplyToChips, Stitcher or PatchGrid",
        )


def pair(value: object, name: str) -> object:
    """Return one number for rows and columns as two; leave everything else to the validation.

    Raises
    ------
    ParameterError
        If a number is not positive.

    Examples
    --------
    >>> pair(256, "size"), pair((256, 128), "size")
    ((256, 256), (256, 128))
    """
    both = (value, value) if isinstance(value, int) and not isinstance(value, bool) else value
    if isinstance(both, tuple | list) and any(isinstance(n, int) and n < 1 for n in both):
        raise ParameterError(f"{name}={value!r}", expected="1 pixel or more")
    return both
