"""What a model is made with: small frozen parts that stand in a configuration like operators do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from geotoolz.core import Operator, ParameterError

if TYPE_CHECKING:
    from geotoolz.core import Builder, State


class Part(Operator, abstract=True):
    """Base of adapters and policies: parameters of a fit, never a step of a pipeline."""

    def emit(self, builder: Builder, state: State, path: str) -> State:
        """Refuse: this is no step."""
        raise ParameterError(
            f"{type(self).__name__} is no step of a pipeline",
            expected="an operator that makes pixels",
            fix="hand it to fit_pixelwise",
        )
