"""Models of operators: in memory, or in a file that is loaded once per process."""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from dataclasses import dataclass

from geotoolz.core import ParameterError, Ref
from geotoolz.learn._model import FittedPixelModel, ModelInfo
from geotoolz.learn._persist import OtherVersions, info_of_ref, load_model

MOST_LOADED = 4
"""Models of files that are held at once in a process; the one that was not used for longest goes first."""

MOST_LOADED_ENV = "GEOTOOLZ_LOADED_MODELS"
"""Environment variable that says another number, for workers too."""

_loaded: OrderedDict[ModelHandle, FittedPixelModel] = OrderedDict()
_lock = threading.Lock()


def most_loaded() -> int:
    """Return how many models of files may be held at once.

    Raises
    ------
    ParameterError
        If the environment says something else than a number from 1 on.
    """
    told = os.environ.get(MOST_LOADED_ENV)
    if told is None:
        return MOST_LOADED
    if not told.isdecimal() or int(told) < 1:
        raise ParameterError(f"{MOST_LOADED_ENV}={told!r} in the environment", expected="1 or more")
    return int(told)


@dataclass(frozen=True)
class ModelHandle:
    """A model, or where it is and how it may be loaded."""

    model: FittedPixelModel | Ref
    trusted: tuple[str, ...] = ()
    trust: bool = False
    other_versions: OtherVersions = "raise"

    @property
    def info(self) -> ModelInfo:
        """What is known of the model; of a file only the description is read."""
        return self.model if isinstance(self.model, FittedPixelModel) else info_of_ref(self.model)

    @property
    def key(self) -> str:
        """What makes the model the one that it is."""
        return self.model.token if isinstance(self.model, FittedPixelModel) else self.model.sha256

    def load(self) -> FittedPixelModel:
        """Return the model; threads that ask at once share one load."""
        if isinstance(self.model, FittedPixelModel):
            return self.model
        most = most_loaded()
        with _lock:
            if self not in _loaded:
                _loaded[self] = load_model(
                    self.model, trusted=self.trusted, trust=self.trust, other_versions=self.other_versions
                )
                while len(_loaded) > most:
                    _loaded.popitem(last=False)
            _loaded.move_to_end(self)
            return _loaded[self]
