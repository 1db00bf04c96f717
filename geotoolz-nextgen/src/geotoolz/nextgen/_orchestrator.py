"""What the wrappers of the orchestrators share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib import import_module
from typing import Any

from geotoolz.batch import FailureLimit
from geotoolz.core import MissingDependencyError
from geotoolz.nextgen._unit import UnitError

__all__ = ["need", "summary"]


def need(module: str, *, install: str) -> Any:
    """Import an orchestrator.

    Raises
    ------
    MissingDependencyError
        Saying how to install it.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != module.partition(".")[0]:
            raise
        raise MissingDependencyError(
            f"{module.partition('.')[0]} is not installed",
            fix=f"pip install {install}",
        ) from error


def summary(results: Iterable[Mapping[str, Any]], max_failures: int | str) -> dict[str, Any]:
    """Return counts and failed tiles of many results; raise where more failed than may.

    Parameters
    ----------
    results : iterable of dict
        What `run_unit` returned.
    max_failures : int or str
        As for `CatalogPipeline`: "2%" or a number.

    Raises
    ------
    UnitError
        Naming the first that failed, and how many.
    """
    tiles = [tile for result in results for tile in result.get("tiles", (result,))]
    failed = {tile["id"]: tile["failure"]["message"] for tile in tiles if tile["failure"]}
    counts = {
        status: sum(tile["status"] == status for tile in tiles) for status in ("done", "fresh", "failed")
    }
    limit = FailureLimit.of(max_failures)
    if limit.exceeded(failed=len(failed), ended=len(tiles), total=len(tiles), over=True):
        name, message = next(iter(failed.items()))
        raise UnitError(
            f"{len(failed)} of {len(tiles)} tiles failed; first {name}: {message}",
            expected=f"at most {limit}",
            fix="look at the failed tasks, or allow more with max_failures=",
        )
    return {**counts, "failed_tiles": failed}
