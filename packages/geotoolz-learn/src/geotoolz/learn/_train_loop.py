"""The loop: epochs that depend on the seed and their number only, and can be gone on with after a crash."""

from __future__ import annotations

import copy
import io
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from geotoolz.core._whole_file import write_whole
from geotoolz.learn._loss import combined
from geotoolz.learn._train_batch import Batch, batches
from geotoolz.learn._train_chips import VALIDATION, TrainChips
from geotoolz.learn._train_config import TrainConfig
from geotoolz.learn._train_errors import TrainingError
from geotoolz.learn._train_scores import class_pixels, score_chips
from geotoolz.learn._train_state import TrainState

Loss = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Loop:
    """A training run in memory.

    Parameters
    ----------
    config : TrainConfig
    chips : TrainChips
        With their sides and normalisation.
    network : nn.Module
        With the weights that it begins with.
    folder : Path
        Where its state is kept.
    device : str
        Where it computes.
    """

    config: TrainConfig
    chips: TrainChips
    network: nn.Module
    folder: Path
    device: str

    def run(self, state: TrainState, on_epoch: Callable[[dict[str, Any]], None] | None = None) -> TrainState:
        """Go on until the last epoch, or until the validation score has stopped rising.

        Parameters
        ----------
        state : TrainState
            Where it stands; written after every epoch.
        on_epoch : callable, optional
            Called with the row of every finished epoch.

        Raises
        ------
        TrainingError
            If the loss is not finite; the batch is kept.
        """
        fit = self.config.fit
        network = self.network.to(self.device)
        optimiser = torch.optim.AdamW(network.parameters(), fit.learning_rate, weight_decay=fit.weight_decay)
        schedule = torch.optim.lr_scheduler.LambdaLR(
            optimiser, lambda done: 0.5 * (1 + math.cos(math.pi * min(done, fit.epochs) / fit.epochs))
        )
        loss = self.loss()
        with reproducible(state.threads, self.device):
            if state.epoch:
                network.load_state_dict(state.network)
                optimiser.load_state_dict(state.optimiser)
                schedule.load_state_dict(state.schedule)
            while state.epoch < fit.epochs and not state.stopped:
                row = self._epoch(network, optimiser, loss, state.epoch)
                schedule.step()
                self._note(state, row, network, optimiser, schedule)
                state.save(self.folder)
                if on_epoch is not None:
                    on_epoch(row)
        return state

    def loss(self) -> Loss:
        """Return what is minimised."""
        return combined(self.config.loss.parts, self._class_weights(), self.config.loss.gamma)

    def _epoch(
        self, network: nn.Module, optimiser: torch.optim.Optimizer, loss: Loss, epoch: int
    ) -> dict[str, float]:
        # whatever the network draws (dropout) depends on the epoch, not on what was drawn before
        torch.manual_seed(int(np.random.SeedSequence((self.config.fit.seed, epoch)).generate_state(1)[0]))
        order = self.chips.order(self.config.fit.seed, epoch)
        network.train()
        total = 0.0
        for step, batch in enumerate(batches(self.chips, self.config, order, epoch)):
            optimiser.zero_grad(set_to_none=True)
            output = network(torch.from_numpy(batch.inputs).to(self.device))
            found = loss(output, torch.from_numpy(batch.target).to(self.device))
            value = float(found.detach())
            if not math.isfinite(value):
                raise self._lost(batch, value, epoch, step)
            found.backward()
            optimiser.step()
            total += value * len(batch.numbers)
        numbers = self.chips.numbers(VALIDATION)
        scores = score_chips(network, self.chips, self.config, numbers, loss, self.device)
        return {
            "epoch": epoch,
            "train_loss": total / len(order),
            "validation_loss": scores.loss,
            "validation_score": scores.score,
            "learning_rate": float(optimiser.param_groups[0]["lr"]),
        }

    def _note(
        self,
        state: TrainState,
        row: dict[str, float],
        network: nn.Module,
        optimiser: torch.optim.Optimizer,
        schedule: torch.optim.lr_scheduler.LambdaLR,
    ) -> None:
        state.epoch += 1
        state.history.append(row)
        state.network = _copied(network.state_dict())
        state.optimiser, state.schedule = _copied(optimiser.state_dict()), dict(schedule.state_dict())
        score = row["validation_score"]
        if score == score and (state.best_score is None or score > state.best_score):
            state.best, state.best_score, state.since = state.network, score, 0
        else:
            state.since += 1
        patience = self.config.fit.patience
        if patience is not None and state.since >= patience:
            state.stopped = f"no better validation score in {patience} epochs"

    def _lost(self, batch: Batch, value: float, epoch: int, step: int) -> TrainingError:
        """Keep the batch on which the loss was lost, and say where."""
        path = self.folder / "bad-batch.npz"
        buffer = io.BytesIO()
        np.savez_compressed(
            buffer,
            inputs=batch.inputs,
            target=batch.target,
            chips=np.array(batch.numbers),
            epoch=epoch,
            step=step,
        )
        write_whole(path, buffer.getvalue(), parents=True)
        scene, extent = self.chips.places[batch.numbers[0]]
        first = (
            f"{self.chips.scenes[scene].name} rows {extent.y0} to {extent.y1 - 1}, columns {extent.x0} to "
        )
        return TrainingError(
            f"the loss is {value} in epoch {epoch}, step {step}; the batch of {len(batch.numbers)} chips "
            f"(the first: {first}{extent.x1 - 1}) is in {path}",
            expected="a finite loss",
            fix="a smaller fit.learning_rate; look at the batch's inputs",
        )

    def _class_weights(self) -> Tensor | None:
        asked = self.config.loss.class_weights
        if asked is None:
            return None
        if asked == "balanced":
            pixels = class_pixels(self.chips, self.config)
            weights = np.divide(
                pixels.sum(), len(pixels) * pixels, out=np.zeros(len(pixels)), where=pixels > 0
            )
        else:
            weights = np.asarray(asked, np.float64)
        return torch.from_numpy(weights.astype(np.float32)).to(self.device)


@contextmanager
def reproducible(threads: int, device: str) -> Iterator[None]:
    """Let torch compute the same bits on every run: a fixed number of threads, and no races on a GPU."""
    before, strict = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    torch.set_num_threads(threads)
    if device != "cpu":  # where a GPU has no such algorithm, a warning says so
        torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        yield
    finally:
        torch.set_num_threads(before)
        torch.use_deterministic_algorithms(strict)


def _copied(held: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = torch.utils._pytree.tree_map(
        lambda v: v.detach().cpu().clone() if isinstance(v, Tensor) else copy.copy(v), held
    )
    return found
