"""EndToEnd: from scenes to objects and scores, stage by stage, each a batch over the catalog."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from geotoolz.batch import BatchReport, CatalogPipeline, Layout, write_collection
from geotoolz.core import Finding, Operator, ParameterError, Sequential, check
from geotoolz.core._whole_file import write_whole
from geotoolz.presets._chain_config import ChainConfig, load_config
from geotoolz.presets._chain_inputs import inputs_of
from geotoolz.presets._chain_objects import merge_objects
from geotoolz.presets._chain_report import ChainReport
from geotoolz.presets._chain_scores import Evaluation, evaluation_of
from geotoolz.presets._chain_stages import Stage, stages_of

__all__ = ["EndToEnd"]

#: a stage that leaves a tile so has outputs for the next
_THERE = ("done", "fresh")


class EndToEnd:
    """A chain of stages from scenes to objects: preprocess, segment, postprocess, polygons, evaluate.

    Every stage is a batch over the catalog, in a folder of its own below ``out``: it is resumed, does only
    what is new or has changed, and goes on without a tile that failed. The next stage reads what the ones
    before have written, as it was before it was written: bit for bit the chain in one go, `pipeline`.

    Parameters
    ----------
    config : mapping or path
        A YAML file (paths in it are relative to it), or its content: ``catalog``, ``out``, and a part per
        stage. See the guide, "From scenes to objects".

    Raises
    ------
    ConfigError, ReadError
        Naming what is wrong in the configuration; of a pipeline or model that cannot be loaded, with the
        stage.
    MissingDependencyError
        Of the stage ``segment``, if its models need torch and there is none.

    Examples
    --------
    >>> import tempfile
    >>> from geotoolz.core.testing import write_scene
    >>> from geotoolz.presets import EndToEnd
    >>> tmp = tempfile.TemporaryDirectory()
    >>> _ = write_scene({"shape": (32, 32), "bands": ("red", "nir")}, f"{tmp.name}/scenes")
    >>> rule = {"_target_": "geotoolz.radiometry.BandMath", "formula": "max(ndvi, 0)"}
    >>> chain = EndToEnd(
    ...     {
    ...         "catalog": f"{tmp.name}/scenes",
    ...         "out": f"{tmp.name}/out",
    ...         "preprocess": {"pipeline": {"_target_": "geotoolz.indices.NDVI"}},
    ...         "segment": {"pipeline": {**rule, "name": "probabilities"}},
    ...         "export": {"polygons": None},
    ...     }
    ... )
    >>> print(chain.run(progress="none").counts)
    {'preprocess': {'done': 1}, 'segment': {'done': 1}, 'postprocess': {'done': 1}}
    >>> tmp.cleanup()
    """

    def __init__(self, config: Mapping[str, Any] | str | os.PathLike[str]) -> None:
        source = config if isinstance(config, Mapping) else Path(config)
        self.config: ChainConfig
        self.config, self.folder = load_config(source)
        self.stages: tuple[Stage, ...] = stages_of(self.config, self.folder)
        self.out = self.folder / self.config.out

    def __repr__(self) -> str:
        return f"EndToEnd({' → '.join(stage.name for stage in self.stages)}, out={str(self.out)!r})"

    def pipeline(self) -> Operator:
        """Return the stages from scene to objects as one pipeline: tile in, tile out, nothing is written."""
        bodies = [
            stage.body for stage in self.stages if stage.name in ("preprocess", "segment", "postprocess")
        ]
        steps = [step for body in bodies for step in (body if isinstance(body, Sequential) else (body,))]
        return Sequential(steps)

    def layout(self, name: str) -> Layout:
        """Return where a stage writes.

        Raises
        ------
        ParameterError
            If there is no such stage.
        """
        return Layout(self.out / self._stage(name).name)

    def check(self) -> tuple[Finding, ...]:
        """Check the whole chain against the catalog's scenes, without reading a pixel.

        Returns
        -------
        tuple of Finding
            Empty if there is nothing to complain of.
        """
        from geotoolz.io import describe

        catalog = self._catalog()
        read = self.config.preprocess.read
        specs = (describe(catalog.source_of(row), **read) for row in catalog.iter_rows())
        return check(self.pipeline(), specs)

    def plan(self) -> dict[str, dict[str, int]]:
        """Return tiles per state and stage; "waiting" for what the stage before has still to make."""
        counts: dict[str, dict[str, int]] = {}
        ready: list[str] | None = None
        for stage in self.stages:
            planned = self._job(stage, ready).plan() if ready is None or ready else None
            tiles = () if planned is None else tuple(tile for tile in planned.tiles if tile.task is not None)
            found = {} if planned is None else {k: n for k, n in planned.counts.items() if k != "orphan"}
            if ready is None:
                total = len(tiles)
            counts[stage.name] = {**found, **({"waiting": total - len(tiles)} if total > len(tiles) else {})}
            if stage.name not in ("polygons", "evaluate"):
                ready = [tile.tile_id for tile in tiles if tile.state.value == "fresh"]
        return counts

    def run(
        self,
        *,
        engine: Any = None,
        n_workers: int | None = None,
        until: str | None = None,
        progress: Any = "auto",
        **options: Any,
    ) -> ChainReport:
        """Run the stages.

        Parameters
        ----------
        engine, n_workers : optional
            As for `CatalogPipeline`; in place of the configuration's.
        until : str, optional
            The last stage that is run.
        progress : str or Progress
            As for `CatalogPipeline`.
        **options
            Further arguments of `CatalogPipeline`, for every stage (``retry_failed``, ``tiles``, …).

        Returns
        -------
        ChainReport
            The report of every stage that was run, and the scores. A stage that is stopped ends the chain.

        Raises
        ------
        ParameterError
            If `until` is no stage.
        """
        last = self._stage(until).name if until is not None else self.stages[-1].name
        given = {"engine": engine, "n_workers": n_workers, "progress": progress, **options}
        reports: dict[str, BatchReport] = {}
        ready: list[str] | None = None
        evaluation, objects = None, None
        for stage in self.stages:
            report = self._job(stage, ready, **given).run()
            reports[stage.name] = report
            there = [row.tile_id for row in report.rows if row.status in _THERE]
            if stage.name == "postprocess":
                write_collection(report.out)
            elif stage.name == "polygons":
                objects = self._merge(report)
            elif stage.name == "evaluate":
                evaluation = self._scores(there)
            if stage.name not in ("polygons", "evaluate"):
                ready = there
            if stage.name == last or report.stopped is not None or not there:
                break
        return ChainReport(self.out, reports, evaluation, objects)

    # ---- inside

    def _stage(self, name: str) -> Stage:
        for stage in self.stages:
            if stage.name == name:
                return stage
        raise ParameterError(
            f"there is no stage {name!r}", expected=f"one of {', '.join(stage.name for stage in self.stages)}"
        )

    def _catalog(self) -> Any:
        from geotoolz.catalog import GeoCatalog

        name = self.config.catalog
        path = name if "://" in name else str(self.folder / name)
        return GeoCatalog.open(path) if path.endswith((".parquet", ".geoparquet")) else GeoCatalog.build(path)

    def _job(self, stage: Stage, ready: Iterable[str] | None, **given: Any) -> CatalogPipeline:
        own = self.config.run
        rows: Any = self._catalog()
        if stage.feeds:
            rows = inputs_of([self.layout(name) for name in stage.feeds], ready or ())
        known = {
            "engine": own.engine,
            "n_workers": own.workers,
            "max_failures": own.max_failures,
            "timeout": own.timeout,
            "read": stage.read,
        }
        chosen = {name: value for name, value in given.items() if value is not None}
        return CatalogPipeline(rows, stage.op, self.out / stage.name, **{**known, **chosen})

    def _merge(self, report: BatchReport) -> int | None:
        wanted = self.config.export
        if wanted.merged is None or wanted.polygons is None:
            return None
        ending = f".{wanted.polygons.format}"
        rows = (row for row in report.rows if row.status in _THERE)
        names = [name for row in rows for name in row.outputs if name.endswith(ending)]
        return merge_objects(self.layout("polygons"), names, self.out / wanted.merged) if names else None

    def _scores(self, tile_ids: Iterable[str]) -> Evaluation | None:
        found = evaluation_of(self.layout("evaluate"), tile_ids)
        if found is not None:
            text = json.dumps(found.to_dict(), indent=1) + "\n"
            write_whole(self.out / "evaluation.json", text.encode())
        return found
