"""Where the real scenes for tests and examples lie."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from geotoolz.core._errors import ReadError


def data_path(name: str = "") -> Path:
    """Return the path of a real data set, or skip the running test where it is absent.

    The folder is the environment variable ``GEOTOOLZ_DATA``; without it ``shared/data`` beside the checkout.

    Parameters
    ----------
    name : str
        Folder (or a path below it) in the data folder, as in "s2_l2a_33TWL_croatia".

    Returns
    -------
    pathlib.Path
        It exists.

    Raises
    ------
    pytest.skip.Exception
        If the data are absent: the test is skipped, and says why.
    ReadError
        The same where pytest is not installed.
    """
    tried = []
    for root in _roots():
        path = root / name
        if path.exists():
            return path
        tried.append(str(path))
    reason = f"no real data {name!r} (looked at {', '.join(tried) or 'no folder'})"
    try:
        import pytest
    except ImportError:
        raise ReadError(reason, fix="set GEOTOOLZ_DATA to the folder that holds it") from None
    pytest.skip(f"{reason}; set GEOTOOLZ_DATA to the folder that holds it")


def _roots() -> Iterator[Path]:
    """Yield the folders to look in: the one that the environment names, or what lies beside the checkout."""
    named = os.environ.get("GEOTOOLZ_DATA")
    if named:
        yield Path(named)
        return
    # An installed wheel lies outside the checkout, whose tests run with the working folder inside it.
    seen = set()
    for start in (Path(__file__).resolve(), Path.cwd()):
        for folder in (start, *start.parents):
            if (folder / ".git").exists():
                root = folder.parent / "shared" / "data"
                if root not in seen:
                    seen.add(root)
                    yield root
                break
