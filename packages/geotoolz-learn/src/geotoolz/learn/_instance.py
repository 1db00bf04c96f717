"""How right a segmentation is, object by object."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from geotoolz.core import GridMismatchError, ParameterError

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class InstanceScores:
    """Objects that were found, missed and made up.

    Attributes
    ----------
    matched : int
        Pairs of a predicted and a true object that overlap enough (true positives).
    only_predicted, only_true : int
        Objects without a partner (false positives, false negatives).
    mean_iou : float
        Mean intersection over union of the pairs; NaN without one.
    iou_threshold : float
        From which intersection over union on two objects are a pair.

    Examples
    --------
    >>> found = InstanceScores(matched=6, only_predicted=2, only_true=4, mean_iou=0.8, iou_threshold=0.5)
    >>> found.precision, found.recall, round(found.f1, 3), round(found.panoptic_quality, 3)
    (0.75, 0.6, 0.667, 0.533)
    """

    matched: int
    only_predicted: int
    only_true: int
    mean_iou: float
    iou_threshold: float

    @property
    def precision(self) -> float:
        """Share of the predicted objects that are there; NaN where none was predicted."""
        return _ratio(self.matched, self.matched + self.only_predicted)

    @property
    def recall(self) -> float:
        """Share of the true objects that were found; NaN where there are none."""
        return _ratio(self.matched, self.matched + self.only_true)

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall; NaN where there are no objects at all."""
        return _ratio(2 * self.matched, 2 * self.matched + self.only_predicted + self.only_true)

    @property
    def panoptic_quality(self) -> float:
        """F1 × mean intersection over union of the pairs; 0 without a pair, NaN without an object.

        Kirillov, A., He, K., Girshick, R., Rother, C., Dollár, P. (2019). Panoptic segmentation. CVPR.
        """
        return self.f1 * self.mean_iou if self.matched else self.f1

    def to_dict(self) -> dict[str, Any]:
        """Return counts and shares as plain values; what is not finite is None."""
        shares = {n: getattr(self, n) for n in ("precision", "recall", "f1", "panoptic_quality")}
        return {k: None if v != v else v for k, v in {**asdict(self), **shares}.items()}


def match_polygons(predicted: Any, truth: Any, iou: float = 0.5) -> tuple[InstanceScores, Array]:
    """Pair predicted with true polygons, and count.

    From 0.5 on every polygon has one partner at most, as long as neither side overlaps itself. Below that
    pairs are made one by one, the best overlap first; of equal ones the first predicted, then the first true.

    Parameters
    ----------
    predicted, truth : GeoDataFrame, GeoSeries
        Polygons, in one CRS (`geotoolz.vector.vectorize` makes them of class maps).
    iou : float
        Smallest intersection over union of a pair.

    Returns
    -------
    scores : InstanceScores
    pairs : numpy.ndarray
        ``(pairs, 2)`` positions: predicted, true.

    Raises
    ------
    ParameterError
        If the threshold is not in (0, 1].
    GridMismatchError
        If the two have different CRSs.

    Examples
    --------
    >>> import geopandas
    >>> from shapely import box
    >>> truth = geopandas.GeoSeries([box(0, 0, 10, 10), box(20, 0, 30, 10)])
    >>> predicted = geopandas.GeoSeries([box(0, 0, 10, 8), box(50, 0, 60, 10)])
    >>> scores, pairs = match_polygons(predicted, truth)
    >>> scores.matched, scores.only_predicted, scores.only_true, scores.mean_iou, pairs.tolist()
    (1, 1, 1, 0.8, [[0, 0]])
    """
    import shapely

    if not 0 < iou <= 1:
        raise ParameterError(f"iou={iou}", expected="more than 0, at most 1")
    if predicted.crs != truth.crs:
        raise GridMismatchError(
            f"the predicted polygons have {predicted.crs}, the true ones {truth.crs}",
            fix="predicted.to_crs(truth.crs)",
        )
    a, b = np.asarray(predicted.geometry), np.asarray(truth.geometry)
    near = shapely.STRtree(b).query(a, predicate="intersects") if len(a) and len(b) else np.empty((2, 0), int)
    both = shapely.area(shapely.intersection(a[near[0]], b[near[1]]))
    either = shapely.area(a[near[0]]) + shapely.area(b[near[1]]) - both
    share = np.divide(both, either, out=np.zeros(both.size), where=either > 0)
    pairs, found = _best(near, share, iou)
    mean = float(np.mean(found)) if found else float("nan")
    scores = InstanceScores(len(pairs), len(a) - len(pairs), len(b) - len(pairs), mean, iou)
    return scores, np.asarray(pairs, np.int64).reshape(-1, 2)


def _best(near: Array, share: Array, least: float) -> tuple[list[tuple[int, int]], list[float]]:
    """Take the best pair of those that are left, until none overlaps enough."""
    order = np.lexsort((near[1], near[0], -share))
    used_a: set[int] = set()
    used_b: set[int] = set()
    pairs, found = [], []
    for k in order:
        i, j = int(near[0][k]), int(near[1][k])
        if share[k] < least or i in used_a or j in used_b:
            continue
        used_a.add(i)
        used_b.add(j)
        pairs.append((i, j))
        found.append(float(share[k]))
    return pairs, found


def boundary_iou(predicted: Any, truth: Any, width: int = 2) -> float:
    """Return how far the rims of two masks overlap: intersection over union of what lies near the edge.

    Of each mask the pixels count that lie within `width` pixels of one outside it (the array's border is
    outside). For large objects it tells good outlines from bad ones where the plain IoU is 0.99 for both.

    Parameters
    ----------
    predicted, truth : array_like
        Masks of one shape, ``(y, x)``.
    width : int
        Width of the rim in pixels, measured from centre to centre.

    Returns
    -------
    float
        0 to 1; NaN where both masks are empty.

    Raises
    ------
    ParameterError
        If the shapes differ, or the width is less than 1.

    References
    ----------
    Cheng, B., Girshick, R., Dollár, P., Berg, A. C., Kirillov, A. (2021). Boundary IoU: improving
    object-centric image segmentation evaluation. CVPR.

    Examples
    --------
    >>> import numpy as np
    >>> truth, moved = np.zeros((20, 20), bool), np.zeros((20, 20), bool)
    >>> truth[4:14, 4:14] = moved[4:14, 5:15] = True
    >>> round(boundary_iou(truth, truth, 1), 2), round(boundary_iou(moved, truth, 1), 2)
    (1.0, 0.33)
    """
    from scipy import ndimage

    a, b = np.asarray(predicted).astype(bool), np.asarray(truth).astype(bool)
    if a.shape != b.shape or a.ndim != 2:
        raise ParameterError(
            f"the masks have the shapes {a.shape} and {b.shape}", expected="one shape (y, x)"
        )
    if width < 1:
        raise ParameterError(f"width={width}", expected="1 pixel or more")
    rims = []
    for mask in (a, b):
        distance = ndimage.distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1]
        rims.append(mask & (distance <= width))
    return _ratio(int((rims[0] & rims[1]).sum()), int((rims[0] | rims[1]).sum()))


def _ratio(a: float, b: float) -> float:
    return a / b if b else float("nan")
