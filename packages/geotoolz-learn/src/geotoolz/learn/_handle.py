"""Models of operators: in memory, or in a file that is loaded once per process."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass

from geotoolz.core import Ref
from geotoolz.learn._model import FittedPixelModel, ModelInfo
from geotoolz.learn._persist import OtherVersions, info_of_ref, load_model

MOST_LOADED = 4
"""Models of files that are held at once in a process; the one that was not used for longest goes first."""

_loaded: OrderedDict[ModelHandle, FittedPixelModel] = OrderedDict()
_lock = threading.Lock()


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
        with _lock:
            if self not in _loaded:
                _loaded[self] = load_model(
                    self.model, trusted=self.trusted, trust=self.trust, other_versions=self.other_versions
                )
                while len(_loaded) > MOST_LOADED:
                    _loaded.popitem(last=False)
            _loaded.move_to_end(self)
            return _loaded[self]
