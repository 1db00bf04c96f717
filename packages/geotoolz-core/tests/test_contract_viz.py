"""Every operator of geotoolz.viz keeps the contract."""

from __future__ import annotations

from geotoolz.core.testing import ContractSuite, case
from geotoolz.viz import CategoricalColormap, Colormap, FalseColor, TrueColor


class TestViz(ContractSuite):
    module = "geotoolz.viz"
    cases = (
        case(Colormap("nir", "viridis", vmin=0.0, vmax=0.6)),
        case(Colormap("B04", "RdYlGn_r", vmin=0.2, vmax=0.5, under="#000000", over="white", rgba=False)),
        case(Colormap("red", ("#543005", "#f5f5f5", "#003c30"), vmin=0.1, scope="tile")),
        case(Colormap("foreign", "terrain", vmin=-50, vmax=50, names=("r", "g", "b", "a"))),
        case(CategoricalColormap("scl")),
        case(
            CategoricalColormap("foreign_flag", {0: "land", 2: ("water", "#0000ff80")}, unknown="transparent")
        ),
        case(CategoricalColormap("mask")),
        case(TrueColor()),
        case(TrueColor(gamma=1.8, vmax=(0.3, 0.25, 0.2), names=("r", "g", "b", "a"))),
        case(TrueColor(percentiles=(2, 98), scope="tile")),
        case(FalseColor()),
        case(
            FalseColor(
                "swir16", "nir08", "red", limits={"swir16": (0.1, 0.5), "nir08": (0, 0.6), "red": (0, 1)}
            )
        ),
    )
