"""Simulated time series of one place: `simulate_series`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np

from geotoolz.core._errors import ParameterError
from geotoolz.core.testing._simulate import simulate_scene
from geotoolz.core.testing._simulate_args import crs_text
from geotoolz.core.testing._simulate_noise import hash2, make_key, unit
from geotoolz.core.testing._simulate_world import from_lonlat, utc


def simulate_series(
    n: int = 12,
    *,
    dates: Sequence[str | date | datetime] | None = None,
    start: str | date | datetime = "2023-03-10T10:00:31Z",
    step_days: int = 20,
    zones: Sequence[str | int] | None = None,
    center: tuple[float, float] | None = None,
    cloud_cover: float | Sequence[float] | None = None,
    shape: tuple[int, int] = (512, 512),
    seed: int = 0,
    **scene: Any,
) -> list[Any]:
    """Simulate scenes of one place on several dates: the same ground, growing crops, another sky each time.

    Parameters
    ----------
    n : int
        How many scenes; not used where ``dates`` are given.
    dates : sequence, optional
        Their moments; by default ``n`` of them from ``start``, every ``step_days`` days.
    start : str, date or datetime
        The first moment.
    step_days : int
        Days between scenes.
    zones : sequence of CRS, optional
        The CRS of the scenes, in turn: ``("EPSG:32632", "EPSG:32633")`` gives every second scene in the
        other zone, over the same ground. The world is laid out in the first.
    center : (float, float), optional
        Longitude and latitude of the middle of the scenes. By default, with zones, the border at 12° E, 46°
        N.
    cloud_cover : float or sequence, optional
        Cover of each scene; by default it varies from 0 to 0.6 with the date.
    shape, seed, **scene
        As in `simulate_scene`.

    Returns
    -------
    list
        What `simulate_scene` returns, one per date.

    Raises
    ------
    ParameterError
        If ``cloud_cover`` does not have one entry per scene.

    Examples
    --------
    >>> series = simulate_series(3, shape=(32, 32), zones=("EPSG:32632", "EPSG:32633"), bands=("red",))
    >>> [s.attrs["datetime"][:10] for s in series]
    ['2023-03-10', '2023-03-30', '2023-04-19']
    """
    moments = [utc(d) for d in dates or ()]
    if dates is None:
        moments = [utc(start) + timedelta(days=step_days * k) for k in range(n)]
    covers = _covers(cloud_cover, moments, seed)
    if len(covers) != len(moments):
        raise ParameterError(f"{len(moments)} dates, {len(covers)} cloud covers", expected="one per scene")
    if zones:
        scene.setdefault("world", zones[0])
        center = center or (12.0, 46.0)
    out = []
    for k, (moment, cover) in enumerate(zip(moments, covers, strict=True)):
        if zones:
            scene["crs"] = zones[k % len(zones)]
        if center is not None:
            scene["origin"] = _corner(scene, shape, center)
        if scene.get("sensor", "sentinel-2") == "sentinel-2" and "platform" not in scene:
            turn = {"platform": "sentinel-2a" if k % 2 == 0 else "sentinel-2b"}
        else:
            turn = {}
        options: dict[str, Any] = {**scene, **turn, "seed": seed, "datetime": moment, "cloud_cover": cover}
        out.append(simulate_scene(shape, **options))
    return out


def _corner(
    scene: dict[str, Any], shape: tuple[int, int], center: tuple[float, float]
) -> tuple[float, float]:
    """Return the upper left corner of a scene about a place, on the lattice of 60 m that all bands share."""
    size = scene.get("resolution") or (10 if scene.get("sensor", "sentinel-2") == "sentinel-2" else 30)
    x, y = from_lonlat(crs_text(scene.get("crs", "EPSG:32633")), *center)
    snap = 60.0 if 60 % size == 0 else float(size)
    return (
        round((x - shape[1] * size / 2) / snap) * snap,
        round((y + shape[0] * size / 2) / snap) * snap,
    )


def _covers(asked: float | Sequence[float] | None, moments: list[datetime], seed: int) -> list[float]:
    if isinstance(asked, Sequence):
        return [float(c) for c in asked]
    if asked is not None:
        return [float(asked)] * len(moments)
    # Squared: most days are fair.
    days = np.array([m.toordinal() for m in moments], dtype=np.int64)
    return [round(0.6 * float(u) ** 2, 3) for u in unit(hash2(make_key(seed, "cover"), days, days))]
