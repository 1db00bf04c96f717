"""Chips as rows: features, labels, groups, weights and places of their pixels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from geotoolz.core import Extent, MissingVariableError, Operator, ParameterError, TileError, TileSpec, nearest
from geotoolz.learn._adapters import Adapter, ToPixelMajor
from geotoolz.learn._classes import flag_names
from geotoolz.learn._gather import fill_rows, validity
from geotoolz.learn._layout import Layout, feature_dtype, quantities
from geotoolz.learn._nodata import NanPolicy
from geotoolz.learn._training import TrainingRows, moved
from geotoolz.learn._windows import Windows

Array = np.ndarray[Any, Any]
WHO = "fit_pixelwise"


@dataclass(frozen=True)
class Recipe:
    """How scenes become rows.

    Parameters
    ----------
    X_pipeline : Operator, optional
        Makes the features; the scene's own variables where None.
    y_pipeline : Operator, str or tuple of str, optional
        Makes the labels, or names variables of the scene that hold them; None for unsupervised fits.
    adapter : Adapter
        How a tile becomes rows.
    policy : NanPolicy
        What happens to pixels without a feature or label.
    group_band : str or int, optional
        Variable (or its place among those that `y_pipeline` makes) that holds groups.
    weight_band : str, optional
        Variable that holds weights.
    """

    X_pipeline: Operator | None = None
    y_pipeline: Operator | str | tuple[str, ...] | None = None
    adapter: Adapter = field(default_factory=ToPixelMajor)
    policy: NanPolicy = field(default_factory=NanPolicy)
    group_band: str | int | None = None
    weight_band: str | None = None


class SceneRows:
    """The rows of one scene, chip by chip.

    Parameters
    ----------
    source : Source
        The scene, as `geotoolz.patch.as_source` gives it.
    recipe : Recipe
        How it becomes rows.
    """

    def __init__(self, source: Any, recipe: Recipe) -> None:
        self.source, self.recipe = source, recipe
        given = recipe.y_pipeline
        self._X = Windows(source, recipe.X_pipeline, WHO)
        self._y = Windows(source, given if isinstance(given, Operator) else None, WHO)
        if isinstance(given, Operator):
            left = tuple(self._y.spec.variables)
            # a pipeline that selects means what it leaves; another one means what it adds
            made = left if set(source.spec.variables) - set(left) else self._y.created
        else:
            made = () if given is None else (given,) if isinstance(given, str) else given
        self.group = _group_name(recipe.group_band, made, self._y.spec)
        self.weight = recipe.weight_band
        self.targets = tuple(_found(self._y.spec, n) for n in made if n not in (self.group, self.weight))
        if given is not None and not self.targets:
            raise ParameterError(
                "y_pipeline makes no label", expected="a variable that is neither group nor weight"
            )
        self.layout = self._features()
        self._X.choose(self.layout.variables)
        others = [_found(self._y.spec, n) for n in (self.group, self.weight) if n is not None]
        self._y.choose((*self.targets, *others))

    def _features(self) -> Layout:
        """Return the features: never a label, group or weight that happens to lie beside them."""
        spec, adapter = self._X.spec, self.recipe.adapter
        if adapter.features is None:
            taken = {*self.targets, self.group, self.weight}
            spec = spec.evolve({n: v for n, v in spec.variables.items() if n not in taken})
        return adapter.layout(spec, needed_by=WHO)

    @cached_property
    def dtype(self) -> np.dtype[Any]:
        """Type of the features."""
        return feature_dtype(self._X.spec, self.layout)

    @cached_property
    def class_names(self) -> Mapping[int, str]:
        """Code → name of the label's classes, where its attributes tell."""
        return flag_names(self._y.spec.variables[self.targets[0]].attrs) if len(self.targets) == 1 else {}

    @cached_property
    def about(self) -> dict[str, Any]:
        """What all rows of the scene share."""
        units = {n: str(self._y.spec.variables[n].attrs["units"]) for n in self.targets
                 if "units" in self._y.spec.variables[n].attrs}  # fmt: skip
        return {
            "features": self.layout.features,
            "targets": self.targets or ("label",),
            "class_names": dict(self.class_names),
            "quantities": quantities(self._X.spec, self.layout),
            "target_units": units,
        }

    def chip(self, extent: Extent, inside: Array | None = None) -> ChipRows:
        """Read a chip.

        Parameters
        ----------
        extent : Extent
            Rows and columns of the scene; what lies outside is left out.
        inside : array of bool, optional
            Which pixels of the extent count.
        """
        own = extent.clipped(self.source.spec.shape)
        if inside is not None:
            inside = extent.cut(inside, own)
        return ChipRows(self, own, self._X.read(own), self._y.read(own), inside)


