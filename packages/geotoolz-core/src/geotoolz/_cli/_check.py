"""``geotoolz check``: whether a pipeline is right for scenes, and whether a job can be done."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from geotoolz._cli._batch_options import FirstArg, OutOrNone, OverrideOption, SourceOrNone
from geotoolz._cli._options import AoiOption, JsonOption, ResOption, SetOption, SignOption

if TYPE_CHECKING:
    from geotoolz._cli._scenes import Scenes
    from geotoolz.core import Finding, Operator


def check(
    pipeline: FirstArg,
    source: SourceOrNone = None,
    out: OutOrNone = None,
    aoi: AoiOption = None,
    res: ResOption = None,
    set_: SetOption = None,
    override: OverrideOption = None,
    sign: SignOption = None,
    sample: Annotated[
        int | None,
        typer.Option("--sample", metavar="N", min=1, help="Only so many scenes, spread over the catalog."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Check a pipeline against scenes before a pixel is read; with OUT, or a job, the room for outputs too.

    Exit code 2 if there is an error, 0 otherwise.

    Example: geotoolz check pipeline.yaml scenes/ out/
    """
    from geotoolz._cli._console import say, say_json
    from geotoolz._cli._findings import print_findings
    from geotoolz._cli._scenes import counted

    if source is not None and out is None:
        op, scenes, findings = _of_scenes(pipeline, source, sample, aoi, res, sign, set_)
    else:
        op, scenes, findings = _of_job(
            pipeline, source, out, sample, aoi=aoi, res=res, sign=sign, sets=set_, overrides=override
        )
    errors = sum(finding.level == "error" for finding in findings)
    looked = len(scenes) if sample is None else min(sample, len(scenes))
    if as_json:
        say_json(
            {
                "pipeline": pipeline,
                "config_hash": op.config_hash(),
                "scenes": looked,
                "of": len(scenes),
                "errors": errors,
                "findings": [_told(finding) for finding in findings],
            }
        )
    else:
        print_findings(findings, looked)
        wrong = len({finding.tile for finding in findings if finding.level == "error" and finding.tile})
        doubts = sum(finding.level == "warning" for finding in findings)
        clean = f"no errors, {counted(doubts, 'warning')}" if doubts else "no errors, no warnings"
        verdict = f"errors on {wrong} of {looked}" if wrong else "errors" if errors else clean
        which = counted(looked, "scene") if looked == len(scenes) else f"{looked} of {len(scenes)} scenes"
        say(f"{pipeline} on {which}: {verdict}")
    if errors:
        raise typer.Exit(2)


def _of_scenes(
    pipeline: str,
    source: str,
    sample: int | None,
    aoi: str | None,
    res: float | None,
    sign: str | None,
    sets: list[str] | None,
) -> tuple[Operator, Scenes, tuple[Finding, ...]]:
    from geotoolz._cli._findings import examine
    from geotoolz._cli._options import load_pipeline, parse_aoi
    from geotoolz._cli._scenes import open_scenes
    from geotoolz.batch._preview import spread
    from geotoolz.core._presets import refuse_together

    refuse_together(pipeline)
    op = load_pipeline(pipeline, sets)
    area = parse_aoi(aoi)
    scenes = open_scenes(source, area)
    chosen = list(scenes.sources())
    if sample is not None:
        chosen = [chosen[place] for place in spread(len(chosen), sample)]
    return op, scenes, examine(op, chosen, {"aoi": area, "resolution": res, "sign": sign})


def _of_job(
    pipeline: str, source: str | None, out: str | None, sample: int | None, **given: Any
) -> tuple[Operator, Scenes, tuple[Finding, ...]]:
    from geotoolz._cli._jobs import make_job
    from geotoolz._cli._scenes import Scenes

    job = make_job(pipeline, source, out, **given)
    return job.op, Scenes(job.catalog), job.check(sample)


def _told(finding: Finding) -> dict[str, str]:
    return {
        "level": finding.level,
        "path": finding.path,
        "operator": finding.operator,
        "message": finding.message,
        "tile": finding.tile,
    }
