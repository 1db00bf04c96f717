"""The arguments of simulated scenes: what is known, what is refused."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from types import MappingProxyType

from geotoolz.core._errors import OutsideError, ParameterError, nearest
from geotoolz.core.testing import _simulate_spectra as spectra
from geotoolz.core.testing._simulate_render import Window

LEVELS = MappingProxyType(
    {
        "sentinel-2": MappingProxyType({"L2A": "L2A", "L1C": "L1C"}),
        "landsat-8": MappingProxyType({"L2A": "L2SP", "L2SP": "L2SP", "L1C": "L1TP", "L1TP": "L1TP"}),
    }
)
FLAGS = MappingProxyType(
    {"L2A": ("scl", "qa60"), "L1C": ("qa60",), "L2SP": ("qa_pixel",), "L1TP": ("qa_pixel",)}
)
FLAG_RESOLUTION = MappingProxyType({"scl": 20, "qa60": 60, "qa_pixel": 30})


def band_names(sensor: str, level: str, asked: Sequence[str] | None) -> tuple[str, ...]:
    """Return the names of the variables to make, in order."""
    if sensor not in LEVELS:
        raise ParameterError(
            f"sensor {sensor!r}{nearest(sensor, LEVELS)}", expected=f"one of {sorted(LEVELS)}"
        )
    if level not in LEVELS[sensor]:
        raise ParameterError(f"level {level!r} of {sensor}", expected=f"one of {sorted(LEVELS[sensor])}")
    product = LEVELS[sensor][level]
    if asked is None:
        return spectra.DEFAULT_BANDS[sensor] + FLAGS[product]
    if len(asked) == 0:
        raise ParameterError("no bands", expected="at least one")
    known = set(spectra.SENSORS[sensor]) | set(FLAGS[product])
    # Level 2 has no cirrus band; level 1 of Landsat codes the thermal band as radiance, which is not
    # imitated.
    known -= {"cirrus"} if product != "L1C" else set()
    known -= {"lwir11"} if product == "L1TP" else set()
    names = tuple([asked] if isinstance(asked, str) else asked)
    for name in names:
        if name not in known:
            raise ParameterError(
                f"band {name!r} of {sensor} {product}{nearest(name, known)}", expected=f"of {sorted(known)}"
            )
    if len(set(names)) != len(names):
        raise ParameterError(f"bands {names}", expected="each once")
    return names


def check_arguments(
    shape: Sequence[int], resolution: float, cover: float, native: bool, window: Window | None
) -> None:
    """Refuse arguments that make no scene."""
    if len(shape) != 2 or min(shape) < 1:
        raise ParameterError(f"shape {shape}", expected="(rows, columns), at least (1, 1)")
    if not resolution > 0:
        raise ParameterError(f"resolution {resolution}", expected="metres, above 0")
    if not 0 <= cover <= 1:
        raise ParameterError(f"cloud_cover {cover}", expected="a share from 0 to 1")
    if window is None:
        return
    if native:
        raise ParameterError("a window together with native=True", fix="ask for one resolution at a time")
    y0, y1, x0, x1 = window
    if not (0 <= y0 < y1 <= shape[0] and 0 <= x0 < x1 <= shape[1]):
        raise OutsideError(
            f"window {window} of a scene of shape {shape}", expected="(y0, y1, x0, x1) within it"
        )


@lru_cache(maxsize=64)
def crs_text(crs: str | int) -> str:
    """Return the CRS as text, if it is one that the simulation can use."""
    from pyproj import CRS
    from pyproj.exceptions import CRSError

    try:
        known = CRS.from_user_input(crs)
    except CRSError as err:
        raise ParameterError(f"crs {crs!r} is not known", expected="an EPSG code") from err
    if not known.is_projected or any(axis.unit_conversion_factor != 1 for axis in known.axis_info):
        raise ParameterError(
            f"crs {crs!r} ({known.name})", expected="a projected CRS in metres, as EPSG:32633"
        )
    return known.to_string()


def baseline_numbers(text: str) -> tuple[int, int]:
    """Return a processing baseline as numbers: as text, 10.00 comes before 9.00."""
    try:
        major, minor = (int(part) for part in text.split("."))
    except ValueError as err:
        raise ParameterError(f"baseline {text!r}", expected='two numbers, as "05.09"') from err
    return major, minor


def native_resolution(sensor: str, name: str) -> int:
    """Return the resolution at which the sensor delivers a band or quality band, in metres."""
    return FLAG_RESOLUTION[name] if name in FLAG_RESOLUTION else spectra.SENSORS[sensor][name].resolution


def utm_zone(epsg: int | None) -> tuple[int, str]:
    """Return zone and hemisphere (``"N"``, ``"S"``) of a CRS that Sentinel-2 or Landsat products have."""
    family, zone = divmod(epsg or 0, 100)
    if family not in (326, 327) or not 1 <= zone <= 60:
        raise ParameterError(
            f"crs EPSG:{epsg}" if epsg else "a crs without an EPSG code",
            expected="a UTM zone on WGS 84, EPSG:32601 to 32760: products of this kind have no other",
        )
    return zone, "N" if family == 326 else "S"
