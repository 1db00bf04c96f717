from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

HELPERS = str(Path(__file__).parent / "helpers")
if HELPERS not in sys.path:
    sys.path.insert(0, HELPERS)


@pytest.fixture(scope="session")
def ray_session():
    """Start Ray once for all tests; engines find it initialised, use it and leave it running."""
    from geotoolz.nextgen import RayEngine

    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [HELPERS, before]))
    engine = RayEngine(2)
    engine.start(len)
    engine.submit(0, "ab")
    while not (answers := engine.wait(1.0)):
        pass
    assert answers[0].value == 2
    yield
    engine.stop()
    if before is None:
        del os.environ["PYTHONPATH"]
    else:
        os.environ["PYTHONPATH"] = before
