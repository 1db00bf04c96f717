"""SegmentationModel: a checkpoint that is loaded once and asked about many tiles."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any, Self

from geotoolz.core import ParameterError, Ref, TileSpec, run
from geotoolz.core._compile import CONFIG_HASH_ATTR
from geotoolz.core._extent import Extent
from geotoolz.core._lazy import xr
from geotoolz.learn._checkpoint_config import CheckpointConfig
from geotoolz.learn._model_op import ModelOp
from geotoolz.learn._model_op_kernel import PatchKernel, Window


class LoadedModel:
    """Base: a model operator whose network is loaded; it can be pickled to a worker, which loads it again.

    Parameters
    ----------
    op : ModelOp
        The operator.
    """

    tasks: tuple[str, ...] = ()
    what: str = "model"

    def __init__(self, op: ModelOp) -> None:
        self.op = op
        if op.config_of_model.task not in self.tasks:
            raise ParameterError(
                f"the checkpoint's task is {op.config_of_model.task}",
                expected=f"a network for {self.what}: {' or '.join(self.tasks)}",
            )
        if op.network.is_torch:
            op.network.module()

    @classmethod
    def load(cls, path: str | os.PathLike[str] | Ref, **options: Any) -> Self:
        """Load a checkpoint.

        Parameters
        ----------
        path : path or Ref
            A file of `save_checkpoint`; it is data, and no code is run from it.
        **options
            Further parameters of `ModelOp`: ``device``, ``batch_size``, ``patch_size``, ``mode``, …

        Returns
        -------
        SegmentationModel or SuperResolutionModel
            Of the class that it is called on.

        Raises
        ------
        ReadError, CheckpointError
            If the file is no checkpoint, or has other weights than its description asks for.
        ParameterError
            If the network does something else.
        """
        return cls(ModelOp(path, **options))

    @property
    def config(self) -> CheckpointConfig:
        """What the network takes and makes."""
        return self.op.config_of_model

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.op!r})"


class SegmentationModel(LoadedModel):
    """A network that finds classes, loaded once and asked about many tiles.

    The operator behind it is `op`, which stands in pipelines and YAML; this is what an actor or a service
    keeps. Tiles are not changed, and nothing is written to disk.

    Parameters
    ----------
    op : ModelOp
        The operator; `load` makes it from a file.

    Examples
    --------
    >>> import tempfile
    >>> from geotoolz.core.testing import simulate_scene
    >>> from geotoolz.learn import CheckpointConfig, SegmentationModel, UNet, save_checkpoint
    >>> model = {"architecture": "unet", "in_channels": 2, "classes": 1, "width": 4, "depth": 1}
    >>> config = CheckpointConfig("geotoolz", model, ["red", "nir"], patch_size=32)
    >>> network = UNet(in_channels=2, classes=1, width=4, depth=1)
    >>> ref = save_checkpoint(network, config, tempfile.mkdtemp() + "/slumps.pt")
    >>> slumps = SegmentationModel.load(ref)
    >>> slumps.segment(simulate_scene((40, 30), bands=("red", "nir"))).probabilities.dtype
    dtype('float32')
    """

    tasks = ("binary", "multiclass", "multilabel")
    what = "segmentation"

    def segment(self, tile: xr.Dataset) -> xr.Dataset:
        """Return a tile with what the network finds in it.

        Parameters
        ----------
        tile : xarray.Dataset
            With the network's inputs, by name.

        Returns
        -------
        xarray.Dataset
            The tile and ``probabilities``, or what `ModelOp` writes for the task.

        Raises
        ------
        MissingVariableError
            If the tile lacks an input.
        """
        return self.op(tile)

    def segment_batched(self, tiles: Iterable[xr.Dataset]) -> list[xr.Dataset]:
        """Return many tiles with what the network finds in them; batches are filled across tiles.

        Tiles may differ in size, place and CRS: their arrays meet in a batch, never their coordinates. All
        tiles are checked before the first pixel is looked at.

        Parameters
        ----------
        tiles : iterable of xarray.Dataset
            The tiles.

        Returns
        -------
        list of xarray.Dataset
            One per tile, in order; each is what `segment` gives, bit for bit.
        """
        return segment_batched(self.op, list(tiles))


def segment_batched(op: ModelOp, tiles: Sequence[xr.Dataset]) -> list[xr.Dataset]:
    """Return `op` of many tiles, with batches that are filled across tiles where patches have one size."""
    specs = [TileSpec.of(tile) for tile in tiles]
    if op.chosen_mode() not in ("crop", "whole"):
        return [_alone(op, tile) for tile in tiles]
    plans = [op.plan(spec) for spec in specs]
    made, groups = [], dict[tuple[int, ...], list[Window]]()
    for tile, plan in zip(tiles, plans, strict=True):
        kernel: PatchKernel = plan.calls[0].kernel  # type: ignore[assignment]
        arrays = [tile.variables[name].values for name in plan.reads]
        whole = Extent(0, tile.sizes["y"], 0, tile.sizes["x"])
        windows, outs = kernel.begin(arrays, whole)
        groups.setdefault((kernel.rows.side, kernel.cols.side), []).extend(windows)
        made.append((kernel, windows, outs, whole))
    for windows in groups.values():
        made[0][0].asked.run(chain.from_iterable(window.patches() for window in windows))
    results = []
    for tile, plan, (kernel, windows, outs, whole) in zip(tiles, plans, made, strict=True):
        finished = kernel.end(windows, outs, whole, None)
        encoding = {"grid_mapping": "spatial_ref"} if "spatial_ref" in tile.coords else {}
        fresh = {
            name: xr.Variable(spec.dims, array, spec.dataset_attrs(), encoding)
            for (name, spec), array in zip(plan.writes.items(), finished, strict=True)
        }
        result = tile.assign(fresh)
        result.attrs.pop(CONFIG_HASH_ATTR, None)
        results.append(result)
    return results


def _alone(op: ModelOp, tile: xr.Dataset) -> xr.Dataset:
    result = run(op, tile)
    return result if isinstance(result, xr.Dataset) else result[""]
