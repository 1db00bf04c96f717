"""Running pickled operators in a new process."""

from __future__ import annotations

import hashlib
import multiprocessing
import pickle
import warnings
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import xarray as xr

from geotoolz.core._errors import GeotoolzError
from geotoolz.core._operator import Operator
from geotoolz.core._reduce import Assertion, Reduce

Work = Sequence[tuple[str, bytes, xr.Dataset]]


def outcome(op: Operator, tile: xr.Dataset) -> str:
    """Return a digest of everything that an operator makes of a tile, or the text of its error."""
    from geotoolz.core._run import run

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            if isinstance(op, Reduce) and not isinstance(op, Assertion):
                return repr(op(tile))
            result = run(op, tile)
    except GeotoolzError as error:
        return f"{type(error).__name__}: {error}"
    parts = {"": result} if isinstance(result, xr.Dataset) else result
    digest = hashlib.sha256()
    for name, part in parts.items():
        digest.update(name.encode())
        for label, variable in part.variables.items():
            digest.update(
                repr(
                    (label, variable.dims, str(variable.dtype), sorted(map(repr, variable.attrs.items())))
                ).encode()
            )
            digest.update(variable.values.tobytes())
    return digest.hexdigest()


def results_in_spawned_process(work: Work) -> dict[str, str]:
    """Return the outcome of every pickled operator, computed by a newly started interpreter."""
    # an executor, not a Pool: a Pool waits for ever when its process is killed
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return dict(pool.map(_one, [(label, data, pickle.dumps(tile)) for label, data, tile in work]))


def _one(item: tuple[str, bytes, bytes]) -> tuple[str, str]:
    label, data, tile = item
    op: Any = pickle.loads(data)
    return label, outcome(op, pickle.loads(tile))
