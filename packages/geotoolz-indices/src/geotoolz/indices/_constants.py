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

_SIMS = "Sims and Gamon 2002, https://doi.org/10.1016/S0034-4257(02)00010-X"
_NDVI, _GAO = "((N - R) / (N + R))", "((N - S2) / (N + S2))"

FORMULAS: Mapping[str, tuple[str, str]] = {
    "ARVI": (
        "(N - (R - gamma * (B - R))) / (N + (R - gamma * (B - R)))",
        "Kaufman and Tanré 1992, https://doi.org/10.1109/36.134076, correct red by γ (blue − red); spyndex "
        "has γ (red − blue), which with γ = 1 leaves (N − B) / (N + B)",
    ),
    "AWEInsh": (
        "4 * (G - S1) - (0.25 * N + 2.75 * S2)",
        "Feyisa et al. 2014, https://doi.org/10.1016/j.rse.2013.08.029, subtract swir22; spyndex drops the "
        "bracket and adds it, which takes bare soil for water",
    ),
    "BAIM": (
        "1 / ((0.05 - N) ** 2 + (0.2 - S2) ** 2)",
        "Martín et al. 2006, https://doi.org/10.1016/j.foreco.2006.08.248: one over the squared distance "
        "from burnt ground, as BAI; spyndex closes a bracket early",
    ),
    "NDDI": (
        f"({_NDVI} - {_GAO}) / ({_NDVI} + {_GAO})",
        "Gu et al. 2007, https://doi.org/10.1029/2006GL029127, take the NDWI of the water in leaves, "
        "(nir − 2.1 µm) / (nir + 2.1 µm); spyndex has McFeeters' of open water, (G − N) / (G + N)",
    ),
    "SARVI": (
        "(1 + L) * (N - (R - gamma * (B - R))) / (N + (R - gamma * (B - R)) + L)",
        "Kaufman and Tanré 1992, as for ARVI; spyndex has no γ, and R − (R − B), which is B",
    ),
    "VARI700": (
        "(RE1 - 1.7 * R + 0.7 * B) / (RE1 + 2.3 * R - 1.3 * B)",
        "Gitelson et al. 2002, https://doi.org/10.1016/S0034-4257(01)00289-9, have 2.3 red in the "
        "denominator; spyndex 1.3",
    ),
    "mND705": (
        "(RE2 - RE1) / (RE2 + RE1 - 2 * A)",
        f"{_SIMS}, subtract the band at 445 nm from both others; spyndex once in the denominator",
    ),
    "mSR705": (
        "(RE2 - A) / (RE1 - A)",
        f"{_SIMS}, divide by the band at 705 nm less that at 445 nm; spyndex by RE2 + A, and has no band "
        "at 705 nm",
    ),
}
"""Index → its formula where it is not spyndex's, and why."""

_SOIL = "sla=1 and slb=0 stand for no particular soil: give the slope and intercept of the site's soil line"

DOUBTS: Mapping[str, str] = {
    "ATSAVI": _SOIL,
    "RWI": "n=5 stands for no particular scene: n is median(G^(1/e)) / median(G) of the scene",
    "SAVI2": _SOIL,
    "TSAVI": _SOIL,
    "WDVI": "sla=1 stands for no particular soil: give the slope of the site's soil line",
}
"""Index → what is doubtful about it; `check` says so, once the constants named are not given."""

UNITS: Mapping[str, str | None] = {"NIRvP": None, "S2REP": "nm"}
"""Units that are not 1; None where they are those of a constant."""

ALIASES: Mapping[str, str] = {"AWEI": "AWEIsh", "BSI": "BI", "NDRE": "NDREI"}
"""Names that people type → the catalogue's."""
