"""The map's HTTP operations: tiles, their descriptions, pictures and numbers of areas and points."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from geotoolz.core import GeotoolzError, ParameterError, nearest
from geotoolz.serve._encode import MEDIA
from geotoolz.serve._errors import Problem, as_problem, responses
from geotoolz.serve._layer import Layer
from geotoolz.serve._legend_api import legend_json, legend_png
from geotoolz.serve._point import point
from geotoolz.serve._render import Renderer
from geotoolz.serve._render_grid import Target, require_tile
from geotoolz.serve._settings import ServeSettings
from geotoolz.serve._state import State, state_of
from geotoolz.serve._statistics_api import statistics
from geotoolz.serve._tilejson import entry, tilejson
from geotoolz.serve._tiles_area import in_degrees, parse_bbox, parse_crs, touch
from geotoolz.serve._wmts import capabilities, exception_report, tile_asked

if TYPE_CHECKING:
    from geotoolz.serve._registry import Registry


_OF_OTHERS = frozenset(
    {"algorithm", "assets", "bidx", "color_formula", "colormap", "colormap_name", "expression", "nodata"}
    | {"resampling", "rescale", "return_mask", "unscale"}
)
"""What other tile servers (titiler) take in an address, and what a layer here says in its settings."""


def refuse_misspelt(request: Request) -> None:
    """Refuse a parameter that would get another picture than was asked for.

    That are misspelt ones, and those of other servers; clients may add words of their own.
    """
    dependant = getattr(request.scope.get("route"), "dependant", None)
    known = [field.alias for field in getattr(dependant, "query_params", ())]
    for word in request.query_params:
        if word not in known and (hint := nearest(word, known)):
            raise ParameterError(f"there is no parameter {word[:64]!r}{hint}", expected=", ".join(known))
        if word in _OF_OTHERS and word not in known:
            raise ParameterError(
                f"there is no parameter {word!r}",
                expected=", ".join(known),
                fix="bands, limits and colours are the layer's own: pipeline, rescale and colormap in the "
                "server's settings",
            )


tiles_router = APIRouter(tags=["maps"], dependencies=[Depends(refuse_misspelt)])

Format = Literal["png", "webp", "jpg", "npy", "tif"]
LayerName = Annotated[str, Path(max_length=64, description="A layer of `/layers`.")]
Time = Annotated[
    str | None,
    Query(max_length=64, description="Day, month or `start/end`; of layers with a catalog behind them."),
]
_PICTURE: dict[int | str, dict[str, Any]] = {
    200: {"description": "The picture.", "content": {media: {} for media in dict.fromkeys(MEDIA.values())}},
    304: {"description": "The picture that the client has is the one."},
}
_PREVIEW_SIZE = 512
_MOST_BBOX_SIDE = 2048  # without a size


def open_renderer(settings: ServeSettings, registry: Registry) -> Renderer:
    """Return what draws the tiles of an application; its ``close`` ends the threads."""
    del registry  # its layers are open already
    return Renderer(settings)


# ---- what there is -----------------------------------------------------------------------------------------


@tiles_router.get("/layers", summary="The layers")
def list_layers(request: Request) -> dict[str, list[dict[str, Any]]]:
    """Title, bounds, zoom levels, steps and addresses of every layer."""
    base = _base(request)
    return {"layers": [entry(layer, base) for layer in state_of(request).registry.layers.values()]}


@tiles_router.get(
    "/layers/{layer}/tilejson.json", summary="TileJSON of a layer", responses=responses(404, 422)
)
def get_tilejson(
    request: Request,
    layer: LayerName,
    format: Literal["png", "webp", "jpg"] = "png",
    sharp: Annotated[bool, Query(description="Tiles of 512 pixels.")] = False,
    time: Time = None,
) -> dict[str, Any]:
    """What MapLibre, Leaflet, OpenLayers and QGIS need to show the layer."""
    found = _layer(request, layer, time)
    return tilejson(found, _base(request), format, sharp, time)


@tiles_router.get(
    "/wmts",
    summary="WMTS capabilities",
    response_class=Response,
    responses={
        200: {"description": "Capabilities, or a tile.", "content": {"application/xml": {}, "image/png": {}}},
        **{code: {"description": "An exception of OWS."} for code in (400, 502, 503)},
    },
)
async def get_wmts(request: Request) -> Response:
    """All layers for QGIS and GDAL; tiles come from the addresses that stand in it, or by GetTile."""
    state = state_of(request)
    try:
        asked = tile_asked(request.query_params)
        if asked is not None:
            name, z, x, y, fmt, time = asked
            return await get_tile(request, name, z, x, str(y), fmt, time)
    except GeotoolzError as error:
        problem = as_problem(error)
        status = problem.status if problem.status >= 500 else 400
        answer = Response(exception_report(problem), status, media_type="application/xml")
        if status == 503:
            answer.headers["Retry-After"] = "1"
        return answer
    text = capabilities(state.registry.layers.values(), _base(request), state.settings.title)
    return Response(text, media_type="application/xml")


@tiles_router.get("/layers/{layer}/legend.json", summary="Legend of a layer", responses=responses(404, 422))
def get_legend(request: Request, layer: LayerName) -> dict[str, Any]:
    """The colours of the tiles, with limits and units or with the names of classes."""
    return legend_json(state_of(request).registry.layer(layer))


@tiles_router.get(
    "/layers/{layer}/legend.png",
    summary="Picture of a legend",
    response_class=Response,
    responses={200: {"content": {"image/png": {}}}, **responses(404, 422)},
)
def get_legend_picture(request: Request, layer: LayerName) -> Response:
    """The same legend as a picture."""
    return Response(legend_png(state_of(request).registry.layer(layer)), media_type="image/png")


# ---- pictures ----------------------------------------------------------------------------------------------


@tiles_router.get(
    "/tiles/{layer}/{z}/{x}/{y}.{fmt}",
    summary="A map tile",
    response_class=Response,
    responses={**_PICTURE, **responses(404, 422, 502, 503)},
)
async def get_tile(
    request: Request,
    layer: LayerName,
    z: int,
    x: int,
    y: Annotated[
        str, Path(pattern=r"^[0-9]{1,10}(@2x)?$", description="Row; `@2x` behind it for 512 pixels.")
    ],
    fmt: Format,
    time: Time = None,
) -> Response:
    """Web mercator, 256 pixels; transparent where there is no data, 404 outside of the layer."""
    found = _layer(request, layer, time)
    row, _, sharp = y.partition("@")
    require_tile(z, x, int(row))
    if not found.has_tile(z, x, int(row)):
        raise Problem(
            f"the layer {found.name!r} has no tile {z}/{x}/{row}",
            status=404,
            code="outside",
            expected=f"zoom {found.min_zoom} to {found.max_zoom}, within its bounds",
        )
    scale = 2 if sharp else 1
    return await _answer(
        request,
        found,
        lambda: found.tile_target(z, x, int(row), scale),
        fmt,
        time,
        ("tile", z, x, row, scale),
    )


@tiles_router.get(
    "/layers/{layer}/preview.{fmt}",
    summary="The whole layer as a picture",
    response_class=Response,
    responses={**_PICTURE, **responses(400, 404, 413, 422, 502, 503)},
)
async def get_preview(
    request: Request, layer: LayerName, fmt: Format, size: int = _PREVIEW_SIZE, time: Time = None
) -> Response:
    """In web mercator, `size` pixels along the longer side."""
    found = _layer(request, layer, time)
    _check_size(request, size)
    return await _answer(request, found, lambda: found.preview_target(size), fmt, time, ("preview", size))


@tiles_router.get(
    "/layers/{layer}/bbox.{fmt}",
    summary="An area as a picture or as values",
    response_class=Response,
    responses={**_PICTURE, **responses(400, 404, 413, 422, 502, 503)},
)
async def get_bbox(
    request: Request,
    layer: LayerName,
    fmt: Format,
    bbox: Annotated[str, Query(max_length=200, description="West,south,east,north in `crs`.")],
    crs: Annotated[str, Query(max_length=32, description="`EPSG:4326`, `EPSG:3857`, …")] = "EPSG:4326",
    size: Annotated[int | None, Query(description="Pixels along the longer side.")] = None,
    time: Time = None,
) -> Response:
    """By default at the layer's own resolution, as far as that is no more than 2048 pixels a side.

    In the layer's own `crs` these are its own pixels, all that the area touches, and not resampled.
    """
    found = _layer(request, layer, time)
    area = parse_bbox(bbox)
    code = parse_crs(crs)
    degrees = in_degrees(area, code)
    if not touch(found.bounds, degrees):
        raise Problem("the area lies outside of the layer", status=404, code="outside")
    most = min(_MOST_BBOX_SIDE, _most_side(request))
    if size is not None:
        _check_size(request, size)

    def target() -> Target:
        if size is None:
            return found.native_target(area, code, most)
        return found.bbox_target(area, code, size)

    return await _answer(request, found, target, fmt, time, ("bbox", area, code, size, most))


# ---- numbers -----------------------------------------------------------------------------------------------


@tiles_router.get(
    "/layers/{layer}/point",
    summary="One pixel at every step of the pipeline",
    responses=responses(404, 422, 502, 503),
)
async def get_point(
    request: Request,
    layer: LayerName,
    lon: Annotated[float, Query(ge=-180, le=180, allow_inf_nan=False)],
    lat: Annotated[float, Query(ge=-90, le=90, allow_inf_nan=False)],
    time: Time = None,
) -> dict[str, Any]:
    """The values of the pixel at a place, before the pipeline and after each step."""
    found = _layer(request, layer, time)
    told: dict[str, Any] = await _renderer(request).run(lambda: point(found, lon, lat, time))
    return told


@tiles_router.get(
    "/layers/{layer}/statistics",
    summary="Numbers of an area",
    responses=responses(400, 404, 413, 422, 502, 503),
)
async def get_statistics(
    request: Request,
    layer: LayerName,
    bbox: Annotated[
        str | None, Query(max_length=200, description="West,south,east,north in degrees.")
    ] = None,
    time: Time = None,
) -> dict[str, Any]:
    """Counts, percentiles and histogram of what the layer shows, or shares of its classes."""
    found = _layer(request, layer, time)
    area = None if bbox is None else in_degrees(parse_bbox(bbox), "EPSG:4326")
    told: dict[str, Any] = await _renderer(request).run(lambda: statistics(found, area, time))
    return told


# ---- shared ------------------------------------------------------------------------------------------------


def _layer(request: Request, name: str, time: str | None) -> Layer:
    layer = state_of(request).registry.layer(name)
    layer.check_time(time)
    return layer


def _renderer(request: Request) -> Renderer:
    state: State = state_of(request)
    renderer: Renderer = state.renderer
    return renderer


def _base(request: Request) -> str:
    """Return the server's address as the client sees it, with a slash at its end."""
    base = str(request.base_url)
    return base if base.endswith("/") else base + "/"


