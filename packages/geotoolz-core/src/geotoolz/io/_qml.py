"""Layer styles of QGIS 3 as text: what QGIS reads from a ``.qml`` file beside a raster."""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree import ElementTree as ET

import numpy as np

from geotoolz.io._classes import ClassColor

MARK = "<!-- written by geotoolz -->"
"""Stands in every style of ours; one without it was made by the user and stays."""
_HEAD = f"<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n{MARK}\n"
_QGIS = "3.28.0"
_EVERY = 5  # rows of the table of 256 colours between two stops: 52 stops, the first and the last among them
_ORIGIN = (
    ("limits", "None"),
    ("extent", "WholeRaster"),
    ("statAccuracy", "Estimated"),
    ("cumulativeCutLower", "0.02"),
    ("cumulativeCutUpper", "0.98"),
    ("stdDevFactor", "2"),
)
Colors = np.ndarray[tuple[int, int], np.dtype[np.uint8]]
Limits = tuple[float, float]


def pseudocolor(band: int, limits: Limits, table: Colors, units: str = "") -> str:
    """Return the style of one band in the colours of a map.

    Parameters
    ----------
    band : int
        Counted from 1.
    limits : (float, float)
        Values of the first and the last colour.
    table : array
        (256, 4), uint8: the colours.
    units : str
        Of the values, for the legend.

    Returns
    -------
    str
    """
    low, high = limits
    renderer = _renderer("singlebandpseudocolor", band=str(band))
    renderer.set("classificationMin", number(low))
    renderer.set("classificationMax", number(high))
    shader = ET.SubElement(
        ET.SubElement(renderer, "rastershader"),
        "colorrampshader",
        colorRampType="INTERPOLATED",
        classificationMode="1",  # continuous
        clip="0",  # values beyond the limits keep the last colour
        minimumValue=number(low),
        maximumValue=number(high),
        labelPrecision="4",
    )
    rows = list(range(0, 256, _EVERY))
    _ramp(shader, [(row / 255, table[row]) for row in rows])
    suffix = f" {units}" if units else ""
    for row in rows:
        value = low + (high - low) * row / 255
        entry = ET.SubElement(shader, "item", value=number(value), color=_hex(table[row]))
        entry.set("alpha", str(table[row][3]))
        entry.set("label", f"{value:.4g}{suffix}")
    ET.SubElement(
        shader, "rampLegendSettings", useContinuousLegend="1", prefix="", suffix=suffix,
        minimumLabel="", maximumLabel="", direction="0", orientation="2",
    )  # fmt: skip
    return _style(renderer)


def paletted(band: int, classes: Sequence[ClassColor]) -> str:
    """Return the style of a class map: one colour and label per value, others transparent."""
    renderer = _renderer("paletted", band=str(band))
    palette = ET.SubElement(renderer, "colorPalette")
    for one in classes:
        entry = ET.SubElement(palette, "paletteEntry", value=str(one.value), color=_hex(one.color))
        entry.set("alpha", str(one.color[3]))
        entry.set("label", one.name.replace("_", " "))
    return _style(renderer)


def multiband(bands: Sequence[int], limits: Sequence[Limits]) -> str:
    """Return the style of three bands as red, green and blue, each stretched between its limits."""
    names = ("red", "green", "blue")
    renderer = _renderer("multibandcolor", **{f"{n}Band": str(b) for n, b in zip(names, bands, strict=True)})
    for name, (low, high) in zip(names, limits, strict=True):
        stretch = ET.SubElement(renderer, f"{name}ContrastEnhancement")
        for tag, text in (("minValue", number(low)), ("maxValue", number(high)),
                          ("algorithm", "StretchToMinimumMaximum")):  # fmt: skip
            ET.SubElement(stretch, tag).text = text
    return _style(renderer)


def number(value: float) -> str:
    """Return a number in seven digits, as QGIS reads it.

    Examples
    --------
    >>> number(0.1 + 0.2), number(-1.0), number(1e-9)
    ('0.3', '-1', '1e-09')
    """
    return f"{value:.7g}"


def _renderer(kind: str, **attributes: str) -> ET.Element:
    common = {"type": kind, "opacity": "1", "alphaBand": "-1", "nodataColor": ""}
    renderer = ET.Element("rasterrenderer", {**common, **attributes})
    ET.SubElement(renderer, "rasterTransparency")
    origin = ET.SubElement(renderer, "minMaxOrigin")  # "None": the limits are ours, QGIS looks for no others
    for tag, text in _ORIGIN:
        ET.SubElement(origin, tag).text = text
    return renderer


def _ramp(shader: ET.Element, stops: Sequence[tuple[float, Sequence[int]]]) -> None:
    """Add the gradient that QGIS offers for editing."""
    inner = ":".join(f"{place:.6g};{_rgba(colour)}" for place, colour in stops[1:-1])
    options = ET.SubElement(
        ET.SubElement(shader, "colorramp", type="gradient", name="[source]"), "Option", type="Map"
    )
    for name, value in (
        ("color1", _rgba(stops[0][1])),
        ("color2", _rgba(stops[-1][1])),
        ("discrete", "0"),
        ("rampType", "gradient"),
        ("stops", inner),
    ):
        ET.SubElement(options, "Option", name=name, type="QString", value=value)


def _style(renderer: ET.Element) -> str:
    root = ET.Element("qgis", version=_QGIS, styleCategories="Symbology")
    pipe = ET.SubElement(root, "pipe")
    resampling = {"enabled": "false", "maxOversampling": "2"}
    for direction in ("zoomedIn", "zoomedOut"):
        resampling[f"{direction}ResamplingMethod"] = "nearestNeighbour"
    ET.SubElement(ET.SubElement(pipe, "provider"), "resampling", resampling)
    pipe.append(renderer)
    ET.SubElement(pipe, "brightnesscontrast", brightness="0", contrast="0", gamma="1")
    ET.SubElement(pipe, "huesaturation", saturation="0", grayscaleMode="0", colorizeOn="0")
    ET.SubElement(pipe, "rasterresampler", maxOversampling="2")
    ET.SubElement(pipe, "resamplingStage").text = "resamplingFilter"
    ET.SubElement(root, "blendMode").text = "0"
    ET.indent(root, " ")
    return _HEAD + ET.tostring(root, encoding="unicode") + "\n"


def _hex(colour: Sequence[int]) -> str:
    return f"#{bytes(int(part) for part in colour[:3]).hex()}"


def _rgba(colour: Sequence[int]) -> str:
    return ",".join(str(int(part)) for part in colour)
