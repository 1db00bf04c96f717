"""``geotoolz check``: whether a pipeline is right for scenes."""

from __future__ import annotations

import typer

from geotoolz._cli._options import AoiOption, JsonOption, PipelineArg, ResOption, SetOption, SourceArg


def check(
    pipeline: PipelineArg,
    source: SourceArg,
    aoi: AoiOption = None,
    res: ResOption = None,
    set_: SetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check a pipeline against scenes before a pixel is read.

    Exit code 2 if there is an error, 0 otherwise.
    """
    from geotoolz._cli._console import say, say_json
    from geotoolz._cli._findings import examine, print_findings
    from geotoolz._cli._options import load_pipeline, parse_aoi
    from geotoolz._cli._presets import refuse_together
    from geotoolz._cli._scenes import counted, open_scenes

    refuse_together(pipeline)
    op = load_pipeline(pipeline, set_)
    area = parse_aoi(aoi)
    scenes = open_scenes(source, area)
    findings = examine(op, scenes.sources(), {"aoi": area, "resolution": res})
    errors = sum(finding.level == "error" for finding in findings)
    if as_json:
        say_json(
            {
                "pipeline": pipeline,
                "config_hash": op.config_hash(),
                "scenes": len(scenes),
                "errors": errors,
                "findings": [
                    {
                        "level": f.level,
                        "path": f.path,
                        "operator": f.operator,
                        "message": f.message,
                        "tile": f.tile,
                    }
                    for f in findings
                ],
            }
        )
    else:
        print_findings(findings, len(scenes))
        wrong = len({finding.tile for finding in findings if finding.level == "error"})
        doubts = sum(finding.level == "warning" for finding in findings)
        clean = f"no errors, {counted(doubts, 'warning')}" if doubts else "no errors, no warnings"
        verdict = f"errors on {wrong} of {len(scenes)}" if errors else clean
        say(f"{pipeline} on {counted(len(scenes), 'scene')}: {verdict}")
    if errors:
        raise typer.Exit(2)
