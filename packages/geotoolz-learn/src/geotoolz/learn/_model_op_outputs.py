"""What a model operator writes: variables by task, and how they come out of a network's channels."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from geotoolz.core import ParameterError, TileSpec, VarSpec
from geotoolz.learn._checkpoint_config import CheckpointConfig
from geotoolz.learn._classes import flag_attrs, names_of
from geotoolz.learn._uncertainty import entropy_of, mean_of, mutual_information, spread_of

Array = np.ndarray[Any, Any]
Writes = Literal["auto", "probabilities", "classes", "both"]

NO_CLASS = 255
"""No-data of a class map."""


@dataclass(frozen=True)
class Outputs:
    """The variables that are made of a network's channels.

    Parameters
    ----------
    config : CheckpointConfig
        Task and classes.
    writes : {"auto", "probabilities", "classes", "both"}
        Of exclusive classes both by default.
    name : str, optional
        Of the probability, the class map or the only value.
    spread : bool
        Whether there are several passes, and their disagreement is written.
    """

    config: CheckpointConfig
    writes: Writes = "auto"
    name: str | None = None
    spread: bool = False

    def __post_init__(self) -> None:
        exclusive = self.config.task == "multiclass"
        if self.writes in ("classes", "both") and not exclusive:
            raise ParameterError(
                f"writes={self.writes!r}, and the network's task is {self.config.task}",
                expected="a network of exclusive classes (multiclass)",
                fix="a threshold makes classes of probabilities: Postprocess(threshold=…)",
            )
        if self.shows_classes and not set(self.config.codes) <= set(range(NO_CLASS)):
            raise ParameterError(
                f"the classes have the codes {self.config.codes}",
                expected=f"numbers from 0 to {NO_CLASS - 1}",
            )

    @property
    def is_probability(self) -> bool:
        """Whether the channels are probabilities."""
        return self.config.task in ("binary", "multiclass", "multilabel")

    @property
    def shows_classes(self) -> bool:
        """Whether a class map is written."""
        return self.config.task == "multiclass" and self.writes != "probabilities"

    @property
    def activation(self) -> Literal["sigmoid", "softmax"] | None:
        """What makes probabilities of logits."""
        if self.config.task == "multiclass":
            return "softmax"
        return "sigmoid" if self.is_probability else None

    def channels(self) -> tuple[str, ...]:
        """Return the name of every channel's variable."""
        if self.config.task == "binary":
            return (self.name or "probabilities",)
        names = names_of(self.config.classes, {})
        if self.is_probability:
            return tuple(f"probability_{name}" for name in names)
        return (self.name,) if self.name and len(names) == 1 else self.config.classes

    def specs(self, dims: tuple[str, ...], given: Mapping[str, VarSpec]) -> dict[str, VarSpec]:
        """Return the variables in order.

        Parameters
        ----------
        dims : tuple of str
            Of all of them.
        given : mapping of str to VarSpec
            The network's inputs by their names in `input_combination`.
        """
        made: dict[str, VarSpec] = {}
        if not (self.shows_classes and self.writes == "classes"):
            for name, label in zip(self.channels(), self.config.classes, strict=True):
                made[name] = VarSpec(dims, attrs=self._attrs(label, given))
        if self.shows_classes:
            dtype = np.dtype(np.uint8)
            attrs = {"long_name": "predicted class",
                     **flag_attrs(self.config.codes, names_of(self.config.classes, {}), dtype)}  # fmt: skip
            made[self.name or "label"] = VarSpec(dims, dtype, NO_CLASS, attrs)
        if self.spread:
            made.update(self._spreads(dims))
        return made

    def _attrs(self, label: str, given: Mapping[str, VarSpec]) -> dict[str, Any]:
        if self.is_probability:
            unit = np.array([0, 1], np.float32)
            return {"long_name": f"probability of {label}", "units": "1", "quantity": "probability",
                    "valid_range": unit}  # fmt: skip
        if self.config.task == "super_resolution" and label in given:
            return dict(given[label].attrs)
        return {"long_name": f"predicted {label}"}

    def _spreads(self, dims: tuple[str, ...]) -> dict[str, VarSpec]:
        if self.config.task in ("binary", "multiclass"):
            told = {
                "entropy": "entropy of the predicted class",
                "mutual_information": "disagreement of the passes",
            }
            return {n: VarSpec(dims, attrs={"long_name": t, "units": "nat"}) for n, t in told.items()}
        return {
            f"{name}_std": VarSpec(dims, attrs={"long_name": f"standard deviation of {name} over the passes"})
            for name in self.channels()
        }

    def doubts(self) -> tuple[str, ...]:
        """Return the names of the variables that say how far the passes disagree."""
        return tuple(self._spreads(())) if self.spread else ()

    def renamed(self) -> str | None:
        """Return the variable that `name` names, if it names one."""
        if self.shows_classes:
            return self.name or "label"
        names = self.channels()
        named = self.config.task == "binary" or (len(names) == 1 and not self.is_probability)
        return names[0] if named else None

    def arrays(self, passes: Sequence[Array]) -> list[Array]:
        """Return the variables' pixels.

        Parameters
        ----------
        passes : sequence of array
            What the network found: ``(channel, y, x)``, once per pass.
        """
        mean = mean_of(passes)
        made: list[Array] = []
        if not (self.shows_classes and self.writes == "classes"):
            made += [self._value(number, plane) for number, plane in enumerate(mean)]
        if self.shows_classes:
            made.append(np.asarray(self.config.codes, np.uint8)[np.argmax(mean, axis=0)])
        if self.spread and self.config.task in ("binary", "multiclass"):
            made += [entropy_of(mean), mutual_information(passes, mean)]
        elif self.spread:
            scale = self._scales()
            made += [plane * s for plane, s in zip(spread_of(passes, mean), scale, strict=True)]
        return made

    def _scales(self) -> tuple[float, ...]:
        held = self.config.output_normalisation
        return held.scale if held is not None else (1.0,) * len(self.config.classes)

    def _value(self, number: int, plane: Array) -> Array:
        held = self.config.output_normalisation
        if held is None:
            return plane
        return plane * np.float32(held.scale[number]) + np.float32(held.offset[number])


def replaced_notes(writes: Iterable[str], tile: TileSpec, named: str | None) -> tuple[str, ...]:
    """Return what is to be said of variables that stand in the tile and are replaced.

    Parameters
    ----------
    writes : iterable of str
        Variables that are written.
    tile : TileSpec
        What is there before.
    named : str, optional
        The one of them that the parameter `name` names.
    """
    gone = [name for name in writes if name in tile.variables]
    if not gone:
        return ()
    kept = f"; name='predicted' keeps the {named!r} that is there" if named in gone else ""
    return (f"the tile has {', '.join(map(repr, gone))} already, which the prediction replaces{kept}",)


def fill_of(spec: VarSpec) -> float:
    """Return what stands for pixels without data."""
    return math.nan if spec.nodata is None else spec.nodata
