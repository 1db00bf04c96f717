"""What a server serves, and how much it may cost."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from geotoolz.core import nearest

Name: TypeAlias = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]
"""Stands in URLs: letters, digits, ``_ . -``, at most 64."""

Range: TypeAlias = tuple[float, float]

BLOCK_CACHE_MB = 176
"""Of decoded blocks, where nobody says: 352 blocks of 512² pixels of uint16."""


class _Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PipelineSettings(_Settings):
    """A pipeline that is offered under a name.

    Parameters
    ----------
    name : str
        Stands in the URL.
    config : path or mapping
        The pipeline's YAML file, or the pipeline itself. It is trusted: its author runs the server.
    title, description : str
        For people.
    """

    name: Name
    config: Path | dict[str, Any]
    title: str = ""
    description: str = ""


class LayerSettings(_Settings):
    """A map layer: a source, seen through a pipeline.

    Parameters
    ----------
    name : str
        Stands in the URL.
    source : str
        A raster, a STAC item, a product's folder, or a catalog (``.parquet``).
    pipeline : str, optional
        Name of a pipeline of the same settings; without one the source is shown as it is.
    title, attribution : str
        For people.
    bands : sequence of str, optional
        One or three variables to draw; by default what the pipeline creates.
    rescale : (float, float) or one per band, optional
        The values that become the darkest and the brightest colour.
    colormap : str, optional
        A name of `geotoolz.viz.colormap_names`.
    resampling : {"nearest", "bilinear"}, optional
        By default nearest for classes, bilinear otherwise.
    min_zoom, max_zoom : int
        By default from 0 to two levels beyond the source's own.
    cache_control : str
        Sent with every tile.
    mosaic : {"first", "newest", "best"}
        Which pixel of a catalog's scenes is shown.
    time : str, optional
        Interval of a catalog that is shown unless the request says one: ``2023-08``,
        ``2023-08-01/2023-08-31``.
    """

    name: Name
    source: str
    pipeline: str | None = None
    title: str = ""
    bands: list[str] | None = None
    rescale: Range | list[Range] | None = None
    colormap: str | None = None
    resampling: Literal["nearest", "bilinear"] | None = None
    min_zoom: Annotated[int, Field(ge=0, le=30)] = 0
    max_zoom: Annotated[int, Field(ge=0, le=30)] | None = None
    cache_control: str = "public, max-age=3600"
    attribution: str = ""
    mosaic: Literal["first", "newest", "best"] = "first"
    time: str | None = None

    @field_validator("source", mode="before")
    @classmethod
    def _text(cls, value: Any) -> Any:
        return os.fspath(value) if isinstance(value, os.PathLike) else value


class SandboxSettings(_Settings):
    """What a pipeline of a stranger may cost.

    Parameters
    ----------
    enabled : bool
        Whether ``/sandbox`` exists.
    memory_mb : int
        Address space that a run may take beyond what its process has at the start.
    cpu_s, wall_s : float
        Seconds of processor time and of waiting, after which the process is killed.
    max_steps : int
        Operators of the pipeline.
    max_pixels : int
        Pixels of the tile that it is run on.
    rate_per_minute : int
        Runs per client.
    processes : int
        How many run at a time; one more is kept ready.
    cache_mb : int
        Memory of results by the hash of what was asked.
    """

    enabled: bool = True
    memory_mb: Annotated[int, Field(ge=64)] = 1024
    cpu_s: Annotated[float, Field(gt=0)] = 10.0
    wall_s: Annotated[float, Field(gt=0)] = 15.0
    max_steps: Annotated[int, Field(ge=1)] = 50
    max_pixels: Annotated[int, Field(ge=1)] = 1024 * 1024
    rate_per_minute: Annotated[int, Field(ge=1)] = 30
    processes: Annotated[int, Field(ge=1, le=64)] = 1
    cache_mb: Annotated[int, Field(ge=0)] = 32


class ServeSettings(_Settings):
    """The settings of a server.

    Parameters
    ----------
    title : str
        For people.
    pipelines, layers : list
        What is offered.
    catalogs : mapping of str to path
        GeoParquet catalogs, whose scenes ``/process`` may read.
    allow_url_prefixes : list of str
        ``https://host/path/`` prefixes that ``/process`` may read from. None by default: there is no ``url``.
    uploads : bool
        Whether ``/process`` and ``/sandbox`` take files.
    max_upload_mb, max_pixels, max_bands : int
        Size of an upload, of a tile in pixels, and its number of bands.
    max_tile_pixels : int
        Pixels of one picture (preview, bbox, a tile at @2x).
    process_threads, process_queue, job_minutes : int
        Runs of ``/process`` at a time, how many may wait, and how long a result is kept.
    process_wait_s : float
        Seconds after which a request that waits for its result gets a job instead.
    render_threads, queue : int
        Threads that draw tiles, and how many requests may wait for them.
    block_cache_mb, tile_cache_mb : int
        Memory of decoded blocks and of encoded tiles.
    disk_cache : path, optional
        A folder for encoded tiles.
    api_keys : list of str
        With one or more, every request but health needs one. Better given as ``${env:NAME}``.
    auth_hook : str, optional
        ``module:function``: gets headers and path, returns the client's name or None.
    cors_origins : list of str
        Other sites whose pages may call this server. None by default.
    root_path : str
        Prefix under which a proxy shows the server.
    trusted_hosts : list of str
        Values of ``Host`` that are answered; all by default.
    trusted_proxies : list of str
        Addresses whose ``X-Forwarded-For`` and ``X-Forwarded-Proto`` are believed.
    rate_per_minute : int
        Runs of ``/process`` per client.
    sandbox : SandboxSettings
        Limits of strangers' pipelines.
    workbench : bool
        Whether the page is shown.
    log_level : str
        Of the request log.

    Examples
    --------
    >>> from geotoolz.serve import ServeSettings
    >>> ServeSettings(title="Maps").sandbox.processes
    1
    """

    title: str = "geotoolz"
    pipelines: list[PipelineSettings] = []
    layers: list[LayerSettings] = []
    catalogs: dict[Name, Path] = {}
    allow_url_prefixes: list[str] = []
    uploads: bool = True
    max_upload_mb: Annotated[int, Field(ge=1)] = 256
    max_pixels: Annotated[int, Field(ge=1)] = 10980 * 10980
    max_bands: Annotated[int, Field(ge=1)] = 512
    max_tile_pixels: Annotated[int, Field(ge=256 * 256)] = 2048 * 2048
    process_threads: Annotated[int, Field(ge=1, le=64)] = 2
    process_queue: Annotated[int, Field(ge=1)] = 32
    process_wait_s: Annotated[float, Field(ge=0)] = 55.0
    job_minutes: Annotated[int, Field(ge=1)] = 30
    render_threads: Annotated[int, Field(ge=1, le=64)] = 2
    queue: Annotated[int, Field(ge=1)] = 64
    block_cache_mb: Annotated[int, Field(ge=0)] = BLOCK_CACHE_MB
    tile_cache_mb: Annotated[int, Field(ge=0)] = 32
    disk_cache: Path | None = None
    api_keys: list[Annotated[str, Field(min_length=8)]] = []
    auth_hook: str | None = None
    cors_origins: list[str] = []
    root_path: str = ""
    trusted_hosts: list[str] = ["*"]
    trusted_proxies: list[str] = []
    rate_per_minute: Annotated[int, Field(ge=1)] = 600
    sandbox: SandboxSettings = SandboxSettings()
    workbench: bool = True
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    @field_validator("allow_url_prefixes")
    @classmethod
    def _whole_hosts(cls, value: list[str]) -> list[str]:
        for prefix in value:
            scheme, mark, rest = prefix.partition("://")
            # without the slash "https://example.com" would also allow "https://example.com.evil.org"
            if scheme not in ("http", "https") or not mark or "/" not in rest or "@" in rest:
                raise ValueError(
                    f"{prefix!r} is no prefix: write https://host/ with the slash after the host"
                )
        return value

    @field_validator("root_path")
    @classmethod
    def _rooted(cls, value: str) -> str:
        if value and not value.startswith("/"):
            raise ValueError(f"{value!r} does not start with a slash")
        return value.rstrip("/")

    @model_validator(mode="after")
    def _consistent(self) -> ServeSettings:
        for kind, names in (
            ("pipeline", [one.name for one in self.pipelines]),
            ("layer", [one.name for one in self.layers]),
        ):
            twice = sorted({name for name in names if names.count(name) > 1})
            if twice:
                raise ValueError(f"the {kind} {twice[0]!r} stands twice")
        known = [one.name for one in self.pipelines]
        for layer in self.layers:
            if layer.pipeline is not None and layer.pipeline not in known:
                raise ValueError(
                    f"the layer {layer.name!r} names the pipeline {layer.pipeline!r}, which is not in "
                    f"pipelines{nearest(layer.pipeline, known)}"
                )
        return self
