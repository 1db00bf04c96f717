"""Tasselled cap: brightness, greenness, wetness."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from geotoolz.core import (
    Call,
    Map,
    ParameterError,
    Plan,
    QuantityError,
    TileSpec,
    VarSpec,
    nearest,
    require_physical,
)
from geotoolz.core._expression import parse
from geotoolz.core._expression_kernel import expression_kernel
from geotoolz.indices._roles import find_band

_ROLES = ("blue", "green", "red", "nir", "swir16", "swir22")
_FORMULAS = tuple(
    parse(" + ".join(f"{row}{column} * {role}" for column, role in enumerate(_ROLES))) for row in "bgw"
)
_TITLES = ("tasselled cap brightness", "tasselled cap greenness", "tasselled cap wetness")


@dataclass(frozen=True)
class CapSet:
    """Coefficients of one sensor: rows brightness, greenness, wetness; columns blue … swir22."""

    rows: tuple[tuple[float, ...], ...]
    surface: bool
    source: str


SETS: Mapping[str, CapSet] = MappingProxyType(
    {
        "sentinel-2-toa": CapSet(
            (
                (0.3510, 0.3813, 0.3437, 0.7196, 0.2396, 0.1949),
                (-0.3599, -0.3533, -0.4734, 0.6633, 0.0087, -0.2856),
                (0.2578, 0.2305, 0.0883, 0.1071, -0.7611, -0.5308),
            ),
            False,
            "Shi and Xu 2019",
        ),
        "landsat-8-toa": CapSet(
            (
                (0.3029, 0.2786, 0.4733, 0.5599, 0.5080, 0.1872),
                (-0.2941, -0.2430, -0.5424, 0.7276, 0.0713, -0.1608),
                (0.1511, 0.1973, 0.3283, 0.3407, -0.7117, -0.4559),
            ),
            False,
            "Baig et al. 2014",
        ),
        "landsat-8-sr": CapSet(
            (
                (0.3690, 0.4271, 0.4689, 0.5073, 0.3824, 0.2406),
                (-0.2870, -0.2685, -0.4087, 0.8145, 0.0637, -0.1052),
                (0.0382, 0.2137, 0.3536, 0.2270, -0.6108, -0.6351),
            ),
            True,
            "Zhai et al. 2022",
        ),
        "landsat-7-toa": CapSet(
            (
                (0.3561, 0.3972, 0.3904, 0.6966, 0.2286, 0.1596),
                (-0.3344, -0.3544, -0.4556, 0.6966, -0.0242, -0.2630),
                (0.2626, 0.2141, 0.0926, 0.0656, -0.7629, -0.5388),
            ),
            False,
            "Huang et al. 2002",
        ),
        "landsat-tm-sr": CapSet(
            (
                (0.2043, 0.4158, 0.5524, 0.5741, 0.3124, 0.2303),
                (-0.1603, -0.2819, -0.4934, 0.7940, -0.0002, -0.1446),
                (0.0315, 0.2021, 0.3102, 0.1594, -0.6806, -0.6109),
            ),
            True,
            "Crist 1985",
        ),
    }
)
"""Published coefficients, orthonormal to what four decimals allow (1.2e-4)."""

_PLATFORMS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "sentinel-2": ("sentinel-2-toa", "sentinel-2-toa"),
        "landsat-9": ("landsat-8-toa", "landsat-8-sr"),
        "landsat-8": ("landsat-8-toa", "landsat-8-sr"),
        "landsat-7": ("landsat-7-toa", "landsat-tm-sr"),
        "landsat-5": ("landsat-tm-sr", "landsat-tm-sr"),
        "landsat-4": ("landsat-tm-sr", "landsat-tm-sr"),
    }
)
"""Platform → the sets for top-of-atmosphere and for surface reflectance."""


class TasseledCap(Map):
    """Tasselled cap brightness, greenness and wetness: ``B · (blue, green, red, nir, swir16, swir22)``.

    B is a set of published coefficients, by default the one of the tile's platform and kind of reflectance.
    For Sentinel-2 there is none for surface reflectance, and for Landsat 4 and 5 none for the top of the
    atmosphere: the other one is taken, and `check` says so. The sets are orthonormal to 1.2e-4, what four
    decimals allow. The MODIS coefficients in circulation (after Lobser and Cohen 2007) are off by 1.4e-2, and
    one digit would explain most of it (greenness of band 6, −0.0036 for −0.0236): without the paper they are
    left out. `BandMath` takes coefficients of your own.

    Reads six bands of reflectance between 0 and 1, dims ``(y, x)`` or ``(time, y, x)``. Writes three
    float32 variables, units 1, computed in float64 and rounded once; NaN where any band has no data. Looks
    at single pixels.

    Parameters
    ----------
    sensor : str, optional
        ``"sentinel-2-toa"``, ``"landsat-8-toa"``, ``"landsat-8-sr"`` (both also for Landsat 9),
        ``"landsat-7-toa"`` or ``"landsat-tm-sr"`` (Landsat 4, 5, 7); by default from the tile.
    names : tuple of three str
        Names of brightness, greenness and wetness.

    Raises
    ------
    ParameterError
        For another sensor, other than three different names, or a tile whose platform has no coefficients.
    MissingVariableError
        If the tile lacks a band.
    QuantityError
        If a band was stretched or holds digital numbers.

    References
    ----------
    Shi, T., Xu, H. (2019). Derivation of tasseled cap transformation coefficients for Sentinel-2 MSI
    at-sensor reflectance data. IEEE JSTARS 12, 4038–4048.

    Baig, M. H. A., Zhang, L., Shuai, T., Tong, Q. (2014). Derivation of a tasselled cap transformation
    based on Landsat 8 at-satellite reflectance. Remote Sensing Letters 5, 423–431.

    Zhai, Y., Roy, D. P., Martins, V. S., Zhang, H. K., Yan, L., Li, Z. (2022). Conterminous United States
    Landsat-8 top of atmosphere and surface reflectance tasseled cap transformation coefficients. Remote
    Sensing of Environment 274, 112992.

    Huang, C., Wylie, B., Yang, L., Homer, C., Zylstra, G. (2002). Derivation of a tasselled cap
    transformation based on Landsat 7 at-satellite reflectance. International Journal of Remote Sensing 23,
    1741–1748.

    Crist, E. P. (1985). A TM tasseled cap equivalent transformation for reflectance factor data. Remote
    Sensing of Environment 17, 301–306.

    Examples
    --------
    >>> from geotoolz.core.testing import simulate_scene
    >>> from geotoolz.indices import TasseledCap
    >>> tile = simulate_scene((8, 8))
    >>> [name for name in TasseledCap()(tile).data_vars if name not in tile]
    ['tc_brightness', 'tc_greenness', 'tc_wetness']
    """

    sensor: str | None = None
    names: tuple[str, str, str] = ("tc_brightness", "tc_greenness", "tc_wetness")

    def validate(self) -> None:
        """Check sensor and names."""
        if self.sensor is not None and self.sensor not in SETS:
            raise ParameterError(
                f"sensor={self.sensor!r}{nearest(self.sensor, SETS)}", expected=", ".join(SETS)
            )
        if len(set(self.names)) != 3 or "" in self.names:
            raise ParameterError(f"names={self.names!r}", expected="three different names")

    def plan(self, tile: TileSpec) -> Plan:
        """Read six bands once, write three components."""
        reads = tuple(find_band(tile, role, "TasseledCap") for role in _ROLES)
        specs = [tile.variables[name] for name in reads]
        require_physical(tile, reads, "TasseledCap")
        for name, spec in zip(reads, specs, strict=True):
            if spec.quantity == "dn":
                raise QuantityError(
                    f"TasseledCap reads {name!r}, which holds digital numbers",
                    expected="reflectance between 0 and 1",
                    fix="open the tile without raw=True, or put DNToReflectance first",
                )
            if spec.dims != specs[0].dims:
                raise ParameterError(
                    f"TasseledCap reads {reads[0]!r} {specs[0].dims} and {name!r} {spec.dims}",
                    expected="equal dims",
                )
        surface = _is_surface(tile, specs[0])
        chosen = SETS[self._sensor(tile, surface)]
        values = {
            f"{letter}{column}": value
            for letter, row in zip("bgw", chosen.rows, strict=True)
            for column, value in enumerate(row)
        }
        nodata = tuple(spec.nodata_scalar for spec in specs)
        kernel, constants = expression_kernel(_FORMULAS, _ROLES, values, nodata)
        writes = {
            name: VarSpec(specs[0].dims, attrs=_attrs(title, chosen))
            for name, title in zip(self.names, _TITLES, strict=True)
        }
        args = (*nodata, *constants)
        return Plan(
            writes=writes,
            calls=(Call(reads, tuple(writes), kernel, args),),
            notes=_doubts(chosen, surface),
        )

    def _sensor(self, tile: TileSpec, surface: bool | None) -> str:
        if self.sensor is not None:
            return self.sensor
        platform = str(tile.attrs.get("platform", "")).lower().replace("_", "-")
        for known, (top, ground) in _PLATFORMS.items():
            if platform.startswith(known):
                return ground if surface else top
        raise ParameterError(
            f"TasseledCap has no coefficients for the platform {tile.attrs.get('platform')!r}",
            expected=", ".join(_PLATFORMS),
            fix="sensor=…, or ds.attrs['platform'] = …; BandMath takes coefficients of your own",
        )


def _is_surface(tile: TileSpec, spec: VarSpec) -> bool | None:
    """Whether reflectance is that of the ground; None where nothing says so."""
    if spec.quantity in ("surface_reflectance", "toa_reflectance"):
        return spec.quantity == "surface_reflectance"
    level = str(tile.attrs.get("processing_level", "")).upper()
    return level in ("L2A", "L2SP", "L2SR") if level else None


def _doubts(chosen: CapSet, surface: bool | None) -> tuple[str, ...]:
    if surface is None or surface == chosen.surface:
        return ()
    made, given = ("surface", "top-of-atmosphere") if chosen.surface else ("top-of-atmosphere", "surface")
    doubt = f"the coefficients ({chosen.source}) were derived from {made} reflectance"
    return (f"{doubt}, and the tile holds {given} reflectance",)


def _attrs(title: str, chosen: CapSet) -> dict[str, str]:
    return {"long_name": title, "units": "1", "quantity": "index", "references": chosen.source}
