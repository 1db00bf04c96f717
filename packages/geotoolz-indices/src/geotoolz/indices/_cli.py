"""``geotoolz indices``, also installed as ``geotoolz-indices``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from geotoolz._cli import group_app, run_app
from geotoolz._cli._apply import SceneArg, TargetArg, apply_operator, split_names
from geotoolz._cli._options import AoiOption, ResOption

if TYPE_CHECKING:
    from geotoolz.core import Operator
    from geotoolz.indices import IndexEntry

app = group_app("Spectral indices that find their bands by role.")

IndexArg = Annotated[
    str,
    typer.Argument(
        metavar="INDEX",
        help="One index or several: ndvi,evi,savi; or two bands: "
        "nir/swir16 is (nir − swir16) / (nir + swir16).",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command()
def compute(
    index: IndexArg,
    scene: SceneArg,
    out: TargetArg,
    name: Annotated[str | None, typer.Option("--name", help="Name of the new variable.")] = None,
    band: Annotated[
        list[str] | None,
        typer.Option(
            "--band",
            metavar="ROLE=VARIABLE",
            help="Which variable is which band: nir=band_4; may be repeated.",
        ),
    ] = None,
    aoi: AoiOption = None,
    res: ResOption = None,
) -> None:
    """Compute indices of a scene and write a COG each; prints the files.

    Clouds are not masked: `geotoolz run ndvi` does that, for one scene or thousands.

    Example: geotoolz indices compute evi scene/ evi.tif
    """
    from geotoolz.core import MissingVariableError

    op = _operator(index, name, _assigned(band or ()))
    try:
        apply_operator(op, scene, out, aoi=aoi, res=res)
    except MissingVariableError as error:
        raise MissingVariableError(
            error.found,
            expected=error.expected,
            fix=f"say which variable of the tile is that band: --band {_missed(error.found)}=…",
        ) from error


def _missed(said: str) -> str:
    """Return the role that a message says was looked for."""
    found = re.search(r"reads '([^']+)'", said)
    return found[1] if found else "ROLE"


def _assigned(entries: Sequence[str]) -> dict[str, str]:
    """Return role → variable of ``--band``."""
    from geotoolz.core import ParameterError

    found: dict[str, str] = {}
    for entry in entries:
        role, sign, variable = (part.strip() for part in entry.partition("="))
        if not (role and sign and variable):
            raise ParameterError(f"--band {entry}", expected="ROLE=VARIABLE, such as nir=band_4")
        if role in found:
            raise ParameterError(
                f"--band {entry}: {role!r} is {found[role]!r} already", expected="a role once"
            )
        found[role] = variable
    return found


def _letters_of(names: Sequence[str], assigned: dict[str, str]) -> dict[str, str]:
    """Return the catalogue's letter → variable; a role that no index reads is an error."""
    from geotoolz.core import ParameterError, nearest
    from geotoolz.indices._catalogue import find_entry

    letters: dict[str, str] = {}
    for entry in map(find_entry, names):
        letters.update(zip(entry.roles, entry.bands, strict=True))
    listed = ", ".join(names)
    for role, variable in assigned.items():
        if role not in letters:
            raise ParameterError(
                f"--band {role}={variable}: {listed} does not read {role!r}{nearest(role, letters)}",
                expected=", ".join(letters),
            )
    return {letters[role]: variable for role, variable in assigned.items()}


def _operator(index: str, name: str | None, bands: dict[str, str]) -> Operator:
    """Return the operator of an index as the user wrote it."""
    from geotoolz.core import ParameterError
    from geotoolz.indices import NDVI, NDWI, Index, Indices, NormalizedDifference

    first, slash, second = index.partition("/")
    if slash and first and second:
        idle = [role for role in bands if role not in (first, second)]
        if idle:
            raise ParameterError(f"--band {idle[0]}={bands[idle[0]]}", expected=f"{first} or {second}")
        return NormalizedDifference(bands.get(first, first), bands.get(second, second), name or "nd")
    if slash:
        raise ParameterError(f"index {index!r}", expected="two bands: nir/swir16")
    names = split_names(index) or ()
    if len(names) > 1:
        if name:
            raise ParameterError(f"--name {name} for {len(names)} indices", fix="leave --name out")
        return Indices(names, bands=_letters_of(names, bands))
    single: dict[str, type[NDVI] | type[NDWI]] = {"ndvi": NDVI, "ndwi": NDWI}
    cls = single.get(index.lower())
    if cls is not None:
        _letters_of((index,), bands)
        return cls(**bands, **({"name": name} if name else {}))
    return Index(index, name=name, bands=_letters_of((index,), bands))