async def _answer(
    request: Request, layer: Layer, make: Any, fmt: str, time: str | None, what: tuple[Any, ...]
) -> Response:
    """Answer with a picture, or with 304 where the client has it; nothing is drawn for that."""
    etag = layer.etag(*what, fmt, time)
    headers = {
        "ETag": etag,
        "Cache-Control": layer.settings.cache_control,
        "X-Config-Hash": layer.config_hash,
    }
    if _has(request.headers.get("if-none-match"), etag):
        return Response(status_code=304, headers=headers)
    data = await _renderer(request).picture(layer, make, fmt, time, etag, request)
    return Response(data, media_type=MEDIA[fmt], headers=headers)


def _has(given: str | None, etag: str) -> bool:
    """Whether ``If-None-Match`` names a picture; proxies that compress make its tag a weak one."""
    if given is None:
        return False
    return given.strip() == "*" or any(one.strip().removeprefix("W/") == etag for one in given.split(","))


def _most_side(request: Request) -> int:
    return math.isqrt(state_of(request).settings.max_tile_pixels)


def _check_size(request: Request, size: int) -> None:
    """Raise for a size that no picture has, or that is too large to draw."""
    if size < 1:
        raise Problem(f"size={size}", code="bad_size", expected="1 pixel or more")
    most = _most_side(request)
    if size > most:
        raise Problem(
            "the picture would be too large",
            status=413,
            code="too_large",
            expected=f"at most {most} pixels a side",
        )
