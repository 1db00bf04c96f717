from __future__ import annotations

import sys
from pathlib import Path

import pytest

HELPERS = str(Path(__file__).parent / "helpers")
if HELPERS not in sys.path:
    sys.path.insert(0, HELPERS)


@pytest.fixture(scope="session")
def server():
    """Return the address of a real S3 server on this machine, one for all tests."""
    import s3_server

    if s3_server.program() is None:
        pytest.skip("moto_server is not installed")
    with s3_server.running() as address:
        yield address
