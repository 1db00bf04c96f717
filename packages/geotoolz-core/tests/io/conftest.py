import sys
from pathlib import Path

import pytest

# importlib mode puts no test folder on the path; the helpers lie beside the tests
sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(autouse=True)
def _fresh_notices():
    from geotoolz.io import close_handles, forget_notices

    forget_notices()
    yield
    close_handles()
