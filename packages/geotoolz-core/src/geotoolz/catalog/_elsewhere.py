"""Where an area that touches no scene was probably meant to be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from geotoolz.catalog._catalog import GeoCatalog


def probably_meant(catalog: GeoCatalog, area: Any) -> str:
    """Return what is probably wrong with an area that touches no scene; nothing where nobody can tell.

    Swapped axes and a wrong sign are guessed, as `open_tile` does for one scene.

    Parameters
    ----------
    catalog : GeoCatalog
        The scenes.
    area : anything that `Area.of` takes
    """
    from odc.geo.geom import BoundingBox

    from geotoolz.io import Area

    if not len(catalog):
        return ""
    return Area.of(area, catalog=catalog).elsewhere(BoundingBox(*catalog.bounds, "EPSG:4326"))


def within(catalog: GeoCatalog) -> str:
    """Return the box of all scenes, as messages say it."""
    return ",".join(f"{value:.4f}" for value in catalog.bounds)
