"""What splitters share: rows, groups, points, and scikit-learn's interface."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import numpy as np

from geotoolz.core import ParameterError
from geotoolz.learn._scores import GroupsIgnoredWarning

if TYPE_CHECKING:
    from geotoolz.learn._training import TrainingRows

Array = np.ndarray[Any, Any]


class Folds:
    """Base of the splitters, which work as scikit-learn's ``cv=``: ``split`` and ``get_n_splits``.

    Equal parameters and rows give equal folds, on any machine.
    """

    n_splits: int | None

    def groups_of(self, rows: TrainingRows) -> Array | None:
        """Return what `split` takes as its groups, of rows that were sampled: the groups that they have."""
        return rows.groups

    def split(self, X: Any, y: Any = None, groups: Any = None) -> Iterator[tuple[Array, Array]]:
        """Yield the rows to train on and the rows to test on, once per fold.

        Parameters
        ----------
        X : array_like
            As many rows as were sampled; only their number counts.
        y : array_like, optional
            Not looked at.
        groups : array_like, optional
            What keeps rows together; see the class.

        Yields
        ------
        train, test : numpy.ndarray
            Row numbers, ascending.

        Raises
        ------
        ParameterError
            If nothing would be trained on or tested, with what can be done about it.

        Warns
        -----
        GroupsIgnoredWarning
            If points decide, and rows of one group come to lie on both sides.
        """
        ignored = self._ignored(groups)
        for number, (train, test) in enumerate(self._splits(X, groups)):
            if not train.size:
                raise ParameterError(
                    f"fold {number} of {self!r} leaves no row to train on",
                    fix="take a smaller buffer, gap or block, or sample more places",
                )
            if ignored is not None and np.intersect1d(ignored[train], ignored[test]).size:
                ignored = None  # said once
                warnings.warn(
                    f"{type(self).__name__} goes by its points, and a group lies on both sides of a split",
                    GroupsIgnoredWarning,
                    stacklevel=3,
                )
            yield train, test

    def _ignored(self, groups: Any) -> Array | None:
        """Return the groups that points take the place of."""
        if groups is None or getattr(self, "points", None) is None or np.ndim(groups) != 1:
            return None
        return np.asarray(groups)

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """Return the number of folds."""
        if self.n_splits is None:
            raise NotImplementedError(f"{type(self).__name__} counts its folds itself")
        return self.n_splits

    def get_metadata_routing(self) -> Any:
        """Ask scikit-learn for ``groups``, where its metadata routing is switched on."""
        from sklearn.utils.metadata_routing import MetadataRequest

        request = MetadataRequest(owner=self)
        request.split.add_request(param="groups", alias=True)
        return request

    def _splits(self, X: Any, groups: Any) -> Iterator[tuple[Array, Array]]:
        raise NotImplementedError(f"{type(self).__name__} is abstract")

    def __repr__(self) -> str:
        shown = []
        for field in fields(self):  # type: ignore[arg-type]
            value = getattr(self, field.name)
            if field.name in ("points", "times"):
                shown += [f"{field.name}=<{len(value)}>"] if value is not None else []
            elif value != field.default:
                shown.append(f"{field.name}={value!r}")
        return f"{type(self).__name__}({', '.join(shown)})"


def check_count(value: Any, name: str, least: int) -> None:
    """Raise `ParameterError` for anything but a whole number of at least `least`."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
        raise ParameterError(f"{name}={value!r}", expected=f"a whole number, {least} or more")


def check_metres(value: Any, name: str) -> None:
    """Raise `ParameterError` for anything but a distance of 0 or more."""
    if not isinstance(value, int | float | np.number) or not 0 <= value < np.inf:
        raise ParameterError(f"{name}={value!r}", expected="0 or more")


def rows_of(X: Any) -> int:
    """Return the number of rows."""
    shape = getattr(X, "shape", None)
    return int(shape[0]) if shape else len(X)


def _require_length(found: Array, X: Any, what: str) -> Array:
    if len(found) != rows_of(X):
        raise ParameterError(f"{len(found)} {what} for {rows_of(X)} rows", expected="one for every row")
    return found


def group_values(X: Any, groups: Any, needed_by: str) -> Array:
    """Return one group per row."""
    if groups is None:
        raise ParameterError(
            f"{needed_by} got neither points nor groups",
            expected="easting and northing of every row, or one id per row",
            fix="fit(X, y, groups=block_ids(x, y, 10_000)), or …(points=…)",
        )
    found = np.asarray(groups)
    if found.ndim != 1:
        raise ParameterError(f"the groups have shape {found.shape}", expected="one id per row, or (rows, 2)")
    return _require_length(found, X, "groups")


class SpatialFolds(Folds):
    """Folds that look at places: those that they hold, else those of the rows."""

    points: Any

    def groups_of(self, rows: TrainingRows) -> Array | None:
        """Return the groups of rows that were sampled, or their places where they have none.

        Raises
        ------
        ParameterError
            If the places are in degrees, and the folds in metres.
        """
        if rows.groups is not None:
            return rows.groups
        if self.points is not None or rows.xy is None or rows.crs is None:
            return None
        from pyproj import CRS

        if CRS(rows.crs).is_geographic:
            raise ParameterError(
                f"the rows' places are in degrees ({rows.crs}), and {type(self).__name__} counts metres",
                expected="scenes in a projected CRS",
                fix="block_ids(…), or points in metres: spatial_folds(…, points=…)",
            )
        return rows.xy


def points_of(X: Any, groups: Any, held: Any, needed_by: str) -> Array | None:
    """Return the points of all rows: those that the splitter holds, else groups that are points.

    None where there are ids instead.
    """
    given = None if groups is None else np.asarray(groups)
    if held is None and (given is None or given.ndim != 2):
        return None
    if held is not None and given is not None and given.ndim == 2:
        raise ParameterError(f"{needed_by} holds points and got others", expected="one of them")
    found = np.asarray(given if held is None else held)
    if found.ndim != 2 or found.shape[1] != 2 or found.dtype.kind not in "iuf":
        raise ParameterError(f"the points are {found.dtype} {found.shape}", expected="numbers, (rows, 2)")
    found = _require_length(found.astype(np.float64), X, "points")
    bad = len(found) - int(np.isfinite(found).all(axis=1).sum())
    if bad:
        raise ParameterError(f"{bad} point(s) are not finite", expected="easting and northing in metres")
    return found
