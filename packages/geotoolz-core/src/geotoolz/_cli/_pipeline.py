"""``geotoolz pipeline``: list, show, schema, hash."""

from __future__ import annotations

from typing import Annotated

import typer

from geotoolz._cli._main import group_app
from geotoolz._cli._options import JsonOption, PipelineArg, SetOption

app = group_app("Pipelines as files: list, show, schema, hash.")


@app.command("list")
def list_(as_json: JsonOption = False) -> None:
    """List the presets, and what each does.

    Example: geotoolz pipeline list
    """
    from geotoolz._cli._console import say_json, table
    from geotoolz.core._presets import preset_about, preset_names

    about = {name: preset_about(name) for name in preset_names()}
    if as_json:
        say_json(about)
    else:
        table(("preset", "what it does"), about.items())


@app.command()
def show(
    pipeline: Annotated[
        str | None,
        typer.Argument(
            metavar="PIPELINE", help="A YAML file or a preset; without it the presets are listed."
        ),
    ] = None,
    set_: SetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Draw a pipeline and print its YAML with every value filled in.

    Example: geotoolz pipeline show ndvi
    """
    from geotoolz._cli._console import say, say_json
    from geotoolz._cli._options import load_pipeline, pipeline_text
    from geotoolz.core._presets import places_in, preset_about

    if pipeline is None:
        list_(as_json)
        return
    from geotoolz.core import draw, dump

    op = load_pipeline(pipeline, set_)
    if as_json:
        say_json({"config": op.config(), "config_hash": op.config_hash()})
        return
    text, is_file = pipeline_text(pipeline)
    if not is_file:
        say(f"# {preset_about(pipeline)}")
    places = sorted(places_in(text))
    if places:
        say(f"# --set fills {', '.join(f'${{{place}}}' for place in places)}")
    say(f"# {op.config_hash()}")
    for line in draw(op).splitlines():
        say(f"# {line}")
    say(dump(op).rstrip())


@app.command()
def schema(
    operator: Annotated[
        str | None, typer.Argument(metavar="OPERATOR", help="Only this operator; by default any pipeline.")
    ] = None,
    job: Annotated[bool, typer.Option("--job", help="Of job.yaml instead.")] = False,
) -> None:
    """Print the JSON Schema of pipeline files, for editors that complete and check YAML.

    Example: geotoolz pipeline schema > pipeline.schema.json
    """
    from geotoolz._cli._console import say_json
    from geotoolz.core import json_schema

    if job:
        from geotoolz.batch import job_schema

        say_json(job_schema())
        return
    if operator is None:
        say_json(json_schema())
        return
    from geotoolz._cli._operators import find

    say_json(json_schema(find(operator)))


@app.command("hash")
def hash_(pipeline: PipelineArg, set_: SetOption = None) -> None:
    """Print the hash of a pipeline: equal for pipelines that give equal pixels, wherever they write.

    Example: geotoolz pipeline hash pipeline.yaml
    """
    from geotoolz._cli._console import say
    from geotoolz._cli._options import load_pipeline

    say(load_pipeline(pipeline, set_).config_hash())
