"""Where geotoolz differs from spyndex: constants, formulas, units, doubts; each with its source.

spyndex has one default per constant name, whatever the index: ``L`` is 1 for EVI and for SAVI, ``alpha`` is
0.1 for WDRVI and for NDPI. Here every index has its own.
"""

from __future__ import annotations

from collections.abc import Mapping

_AUTHORS = "per-index defaults of the catalogue's own version 1 (awesome-spectral-indices, constants.json)"

CONSTANTS: Mapping[str, tuple[Mapping[str, float], str]] = {
    "GSAVI": ({"L": 0.5}, _AUTHORS),
    "IBI": ({"L": 0.5}, "the SAVI in it has Huete's L; " + _AUTHORS),
    "MNLI": ({"L": 0.5}, _AUTHORS),
    "NBUI": ({"L": 0.5}, "the SAVI in it has Huete's L; " + _AUTHORS),
    "NDPI": ({"alpha": 0.74}, "Wang et al. 2017, https://doi.org/10.1016/j.rse.2017.04.031; " + _AUTHORS),
    "NDTI4RE": ({"gamma": 0.4}, _AUTHORS),
    "NDVI4RE": ({"alpha": 0.2, "beta": 0.2}, _AUTHORS),
    "NDWIns": ({"alpha": 2.0}, "Yan et al. 2020, https://doi.org/10.3390/w12051339; " + _AUTHORS),
    "RVI4RE": ({"alpha": 0.3, "beta": 0.3}, _AUTHORS),
    "SARVI": ({"L": 0.5, "gamma": 1.0}, _AUTHORS),
    "SAVI": ({"L": 0.5}, "Huete 1988, https://doi.org/10.1016/0034-4257(88)90106-X; " + _AUTHORS),
    "SAVI4RE": ({"alpha": 0.2, "beta": 0.2}, _AUTHORS),
    "SAVIT": ({"L": 0.5}, _AUTHORS),
    "SNDTI": ({"L": 0.6}, _AUTHORS),
    "SNDTI4RE": ({"gamma": 0.4}, _AUTHORS),
    "STI4RE": ({"gamma": 0.4}, _AUTHORS),
    "WCI1": ({"epsilon": 1e-10}, "spyndex's own description of epsilon"),
    "WCI2": ({"epsilon": 1e-10}, "spyndex's own description of epsilon"),
    "sNIRvNDPI": ({"alpha": 0.74}, "that of NDPI; " + _AUTHORS),
}
"""Index → its constants where they are not spyndex's, and why."""

FORMULAS: Mapping[str, tuple[str, str]] = {
    "ARVI": (
        "(N - (R - gamma * (B - R))) / (N + (R - gamma * (B - R)))",
        "Kaufman and Tanré 1992, https://doi.org/10.1109/36.134076, correct red by γ (blue − red); spyndex "
        "has γ (red − blue), which with γ = 1 leaves (N − B) / (N + B)",
    ),
    "SARVI": (
        "(1 + L) * (N - (R - gamma * (B - R))) / (N + (R - gamma * (B - R)) + L)",
        "Kaufman and Tanré 1992, as for ARVI; spyndex has no γ, and R − (R − B), which is B",
    ),
}
"""Index → its formula where it is not spyndex's, and why."""

_SOIL = "sla=1 and slb=0 stand for no particular soil: give the slope and intercept of the site's soil line"

DOUBTS: Mapping[str, str] = {
    "ATSAVI": _SOIL,
    "BAIM": "the catalogue closes a bracket early: 1 / ((0.05 − N)² + (0.2 − S2)²) has the form of BAI",
    "RWI": "n=5 stands for no particular scene: n is median(G^(1/e)) / median(G) of the scene",
    "SAVI2": _SOIL,
    "TSAVI": _SOIL,
    "WDVI": "sla=1 stands for no particular soil: give the slope of the site's soil line",
    "mND705": "the catalogue subtracts A once in the denominator, Sims and Gamon (2002) twice",
    "mSR705": "the catalogue divides RE2 − A by RE2 + A, Sims and Gamon (2002) by RE1 − A",
}
"""Index → what is doubtful about it; `check` says so, once the constants named are not given."""

UNITS: Mapping[str, str | None] = {"NIRvP": None, "S2REP": "nm"}
"""Units that are not 1; None where they are those of a constant."""

ALIASES: Mapping[str, str] = {"AWEI": "AWEIsh", "BSI": "BI", "NDRE": "NDREI"}
"""Names that people type → the catalogue's."""
