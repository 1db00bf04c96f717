"""What may be opened: scenes of catalogs, uploads, allowed addresses. Nothing else reaches a reader."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from geotoolz.serve._errors import Problem
from geotoolz.serve._fetch import check_url, fetch, forbidden
from geotoolz.serve._tiff import TiffLimits, check_tiff

if TYPE_CHECKING:
    from geotoolz.serve._registry import Registry
    from geotoolz.serve._settings import ServeSettings

Finite = Annotated[float, Field(allow_inf_nan=False)]


class SliceBody(BaseModel):
    """A grid: bounds in a CRS, and the pixel size or the number of pixels."""

    model_config = ConfigDict(extra="forbid")

    bounds: tuple[Finite, Finite, Finite, Finite]
    crs: Annotated[str, Field(pattern=r"^[A-Za-z]{1,8}:[0-9]{1,8}$")]
    resolution: Annotated[Finite, Field(gt=0)] | None = None
    shape: tuple[Annotated[int, Field(ge=1)], Annotated[int, Field(ge=1)]] | None = None


class SourceBody(BaseModel):
    """Where the pixels come from: a scene of a catalog, or an address that the server allows."""

    model_config = ConfigDict(extra="forbid")

    catalog: Annotated[str, Field(max_length=64)] | None = None
    item: Annotated[str, Field(max_length=256)] | None = None
    slice: SliceBody | None = None
    url: Annotated[str, Field(max_length=4096)] | None = None

    @model_validator(mode="after")
    def _one(self) -> SourceBody:
        if (self.url is None) == (self.catalog is None):
            raise ValueError("give either catalog and item, or url")
        if self.catalog is not None and self.item is None:
            raise ValueError("name the item of the catalog")
        return self


class ReadBody(BaseModel):
    """Which part of the source, and how fine."""

    model_config = ConfigDict(extra="forbid")

    aoi: tuple[Finite, Finite, Finite, Finite] | None = Field(
        None, description="West, south, east, north in EPSG:4326."
    )
    resolution: Annotated[Finite, Field(gt=0)] | None = Field(
        None, description="Pixel size in units of the scene's CRS."
    )

    @field_validator("aoi")
    @classmethod
    def _in_degrees(cls, value: tuple[float, float, float, float] | None) -> Any:
        if value is None:
            return value
        west, south, east, north = value
        if not (-180 <= west <= 180 and -180 <= east <= 180 and -90 <= south < north <= 90 and west != east):
            raise ValueError("give west, south, east, north in degrees, south below north")
        return value


@dataclass(frozen=True)
class Opening:
    """A source that may be opened, and how.

    Parameters
    ----------
    source : object
        For `geotoolz.io.open_scene`.
    read : dict
        Further arguments.
    """

    source: Any
    read: dict[str, Any] = field(default_factory=dict)


def check_source(settings: ServeSettings, registry: Registry, body: SourceBody) -> None:
    """Refuse what may not be read, before any work is taken on.

    Raises
    ------
    Problem
        403 for an address, 404 for a catalog.
    """
    if body.url is not None:
        if not settings.allow_url_prefixes:
            raise forbidden()
        check_url(body.url, settings.allow_url_prefixes)
    elif body.catalog is not None:
        registry.catalog(body.catalog)


def open_body(
    settings: ServeSettings, registry: Registry, body: SourceBody, read: ReadBody, folder: Path
) -> Opening:
    """Return what a request's body names.

    Parameters
    ----------
    settings : ServeSettings
    registry : Registry
    body : SourceBody
    read : ReadBody
    folder : Path
        Where a file that is fetched may lie.

    Raises
    ------
    Problem
        403 for an address that is not allowed, 404 for a catalog or scene that is not there, 413 and 415 for
        a file that may not be opened.
    """
    if body.url is not None:
        if not settings.allow_url_prefixes:
            raise forbidden()
        path = folder / "source.tif"
        limit = settings.max_upload_mb * 2**20
        fetch(body.url, settings.allow_url_prefixes, path, limit=limit)
        return open_upload(settings, path, read)
    from geotoolz.catalog._load import sources_of

    if body.catalog is None or body.item is None:
        raise Problem("the source names no scene", status=422, code="invalid")
    part = registry.catalog(body.catalog)[body.item]
    found = sources_of(part)
    return Opening(found[0] if len(found) == 1 else found, _read_of(read, body.slice))


def open_upload(settings: ServeSettings, path: Path, read: ReadBody) -> Opening:
    """Return a file that a stranger sent, if it is a TIFF of bearable size.

    Raises
    ------
    Problem
        413 or 415.
    """
    check_tiff(path, TiffLimits(settings.max_pixels, settings.max_bands))
    return Opening(path, _read_of(read, None))


def _read_of(read: ReadBody, part: SliceBody | None) -> dict[str, Any]:
    if part is None:
        given = {"aoi": read.aoi, "resolution": read.resolution}
        return {name: value for name, value in given.items() if value is not None}
    from geotoolz.catalog import GeoSlice

    if part.shape is not None and math.prod(part.shape) > 2**40:
        raise Problem("the slice is too large", status=413, code="too_large")
    size = None if part.resolution is None else (part.resolution, part.resolution)
    return {"geobox": GeoSlice(part.bounds, part.crs, size, part.shape).geobox}
