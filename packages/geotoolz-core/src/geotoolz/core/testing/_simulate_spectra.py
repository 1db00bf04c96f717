"""Tables of the simulated world: sensors' bands, endmember spectra, covers, and crop calendars.

The reflectances are typical values, rounded, in the range of public libraries (USGS splib07) and of
cloud-free Sentinel-2 L2A scenes. They are made to look right, not measured: never use them as a reference.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType

import numpy as np

from geotoolz.core.testing._simulate_noise import F32

WAVELENGTHS = (443, 490, 560, 665, 704, 740, 783, 842, 865, 945, 1375, 1610, 2190)  # nm, the columns below
_COLUMN = MappingProxyType({w: k for k, w in enumerate(WAVELENGTHS)})

ENDMEMBERS: MappingProxyType[str, tuple[float, ...]] = MappingProxyType(
    {
        # nm:          443   490   560   665   704   740   783   842   865   945  1375  1610  2190
        "soil":      (.070, .088, .118, .158, .180, .198, .214, .232, .242, .250, .200, .320, .270),
        "crop":      (.020, .027, .060, .030, .095, .310, .410, .445, .455, .450, .100, .200, .095),
        "straw":     (.062, .082, .128, .185, .215, .245, .275, .300, .315, .325, .200, .370, .265),
        "flower":    (.030, .040, .150, .130, .200, .330, .400, .430, .440, .440, .100, .220, .110),
        "grass":     (.022, .030, .066, .038, .105, .280, .360, .395, .405, .405, .100, .225, .110),
        "dry_grass": (.045, .060, .095, .115, .155, .215, .250, .275, .285, .290, .150, .310, .190),
        "leaves":    (.015, .018, .040, .018, .062, .225, .300, .330, .345, .345, .080, .160, .070),
        "bare_trees": (.028, .034, .048, .058, .082, .118, .142, .165, .175, .180, .100, .190, .120),
        "needles":   (.011, .014, .027, .015, .040, .130, .175, .195, .203, .203, .050, .090, .040),
        "lake":      (.036, .038, .036, .020, .015, .011, .010, .008, .007, .006, .002, .004, .003),
        "river":     (.048, .060, .078, .058, .044, .028, .027, .022, .018, .014, .003, .007, .004),
        "asphalt":   (.080, .090, .102, .112, .117, .121, .126, .131, .136, .140, .120, .155, .140),
        "red_roof":  (.060, .070, .090, .165, .185, .195, .205, .215, .222, .225, .180, .260, .240),
        "pale_roof": (.190, .225, .245, .260, .268, .275, .282, .290, .295, .298, .200, .310, .285),
    }
)  # fmt: skip

CLASSES = (
    "outside", "water", "broadleaf_forest", "needleleaf_forest", "grassland", "winter_cereal", "maize",
    "rapeseed", "sugar_beet", "built_up", "road",
)  # fmt: skip


@dataclass(frozen=True)
class Cover:
    """One kind of ground: a mixture of base, green (share ``g``) and third (share ``s``) endmembers.

    ``texture`` is the relative brightness variation between neighbouring pixels; ``warmth`` the surface
    temperature above that of closed vegetation, in kelvin, of the base endmember in summer.
    """

    truth: str
    base: str
    green: str
    third: str
    texture: float
    warmth: float


# The order is the cover's code in `_simulate_ground`.
COVERS: tuple[Cover, ...] = (
    Cover("water", "lake", "river", "lake", 0.02, -3.0),
    Cover("broadleaf_forest", "bare_trees", "leaves", "dry_grass", 0.22, 3.0),
    Cover("needleleaf_forest", "needles", "needles", "needles", 0.24, 0.0),
    Cover("grassland", "dry_grass", "grass", "soil", 0.05, 7.0),
    Cover("winter_cereal", "soil", "crop", "straw", 0.05, 14.0),
    Cover("maize", "soil", "crop", "straw", 0.05, 14.0),
    Cover("rapeseed", "soil", "crop", "flower", 0.05, 14.0),
    Cover("sugar_beet", "soil", "crop", "straw", 0.05, 14.0),
    Cover("built_up", "asphalt", "grass", "red_roof", 0.12, 12.0),
    Cover("built_up", "pale_roof", "grass", "asphalt", 0.08, 12.0),
    Cover("road", "asphalt", "grass", "soil", 0.05, 13.0),
)
(WATER, BROADLEAF, NEEDLELEAF, GRASSLAND, CEREAL, MAIZE, RAPESEED, BEET, TOWN, HALL, ROAD) = range(
    len(COVERS)
)
TRUTH_CODE = np.array([CLASSES.index(c.truth) for c in COVERS], dtype=np.uint8)

# Knots of the crop calendars, day of year → (green share, third share), for central Europe.
_CALENDAR: MappingProxyType[int, tuple[tuple[int, float, float], ...]] = MappingProxyType(
    {
        WATER: ((1, 0.5, 0.0),),
        BROADLEAF: ((1, 0.05, 0.15), (95, 0.06, 0.15), (130, 0.92, 0.02), (250, 0.85, 0.05),
                    (290, 0.35, 0.45), (320, 0.05, 0.2)),
        NEEDLELEAF: ((1, 0.5, 0.0),),
        GRASSLAND: ((1, 0.45, 0.1), (75, 0.5, 0.08), (120, 0.92, 0.0), (155, 0.9, 0.0), (165, 0.6, 0.1),
                    (200, 0.75, 0.03), (300, 0.7, 0.05), (345, 0.45, 0.1)),
        CEREAL: ((1, 0.2, 0.05), (70, 0.3, 0.0), (115, 0.85, 0.0), (150, 0.92, 0.0), (175, 0.45, 0.45),
                 (195, 0.05, 0.9), (215, 0.05, 0.7), (250, 0.03, 0.15), (285, 0.03, 0.02), (320, 0.15, 0.0)),
        MAIZE: ((1, 0.03, 0.12), (110, 0.03, 0.08), (140, 0.08, 0.03), (165, 0.4, 0.0), (195, 0.92, 0.0),
                (235, 0.92, 0.0), (260, 0.5, 0.4), (280, 0.05, 0.7), (310, 0.03, 0.25)),
        RAPESEED: ((1, 0.4, 0.0), (80, 0.55, 0.0), (105, 0.82, 0.08), (118, 0.25, 0.72), (138, 0.3, 0.65),
                   (150, 0.85, 0.05), (175, 0.35, 0.2), (195, 0.05, 0.1), (240, 0.1, 0.0), (280, 0.4, 0.0)),
        BEET: ((1, 0.03, 0.02), (115, 0.03, 0.02), (150, 0.25, 0.0), (180, 0.88, 0.0), (260, 0.88, 0.0),
               (290, 0.55, 0.1), (310, 0.05, 0.05)),
        TOWN: ((1, 0.25, 0.3),),
        HALL: ((1, 0.04, 0.2),),
        ROAD: ((1, 0.12, 0.05),),
    }
)  # fmt: skip

SHIFT = 12
"""Parcels run up to this many days early or late."""


@lru_cache(maxsize=16)
def calendar(doy: int) -> tuple[F32, F32]:
    """Return tables [cover, shift + SHIFT] of green and third shares at a day of year (1 to 366)."""
    days = (np.arange(doy - SHIFT, doy + SHIFT + 1) - 1) % 366 + 1
    green, third = (np.zeros((len(COVERS), days.size), np.float32) for _ in range(2))
    for cover, knots in _CALENDAR.items():
        when, g, s = (np.array(v, dtype=np.float64) for v in zip(*knots, strict=True))
        green[cover] = np.interp(days, when, g, period=366.0)
        third[cover] = np.interp(days, when, s, period=366.0)
    green.flags.writeable = third.flags.writeable = False
    return green, third


@dataclass(frozen=True)
class Band:
    """One band of a sensor: resolution in m, wavelength and width in nm, noise as one sigma."""

    name: str
    sensor_name: str
    resolution: int
    wavelength: int
    width: int
    noise: float = 0.0012

    def of(self, endmember: str) -> float:
        """Return the reflectance of an endmember in this band."""
        return ENDMEMBERS[endmember][_COLUMN[self.nominal]]

    @property
    def nominal(self) -> int:
        """The column of the spectral table that stands for this band."""
        return min(WAVELENGTHS, key=lambda w: abs(w - self.wavelength))

    def mixture(self) -> tuple[F32, F32, F32]:
        """Return, per cover, the base reflectance and what a share of green and of the third adds to it."""
        base = np.array([self.of(c.base) for c in COVERS], dtype=np.float32)
        green = np.array([self.of(c.green) for c in COVERS], dtype=np.float32) - base
        third = np.array([self.of(c.third) for c in COVERS], dtype=np.float32) - base
        return base, green, third


_S2 = (
    Band("coastal", "B01", 60, 443, 21, 0.0008),
    Band("blue", "B02", 10, 492, 66),
    Band("green", "B03", 10, 560, 36),
    Band("red", "B04", 10, 665, 31),
    Band("rededge071", "B05", 20, 704, 15),
    Band("rededge075", "B06", 20, 740, 15, 0.0016),
    Band("rededge078", "B07", 20, 783, 20, 0.0016),
    Band("nir", "B08", 10, 833, 106, 0.002),
    Band("nir08", "B8A", 20, 865, 21, 0.0018),
    Band("nir09", "B09", 60, 945, 20, 0.0018),
    Band("cirrus", "B10", 60, 1375, 31, 0.0005),
    Band("swir16", "B11", 20, 1614, 91),
    Band("swir22", "B12", 20, 2202, 175),
)
_L8 = (
    Band("coastal", "SR_B1", 30, 443, 16, 0.0008),
    Band("blue", "SR_B2", 30, 482, 60, 0.0008),
    Band("green", "SR_B3", 30, 561, 57, 0.0008),
    Band("red", "SR_B4", 30, 655, 37, 0.0008),
    Band("nir08", "SR_B5", 30, 865, 28),
    Band("swir16", "SR_B6", 30, 1609, 85, 0.0008),
    Band("swir22", "SR_B7", 30, 2201, 187, 0.0008),
    Band("lwir11", "ST_B10", 30, 10895, 590, 0.15),
)
SENSORS: MappingProxyType[str, MappingProxyType[str, Band]] = MappingProxyType(
    {
        "sentinel-2": MappingProxyType({b.name: b for b in _S2}),
        "landsat-8": MappingProxyType({b.name: b for b in _L8}),
    }
)
DEFAULT_BANDS: MappingProxyType[str, tuple[str, ...]] = MappingProxyType(
    {
        "sentinel-2": ("blue", "green", "red", "rededge071", "rededge075", "rededge078", "nir", "nir08",
                       "swir16", "swir22"),
        "landsat-8": ("coastal", "blue", "green", "red", "nir08", "swir16", "swir22"),
    }
)  # fmt: skip
