"""ModelOp: a model as a step of a pipeline."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Annotated, Any, ClassVar, Literal

from geotoolz.core import (
    WHOLE,
    Builder,
    Call,
    Footprint,
    Map,
    ParameterError,
    Plan,
    State,
    TileError,
    TileSpec,
    VarSpec,
)
from geotoolz.core._lazy import xr
from geotoolz.learn._checkpoint_config import CheckpointConfig, Task
from geotoolz.learn._model import FittedPixelModel
from geotoolz.learn._model_op_cells import Axis, default_patch, require_patch
from geotoolz.learn._model_op_grid import finer, scene_of
from geotoolz.learn._model_op_kernel import Asked, Inputs, PatchKernel, RowKernel
from geotoolz.learn._model_op_network import IMPORTED, Network
from geotoolz.learn._model_op_outputs import Outputs, Writes, replaced_notes
from geotoolz.learn._model_op_source import accepted, described, unsaveable
from geotoolz.learn._receptive import ReceptiveField
from geotoolz.learn._uncertainty import Passes, Uncertainty

Mode = Literal["auto", "pixelwise", "crop", "hann", "whole"]


class _Tags:
    """``reads_files``; of a function ``loads_code``; of what depends on the cut ``approximate``."""

    def __get__(self, op: ModelOp | None, cls: type) -> frozenset[str]:
        if op is None:
            return frozenset({"reads_files"})
        code = isinstance(op.model, str) and op.model.startswith(IMPORTED)
        return frozenset({"loads_code" if code else "reads_files"}) | (
            {"approximate"} if op.mode == "hann" or op.amp else set()
        )


class ModelOp(Map):
    """Ask a model about a tile: a torch network, an estimator of scikit-learn, or any function.

    Inputs are found by name, in the order of the checkpoint's ``input_combination``, and normalised as it
    says. A pixel that lacks an input gets no-data; for its neighbours the network sees 0 there. A network
    goes through the scene in patches of one size and batches of one size, at places that do not depend on
    the window, so that any cut of the work gives the same bits on one machine's CPU.

    What is written follows from the task. ``binary``: ``probabilities``, float32. ``multiclass``:
    ``probability_{class}`` and the class map ``label``, uint8, no-data 255. ``multilabel``:
    ``probability_{class}``. ``regression``: the values by their names. ``super_resolution``: the same
    variables on a finer grid, which replaces all that was on the old one.

    Parameters
    ----------
    model : path, Ref, Checkpoint, torch.nn.Module, estimator or callable
        A file is pinned by its content. A network in evaluation mode, an estimator or a function can be
        used as it is, and says with `inputs`, `classes` and `task` what it does; of these only a function
        at the top of a module can stand in YAML. A function takes and returns float32 arrays
        ``(chip, channel, y, x)``, or rows where ``mode="pixelwise"``, and returns probabilities or values.
    inputs : sequence of str, optional
        Variables of the tile, of a model without checkpoint.
    classes : sequence of str, optional
        Names of the output channels, of a model without checkpoint.
    task : {"binary", "multiclass", "multilabel", "regression", "super_resolution"}, optional
        Of a model without checkpoint; ``"regression"`` by default.
    mode : {"auto", "pixelwise", "crop", "hann", "whole"}
        ``"pixelwise"``: rows of pixels. ``"crop"``: patches overlap by what the network sees, and that is
        thrown away: the result is that of the whole scene. ``"hann"``: patches overlap and are blended, for
        networks that see the whole patch; an approximation. ``"whole"``: the tile at once. By default
        ``"crop"`` where the network looks at a bounded neighbourhood, else ``"hann"``; estimators
        ``"pixelwise"``.
    patch_size : int, optional
        Rows and columns of a patch; by default those of training, or four times the halo.
    halo, stride : int, optional
        How far the network looks and the blocks that it works in; by default what the checkpoint says,
        else both are measured.
    overlap : float
        Share of a patch that the next one covers too, where they are blended.
    zoom : int, optional
        Output pixels per input pixel along an axis, of a model without checkpoint.
    batch_size : int
        Patches that the network gets at once. From 2 on a CPU gives the bits of the whole scene: for a
        single small image torch computes otherwise than for a large one.
    method : str, optional
        Which method of the model is called; what it returns is taken as it is.
    device : str
        ``"auto"`` is the GPU where there is one.
    amp : bool
        Half precision where it is safe; an approximation.
    writes : {"auto", "probabilities", "classes", "both"}
        What is written of exclusive classes.
    name : str, optional
        Of the variable of probabilities, the class map, or the only value. A variable of that name that the
        tile has, a truth ``label`` say, is replaced, and `check` warns of it.
    uncertainty : {"mc_dropout", "tta"}, optional
        Ask several times, with dropped channels or mirrored patches; write the mean, and for classes
        ``entropy`` and ``mutual_information`` in nats, for others ``{name}_std``.
    samples : int
        Passes with dropped channels.
    seed : int
        Of the dropped channels.

    Raises
    ------
    MissingVariableError
        If the tile lacks an input.
    ReadError, CheckpointError
        If the file is no checkpoint, or has other weights than its description asks for.
    ParameterError
        If patches are too small or do not fit the stride, with sizes that work.

    Examples
    --------
    >>> from geotoolz.core.testing import simulate_scene
    >>> from geotoolz.learn import ModelOp
    >>> def brightness(patches):
    ...     return patches.mean(axis=1, keepdims=True)
    >>> op = ModelOp(brightness, inputs=["red", "nir"], classes=["brightness"], mode="crop", halo=0, stride=1)
    >>> op(simulate_scene((40, 30), bands=("red", "nir"))).brightness.dims
    ('y', 'x')
    """

    tags: ClassVar[Any] = _Tags()

    model: Annotated[Any, "model"]
    inputs: tuple[str, ...] | None = None
    classes: tuple[str, ...] | None = None
    task: Task | None = None
    mode: Mode = "auto"
    patch_size: int | None = None
    halo: int | None = None
    stride: int | None = None
    overlap: float = 0.5
    zoom: int | None = None
    batch_size: int = 2
    method: str | None = None
    device: str = "auto"
    amp: bool = False
    writes: Writes = "auto"
    name: str | None = None
    uncertainty: Uncertainty | None = None
    samples: int = 16
    seed: int = 0

    def prepare(self, values: dict[str, Any]) -> dict[str, Any]:
        """Accept a path, a function that can be imported, and one name."""
        values = {**values, "model": accepted(values["model"])}
        for field in ("inputs", "classes"):
            if isinstance(values[field], str):
                values[field] = (values[field],)
        return values

    def validate(self) -> None:
        """Check the numbers."""
        for name in ("patch_size", "stride", "zoom", "batch_size", "samples"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ParameterError(f"{name}={value}", expected="1 or more")
        if self.halo is not None and self.halo < 0:
            raise ParameterError(f"halo={self.halo}", expected="0 or more")
        if not 0 <= self.overlap < 1:
            raise ParameterError(f"overlap={self.overlap}", expected="0 up to, not including, 1")

    @property
    def unsaveable(self) -> str | None:
        """Why the operator cannot stand in a configuration, if it cannot."""
        return unsaveable(self.model)

    @property
    def config_of_model(self) -> CheckpointConfig:
        """What the model takes and makes."""
        own = {"inputs": self.inputs, "classes": self.classes, "task": self.task, "zoom": self.zoom}
        return described(self.model, own)

    @property
    def network(self) -> Network:
        """The model, and how it is called."""
        return Network(self.model, self.method, self.device, self.amp)

    @cached_property
    def receptive_field(self) -> ReceptiveField:
        """How far the model looks: what the parameters say, else its checkpoint, else what is measured."""
        config = self.config_of_model
        radius = config.receptive_radius if self.halo is None else self.halo
        stride = self.stride or config.total_stride
        if radius is None or (stride is None and radius != "all"):
            if not self.network.is_torch:
                raise ParameterError(
                    "nothing is known of how far the function looks", expected="halo=… and stride=…",
                    fix="halo=0, stride=1 if it sees single pixels; mode='whole' if it sees the whole tile",
                )  # fmt: skip
            found = self.network.receptive_field(len(config.input_combination), config.zoom)
            radius = found.radius if radius is None else radius
            stride = stride or found.stride
        return ReceptiveField(None if radius == "all" else radius, stride or 1)

    def chosen_mode(self) -> Mode:
        """Return the mode that ``"auto"`` comes to."""
        if self.mode != "auto":
            return self.mode
        if isinstance(self.model, FittedPixelModel) or hasattr(self.model, "predict"):
            return "pixelwise"
        return "crop" if self.receptive_field.radius is not None else "hann"

    def emit(self, builder: Builder, state: State, path: str) -> State:
        """Emit the patches; those that are blended are chips of `geotoolz.patch.ApplyToChips`."""
        if self.chosen_mode() != "hann":
            return super().emit(builder, state, path)
        from geotoolz.learn._model_op_blend import blended

        builder.note(path, self, ["patches are blended: the result is an approximation of the whole scene"])
        return builder.emit(blended(self), state, path)

    def map_batch(self, chips: Sequence[xr.Dataset]) -> list[xr.Dataset]:
        """Return what several chips become, with batches that are filled across them."""
        from geotoolz.learn._segmentation import segment_batched

        return segment_batched(self, chips)

    def plan(self, tile: TileSpec) -> Plan:
        """Find the inputs in the tile; the weights are not read, unless the network has to be measured."""
        mode, config = self.chosen_mode(), self.config_of_model
        reads = tuple(tile.find(name, "ModelOp") for name in config.input_combination)
        given = {
            name: tile.variables[read] for name, read in zip(config.input_combination, reads, strict=True)
        }
        outputs = Outputs(config, self.writes, self.name, self.uncertainty is not None)
        writes = outputs.specs(_dims(given), given)
        scaling = config.scaling
        inputs = Inputs(scaling.offset, scaling.scale, tuple(v.nodata_scalar for v in given.values()))
        asked = Asked(
            self.network, outputs, Passes(self.uncertainty, self.samples, self.seed), self.batch_size
        )
        names, specs = tuple(writes), tuple(writes.values())
        notes = replaced_notes(writes, tile, outputs.renamed())
        if mode == "pixelwise":
            self._require_rows(config)
            calls = (Call(reads, names, RowKernel(asked, inputs, specs)),)
            return Plan(reads, writes, calls=calls, notes=notes)
        rows, cols, origin = self._axes(tile, mode, config)
        kernel = PatchKernel(asked, inputs, rows, cols, origin, specs)
        reach = WHOLE if mode == "whole" else Footprint(rows.reach, rows.reach)
        if config.zoom == 1:
            calls = (Call(reads, names, kernel, footprint=reach, located=True),)
            return Plan(reads, writes, calls=calls, notes=notes)
        change = finer(tile, config.zoom, max(tile.shape) if mode == "whole" else rows.reach)
        drops = tuple(n for n in tile.variables if n not in writes)
        return Plan(
            reads, writes, calls=(Call(reads, names, kernel, located=True),), drops=drops, grid=change
        )

    def _axes(
        self, tile: TileSpec, mode: Mode, config: CheckpointConfig
    ) -> tuple[Axis, Axis, tuple[int, int]]:
        """Return the patches along y and x, and where the scene begins."""
        if mode == "whole":
            stride = self.stride or config.total_stride or 1
            sides = [-(-max(n, 1) // stride) * stride for n in tile.shape]
            rows, cols = (Axis(max(n, 1), s, 0, stride) for n, s in zip(tile.shape, sides, strict=True))
            return rows, cols, tile.offset
        field = self.receptive_field
        if field.radius is None:
            raise ParameterError(
                "mode='crop', and the network sees the whole image (or depends on where a pixel is)",
                expected="a network that looks at a bounded neighbourhood",
                fix="mode='hann' blends patches, as an approximation",
            )
        halo, stride = field.halo, field.stride
        patch = self.patch_size or default_patch(config.patch_size, halo, stride)
        require_patch(patch, halo, stride)
        origin, size = scene_of(tile)
        rows, cols = (
            Axis(max(n, 1), patch, halo, stride, field.radius, (at - first, at - first + length))
            for n, first, at, length in zip(size, origin, tile.offset, tile.shape, strict=True)
        )
        return rows, cols, origin

    def _require_rows(self, config: CheckpointConfig) -> None:
        if config.zoom != 1 or self.uncertainty is not None:
            what = "zoom" if config.zoom != 1 else "uncertainty"
            raise ParameterError(f"mode='pixelwise' with {what}", expected="a network of patches")


def _dims(given: dict[str, VarSpec]) -> tuple[str, ...]:
    """Return the dimensions of the inputs; those without dates stand beside every date."""
    dims = max((spec.dims for spec in given.values()), key=len)
    for name, spec in given.items():
        if spec.dims not in (dims, dims[-2:]):
            raise TileError(
                f"{name!r} has dims {spec.dims}", expected=f"{dims}, as the other inputs, or (y, x)"
            )
    return dims
