"""What a checkpoint says of its network: enough to build it, feed it and name what it returns."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Literal, get_args

from geotoolz.core import ParameterError, nearest

Task = Literal["binary", "multiclass", "multilabel", "regression", "super_resolution"]
TASKS: tuple[str, ...] = get_args(Task)


class CheckpointError(ParameterError):
    """A checkpoint lacks something, or its weights are not those of the network that it describes."""


@dataclass(frozen=True)
class Normalisation:
    """What happens to every input before the network: ``(value - offset) / scale``, in float32.

    Parameters
    ----------
    offset, scale : sequence of float
        One number per variable of ``input_combination``.

    Examples
    --------
    >>> from geotoolz.learn import Normalisation
    >>> Normalisation([0.1, 0.2], [0.05, 0.1]).scale
    (0.05, 0.1)
    """

    offset: tuple[float, ...]
    scale: tuple[float, ...]

    def __post_init__(self) -> None:
        for name in ("offset", "scale"):
            object.__setattr__(self, name, tuple(map(float, getattr(self, name))))
        if len(self.offset) != len(self.scale):
            raise CheckpointError(
                f"normalisation has {len(self.offset)} offsets and {len(self.scale)} scales",
                expected="one of each per variable",
            )
        if not all(map(math.isfinite, (*self.offset, *self.scale))) or 0.0 in self.scale:
            raise CheckpointError(
                f"normalisation has offset={self.offset}, scale={self.scale}",
                expected="finite numbers, and no scale of 0",
                fix="leave out a variable that never changes",
            )

    @classmethod
    def identity(cls, count: int) -> Normalisation:
        """Return one that leaves `count` variables as they are."""
        return cls((0.0,) * count, (1.0,) * count)


@dataclass(frozen=True)
class CheckpointConfig:
    """The ``config`` of a checkpoint.

    Parameters
    ----------
    model_framework : str
        Who builds the network: ``"geotoolz"``, ``"smp"``, or one of `register_framework`.
    model : mapping
        What it is built with: ``{"architecture": "unet", "in_channels": 4, "classes": 1, …}``.
    input_combination : sequence of str
        Variables of the tile, in the order of the network's channels.
    patch_size : int
        Rows and columns of a training patch.
    task : {"binary", "multiclass", "multilabel", "regression", "super_resolution"}
        What the output channels are: one logit, logits of exclusive classes, independent logits, values, or
        the inputs (or the first of them) on a finer grid.
    classes : sequence of str
        Names of the output channels.
    codes : sequence of int
        Numbers of the classes in a class map; 0, 1, … where there are none.
    normalisation : Normalisation, optional
        None leaves the variables as they are.
    output_normalisation : Normalisation, optional
        Of values that the network returns: they are ``output · scale + offset``.
    zoom : int
        Output pixels per input pixel along an axis.
    receptive_radius : int, "all" or None
        How far the network looks, in input pixels; measured where None.
    total_stride : int, optional
        Blocks of input pixels that the network works in; measured where None.
    preprocess : mapping, optional
        Configuration of the pipeline that made the inputs, for provenance.
    training : mapping
        What else is worth knowing: scores, epochs, data. Plain values.
    """

    model_framework: str
    model: Mapping[str, Any]
    input_combination: tuple[str, ...]
    patch_size: int
    task: Task = "binary"
    classes: tuple[str, ...] = ()
    codes: tuple[int, ...] = ()
    normalisation: Normalisation | None = None
    output_normalisation: Normalisation | None = None
    zoom: int = 1
    receptive_radius: int | Literal["all"] | None = None
    total_stride: int | None = None
    preprocess: Mapping[str, Any] | None = None
    training: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("input_combination", "classes"):
            object.__setattr__(self, name, tuple(map(str, getattr(self, name))))
        if not self.classes:
            object.__setattr__(self, "classes", self._unnamed())
        object.__setattr__(self, "codes", tuple(map(int, self.codes or range(len(self.classes)))))
        for name, names in (
            ("normalisation", self.input_combination),
            ("output_normalisation", self.classes),
        ):
            if isinstance(getattr(self, name), Mapping):
                object.__setattr__(self, name, _normalisation(getattr(self, name), names))
        self._require_sane()

    def _unnamed(self) -> tuple[str, ...]:
        count = int(self.model.get("classes", 1))
        if self.task == "super_resolution" and count <= len(self.input_combination):
            return self.input_combination[:count]
        return (
            ("positive",)
            if count == 1 and self.task == "binary"
            else tuple(f"class_{k}" for k in range(count))
        )

    def _require_sane(self) -> None:
        names = self.input_combination
        if not names or len(set(names)) < len(names):
            raise CheckpointError(f"input_combination is {list(names)}", expected="names, each once")
        if self.task not in TASKS:
            raise CheckpointError(
                f"task={self.task!r}{nearest(str(self.task), TASKS)}", expected=", ".join(TASKS)
            )
        for name, value in (("patch_size", self.patch_size), ("zoom", self.zoom)):
            if type(value) is not int or value < 1:
                raise CheckpointError(f"{name}={value!r}", expected="a whole number, 1 or more")
        for what, held, given in (
            ("normalisation", self.normalisation, names),
            ("output_normalisation", self.output_normalisation, self.classes),
        ):
            if held is not None and len(held.offset) != len(given):
                raise CheckpointError(
                    f"{what} has {len(held.offset)} numbers", expected=f"{len(given)}: {', '.join(given)}"
                )
        if len(self.codes) != len(self.classes) or len(set(self.codes)) < len(self.codes):
            raise CheckpointError(
                f"the classes {', '.join(self.classes)} have the codes {self.codes}",
                expected="a number of its own for each",
            )
        if self.task == "binary" and len(self.classes) != 1:
            raise CheckpointError(
                f"a binary network with the classes {', '.join(self.classes)}", expected="one class",
                fix="task='multiclass' for exclusive classes, 'multilabel' for independent ones",
            )  # fmt: skip

    @property
    def scaling(self) -> Normalisation:
        """The normalisation; one that changes nothing where there is none."""
        return self.normalisation or Normalisation.identity(len(self.input_combination))

    def replace(self, **changes: Any) -> CheckpointConfig:
        """Return a copy with other values."""
        return replace(self, **changes)

    def to_mapping(self) -> dict[str, Any]:
        """Return plain values, as they stand in the file."""
        return {name: _plain(value) for name, value in asdict(self).items() if value is not None}

    @classmethod
    def from_mapping(cls, config: Mapping[str, Any]) -> CheckpointConfig:
        """Return what a file says; keys that are not known are kept in `training`.

        Raises
        ------
        CheckpointError
            Naming the keys that are missing.
        """
        missing = [
            k for k in ("model_framework", "model", "input_combination", "patch_size") if k not in config
        ]
        if missing:
            raise CheckpointError(
                f"the checkpoint's config lacks {', '.join(missing)}; it has {', '.join(map(str, config))}",
                expected="model_framework, model, input_combination, patch_size",
                fix="save it with geotoolz.learn.save_checkpoint",
            )
        if not isinstance(config["model"], Mapping):
            raise CheckpointError(
                f"config['model'] is {config['model']!r}", expected="a mapping of parameters"
            )
        known = {f.name for f in fields(cls)}
        own = {k: v for k, v in config.items() if k in known}
        if "task" not in own:
            own["task"] = "binary" if int(config["model"].get("classes", 1)) == 1 else "multiclass"
        other = {k: v for k, v in config.items() if k not in known and k != "norm_factors"}
        if "normalisation" not in own and "norm_factors" in config:
            own["normalisation"] = _factors(config["norm_factors"], own["input_combination"])
        own["training"] = {**other, **own.get("training", {})}
        return cls(**own)


def _normalisation(held: Mapping[str, Any], names: Sequence[str]) -> Normalisation:
    """Return a normalisation of numbers in order, or by name."""
    if set(held) != {"offset", "scale"}:
        raise CheckpointError(f"normalisation has {', '.join(held)}", expected="offset and scale")
    return Normalisation(*(_in_order(held[key], names, key) for key in ("offset", "scale")))


def _in_order(values: Any, names: Sequence[str], key: str) -> tuple[float, ...]:
    if not isinstance(values, Mapping):
        return tuple(values)
    missing = [n for n in names if n not in values]
    if missing:
        raise CheckpointError(
            f"normalisation has no {key} for {', '.join(missing)}", expected="one per input"
        )
    return tuple(values[n] for n in names)


def _factors(factors: Mapping[str, float], names: Sequence[str]) -> Normalisation:
    """Return what older checkpoints say: ``norm_factors`` that inputs are multiplied by."""
    values = _in_order(factors, names, "factor")
    return Normalisation((0.0,) * len(values), tuple(1.0 / v for v in values))


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    return value
