"""Windows of what a pipeline makes of a scene, from no more pixels than they depend on."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from geotoolz.core import (
    ExecutorError,
    Extent,
    GridMismatchError,
    Operator,
    Program,
    TileSpec,
    compile,
    run,
)
from geotoolz.core._execute import Job, run_window

Array = np.ndarray[Any, Any]


class Windows:
    """What a pipeline makes of a scene, window by window: the bits of the whole scene.

    Parameters
    ----------
    source : Source
        The scene, as `geotoolz.patch.as_source` gives it.
    pipeline : Operator or None
        What is made of it; the scene itself where None.
    who : str
        Who reads; named in errors.

    Attributes
    ----------
    spec : TileSpec
        What the pipeline makes, without its pixels.
    created : tuple of str
        The variables that it makes.
    """

    def __init__(self, source: Any, pipeline: Operator | None, who: str) -> None:
        self._pipeline, self._who = pipeline, who
        if pipeline is not None and any(getattr(op, "opaque", False) for _, op in pipeline.walk()):
            source, pipeline = _computed(source, pipeline), None
            self.created = tuple(source.spec.variables)
        else:
            self.created = ()
        self._source, self._op = source, pipeline
        self.spec: TileSpec = source.spec
        self._program: Program | None = None
        self._job: Job | None = None
        self._names: tuple[str, ...] = ()
        if pipeline is not None:
            program = compile(pipeline, source.spec)
            program.refuse_unfrozen(who)
            self.spec, self.created = program.output, program.created
            _require_same_grid(source.spec, self.spec, who)

    def choose(self, names: Iterable[str]) -> None:
        """Say which variables will be read; what does not lead to them is neither read nor computed."""
        self._names = tuple(dict.fromkeys(names))
        if self._op is None or not self._names:
            return
        self._program = compile(self._op, self._source.spec, self._names)
        slots = self._slots()
        made = [slot for slot in slots.values() if slot not in self._program.sources]
        self._job = Job.of(self._program, made, (), self.spec.shape)

    def _slots(self) -> dict[str, int]:
        if self._program is None:
            return {}
        state = next(iter(self._program.states.values()))
        return {name: state.slots[name] for name in self._names}

    def read(self, extent: Extent) -> dict[str, Array]:
        """Return a window of the chosen variables."""
        if not self._names:
            return {}
        rows, cols = slice(extent.y0, extent.y1), slice(extent.x0, extent.x1)
        if self._program is None or self._job is None:
            found: dict[str, Array] = self._source.arrays(self._names, rows, cols)
            return found
        sources, slots = self._program.sources, self._slots()
        held: dict[tuple[int, Extent], Array] = {}

        def fetch(slot: int, where: Extent) -> Array:
            if (slot, where) not in held:
                name = sources[slot][1]
                window = self._source.arrays((name,), slice(where.y0, where.y1), slice(where.x0, where.x1))
                held[slot, where] = window[name]
            return held[slot, where]

        made = run_window(self._job, fetch, extent)
        return {n: fetch(s, extent) if s in sources else made[s] for n, s in slots.items()}


def _computed(source: Any, pipeline: Operator) -> Any:
    """Run a pipeline with Python functions on the whole scene: nothing is known of them before."""
    from geotoolz.patch import DatasetSource
    from geotoolz.patch._chip import chip_dataset

    spec = source.spec
    tile = chip_dataset(
        spec, source.arrays(tuple(spec.variables), slice(0, spec.shape[0]), slice(0, spec.shape[1]))
    )
    made = run(pipeline, tile)
    if isinstance(made, dict):
        raise ExecutorError(f"the pipeline has the outputs {', '.join(made)}", expected="one tile")
    return DatasetSource(made)


def _require_same_grid(scene: TileSpec, made: TileSpec, who: str) -> None:
    if made.shape != scene.shape or (
        made.grid is not scene.grid and made.window_geobox != scene.window_geobox
    ):
        raise GridMismatchError(
            f"{who}: the pipeline makes {made.shape} pixels of {scene.shape}, or lays them elsewhere",
            expected="features and labels on the scene's own grid",
            fix="regrid the scenes first, and make the catalog of what was written",
        )
