"""Ensemble: several models asked about one tile, and what they say together."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from geotoolz.core import (
    Builder,
    Call,
    Operator,
    ParameterError,
    Plan,
    State,
    TileOperator,
    TileSpec,
    VarSpec,
    join_path,
)
from geotoolz.core._lazy import xr
from geotoolz.learn._model_op import ModelOp
from geotoolz.learn._model_op_outputs import NO_CLASS, Outputs, replaced_notes
from geotoolz.learn._uncertainty import entropy_of, mutual_information

Array = np.ndarray[Any, Any]


class _Tags:
    """Those of the members."""

    def __get__(self, op: Ensemble | None, cls: type) -> frozenset[str]:
        if op is None:
            return frozenset({"reads_files"})
        return frozenset().union(*(member.tags for member in op.members.values()))


class Ensemble(TileOperator):
    """Ask several models about a tile and average their probabilities.

    Members may take different inputs. A pixel's mean is that of the members that have data there; it is
    no-data where none has. Of exclusive classes the class map ``label`` is that of the means, as `ModelOp`
    writes it; where all members say the same `writes` or `name`, that holds for the ensemble too. Besides
    the mean the members' own results can be kept, as ``{name}-model-{member}``:
    ``probabilities-model-tcvis``. What a member says of its own doubts (``entropy`` of its passes) is kept
    or left out with them: a plain ``entropy`` is the ensemble's.

    Parameters
    ----------
    members : mapping of str to ModelOp, Ref or path
        Models of one task and the same classes.
    weights : mapping of str to float, optional
        By member; all count alike by default.
    keep_members : bool
        Keep what every member says.
    uncertainty : bool
        Write ``entropy`` and ``mutual_information`` in nats: how unsure the mean is, and how far that is
        because the members disagree. NaN where a member has no data.

    Raises
    ------
    ParameterError
        If there is no member, a weight is not positive or belongs to none, the members write different
        variables, or their classes have different codes.
    MissingVariableError
        If the tile lacks an input of a member.

    References
    ----------
    Lakshminarayanan, B., Pritzel, A., Blundell, C. (2017). Simple and scalable predictive uncertainty
    estimation using deep ensembles. NeurIPS 2017.

    Examples
    --------
    >>> from geotoolz.core.testing import simulate_scene
    >>> from geotoolz.learn import Ensemble, ModelOp
    >>> def low(patches):
    ...     return patches * 0 + 0.25
    >>> def high(patches):
    ...     return patches * 0 + 0.75
    >>> about = dict(classes=["slump"], task="binary", halo=0, stride=1)
    >>> members = {"a": ModelOp(low, inputs=["red"], **about), "b": ModelOp(high, inputs=["nir"], **about)}
    >>> out = Ensemble(members, keep_members=True)(simulate_scene((8, 8), bands=("red", "nir")))
    >>> list(out.data_vars), float(out.probabilities[0, 0])
    (['red', 'nir', 'probabilities-model-a', 'probabilities-model-b', 'probabilities'], 0.5)
    """

    tags: ClassVar[Any] = _Tags()

    members: Mapping[str, Operator]
    weights: Mapping[str, float] | None = None
    keep_members: bool = False
    uncertainty: bool = False

    def prepare(self, values: dict[str, Any]) -> dict[str, Any]:
        """Accept paths and checkpoints."""
        members = values["members"]
        if not isinstance(members, Mapping) or not members:
            raise ParameterError(
                f"members={members!r}", expected="a mapping of names to models, one at least"
            )
        made = {str(n): m if isinstance(m, Operator) else ModelOp(m) for n, m in members.items()}
        return {**values, "members": made}

    def validate(self) -> None:
        """Check members and weights."""
        for name, member in self.members.items():
            if not isinstance(member, ModelOp):
                raise ParameterError(
                    f"the member {name!r} is a {type(member).__name__}", expected="a ModelOp"
                )
        tasks = {m.config_of_model.task for m in self.models.values()}
        if len(tasks) > 1 or tasks & {"super_resolution"}:
            raise ParameterError(
                f"the members' tasks are {', '.join(sorted(tasks))}", expected="one, on one grid"
            )
        if self.uncertainty and not tasks <= {"binary", "multiclass"}:
            raise ParameterError(f"uncertainty of {tasks.pop()}", expected="members that find classes")
        if self.weights is None:
            return
        if set(self.weights) != set(self.members) or not all(0 < w < np.inf for w in self.weights.values()):
            raise ParameterError(
                f"weights={dict(self.weights)}",
                expected=f"a positive number for each of {', '.join(self.members)}",
            )

    @classmethod
    def load(cls, source: str | os.PathLike[str] | Mapping[str, Any], **options: Any) -> Ensemble:
        """Return the ensemble of some checkpoints.

        Parameters
        ----------
        source : path or mapping
            A folder, whose files ``*.pt`` are the members by their names (``state.pt`` of a training run is
            left out); or name to file.
        **options
            Parameters of the ensemble; others are those of every `ModelOp`.
        """
        if not isinstance(source, Mapping):
            # beside the checkpoint of a training run lies its state, which is none
            files = [file for file in sorted(Path(source).glob("*.pt")) if file.name != "state.pt"]
            if not files:
                raise ParameterError(f"{source} has no checkpoints", expected="a folder with files *.pt")
            source = {file.stem: file for file in files}
        own = {f.name: options.pop(f.name) for f in dataclasses.fields(cls) if f.name in options}
        return cls({name: ModelOp(file, **options) for name, file in source.items()}, **own)

    def segment(self, tile: xr.Dataset) -> xr.Dataset:
        """Return a tile with what the members say together; the same as calling the ensemble."""
        return self(tile)

    def segment_batched(self, tiles: Iterable[xr.Dataset]) -> list[xr.Dataset]:
        """Return many tiles with what the members say together, each on its own grid."""
        return [self(tile) for tile in tiles]

    @property
    def models(self) -> dict[str, ModelOp]:
        """The members, each of which writes its probabilities or values only."""
        made = {}
        for name, member in self.members.items():
            if isinstance(member, ModelOp):
                exclusive = member.config_of_model.task == "multiclass"
                made[name] = member.replace(writes="probabilities" if exclusive else "auto")
        return made

    def emit(self, builder: Builder, state: State, path: str) -> State:
        """Emit the members, then what they say together."""
        before: tuple[str, ...] | None = None
        given, own = state.spec, list[str]()
        for name, member in self.models.items():
            state = builder.emit(member, state, join_path(path, f"members[{name}]"))
            outputs = _outputs(member)
            made = outputs.channels()
            if before is not None and made != before:
                raise ParameterError(
                    f"the member {name!r} writes {', '.join(made)}",
                    expected=f"{', '.join(before)}, as the others",
                    fix="use members with the same classes",
                )  # fmt: skip
            before = made
            renames = {variable: f"{variable}-model-{name}" for variable in (*made, *outputs.doubts())}
            own += [renames[variable] for variable in outputs.doubts()]
            state = builder.apply(self, Plan(renames=renames), state, path)
        return builder.apply(self, self._together(before or (), own, given, state), state, path)

    def _together(self, made: Sequence[str], own: Sequence[str], given: TileSpec, state: State) -> Plan:
        weights = tuple((self.weights or dict.fromkeys(self.members, 1.0))[n] for n in self.members)
        writes: dict[str, VarSpec] = {}
        calls: list[Call] = []
        held: list[str] = []
        for variable in made:
            names = tuple(f"{variable}-model-{n}" for n in self.members)
            held += names
            writes[variable] = state.spec.variables[names[0]]
            calls.append(Call(names, (variable,), _mean, (weights,)))
        dims, outputs = writes[made[0]].dims, self._outputs()
        if outputs.shows_classes:
            writes = outputs.specs(dims, {})  # the means alone, the class map alone, or both
            calls.append(Call(tuple(made), (list(writes)[-1],), _classes, (outputs.config.codes,)))
        if self.uncertainty:
            for name, told in (("entropy", "entropy of the mean"), ("mutual_information", "disagreement")):
                writes[name] = VarSpec(dims, attrs={"long_name": f"{told} of the members", "units": "nat"})
            calls.append(Call(tuple(held), ("entropy", "mutual_information"), _doubts, (weights, len(made))))
        drops = () if self.keep_members else (*held, *own)
        return Plan(
            writes=writes, calls=tuple(calls), drops=drops,
            notes=replaced_notes(writes, given, outputs.renamed()),
        )  # fmt: skip

    def _outputs(self) -> Outputs:
        """Return what is written of the means: what all members say, else the default."""
        members = [member for member in self.members.values() if isinstance(member, ModelOp)]
        config = members[0].config_of_model
        codes = {member.config_of_model.codes for member in members}
        if config.task == "multiclass" and len(codes) > 1:
            raise ParameterError(
                f"the members' classes have the codes {' and '.join(map(str, sorted(codes)))}",
                expected="the same codes for the same classes",
            )
        said, names = ({getattr(member, f) for member in members} for f in ("writes", "name"))
        return Outputs(
            config, said.pop() if len(said) == 1 else "auto", names.pop() if len(names) == 1 else None
        )


def _outputs(member: ModelOp) -> Outputs:
    return Outputs(member.config_of_model, member.writes, member.name, member.uncertainty is not None)


def _classes(*means_and_codes: Any) -> Array:
    """Return the code of the class with the largest mean; no class where no member has data."""
    *means, codes = means_and_codes
    stack = np.stack(means)
    found: Array = np.asarray(codes, np.uint8)[np.argmax(stack, axis=0)]
    found[np.isnan(stack).any(axis=0)] = NO_CLASS
    return found


def _mean(*arrays_and_weights: Any) -> Array:
    """Return the weighted mean of what is there, summed in float64 and in the members' order."""
    *arrays, weights = arrays_and_weights
    total, known = np.zeros(arrays[0].shape), np.zeros(arrays[0].shape)
    for array, weight in zip(arrays, weights, strict=True):
        there = ~np.isnan(array)
        total += np.where(there, array, 0) * weight
        known += there * weight
    with np.errstate(invalid="ignore"):
        mean: Array = (total / known).astype(np.float32)
    return mean


def _doubts(*arrays_and_args: Any) -> tuple[Array, Array]:
    """Return entropy of the mean and mutual information of the members, weighted alike or not."""
    *arrays, weights, count = arrays_and_args
    members = len(weights)
    shape = arrays[0].shape
    passes = [
        np.stack([arrays[k * members + m].reshape(-1) for k in range(count)])[:, None] for m in range(members)
    ]
    mean = np.stack(
        [_mean(*arrays[k * members : (k + 1) * members], weights).reshape(-1) for k in range(count)]
    )
    gone = np.any([np.isnan(one).any(axis=(0, 1)) for one in passes], axis=0)
    entropy = entropy_of(mean[:, None])[0]
    shared = mutual_information(passes, mean[:, None].astype(np.float64), weights)[0]
    entropy[gone] = shared[gone] = np.nan
    return entropy.reshape(shape).astype(np.float32), shared.reshape(shape).astype(np.float32)
