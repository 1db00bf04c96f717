"""Where a training run stands: written after every epoch, complete or not at all."""

from __future__ import annotations

import io
import pickle
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from geotoolz.core._whole_file import write_whole
from geotoolz.learn._train_errors import TrainingError

FILE = "state.pt"
# what a damaged file makes of torch's reader
_BROKEN = (
    OSError, RuntimeError, EOFError, LookupError, ValueError, TypeError, AttributeError,
    pickle.UnpicklingError,
)  # fmt: skip


@dataclass
class TrainState:
    """Everything that the next epoch depends on.

    Random numbers are no part of it: they are drawn anew per (seed, epoch).

    Attributes
    ----------
    config, data : str
        Hashes of the configuration and of the pixels.
    threads : int
        Of torch; the rounding of sums depends on it.
    epoch : int
        Epochs that are done.
    network, optimiser, schedule : dict
        States.
    best : dict
        State of the network with the best validation score.
    best_score : float or None
        Its score.
    since : int
        Epochs since then.
    history : list of dict
        A row per epoch.
    stopped : str
        Why it ended; empty while it goes on.
    """

    config: str
    data: str
    threads: int
    epoch: int = 0
    network: dict[str, Any] = field(default_factory=dict)
    optimiser: dict[str, Any] = field(default_factory=dict)
    schedule: dict[str, Any] = field(default_factory=dict)
    best: dict[str, Any] = field(default_factory=dict)
    best_score: float | None = None
    since: int = 0
    history: list[dict[str, float]] = field(default_factory=list)
    stopped: str = ""

    def save(self, folder: Path) -> None:
        """Write the state; after a crash of the machine the old one or the new one is there."""
        buffer = io.BytesIO()
        torch.save(dict(vars(self)), buffer)
        write_whole(folder / FILE, buffer.getvalue(), parents=True)

    @classmethod
    def load(cls, folder: Path, config: str, data: str) -> TrainState | None:
        """Return the state of a folder, None if there is none.

        Raises
        ------
        TrainingError
            If it belongs to another configuration or other pixels, or cannot be read.
        """
        path = folder / FILE
        if not path.exists():
            return None
        try:
            held = torch.load(path, map_location="cpu", weights_only=True)
            state = cls(**held)
        except _BROKEN as error:
            raise TrainingError(
                f"{path} cannot be read: {str(error).partition(chr(10))[0]}",
                fix="fresh=True, or --fresh, starts anew",
            ) from error
        for what, mine, theirs in (("configuration", config, state.config), ("scenes", data, state.data)):
            if mine != theirs:
                raise TrainingError(
                    f"{folder} holds a run of another {what}" if what == "configuration"
                    else f"the scenes are not those that the run in {folder} began with",
                    fix="another folder, or fresh=True (--fresh) to start anew",
                )  # fmt: skip
        return state
