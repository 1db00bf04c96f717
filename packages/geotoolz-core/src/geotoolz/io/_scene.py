"""A scene: where its bands are and what they mean, before a pixel is read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from geotoolz.core._errors import MissingVariableError, ParameterError, TileError, nearest
from geotoolz.core._sensors import ROLES
from geotoolz.io._bands import BandDef, identify
from geotoolz.io._product import Product
from geotoolz.io._radiometry import Declared

BandRequest = str | Iterable[str] | Mapping[str, str | int] | None


@dataclass(frozen=True)
class Asset:
    """One band's place.

    Parameters
    ----------
    name : str
        The variable's name.
    path : str
        File or URL.
    index : int
        Band within the file, from 1.
    band : BandDef or None
        The sensor's band, if it is known.
    declared : Declared
        Scale, offset and no-data as an item declares them.
    key : str
        What the provider calls it.
    extent, shape : tuple, optional
        The declared grid.
    default : bool
        Whether it is read when no bands are asked for.
    attrs : mapping
        Further attributes of the variable: of a layer of flags ``flag_masks``, ``flag_values`` and
        ``flag_meanings`` as the CF conventions have them.
    """

    name: str
    path: str
    index: int = 1
    band: BandDef | None = None
    declared: Declared = field(default_factory=Declared)
    key: str = ""
    extent: tuple[float, float, float, float] | None = None
    shape: tuple[int, int] | None = None
    default: bool = True
    attrs: Mapping[str, Any] = field(default_factory=dict, hash=False)


@dataclass(frozen=True)
class SceneInfo:
    """A scene's bands and metadata.

    Parameters
    ----------
    origin : str
        What it was made from, for messages.
    product : Product
        The metadata.
    assets : tuple of Asset
        Every band that is known of; several may have one name (pixel sizes of one band).
    """

    origin: str
    product: Product
    assets: tuple[Asset, ...]

    def select(self, bands: BandRequest) -> tuple[Asset, ...]:
        """Return the asked bands, in the asked order.

        Parameters
        ----------
        bands : str, iterable of str, mapping or None
            Common names, roles (``nir`` finds ``nir08`` on Landsat), the sensor's own names or asset
            keys. A mapping gives names: ``{"red": "B04"}`` or ``{"red": 3}`` (band 3 of the file).

        Raises
        ------
        MissingVariableError
            With what the scene has and the nearest name.
        """
        if bands is None:
            return self._default()
        if isinstance(bands, str):
            bands = (bands,)
        if isinstance(bands, Mapping):
            return tuple(replace(self._find(wanted), name=name) for name, wanted in bands.items())
        asked = list(bands)
        if not asked:
            raise ParameterError(
                "bands is empty", expected="at least one band", fix="leave it out for all bands"
            )
        if self._positional(asked):
            return tuple(replace(asset, name=name) for asset, name in zip(self.assets, asked, strict=True))
        found = [self._find(name) for name in asked]
        names = [asset.name for asset in found]
        twice = {name for name in names if names.count(name) > 1}
        if twice:
            raise ParameterError(f"bands={asked!r} asks twice for {', '.join(sorted(twice))}")
        return tuple(found)

    def _positional(self, asked: list[str]) -> bool:
        """A raster without band names whose every band is named by the caller."""
        unnamed = all(asset.name == f"band_{i}" for i, asset in enumerate(self.assets, start=1))
        return unnamed and len(asked) == len(self.assets) and not any(n.startswith("band_") for n in asked)

    def _default(self) -> tuple[Asset, ...]:
        chosen = [asset for asset in self.assets if asset.default]
        names = [asset.name for asset in chosen]
        for name in names:
            if names.count(name) > 1:
                paths = [asset.path for asset in chosen if asset.name == name]
                raise TileError(
                    f"{self.origin} has {len(paths)} files of band {name!r}: {paths[0]}, {paths[1]}",
                    expected="one scene",
                    fix="open the scenes one by one, or build a catalog of the folder",
                )
        if not chosen:
            raise MissingVariableError(
                f"{self.origin} has no band that is known",
                fix=f"name the bands: bands=…; found {self._names() or 'nothing'}",
            )
        return tuple(chosen)

    def _names(self) -> str:
        return ", ".join(dict.fromkeys(asset.name for asset in self.assets))

    def _find(self, wanted: str | int) -> Asset:
        matches = [asset for asset in self.assets if self._matches(asset, wanted)]
        if not matches and isinstance(wanted, str):
            for name in ROLES.get(wanted, ()):
                matches = [asset for asset in self.assets if asset.name == name]
                if matches:
                    break
        if not matches:
            matches = [asset for asset in self.assets if asset.band and asset.band.sensor_name == wanted]
        if not matches:
            known = list(dict.fromkeys(asset.name for asset in self.assets))
            hint = nearest(str(wanted), known)
            fix = "ask for one of these"
            if isinstance(wanted, str) and identify(wanted, self.product.sensor) is not None:
                fix += f"; {self.product.sensor} has this band: is its file there?"
            raise MissingVariableError(
                f"{self.origin} has no band {wanted!r}{hint}; it has {self._names() or 'no bands'}", fix=fix
            )
        if len({asset.path for asset in matches}) > 1:
            raise TileError(
                f"{self.origin} has {len(matches)} files of band {wanted!r}: "
                f"{matches[0].path}, {matches[1].path}",
                expected="one scene",
                fix="open the scenes one by one, or build a catalog of the folder",
            )
        return matches[0]

    def _matches(self, asset: Asset, wanted: str | int) -> bool:
        if isinstance(wanted, int):
            return asset.index == wanted
        if wanted in (asset.name, asset.key):
            return True
        band = identify(wanted, self.product.sensor)
        return band is not None and asset.band is not None and band.name == asset.band.name == asset.name
