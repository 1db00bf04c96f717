"""What a server offers: pipelines and layers, built once at the start."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from geotoolz.batch._sinks import split
from geotoolz.core import GeotoolzError, Operator, dump, from_config, load, nearest
from geotoolz.serve._errors import Problem
from geotoolz.serve._settings import PipelineSettings, ServeSettings

if TYPE_CHECKING:
    from geotoolz.catalog import GeoCatalog
    from geotoolz.serve._layer import Layer

T = TypeVar("T")


@dataclass(frozen=True)
class Served:
    """A pipeline that is offered.

    Attributes
    ----------
    name, title, description : str
        As in the settings.
    text : str
        The pipeline as YAML, resolved, without a sink.
    operator : Operator
        The pipeline without a sink.
    config_hash : str
        Its hash.
    """

    name: str
    title: str
    description: str
    text: str
    operator: Operator
    config_hash: str


@dataclass(frozen=True)
class Registry:
    """Pipelines, layers and catalogs by name."""

    pipelines: Mapping[str, Served] = field(default_factory=dict)
    layers: Mapping[str, Layer] = field(default_factory=dict)
    catalogs: Mapping[str, GeoCatalog] = field(default_factory=dict)

    @classmethod
    def open(cls, settings: ServeSettings) -> Registry:
        """Load what the settings name.

        Raises
        ------
        GeotoolzError
            With the name of what cannot be loaded.
        """
        pipelines = {one.name: _served(one) for one in settings.pipelines}
        catalogs = {}
        if settings.catalogs:
            from geotoolz.catalog import GeoCatalog

            for name, path in settings.catalogs.items():
                with _Naming(f"catalog {name!r}"):
                    catalogs[name] = GeoCatalog.open(path)
        layers = {}
        if settings.layers:
            from geotoolz.serve._layer import Layer

            for one in settings.layers:
                with _Naming(f"layer {one.name!r}"):
                    served = pipelines[one.pipeline] if one.pipeline is not None else None
                    layers[one.name] = Layer.open(one, served)
        return cls(pipelines, layers, catalogs)

    def pipeline(self, name: str) -> Served:
        """Return a pipeline.

        Raises
        ------
        Problem
            404, with the names that there are.
        """
        return _found(self.pipelines, name, "pipeline")

    def layer(self, name: str) -> Layer:
        """Return a layer.

        Raises
        ------
        Problem
            404, with the names that there are.
        """
        return _found(self.layers, name, "layer")

    def catalog(self, name: str) -> GeoCatalog:
        """Return a catalog.

        Raises
        ------
        Problem
            404, with the names that there are.
        """
        return _found(self.catalogs, name, "catalog")


def _served(settings: PipelineSettings) -> Served:
    with _Naming(f"pipeline {settings.name!r}"):
        given = settings.config
        whole = from_config(given) if isinstance(given, dict) else load(given)
        op, _ = split(whole)
        return Served(
            settings.name,
            settings.title or settings.name,
            settings.description,
            dump(op),
            op,
            str(op.config_hash()),
        )


class _Naming:
    """Puts a name in front of what goes wrong."""

    def __init__(self, what: str) -> None:
        self.what = what

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if isinstance(error, GeotoolzError):
            raise error.prefixed(self.what) from error


def _found(known: Mapping[str, T], name: str, what: str) -> T:
    if name not in known:
        listed = ", ".join(sorted(known)[:20]) or "none"
        shown = name[:64]
        raise Problem(
            f"there is no {what} {shown!r}{nearest(shown, known)}",
            status=404,
            code=f"unknown_{what}",
            expected=f"one of: {listed}",
        )
    return known[name]
