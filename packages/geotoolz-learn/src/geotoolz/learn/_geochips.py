"""GeoChips: chips of a catalog as training data, made by the pipeline that inference uses."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from geotoolz.core import Operator, ParameterError
from geotoolz.core._lazy import xr
from geotoolz.learn._checkpoint_config import Normalisation
from geotoolz.learn._geochips_read import Chips
from geotoolz.learn._model_op_kernel import Inputs
from geotoolz.learn._torch_import import require
from geotoolz.patch import CatalogPatches, Patch, Sampler

if TYPE_CHECKING:
    from torch import Tensor

Array = np.ndarray[Any, Any]

IGNORED = -100
"""Target of pixels without a label: what torch's losses leave out."""


class Samples(list["dict[str, Tensor]"]):
    """Chips of one batch, each a view of it: what torch's own collation stacks, and ours leaves alone.

    Attributes
    ----------
    batch : dict of str to Tensor
        All of them.
    """

    def __init__(self, batch: dict[str, Tensor]) -> None:
        names = tuple(batch)
        rows = zip(*(batch[name] for name in names), strict=True)
        super().__init__(dict(zip(names, row, strict=True)) for row in rows)
        self.batch = batch


class GeoChips:
    """Chips of a catalog as a data set of torch: map-style here, a stream by `stream`.

    The chips are those of `geotoolz.patch.CatalogPatches`. `preprocess` runs on windows of the scenes with
    the halo that it needs, so a chip's pixels are those that inference makes of the whole scene. What
    `augment` does to a chip depends on its seed, the epoch and the chip's number, never on the worker.

    A batch is a mapping of tensors: ``image`` float32 ``(chip, input, y, x)``, normalised, 0 without data;
    ``mask`` int64 ``(chip, y, x)`` with -100 where there is no label (float32 with NaN where `codes` is
    None); ``valid`` bool ``(chip, y, x)``; ``chip`` and ``scene``, int64.

    Parameters
    ----------
    catalog : GeoCatalog or iterable of scenes
        The scenes, as `CatalogPatches` takes them.
    sampler : Sampler
        Where the chips lie.
    inputs : sequence of str
        Variables that the network gets, in order.
    target : str, optional
        Variable that it learns.
    codes : sequence of int, optional
        Numbers in the target that stand for the classes 0, 1, …; of a target of values None.
    preprocess : Operator, optional
        Makes inputs and target of a scene; frozen. The same object goes before `ModelOp`.
    augment : geotoolz.augment.Compose, optional
        Applied to chips while training.
    normalisation : Normalisation, optional
        Of the inputs; `estimate_normalisation` finds one.
    seed : int
        Of the order of the chips.
    epoch : int
        Which time the chips are gone through; see `set_epoch`.
    cache_bytes : int
        Pixels that are kept, before augmentation; none by default.

    Raises
    ------
    MissingVariableError
        If scenes lack an input or the target, before a pixel is read.
    NotFrozenError
        If `preprocess` needs statistics.

    Examples
    --------
    >>> from geotoolz.core.testing import simulate_scene
    >>> from geotoolz.indices import NDVI
    >>> from geotoolz.learn import GeoChips
    >>> from geotoolz.patch import RandomSampler
    >>> scenes = [simulate_scene((64, 64), bands=("red", "nir"), seed=n) for n in range(3)]
    >>> chips = GeoChips(scenes, RandomSampler(16, 4), inputs=["red", "ndvi"], preprocess=NDVI())
    >>> batch = chips[[0, 5]]
    >>> tuple(batch["image"].shape), batch["scene"].tolist()
    ((2, 2, 16, 16), [0, 1])
    """

    def __init__(
        self,
        catalog: Any,
        sampler: Sampler,
        inputs: Sequence[str],
        target: str | None = None,
        *,
        codes: Sequence[int] | None = None,
        preprocess: Operator | None = None,
        augment: Any = None,
        normalisation: Normalisation | None = None,
        seed: int = 0,
        epoch: int = 0,
        cache_bytes: int = 0,
    ) -> None:
        self.patches = CatalogPatches(catalog, sampler, epoch=epoch)
        self.inputs, self.target = tuple(inputs), target
        self.codes = None if codes is None else tuple(map(int, codes))
        self.preprocess, self.augment, self.seed = preprocess, augment, seed
        self.normalisation = normalisation or Normalisation.identity(len(self.inputs))
        if len(self.normalisation.offset) != len(self.inputs):
            raise ParameterError(
                f"normalisation has {len(self.normalisation.offset)} numbers",
                expected=f"{len(self.inputs)}: {', '.join(self.inputs)}",
            )
        names = self.inputs if target is None else (*self.inputs, target)
        self._chips = Chips([grid.source for grid in self.patches.grids], preprocess, names, cache_bytes)

    @property
    def epoch(self) -> int:
        """Which time the chips are gone through."""
        return self.patches.epoch

    def set_epoch(self, epoch: int) -> None:
        """Go on to another epoch: samplers with randomness choose other places, and the order changes.

        Workers of a `DataLoader` are told when it is iterated anew (unless they are persistent).
        """
        self.patches = self.patches.with_epoch(epoch)

    def __len__(self) -> int:
        return len(self.patches)

    def __getitem__(self, index: int | Sequence[int]) -> dict[str, Tensor]:
        """Return a chip, or several as a batch."""
        if isinstance(index, int | np.integer):
            return self.__getitems__([int(index)])[0]
        return self.__getitems__(index).batch

    def __getitems__(self, indices: Sequence[int]) -> Samples:
        """Return several chips, read together; torch's `DataLoader` asks like this."""
        return Samples(self.batch([self.patches[int(i)] for i in indices]))

    @staticmethod
    def collate(samples: Samples) -> dict[str, Tensor]:
        """Return the batch as it was read: ``DataLoader(chips, batch_size=8, collate_fn=chips.collate)``.

        Without it torch copies the chips into another one, which holds the same.
        """
        return samples.batch

    def batch(
        self, patches: Sequence[Patch], held: Mapping[int, dict[str, Array]] | None = None
    ) -> dict[str, Tensor]:
        """Return some chips as a batch; they are read in the order in which they lie in their files."""
        torch = require("torch", "GeoChips")
        pixels = dict(held) if held is not None else self._chips.read(patches)
        made: dict[str, Array] | None = None
        for place, patch in enumerate(patches):
            one = self._sample(patch, pixels[patch.index])
            if made is None:
                made = {name: np.empty((len(patches), *a.shape), a.dtype) for name, a in one.items()}
            for name, array in one.items():
                if array.shape != made[name].shape[1:]:
                    raise ParameterError(
                        f"chips of {made[name].shape[-2:]} and of {array.shape[-2:]} pixels in one batch",
                        expected="one size", fix="a sampler of one size",
                    )  # fmt: skip
                made[name][place] = array
        batch = {name: torch.from_numpy(array) for name, array in (made or {}).items()}
        batch["chip"] = torch.tensor([patch.index for patch in patches])
        batch["scene"] = torch.tensor([patch.scene for patch in patches])
        return batch

    def _sample(self, patch: Patch, arrays: dict[str, Array]) -> dict[str, Array]:
        spec = self._chips.spec(patch)
        if self.augment is not None:
            tile = self._chips.tile(patch, arrays)
            drawn = self.augment.draw(tile, epoch=self.epoch, chip=patch.index)
            arrays = {name: drawn.variables[name].values for name in arrays}
        nodata = tuple(spec.variables[n].nodata_scalar for n in self.inputs)
        planes = [arrays[n] for n in self.inputs]
        image, valid = Inputs(self.normalisation.offset, self.normalisation.scale, nodata).channels(planes)
        sample = {"image": image, "valid": valid}
        if self.target is not None:
            sample["mask"] = self._mask(arrays[self.target], spec.variables[self.target].nodata_scalar)
        return sample

    def mask_of(self, patch: Patch) -> Array:
        """Return a chip's target as `mask` has it, before augmentation."""
        name = str(self.target)
        return self._mask(
            self._chips.read([patch])[patch.index][name],
            self._chips.spec(patch).variables[name].nodata_scalar,
        )

    def _mask(self, values: Array, nodata: float) -> Array:
        if self.codes is None:
            held = values.astype(np.float32)
            held[values == nodata] = np.nan
            return held
        mask = np.full(values.shape, IGNORED, np.int64)
        for number, code in enumerate(self.codes):
            mask[values == code] = number
        mask[values == nodata] = IGNORED
        return mask

    def to_datasets(self, batch: Mapping[str, Tensor], **more: Tensor | Array) -> list[xr.Dataset]:
        """Return a batch's chips as tiles on their places in their scenes, with further results.

        Parameters
        ----------
        batch : mapping of str to Tensor
            A batch of this data set in this epoch; without augmentation, or the tiles show what was drawn.
        **more : Tensor or array
            Further variables by name, ``(chip, y, x)``: what a network made of the batch.

        Returns
        -------
        list of xarray.Dataset
            With the inputs as they were before the normalisation, NaN without data, and the results.
        """
        tiles = []
        for place, number in enumerate(batch["chip"].tolist()):
            valid = np.asarray(batch["valid"][place])
            variables: dict[str, Array] = {}
            scaling = zip(self.normalisation.offset, self.normalisation.scale, strict=True)
            parts = zip(self.inputs, batch["image"][place], scaling, strict=True)
            for name, plane, (offset, scale) in parts:
                values = np.asarray(plane) * np.float32(scale) + np.float32(offset)
                variables[name] = np.where(valid, values, np.float32(np.nan))
            variables.update({name: np.asarray(values[place]) for name, values in more.items()})
            tiles.append(self._chips.plain_tile(self.patches[number], variables))
        return tiles

    def estimate_normalisation(self, chips: Iterable[int] | None = None) -> Normalisation:
        """Return mean and standard deviation of every input over the pixels with data.

        Parameters
        ----------
        chips : iterable of int, optional
            Numbers of the chips that are looked at; all by default. Hand over those of training only.

        Raises
        ------
        ParameterError
            If an input has no valid pixel, or never changes.
        """
        from geotoolz.learn._geochips_statistics import estimate_normalisation

        return estimate_normalisation(self, range(len(self)) if chips is None else chips)

    def class_counts(self) -> Array:
        """Return how many pixels of every class every chip of this epoch has: ``(chip, class)``."""
        from geotoolz.learn._geochips_statistics import class_counts

        return class_counts(self)

    def balanced_weights(self) -> Array:
        """Return how often every chip should be drawn so that all classes are seen alike; they sum to 1.

        A chip counts by its pixels of every class, divided by all pixels of that class: for
        ``torch.utils.data.WeightedRandomSampler``, or `loader` with ``balance=True``. Chips without a label
        get 0.
        """
        from geotoolz.learn._geochips_statistics import balanced_weights

        return balanced_weights(self)

    def loader(
        self,
        batch_size: int,
        *,
        workers: int = 0,
        shuffle: bool = True,
        balance: bool = False,
        buffer: int = 256,
        rank: int = 0,
        world: int = 1,
    ) -> Any:
        """Return torch's `DataLoader` of these chips: every chip, in the same batches whatever the workers.

        The batches are those of a plain ``DataLoader`` over these chips in that order. That one asks for a
        batch at a time, and decodes a file's blocks anew for each; here the pixels of the next batches are
        read together, in the order in which they lie in their files.

        Parameters
        ----------
        batch_size : int
            Chips in a batch; the last may have fewer.
        workers : int
            Processes.
        shuffle : bool
            In another order every epoch, by seed and epoch.
        balance : bool
            Draw chips with replacement, so that all classes are seen alike.
        buffer : int
            Chips that a worker reads ahead, and holds.
        rank, world : int
            This process, of how many: it gets every so many-th batch.

        Raises
        ------
        ParameterError
            If the buffer is smaller than a batch, or there is no such rank.
        """
        from geotoolz.learn._geochips_stream import ChipEpoch

        data = require("torch", "GeoChips").utils.data
        weights = self.balanced_weights() if balance else None
        epoch = ChipEpoch(self, batch_size, buffer, (rank, world), shuffle=shuffle, weights=weights)
        return data.DataLoader(epoch, batch_size=None, num_workers=workers)

    def stream(self, batch_size: int, *, buffer: int = 256, rank: int = 0, world: int = 1) -> Any:
        """Return the chips as an `IterableDataset` of batches, for ``DataLoader(…, batch_size=None)``.

        Every worker of every rank yields its share: together each chip once. Within a buffer of that many
        chips, pixels are read in the order in which they lie in their files. Chips without a pixel of data,
        or without a label where there is a target, are left out.

        Parameters
        ----------
        batch_size : int
            Chips in a batch.
        buffer : int
            Chips that wait for their turn.
        rank, world : int
            This process, of how many.
        """
        from geotoolz.learn._geochips_stream import ChipStream

        return ChipStream(self, batch_size, buffer, rank, world)

    def __repr__(self) -> str:
        from geotoolz.learn._geochips_draw import describe

        return describe(self)

    def _repr_html_(self) -> str:
        from geotoolz.learn._geochips_draw import draw_chips_pipeline

        return draw_chips_pipeline(self)
