"""``geotoolz repro``, also installed as ``geotoolz-repro``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from geotoolz._cli import group_app, run_app
from geotoolz._cli._options import AoiOption, JsonOption, PipelineArg, ResOption, SetOption
from geotoolz.diff._cli import ab_command, diff_command
from geotoolz.repro._arguments import named_scenes, told_metadata
from geotoolz.repro._options import (
    ArchiveArg,
    AtolOption,
    EmbedOption,
    InputsArg,
    LockOption,
    MetaOption,
    MovedOption,
    OwnAtolOption,
    OwnRtolOption,
    OwnShareOption,
    RtolOption,
    ShareOption,
    TrustOption,
)

if TYPE_CHECKING:
    from geotoolz.repro import Artifact, Report

app = group_app("Frozen artefacts: freeze a computation into one file, verify it, run it again.")

#: exit code of a verification or rerun that found a difference
_DIFFERS = 4


@app.command()
def freeze(
    pipeline: PipelineArg,
    inputs: InputsArg,
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FILE", help="The artefact to write (.gtar).")],
    lock: LockOption = None,
    meta: MetaOption = None,
    embed_below: EmbedOption = "1MB",
    embed_references: Annotated[
        bool, typer.Option("--embed-references", help="Embed models, spectra and tables of the pipeline.")
    ] = False,
    container: Annotated[
        str | None, typer.Option("--container", metavar="DIGEST", help="Digest of the container image.")
    ] = None,
    atol: AtolOption = 0.0,
    rtol: RtolOption = 0.0,
    share: ShareOption = 0.0,
    set_: SetOption = None,
    aoi: AoiOption = None,
    res: ResOption = None,
) -> None:
    """Freeze a pipeline, its inputs, its environment and what it makes into one file.

    Prints the artefact's id, which a paper quotes: everything in the file hangs on it.

    Example: geotoolz repro freeze pipeline.yaml scene/ -o result.gtar
    """
    from geotoolz._cli._options import load_pipeline, parse_aoi
    from geotoolz.repro import Source, Tolerance
    from geotoolz.repro import freeze as freeze_it

    area = parse_aoi(aoi)
    read = {name: value for name, value in (("aoi", area), ("resolution", res)) if value is not None}
    tolerance = Tolerance(atol, rtol, share)
    artifact = freeze_it(
        load_pipeline(pipeline, set_),
        {name: Source(uri, read=read) for name, uri in named_scenes(inputs).items()},
        lock,
        told_metadata(meta or ()),
        embed_below=embed_below,
        embed_references=embed_references,
        tolerance=None if tolerance == Tolerance() else tolerance,
        container=container,
    )
    _saved(artifact, out)


@app.command()
def verify(
    artefact: ArchiveArg,
    id: Annotated[
        str | None,
        typer.Option("--id", metavar="SHA256", help="The id that it must have, or 8 digits of it."),
    ] = None,
    offline: Annotated[bool, typer.Option("--offline", help="Leave remote inputs alone.")] = False,
    moved: MovedOption = None,
    trust: TrustOption = False,
    as_json: JsonOption = False,
) -> None:
    """Check an artefact without computing: its members, its inputs where they lie, its pipeline.

    A relative input is looked up beside the artefact, then here. Exit code 4 if anything differs; what
    merely is another environment is a note.

    Example: geotoolz repro verify result.gtar
    """
    from geotoolz.repro import load
    from geotoolz.repro import verify as verify_it

    places = _places(load(artefact, trusted=trust), moved) if moved else None
    _tell(verify_it(artefact, id=id, offline=offline, trusted=trust, inputs=places), as_json)


@app.command()
def rerun(
    artefact: ArchiveArg,
    workdir: Annotated[Path, typer.Argument(metavar="WORKDIR", help="Gets unpacked inputs, and outputs/.")],
    moved: MovedOption = None,
    reference: Annotated[
        str | None, typer.Option("--reference", metavar="TILE", help="The frozen outputs, if not embedded.")
    ] = None,
    threads: Annotated[int, typer.Option("--threads", min=1, help="Threads of the runner.")] = 1,
    atol: OwnAtolOption = None,
    rtol: OwnRtolOption = None,
    share: OwnShareOption = None,
    trust: TrustOption = False,
    as_json: JsonOption = False,
) -> None:
    """Compute again and compare: bit-exact, within the tolerance, or where and how much it differs.

    Exit code 4 if it differs by more than the tolerance, which is the artefact's own unless one
    is given: then what is not given is 0.

    Example: geotoolz repro rerun result.gtar again/ --input scene/
    """
    from geotoolz.repro import Tolerance, load

    artifact = load(artefact, trusted=trust)
    told = (atol, rtol, share)
    given = None if told == (None, None, None) else Tolerance(*(one or 0.0 for one in told))
    report = artifact.rerun(
        workdir,
        inputs=_places(artifact, moved),
        reference=reference,
        tolerance=given,
        threads=threads,
    )
    _tell(report, as_json)


@app.command()
def show(
    artefact: ArchiveArg,
    config: Annotated[
        bool, typer.Option("--config", help="Print the pipeline's YAML and nothing else.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Print what an artefact holds.

    Exit code 4 where the archive holds what no artefact does: links, paths that lead elsewhere.

    Example: geotoolz repro show result.gtar --config
    """
    from geotoolz._cli._console import facts, say, say_json, table
    from geotoolz.repro import Weight, load

    artifact = load(artefact)
    if config:
        say(artifact.config_yaml.rstrip("\n"))
        return
    if as_json:
        about = {
            "environment": artifact.environment,
            "metadata": artifact.metadata,
            "config": artifact.config_yaml,
        }
        say_json({"id": artifact.id, **artifact.manifest.model_dump(exclude_none=True), **about})
        return
    around = artifact.environment
    packages, libraries = around["packages"], around["libraries"]
    facts([
        ("id", artifact.id),
        ("pipeline", artifact.pipeline_hash),
        ("python", around["python"]["version"]),
        *((name, packages.get(name)) for name in ("geotoolz-core", "numpy", "rasterio")),
        *libraries.items(),
        ("cpu", around["cpu"]["target"]),
        ("container", around["container"]),
        ("lock file", artifact.manifest.lock),
        *artifact.metadata.items(),
    ])  # fmt: skip
    say()
    table(
        ("input", "where", "bytes", "sha256", "embedded"),
        [
            (name, e.uri, e.size, f"{e.sha256[:12]}…", "yes" if e.embedded else "no")
            for name, e in artifact.inputs.items()
        ],
    )
    say()
    table(
        ("output", "dtype", "shape", "pixels"),
        [
            (n, e.dtype, " × ".join(map(str, e.shape)), f"{e.sha256[:12]}…")
            for n, e in artifact.outputs.items()
        ],
    )
    if artifact.statistics:
        say()
        table(("statistic", "value"), [(n, _short(value)) for n, value in artifact.statistics.items()])
    wrong = [one for one in artifact.listed if one.weight is Weight.DIFFERENCE]
    for one in wrong:
        say(str(one))
    if wrong:
        raise typer.Exit(_DIFFERS)