class ChipRows:
    """The pixels of a chip that can be fitted on.

    Attributes
    ----------
    index : array of int
        Their places among the chip's pixels.
    labels : array or None
        Their labels, ``(pixels,)`` or ``(pixels, targets)``.
    """

    def __init__(
        self,
        scene: SceneRows,
        extent: Extent,
        X: Mapping[str, Array],
        y: Mapping[str, Array],
        inside: Array | None,
    ) -> None:
        self._scene, self._extent, self._y = scene, extent, y
        self._planes = scene.layout.planes([X[name] for name in scene.layout.variables])
        size = self._planes[0][0].size
        self._dates = size // max(extent.shape[0] * extent.shape[1], 1)
        kept = self._labelled(size)
        if inside is not None:
            kept &= self._over_dates(inside)
        self.index: Array = np.flatnonzero(self._with_features(kept))
        self.labels: Array | None = None if not scene.targets else self._at(scene.targets, self.index)

    def __len__(self) -> int:
        return int(self.index.size)

    def rows(self, chosen: Array | None = None) -> TrainingRows:
        """Return pixels as rows.

        Parameters
        ----------
        chosen : array of int, optional
            Numbers of the pixels, as in `index`; all by default.
        """
        scene = self._scene
        numbers = np.arange(len(self)) if chosen is None else chosen
        index = self.index[numbers]
        X = np.empty((index.size, len(self._planes)), scene.dtype)
        fill_rows(self._planes, index, X, blank=scene.recipe.policy.on_input == "propagate")
        xy, crs = self._places(index)
        tile_id = str(scene.source.spec.attrs.get("tile_id", ""))
        return TrainingRows(
            X=X,
            y=None if self.labels is None else self.labels[numbers],
            groups=None if scene.group is None else self._at((scene.group,), index),
            weights=None if scene.weight is None else self._at((scene.weight,), index).astype(np.float64),
            xy=xy, crs=crs, times=self._times(index), tile_ids=np.full(index.size, tile_id),
            span=self._span(), **scene.about,
        )  # fmt: skip

    def _over_dates(self, plane: Array) -> Array:
        """Return a plane of the chip as its rows are counted: once per date."""
        flat = plane.reshape(-1)
        if flat.size == self._planes[0][0].size:
            return flat
        return np.tile(flat, self._dates)

    def _at(self, names: tuple[str, ...], index: Array) -> Array:
        values = [self._over_dates(self._y[_found(self._scene._y.spec, name)])[index] for name in names]
        return values[0] if len(values) == 1 else np.column_stack(values)

    def _labelled(self, size: int) -> Array:
        kept = np.ones(size, bool)
        for name in self._scene.targets:
            spec = self._scene._y.spec.variables[name]
            values = self._over_dates(self._y[name])
            gone = values == spec.nodata_scalar
            if values.dtype.kind == "f":
                gone |= ~np.isfinite(values)
            if gone.any() and self._scene.recipe.policy.on_label == "raise":
                raise TileError(
                    f"{int(gone.sum())} of {gone.size} pixels of a chip have no {name!r}",
                    expected="a label everywhere, as NanPolicy(on_label='raise') asks for",
                )
            self._require_known(name, values[~gone])
            kept &= ~gone
        return kept

    def _require_known(self, name: str, values: Array) -> None:
        known = self._scene.class_names
        strange = np.setdiff1d(values, np.array(list(known))) if known else values[:0]
        if strange.size:
            raise ParameterError(
                f"{name!r} holds {', '.join(map(str, strange[:5].tolist()))} in "
                f"{self._scene.source.spec.attrs.get('tile_id', 'a scene')!r}",
                expected=f"one of the classes {', '.join(map(str, known))}",
                fix="name them in the label's flag_values, or map them: ReadLabel(…, classes={…})",
            )

    def _with_features(self, labelled: Array) -> Array:
        how = self._scene.recipe.policy.on_input
        every, some = validity(self._planes, self._scene.dtype)
        if how == "raise" and (labelled & ~every).any():
            raise TileError(
                f"{int((labelled & ~every).sum())} labelled pixels of a chip lack a feature",
                expected="every feature, as NanPolicy(on_input='raise') asks for",
            )
        return labelled & (some if how == "propagate" else every)

    def _places(self, index: Array) -> tuple[Array | None, str | None]:
        from geotoolz.core._grid import crs_label

        grid = self._scene.source.spec.window_geobox
        if grid is None or grid.crs is None:
            return None, None
        height, width = self._extent.shape
        rows, cols = np.divmod(index % (height * width), width)
        a = grid.affine
        col, row = cols + self._extent.x0 + 0.5, rows + self._extent.y0 + 0.5
        return np.column_stack([a.c + a.a * col + a.b * row, a.f + a.d * col + a.e * row]), crs_label(
            grid.crs
        )

    def _times(self, index: Array) -> Array | None:
        spec = self._scene.source.spec
        if self._scene.layout.lead:
            height, width = self._extent.shape
            times: Array = spec.coordinate("time", WHO)[index // (height * width)]
            return times
        when = str(spec.attrs.get("datetime", "")).partition("/")[0].rstrip("Z")
        span = self._span()
        unknown = np.datetime64("NaT", "ns") if span is None else span[1]  # all features are there
        try:
            instant = np.datetime64(when, "ns") if when else unknown
        except ValueError:
            instant = unknown
        return np.full(index.size, instant)

    def _span(self) -> tuple[Any, Any] | None:
        """Return the first and the last date where dates are features."""
        known = self._scene.source.spec.coords.get("time")
        if (
            self._scene.layout.lead
            or known is None
            or known.values.dtype.kind != "M"
            or not known.values.size
        ):
            return None
        times = known.values.astype("datetime64[ns]")
        return times.min(), times.max()


def in_crs(rows: TrainingRows, crs: str | None) -> TrainingRows:
    """Return rows with their places in another CRS."""
    from dataclasses import replace

    if rows.xy is None or rows.crs is None or crs is None or rows.crs == crs:
        return rows
    return replace(rows, xy=moved(rows.xy, rows.crs, crs), crs=crs)


def _group_name(given: str | int | None, made: tuple[str, ...], spec: TileSpec) -> str | None:
    if given is None:
        return None
    if isinstance(given, int):
        if not 0 <= given < len(made):
            raise ParameterError(
                f"group_band={given}, and y_pipeline makes {', '.join(made) or 'nothing'}",
                expected="the name of a variable, or its place among those",
            )
        return made[given]
    return _found(spec, given)


def _found(spec: TileSpec, name: str) -> str:
    variable = spec.lookup(name)
    if variable is None:
        raise MissingVariableError(
            f"the labels have no {name!r}{nearest(name, spec.variables)}", expected=", ".join(spec.variables)
        )
    return variable
