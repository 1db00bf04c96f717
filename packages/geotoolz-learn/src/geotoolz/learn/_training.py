"""Rows to fit on: features, labels, and where they come from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from geotoolz.core import MissingVariableError, ParameterError, TileError, nearest

if TYPE_CHECKING:
    import pandas as pd

Array = np.ndarray[Any, Any]
PLACE = ("label", "group", "tile_id", "x", "y", "crs")
"""Columns of `geotoolz.vector.sample_training` that are no features."""


@dataclass(frozen=True, eq=False, kw_only=True)
class TrainingRows:
    """Pixels as rows of a table: what an estimator is fitted on.

    Parameters
    ----------
    X : array
        ``(rows, features)``, float32 or float64, C order.
    features : tuple of str
        Names of the columns of `X`.
    y : array, optional
        ``(rows,)`` labels or values; ``(rows, targets)`` for several; None for unsupervised fits.
    groups : array, optional
        What cross-validation must not tear apart: polygons, blocks.
    weights : array, optional
        Weight of every row.
    xy : array, optional
        ``(rows, 2)`` float64: centres of the pixels in `crs`.
    crs : str, optional
        CRS of `xy`.
    times : array of datetime64, optional
        When the pixels were taken; NaT where it is not known.
    span : tuple of datetime64, optional
        First and last date of the features, where dates are features.
    tile_ids : array of str, optional
        The scene that every row comes from.
    targets : tuple of str
        Name of the label, or names of the columns of `y`.
    class_names : mapping
        Label → name, where labels have names.
    quantities : mapping of str to str
        Feature → what its values are (``"surface_reflectance"``), where it is said.
    target_units : mapping of str to str
        Target → its units, where they are said.
    asked : int, optional
        How many rows were asked for.

    Examples
    --------
    >>> import numpy as np
    >>> rows = TrainingRows(X=np.zeros((4, 2), "f4"), features=("red", "nir"), y=np.array([1, 1, 2, 2]))
    >>> len(rows), rows.take([0, 3]).y
    (4, array([1, 2]))
    """

    X: Array
    features: tuple[str, ...]
    y: Array | None = None
    groups: Array | None = None
    weights: Array | None = None
    xy: Array | None = None
    crs: str | None = None
    times: Array | None = None
    tile_ids: Array | None = None
    targets: tuple[str, ...] = ("label",)
    class_names: Mapping[Any, str] = field(default_factory=dict)
    quantities: Mapping[str, str] = field(default_factory=dict)
    target_units: Mapping[str, str] = field(default_factory=dict)
    asked: int | None = None
    span: tuple[Any, Any] | None = None

    def __post_init__(self) -> None:
        values = np.asarray(self.X)
        kind = (
            values.dtype if values.dtype in (np.float32, np.float64) else np.result_type(np.float32, values)
        )
        object.__setattr__(self, "X", np.ascontiguousarray(values, kind))
        for name in _PER_ROW:
            if getattr(self, name) is not None:
                object.__setattr__(self, name, np.asarray(getattr(self, name)))
        if self.X.ndim != 2 or self.X.shape[1] != len(self.features):
            raise ParameterError(
                f"X has shape {self.X.shape}, and there are {len(self.features)} features",
                expected=f"(rows, {len(self.features)})",
            )
        for name in _PER_ROW:
            values = getattr(self, name)
            if values is not None and len(values) != len(self.X):
                raise ParameterError(f"{name} has {len(values)} rows", expected=f"{len(self.X)}, as X has")

    def __len__(self) -> int:
        return len(self.X)

    @property
    def shortfall(self) -> int:
        """How many rows are missing to what was asked for."""
        return 0 if self.asked is None else max(self.asked - len(self), 0)

    def take(self, index: Any) -> TrainingRows:
        """Return some of the rows: a slice, their numbers, or a boolean per row."""
        chosen = index if isinstance(index, slice) else np.asarray(index)
        picked = {n: v[chosen] for n in _PER_ROW if (v := getattr(self, n)) is not None}
        return replace(self, X=self.X[chosen], **picked)

    @classmethod
    def concatenate(cls, parts: Sequence[TrainingRows]) -> TrainingRows:
        """Return the rows of several parts, one after another.

        Raises
        ------
        ParameterError
            If their features differ, or one of them has no rows at all to tell.
        """
        if not parts:
            raise ParameterError("no rows", expected="at least one part")
        first = parts[0]
        for part in parts[1:]:
            require_features(part.features, first.features, "the rows")
        joined: dict[str, Any] = dict.fromkeys(_PER_ROW)
        for name in _PER_ROW:
            values = [getattr(part, name) for part in parts]
            if all(v is not None for v in values):
                joined[name] = np.concatenate(values)
        names = {k: v for part in parts for k, v in part.class_names.items()}
        spans = [part.span for part in parts if part.span is not None]
        joined["span"] = (min(a for a, _ in spans), max(b for _, b in spans)) if spans else None
        return replace(first, X=np.concatenate([p.X for p in parts]), class_names=names, **joined)

    @classmethod
    def from_table(
        cls, table: pd.DataFrame, features: Sequence[str] | None = None, *, label: str = "label",
        group: str | None = "group", weight: str | None = None, quantities: Mapping[str, str] | None = None,
    ) -> TrainingRows:  # fmt: skip
        """Return the rows of a table, such as `geotoolz.vector.sample_training` gives.

        Parameters
        ----------
        table : pandas.DataFrame
            One row per pixel.
        features : sequence of str, optional
            Columns that are features, in order; by default all numbers but ``label``, ``group``,
            ``tile_id``, ``x``, ``y``, ``crs`` and the weight.
        label : str
            Column with the label.
        group : str, optional
            Column with what cross-validation must not tear apart; None leaves it out.
        weight : str, optional
            Column with the weight of every row.
        quantities : mapping of str to str, optional
            What the features hold (``"dn"``, ``"surface_reflectance"``, …): a model that knows refuses tiles
            that hold something else. By default what `sample_training` has noted in ``table.attrs``.

        Raises
        ------
        MissingVariableError
            If a column is missing.
        TileError
            If the table has no row, or a feature is no number.
        """
        taken = {*PLACE, label, group, weight}
        names = [str(n) for n in table.columns if n not in taken] if features is None else list(features)
        for name in (*names, label, *filter(None, (group, weight))):
            if name not in table.columns:
                have = ", ".join(map(str, table.columns))
                raise MissingVariableError(
                    f"the table has no column {name!r}{nearest(name, map(str, table.columns))}; it has {have}"
                )
        if not len(table):
            raise TileError("the table has no row", expected="at least one pixel")
        known: Mapping[str, str] = table.attrs.get("quantities", {}) if quantities is None else quantities
        return cls(
            X=_numbers(table, names),
            features=tuple(names),
            y=table[label].to_numpy(),
            groups=None if group is None else table[group].to_numpy(),
            weights=None if weight is None else table[weight].to_numpy(np.float64),
            targets=(label,),
            tile_ids=table["tile_id"].to_numpy() if "tile_id" in table.columns else None,
            quantities={name: what for name, what in known.items() if name in names},
            **_places(table),
        )


_PER_ROW = ("y", "groups", "weights", "xy", "times", "tile_ids")


def require_features(found: Sequence[str], expected: Sequence[str], who: str) -> None:
    """Raise unless features are the expected ones in their order.

    Raises
    ------
    MissingVariableError
        If some are missing, too many, or in another order.
    """
    if tuple(found) == tuple(expected):
        return
    missing = [name for name in expected if name not in found]
    more = [name for name in found if name not in expected]
    if missing:
        what = f"lack {', '.join(missing)}"
    elif more:
        what = f"have {', '.join(more)} too"
    else:
        at = next(i for i, (a, b) in enumerate(zip(found, expected, strict=True)) if a != b)
        what = f"are in another order: number {at + 1} is {found[at]!r}, not {expected[at]!r}"
    raise MissingVariableError(f"the features of {who} {what}", expected=", ".join(expected))


def _numbers(table: pd.DataFrame, names: Sequence[str]) -> Array:
    for name in names:
        if table[name].dtype.kind not in "biuf":
            raise TileError(f"the feature {name!r} is {table[name].dtype}", expected="numbers")
    held: list[np.dtype[Any]] = [np.dtype(_numpy_type(table[name].dtype)) for name in names]
    kind = np.result_type(np.float32, *held)
    return np.ascontiguousarray(table[list(names)].to_numpy(kind, na_value=np.nan))


def _numpy_type(dtype: Any) -> Any:
    """Return NumPy's type; pandas' numbers that know of missing values name the one they are made of."""
    return getattr(dtype, "numpy_dtype", dtype)


def _places(table: pd.DataFrame) -> dict[str, Any]:
    """Return the centres of the pixels in one CRS, that of the first row."""
    if not {"x", "y", "crs"} <= set(table.columns):
        return {}
    codes = table["crs"].to_numpy()
    xy = table[["x", "y"]].to_numpy(np.float64)
    parts = [(str(crs), codes == crs) for crs in dict.fromkeys(codes)]
    home = parts[0][0]
    out = np.empty_like(xy)
    for crs, mine in parts:
        out[mine] = moved(xy[mine], crs, home)
    return {"xy": out, "crs": home}


def moved(xy: Array, crs: str, to: str) -> Array:
    """Return points in another CRS."""
    if crs == to:
        return xy
    from pyproj import Transformer

    x, y = Transformer.from_crs(crs, to, always_xy=True).transform(xy[:, 0], xy[:, 1])
    return np.column_stack([x, y])
