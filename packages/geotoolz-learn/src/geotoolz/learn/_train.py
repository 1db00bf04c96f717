"""Training runs: from scenes and a configuration to a checkpoint and a report."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from geotoolz.core import Ref
from geotoolz.core._whole_file import write_whole
from geotoolz.learn._checkpoint import save_checkpoint
from geotoolz.learn._checkpoint_builders import build_network
from geotoolz.learn._checkpoint_config import CheckpointConfig, Task
from geotoolz.learn._train_chips import (
    TEST,
    TrainChips,
    lay_chips,
    normalisation_of,
    split_chips,
)
from geotoolz.learn._train_config import TrainConfig
from geotoolz.learn._train_errors import TrainingError
from geotoolz.learn._train_loop import Loop, reproducible
from geotoolz.learn._train_scenes import prepare_scenes
from geotoolz.learn._train_scores import ChipScores, baseline, class_pixels, score_chips
from geotoolz.learn._train_state import FILE, TrainState

if TYPE_CHECKING:
    from os import PathLike

CHECKPOINT, REPORT, SCORES, DATA = "model.pt", "report.html", "scores.json", "data"


@dataclass(frozen=True)
class TrainingRun:
    """A finished training run.

    Attributes
    ----------
    config : TrainConfig
    checkpoint : Ref
        The network with the best validation score: what `SegmentationModel.load` and `ModelOp` take.
    test : ChipScores
        On the chips that were kept for the end.
    baseline : ChipScores
        On the same chips, of who knows nothing: the most frequent class, or interpolation.
    history : list of dict
        A row per epoch.
    stopped : str
        Why it ended early; empty after the last epoch.
    chips : dict of str to int
        How many there are on each side, dropped, and skipped.
    folder : Path
        Holds ``model.pt``, ``report.html``, ``scores.json``, ``state.pt``.
    """

    config: TrainConfig
    checkpoint: Ref
    test: ChipScores
    baseline: ChipScores
    history: list[dict[str, float]]
    stopped: str
    chips: dict[str, int]
    folder: Path

    def __str__(self) -> str:
        what = "mean IoU" if self.config.task == "segmentation" else "PSNR"
        early = f" ({self.stopped})" if self.stopped else ""
        return (
            f"{len(self.history)} epochs{early}; {what} on {self.chips['test']} test chips "
            f"{self.test.score:.3f}, knowing nothing {self.baseline.score:.3f}"
        )


def train(
    config: TrainConfig | Mapping[str, Any] | str | PathLike[str],
    out: str | PathLike[str],
    scenes: Iterable[Any] | None = None,
    *,
    fresh: bool = False,
    on_epoch: Callable[[dict[str, Any]], None] | None = None,
    on_resume: Callable[[int], None] | None = None,
) -> TrainingRun:
    """Train a network on chips of scenes, and test it where it has never been.

    Called again with the same configuration, scenes and folder it goes on where it was: after a kill the
    weights become, bit for bit, what they would have been without it (on a CPU, with the same versions).
    Features are made once, scene by scene, and kept in files beside the state while it runs; memory holds a
    batch and the network.

    Parameters
    ----------
    config : TrainConfig, mapping, or path of a YAML file
        What, how and for how long.
    out : path
        Folder of the run.
    scenes : iterable, optional
        Tiles, paths or slices of a catalog, in place of ``data.scenes``.
    fresh : bool
        Begin anew in a folder that holds a run.
    on_epoch : callable, optional
        Called with the scores of every finished epoch.
    on_resume : callable, optional
        Called with the number of epochs that are done already, of a run that goes on.

    Returns
    -------
    TrainingRun

    Raises
    ------
    ConfigError
        If the configuration is wrong.
    TrainingError
        If there is nothing to learn from, or nothing of a class, the folder holds another run, or the loss is
        not finite.
    ParameterError
        If the chips do not fit the network, with sizes that do.
    """
    told = TrainConfig.load(config if isinstance(config, TrainConfig | Mapping) else Path(config))
    folder = Path(out)
    if fresh:
        shutil.rmtree(folder / DATA, ignore_errors=True)
        (folder / FILE).unlink(missing_ok=True)
    device = _device(told.fit.device)
    with torch.random.fork_rng():  # the caller's random numbers go on as they were
        chips, digest = _chips(told, scenes, folder)
        described = _described(told, chips)
        torch.manual_seed(told.fit.seed)
        network = build_network(described)
        _require_fitting(network, described, told)
        state = TrainState.load(folder, told.digest(), digest)
        if state is None:
            state = TrainState(told.digest(), digest, told.fit.threads or torch.get_num_threads())
        elif on_resume is not None:
            on_resume(state.epoch)
        loop = Loop(told, chips, network, folder, device)
        loop.run(state, on_epoch)
        run = _finish(loop, state, described)
    shutil.rmtree(folder / DATA, ignore_errors=True)
    return run


def _chips(config: TrainConfig, scenes: Iterable[Any] | None, folder: Path) -> tuple[TrainChips, str]:
    """Return the chips with sides and normalisation, and a hash of the pixels."""
    ready, digest = prepare_scenes(config.data, scenes, folder / DATA)
    chips = lay_chips(config.data, ready)
    chips = replace(chips, side=split_chips(chips, config.split, config.data))
    if config.task == "segmentation":
        _require_every_class(chips, config)
    return replace(chips, normalisation=normalisation_of(chips)), digest


def _require_every_class(chips: TrainChips, config: TrainConfig) -> None:
    pixels = class_pixels(chips, config)
    absent = [name for name, count in zip(config.data.classes, pixels, strict=True) if not count]
    if absent:
        raise TrainingError(
            f"no training chip has a pixel of {', '.join(absent)}",
            expected="pixels of every class of data.classes",
            fix="more labels, or another split.seed; if it is what nobody outlined, "
            f"read_annotations(…, background={absent[0]!r}); or leave it out of data.classes",
        )


def _described(config: TrainConfig, chips: TrainChips) -> CheckpointConfig:
    names = tuple(config.data.classes)
    task: Task
    if config.task == "super_resolution":
        task, classes = "super_resolution", config.data.bands
    elif len(names) == 2:  # one logit says the same as two
        task, classes = "binary", names[1:]
    else:
        task, classes = "multiclass", names
    finer = config.task == "super_resolution"
    model: dict[str, Any] = {
        "architecture": config.model.architecture or ("finer" if finer else "unet"),
        **config.model.parameters,
        "in_channels": len(config.data.bands),
        "classes": len(classes),
        **({"zoom": config.zoom} if finer else {}),
    }
    return CheckpointConfig(
        config.model.framework,
        model,
        config.data.bands,
        patch_size=config.data.chip // config.zoom,
        task=task,
        classes=classes,
        normalisation=chips.normalisation,
        output_normalisation=chips.normalisation if finer else None,
        zoom=config.zoom,
    )


def _require_fitting(network: nn.Module, described: CheckpointConfig, config: TrainConfig) -> None:
    """Refuse chips that the network cannot take, with sizes that it can."""
    from geotoolz.core import ParameterError
    from geotoolz.learn._receptive import measure_receptive_field

    size, zoom = described.patch_size, described.zoom
    stride = int(getattr(network, "total_stride", 0))
    if not stride:
        network.eval()
        stride = measure_receptive_field(network, len(described.input_combination), zoom).stride
    if size % stride:
        step, chip = stride * zoom, config.data.chip
        works = sorted({max(chip // step, 1) * step, (chip // step + 1) * step})
        raise ParameterError(
            f"data.chip={chip}, and the network works in blocks of {step} pixels",
            expected=f"a multiple of {step}",
            fix=f"data.chip: {' or '.join(map(str, works))}",
        )


def _device(asked: str) -> str:
    if asked == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if asked.startswith("cuda") and not torch.cuda.is_available():
        raise TrainingError("fit.device is 'cuda', and torch sees no GPU", fix="fit.device: auto")
    return asked


def _finish(loop: Loop, state: TrainState, described: CheckpointConfig) -> TrainingRun:
    """Test the best network, and write checkpoint, scores and report."""
    from geotoolz.learn._train_report import training_page

    config, chips, folder = loop.config, loop.chips, loop.folder
    if not state.best:
        raise TrainingError(
            "no epoch has a validation score", expected="labelled pixels in the validation chips",
            fix="other split.seed, more labels",
        )  # fmt: skip
    network = loop.network
    network.load_state_dict(state.best)
    loss = loop.loss()
    numbers = chips.numbers(TEST)
    with reproducible(state.threads, loop.device):
        test = score_chips(network, chips, config, numbers, loss, loop.device)
    nothing = baseline(chips, config, numbers)
    counts = {
        side: int(np.count_nonzero(np.array(chips.side) == side))
        for side in ("train", "validation", "test", "dropped")
    }
    counts["skipped"] = chips.skipped
    kept = {
        "epochs": state.epoch, "stopped": state.stopped, "chips": counts, "split": config.split.model_dump(),
        "test": test.to_dict(), "baseline": nothing.to_dict(), "config": config.model_dump(mode="json"),
    }  # fmt: skip
    checkpoint = save_checkpoint(network, described.replace(training=kept), folder / CHECKPOINT)
    run = TrainingRun(config, checkpoint, test, nothing, state.history, state.stopped, counts, folder)
    write_whole(folder / SCORES, _json({**kept, "history": state.history}), parents=True)
    write_whole(folder / REPORT, training_page(run, network, chips, loop.device), parents=True)
    return run


def _json(held: Any) -> bytes:
    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            return {k: plain(v) for k, v in value.items()}
        if isinstance(value, list | tuple):
            return [plain(v) for v in value]
        return None if isinstance(value, float) and not np.isfinite(value) else value

    return (json.dumps(plain(held), indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()
