"""What the operators of geotoolz.viz are compared with."""

from __future__ import annotations

import numpy as np
import pytest

from geotoolz.core.testing import Reference, ReferenceSuite, contract_tile, simulate_scene
from geotoolz.viz import CategoricalColormap, Colormap, FalseColor, TrueColor, colormap_names


def picture_of(tile):
    return np.stack([tile[name].values for name in ("red", "green", "blue", "alpha")], axis=-1).astype(int)


def colormap_against_matplotlib():
    """All maps, both directions, float32, float64 and stored numbers."""
    matplotlib = pytest.importorskip("matplotlib")
    colors = pytest.importorskip("matplotlib.colors")
    worst = 0
    raw = contract_tile(raw=True)
    single = contract_tile()
    double = single.assign(nir=single.nir.astype("f8"))
    for name in [n + suffix for n in colormap_names() for suffix in ("", "_r")]:
        for tile, low, high in ((single, 0.1, 0.7), (double, 0.1, 0.7), (raw, 1200, 7000)):
            found = picture_of(Colormap("nir", name, vmin=low, vmax=high)(tile))
            values = tile.nir.values
            masked = np.ma.masked_where((values == 0) | (values != values), values)
            expected = matplotlib.colormaps[name](colors.Normalize(low, high)(masked), bytes=True)
            worst = max(worst, int(np.abs(found - expected).max()))
    return worst


def classes_against_matplotlib():
    """The scene classification by ListedColormap and BoundaryNorm."""
    colors = pytest.importorskip("matplotlib.colors")
    tile = simulate_scene((256, 256), bands=("scl",), cloud_cover=0.4)
    op = CategoricalColormap("scl")
    cmap = colors.ListedColormap([colour for _, _, colour in op._classes(_spec(tile), "scl")])
    norm = colors.BoundaryNorm(np.arange(-0.5, 12), cmap.N)
    expected = cmap(norm(np.ma.masked_equal(tile.scl.values, 0)), bytes=True)
    return int(np.abs(picture_of(op(tile)) - expected).max())


def _spec(tile):
    from geotoolz.core import TileSpec

    return TileSpec.of(tile)


def composite_deviation(op, bands):
    """The formula by NumPy in float64, on a simulated scene."""
    tile = simulate_scene((256, 256), cloud_cover=0.3, nodata_edge=True)
    found = picture_of(op(tile))
    values = np.stack([tile[band].values.astype(np.float64) for band in bands], axis=-1)
    t = np.clip((values - op.vmin) / (op.vmax - op.vmin), 0, 1) ** (1 / op.gamma)
    expected = np.floor(255 * t + 0.5)
    expected = np.concatenate([expected, np.full((*expected.shape[:-1], 1), 255.0)], axis=-1)
    expected[np.isnan(values).any(axis=-1)] = 0
    return float(np.abs(found - expected).max())


def true_color_against_numpy():
    return composite_deviation(TrueColor(), ("red", "green", "blue"))


def false_color_against_numpy():
    return max(
        composite_deviation(FalseColor(gamma=gamma), ("nir", "red", "green")) for gamma in (1.0, 1.8, 2.2)
    )


class TestViz(ReferenceSuite):
    module = "geotoolz.viz"
    references = (
        Reference(
            Colormap,
            against="matplotlib's Normalize and Colormap, 48 maps, float32, float64, uint16",
            deviation=colormap_against_matplotlib,
            bound=0,
            unit="of 255",
            bad_input="viz/test_colormap.py::test_limits_that_are_none_are_refused",
        ),
        Reference(
            CategoricalColormap,
            against="matplotlib's BoundaryNorm and ListedColormap on a scene classification",
            deviation=classes_against_matplotlib,
            bound=0,
            unit="of 255",
            bad_input="viz/test_categorical.py::test_classes_nobody_told_are_refused",
        ),
        Reference(
            TrueColor,
            against="the formula in NumPy, float64",
            deviation=true_color_against_numpy,
            bound=0,
            unit="of 255",
            bad_input="viz/test_composite.py::test_stored_numbers_are_refused",
        ),
        Reference(
            FalseColor,
            against="the formula in NumPy, float64, gamma 1, 1.8 and 2.2",
            deviation=false_color_against_numpy,
            bound=0,
            unit="of 255",
            bad_input="viz/test_composite.py::test_other_quantities_are_refused",
        ),
    )