@app.command("list")
def list_(
    text: Annotated[
        str | None, typer.Argument(metavar="[TEXT]", help="Only those with this in name or title.")
    ] = None,
    domain: Annotated[
        str | None, typer.Option("--domain", help="vegetation, water, burn, snow, soil, urban, radar, …")
    ] = None,
    platform: Annotated[
        str | None, typer.Option("--platform", help="Only those whose bands it has: sentinel-2, modis, …")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """List the indices of the catalogue.

    Example: geotoolz indices list water --platform sentinel-2a
    """
    from collections import Counter

    from geotoolz._cli._console import say_json, table
    from geotoolz.indices import catalogue

    entries = _chosen(text, domain, platform)
    if as_json:
        say_json([_facts(entry) for entry in entries])
        return
    small = Counter(e.name.lower() for e in catalogue().values())
    names = ((e.name.lower() if small[e.name.lower()] == 1 else e.name, e) for e in entries)
    rows = ((name, e.domain, ", ".join(e.roles), e.long_name) for name, e in names)
    table(("index", "domain", "bands", "what it is"), rows)


def _chosen(text: str | None, domain: str | None, platform: str | None) -> list[IndexEntry]:
    """Return the entries that the user asks for; none is an error."""
    from geotoolz.core import ParameterError, nearest
    from geotoolz.indices import catalogue

    entries = list(catalogue().values())
    domains = sorted({e.domain for e in entries})
    if domain is not None and domain.lower() not in domains:
        raise ParameterError(
            f"domain {domain!r}{nearest(domain.lower(), domains)}", expected=", ".join(domains)
        )
    platforms = sorted({p for e in entries for p in e.platforms})
    wanted = _letters(platform)
    if platform is not None and not any(_letters(p).startswith(wanted) for p in platforms):
        raise ParameterError(f"platform {platform!r}", expected=", ".join(platforms))
    found = [
        e
        for e in entries
        if (domain is None or e.domain == domain.lower())
        and (platform is None or any(_letters(p).startswith(wanted) for p in e.platforms))
        and (text is None or text.lower() in f"{e.name} {e.long_name}".lower())
    ]
    if not found:
        raise ParameterError(f"no index has {text!r} in its name or title", fix="leave out a filter")
    return found


def _letters(platform: str | None) -> str:
    return "".join(letter for letter in (platform or "").lower() if letter.isalnum())


@app.command()
def show(
    index: Annotated[str, typer.Argument(metavar="INDEX", help="Name in the catalogue.")],
    as_json: JsonOption = False,
) -> None:
    """Show formula, bands, constants and source of an index.

    Example: geotoolz indices show EVI
    """
    from geotoolz._cli._console import facts, say_json
    from geotoolz.indices._catalogue import find_entry

    entry = find_entry(index)
    if as_json:
        say_json(_facts(entry))
        return
    bands = ", ".join(f"{letter} = {role}" for letter, role in zip(entry.bands, entry.roles, strict=True))
    values = ", ".join(f"{n} = {entry.defaults.get(n, 'from the platform')}" for n in entry.constants)
    rows: list[tuple[str, Any]] = [
        ("index", entry.name),
        ("what it is", entry.long_name),
        ("formula", entry.formula),
        ("bands", bands),
        ("constants", values.replace("PAR = from the platform", "PAR = to be given")),
        ("kernels", ", ".join(entry.kernels)),
        ("domain", entry.domain),
        ("platforms", ", ".join(entry.platforms)),
        ("reference", entry.reference),
        ("beware", entry.doubt),
    ]
    facts(rows)


def _facts(entry: IndexEntry) -> dict[str, Any]:
    return {
        "name": entry.name,
        "long_name": entry.long_name,
        "formula": entry.formula,
        "bands": dict(zip(entry.bands, entry.roles, strict=True)),
        "constants": {name: entry.defaults.get(name) for name in entry.constants},
        "domain": entry.domain,
        "platforms": list(entry.platforms),
        "reference": entry.reference,
    }


def main(argv: Sequence[str] | None = None) -> int:
    """Run ``geotoolz-indices`` and return the exit code."""
    return run_app(app, "geotoolz-indices", argv)
