"""What a reader says without stopping: warnings, once per scene and process."""

from __future__ import annotations

import warnings

_said: set[tuple[str, str]] = set()  # scene and kind of notice


class MetadataWarning(UserWarning):
    """A file and what its metadata declares disagree, or the metadata leaves a doubt; the file wins."""

    scene: str = ""


class SuspiciousValuesWarning(UserWarning):
    """Values lie where the quantity hardly ever has them."""

    scene: str = ""


def warn_once(scene: str, text: str, category: type[Warning] = MetadataWarning) -> None:
    """Warn about a scene unless a notice of this kind was given for it before in this process.

    Parameters
    ----------
    scene : str
        Where the scene comes from.
    text : str
        What is doubtful, with names and numbers.
    category : type of Warning
        The warning's class.
    """
    key = (scene, category.__name__)
    if key in _said:
        return
    notice = category(f"{scene}: {text}")
    notice.scene = scene  # type: ignore[attr-defined]
    warnings.warn(notice, stacklevel=4)
    _said.add(key)  # after the warning: where warnings are errors, every read says it


def forget_notices() -> None:
    """Forget what was said, so that it is said again."""
    _said.clear()
