"""A job as a file: what, over which scenes, where to, on which engine, within which bounds."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ._job_load import STEP, overridden, placed, resolved
from ._job_spec import JobSpec
from ._pipeline import CatalogPipeline

if TYPE_CHECKING:
    from geotoolz.core import Operator

__all__ = ["Job"]


@dataclass(frozen=True)
class Job:
    """What a ``job.yaml`` says, checked.

    Attributes
    ----------
    spec : JobSpec
        The file's values, with defaults.
    op : Operator
        The pipeline.
    folder : Path
        What relative paths are relative to.
    label : str
        The file, for messages.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from geotoolz.batch import Job
    >>> from geotoolz.core.testing import write_scene
    >>> text = '''
    ... source: scenes
    ... pipeline:
    ...   _target_: geotoolz.radiometry.SelectBands
    ...   names: [red]
    ... out: products
    ... engine: inline
    ... '''
    >>> with tempfile.TemporaryDirectory() as tmp:
    ...     _ = write_scene({"shape": (32, 32), "bands": ("red", "nir")}, Path(tmp, "scenes"))
    ...     _ = Path(tmp, "job.yaml").write_text(text)
    ...     print(Job.load(Path(tmp, "job.yaml")).pipeline(progress="none").run().counts)
    {'done': 1}
    """

    spec: JobSpec
    op: Operator = field(repr=False)
    folder: Path
    label: str = ""

    @classmethod
    def load(
        cls,
        path: str | os.PathLike[str],
        overrides: Mapping[str, Any] | None = None,
        *,
        variables: Mapping[str, Any] | None = None,
    ) -> Job:
        """Read a job.

        Parameters
        ----------
        path : path
            The YAML file. ``${env:NAME}`` and ``${name:default}`` are filled in.
        overrides : mapping, optional
            Values in place of the file's, by path: ``{"read.resolution": 20, "engine.workers": 8}``.
        variables : mapping, optional
            Values for ``${name}`` of the job and of its pipeline, before those under ``set``.

        Returns
        -------
        Job

        Raises
        ------
        ConfigError
            With file and line.
        ReadError
            If the job or its pipeline cannot be read.
        """
        from geotoolz.core._errors import ReadError

        where = Path(path)
        try:
            text = where.read_text("utf-8")
        except OSError as error:
            raise ReadError(
                f"{where} cannot be read: {error.strerror}", expected="a YAML file with a job"
            ) from error
        except UnicodeDecodeError as error:
            raise ReadError(f"{where} is no UTF-8 text", expected="a YAML file with a job") from error
        return cls.parse(text, where.absolute().parent, overrides, variables=variables, label=str(path))

    @classmethod
    def parse(
        cls,
        text: str,
        folder: Path,
        overrides: Mapping[str, Any] | None = None,
        *,
        variables: Mapping[str, Any] | None = None,
        label: str = "",
    ) -> Job:
        """Read a job from its text; relative paths are relative to `folder`."""
        from geotoolz.core._errors import GeotoolzError
        from geotoolz.core._yaml import parse

        try:
            document = parse(text)
            value = document.value
            for name, given in (overrides or {}).items():
                value = overridden(value, name, given)
            replaced = {STEP.findall(name)[0] for name in overrides or {}}

            def line_of(path: str) -> int | None:  # what was overridden stands on no line
                parts = STEP.findall(path)
                return None if parts and parts[0] in replaced else document.line_of(path)

            return cls(*resolved(value, variables or {}, folder, line_of), folder, label)
        except GeotoolzError as error:
            raise (error.prefixed(label) if label else error) from error

    @property
    def out(self) -> str:
        """The output folder."""
        return self._at(self.spec.out)

    @property
    def source(self) -> str:
        """The catalog, or what one is built from."""
        return self._at(str(self.spec.source or self.spec.catalog))

    def places(self) -> frozenset[str]:
        """Return the names of the places ``${name}`` of the pipeline, where it stands in a file or preset."""
        from geotoolz.core._load import pipeline_file
        from geotoolz.core._presets import places_in, preset_names, preset_text

        named = self.spec.pipeline
        if not isinstance(named, str):
            return frozenset()
        if named in preset_names():
            return places_in(preset_text(named))
        return places_in(pipeline_file(self._at(named)).read_text("utf-8"))

    def config(self) -> dict[str, Any]:
        """Return the job as plain values, without what is as it is by default."""
        told: dict[str, Any] = self.spec.model_dump(exclude_defaults=True)
        return told

    def read(self) -> dict[str, Any]:
        """Return how scenes are read, as `CatalogPipeline` takes it."""
        told = {name: value for name, value in self.spec.read.model_dump().items() if value}
        if "aoi" in told:
            told["aoi"] = self._area(told["aoi"])
        return told

    def scenes(self) -> Any:
        """Open the catalog, or build it of the folder that `source` names."""
        from geotoolz.catalog import GeoCatalog

        source = self.source
        if source.lower().endswith((".parquet", ".geoparquet")):
            return GeoCatalog.open(source)
        return GeoCatalog.build(source)

    def slice(self) -> dict[str, Any] | None:
        """Return which part of the catalog is meant: the slice, and the area that is read."""
        from geotoolz.core._errors import ConfigError

        told = {} if self.spec.slice is None else self.spec.slice.model_dump(exclude_none=True)
        if "bbox" in told:
            told["bbox"] = tuple(told["bbox"])
        if "geometry" in told:
            told["geometry"] = self._area(told["geometry"])
        aoi = self.read().get("aoi")
        if aoi is None:
            return told or None
        if "geometry" in told:
            raise ConfigError(
                "slice.geometry beside read.aoi", expected="one of both", fix="read.aoi chooses tiles as well"
            )
        if isinstance(aoi, tuple) and "bbox" not in told:
            return {**told, "bbox": aoi}
        return {**told, "geometry": aoi if not isinstance(aoi, tuple) else _box(aoi)}

    def pipeline(self, catalog: Any = None, **options: Any) -> CatalogPipeline:
        """Make what runs the job.

        Parameters
        ----------
        catalog : GeoCatalog, optional
            An open one, in place of opening `source`.
        **options
            Arguments of `CatalogPipeline`, in place of the file's; None stands for what the file says.

        Returns
        -------
        CatalogPipeline
        """
        from ._engine import get_engine
        from ._retry import RetryPolicy
        from ._select import read_tile_list

        failures, engine = self.spec.failures, self.spec.engine
        given = {name: value for name, value in options.items() if value is not None}
        catalog = self.scenes() if catalog is None else catalog
        workers = given.pop("n_workers", engine.workers)
        chosen = given.pop("engine", None)
        if chosen is None:
            beside = failures.timeout is not None  # somebody has to be there to end a tile
            chosen = engine.name or ("process" if beside else _suitable(len(catalog), workers))
            more = engine.model_extra or {}
            if more:
                chosen = get_engine(chosen, workers, **more)
        tiles = self.spec.tiles
        known: dict[str, Any] = {
            "max_failures": failures.max_failures,
            "on_error": failures.on_error,
            "breaker": failures.breaker,
            "metrics": None if self.spec.metrics is None else self._at(self.spec.metrics),
            "alert": self.spec.alert,
            "timeout": failures.timeout,
            "retry_failed": failures.retry_failed,
            "retries": RetryPolicy(**failures.retries.model_dump()),
            "budget": self.spec.budget.model_dump(exclude_none=True),
            "stale_on": self.spec.stale_on,
            "quicklook": self.spec.quicklook,
            "tiles": read_tile_list(self._at(tiles)) if isinstance(tiles, str) else tiles,
            "slice": self.slice(),
            "read": self.read(),
        }
        return CatalogPipeline(
            catalog, self.op, self.out, engine=chosen, n_workers=workers, **{**known, **given}
        )

    def _at(self, path: str) -> str:
        """Return a path as it is meant: relative to the job's folder."""
        return placed(path, self.folder)

    def _area(self, value: Any) -> Any:
        if isinstance(value, list):
            return tuple(value)
        if isinstance(value, str) and Path(self._at(value.partition(":")[0])).exists():
            return self._at(value)
        return value


def _box(bounds: tuple[float, ...]) -> dict[str, Any]:
    west, south, east, north = bounds
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    return {"type": "Polygon", "coordinates": [ring]}


def _suitable(scenes: int, workers: int | None) -> str:
    from ._engine import default_workers

    return "process" if scenes > 1 and (workers or default_workers()) > 1 else "inline"
