"""``--engine``, ``--ray-address`` and ``--engine-option``: which engine, and what it is told."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from geotoolz.batch import Engine

__all__ = ["EngineOption", "RayAddressOption", "engine_from", "engine_overrides", "parse_engine_options"]

RayAddressOption = Annotated[
    str | None,
    typer.Option(
        "--ray-address",
        metavar="ADDRESS",
        help="Run on the Ray cluster there: host:port, ray://host:port, auto. The same as --engine ray "
        "--engine-option address=ADDRESS.",
    ),
]
EngineOption = Annotated[
    list[str] | None,
    typer.Option(
        "--engine-option",
        metavar="NAME=VALUE",
        help="What the engine is told (cpus=2, placement=spread); may be repeated.",
    ),
]


def engine_overrides(
    is_job: bool,
    engine: str | None,
    workers: int | None,
    ray_address: str | None,
    options: Sequence[str] | None,
) -> tuple[str | Engine | None, list[str]]:
    """Return the engine of a command, and what is put in the place of values of a job's file.

    The file of a job says things of its engine, too; they hold where the command says nothing else.
    """
    made = engine_from(engine, workers, ray_address, options)
    if not is_job or made is None or isinstance(made, str):
        return made, []
    told = [f"engine.name={made.name}", *(f"engine.{option}" for option in options or ())]
    return None, told if ray_address is None else [*told, f"engine.address={ray_address}"]


def engine_from(
    engine: str | None, workers: int | None, ray_address: str | None, options: Sequence[str] | None
) -> str | Engine | None:
    """Return the engine that the options of a command ask for.

    A name where nothing more is said of it, so that the run makes the engine; None where nothing is said at
    all. A misspelt name or option is refused here, before anything is written.

    Raises
    ------
    BatchError, ParameterError
    """
    from geotoolz.batch import get_engine
    from geotoolz.core._errors import ParameterError

    told = parse_engine_options(options or ())
    if ray_address is not None:
        if engine not in (None, "ray"):
            raise ParameterError(f"--ray-address with --engine {engine}", expected="--engine ray, or none")
        if "address" in told:
            raise ParameterError("--ray-address with --engine-option address=…", expected="one of the two")
        engine, told["address"] = "ray", ray_address
    if engine is None:
        if told:
            raise ParameterError(
                f"--engine-option {next(iter(told))}=… without an engine", fix="name it: --engine ray"
            )
        return None
    made = get_engine(engine, workers, **told)
    return made if told else engine


def parse_engine_options(entries: Sequence[str]) -> dict[str, Any]:
    """Return the values of ``NAME=VALUE``, which are YAML: numbers, true, texts, ``{spot: 1}``.

    Raises
    ------
    ParameterError
        For an entry without a name, a name that is there twice, or a value that is no YAML.

    Examples
    --------
    >>> parse_engine_options(["cpus=0.5", "actors=true", "resources={spot: 1}", "address=host:6379"])
    {'cpus': 0.5, 'actors': True, 'resources': {'spot': 1}, 'address': 'host:6379'}
    """
    from geotoolz.core._errors import ConfigError, ParameterError
    from geotoolz.core._yaml import parse

    found: dict[str, Any] = {}
    for entry in entries:
        name, sign, value = entry.partition("=")
        name = name.strip()
        if not sign or not name:
            raise ParameterError(f"--engine-option {entry}", expected="NAME=VALUE")
        if name in found:
            raise ParameterError(f"--engine-option {name} twice", expected="one value")
        try:
            found[name] = parse(value).value
        except ConfigError as error:
            raise ParameterError(
                f"--engine-option {entry}", expected="YAML: a number, a text, {name: value}"
            ) from error
    return found