@app.command()
def trace(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="A raster that geotoolz wrote, or a run's item.")
    ],
    freeze_to: Annotated[
        Path | None,
        typer.Option("--freeze", metavar="FILE", help="Freeze how it was made into this artefact."),
    ] = None,
    source: Annotated[
        str | None, typer.Option("--input", metavar="SCENE", help="Where its source lies now.")
    ] = None,
    lock: LockOption = None,
    meta: MetaOption = None,
    embed_below: EmbedOption = "1MB",
    trust: TrustOption = False,
    as_json: JsonOption = False,
) -> None:
    """Tell how a file came to be: pipeline, versions, inputs; and freeze that.

    The artefact expects the pixels of this very file.

    Example: geotoolz repro trace out/ndvi.tif
    """
    from geotoolz._cli._console import facts, say, say_json, table
    from geotoolz.core._yaml import dump_yaml
    from geotoolz.repro import trace as trace_it

    found = trace_it(file)
    if freeze_to is not None:
        options: dict[str, Any] = {"inputs": source, "trusted": trust, "embed_below": embed_below}
        _saved(found.freeze(lock, told_metadata(meta or ()), **options), freeze_to)
        return
    if as_json:
        say_json(found.to_dict())
        return
    shown = [("file", found.path), ("told by", found.told_by), ("pipeline", found.config_hash)]
    facts([*shown, ("source", found.source), *found.read.items(), *found.software.items()])
    say()
    if scenes := found.scenes:
        table(("date", "scene"), scenes)
        say()
    table(
        ("input", "bytes", "sha256"),
        [(name, size, sha256 or "not told") for name, size, sha256 in found.inputs],
    )
    say()
    if found.parts:
        say("a mosaic: trace its parts")
    else:
        say(
            "the pipeline could not be saved"
            if found.config is None
            else dump_yaml(found.config).rstrip("\n")
        )


def _places(artifact: Artifact, moved: list[str] | None) -> dict[str, str] | None:
    """Return where inputs lie now; the only one needs no name."""
    names = list(artifact.inputs)
    return named_scenes(moved or (), names[0] if len(names) == 1 else "") or None


def _short(value: Any) -> str:
    import json

    text = json.dumps(value)
    return text if len(text) <= 90 else f"{text[:89]}…"


def _saved(artifact: Artifact, out: Path) -> None:
    from geotoolz._cli._console import say

    path = artifact.save(out)
    say(f"{path}  {path.stat().st_size} bytes")
    say(f"id        {artifact.id}")
    say(f"pipeline  {artifact.pipeline_hash}")
    held: list[tuple[str, bool]] = [(f"input {n}", one.embedded) for n, one in artifact.inputs.items()]
    held += [(f"output {n}", one.member is not None) for n, one in artifact.outputs.items()]
    for word, embedded in (("embedded ", True), ("by hash  ", False)):
        if names := [name for name, one in held if one is embedded]:
            say(f"{word} {', '.join(names)}")


def _tell(report: Report, as_json: bool) -> None:
    from geotoolz._cli._console import say, say_json

    if as_json:
        say_json(report.to_dict())
    else:
        say(str(report))
        for path in report.paths:
            say(path)
    if not report.ok:
        raise typer.Exit(_DIFFERS)


app.command("diff")(diff_command)
app.command("ab")(ab_command)


def main(argv: Sequence[str] | None = None) -> int:
    """Run ``geotoolz-repro`` and return the exit code."""
    return run_app(app, "geotoolz-repro", argv)
