"""What a ``job.yaml`` may say: names, types, ranges; its JSON Schema, and its mistakes with their lines."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

__all__ = ["JobSpec", "job_schema", "validated"]

Positive = Field(default=None, gt=0, allow_inf_nan=False)


class _Part(BaseModel):
    model_config: ClassVar[ConfigDict] = ConfigDict(extra="forbid", strict=True, frozen=True)


class SliceSpec(_Part):
    """A part of the catalog, in space and time."""

    bbox: list[float] | None = Field(
        default=None, min_length=4, max_length=4, description="West, south, east, north in degrees."
    )
    time: str | None = Field(default=None, description="2023-08, 2023-08-20, or 2023-08-01/2023-08-31.")
    geometry: str | dict[str, Any] | None = Field(
        default=None, description="A vector file, GeoJSON, or the id of an MGRS tile."
    )
    where: str | None = Field(default=None, description="A condition, such as 'cloud_cover < 20'.")


class ReadSpec(_Part):
    """How scenes are read."""

    aoi: str | list[float] | dict[str, Any] | None = Field(
        default=None, description="The area: a box in degrees, a vector file, GeoJSON, or a tile's id."
    )
    resolution: float | None = Field(
        default=None, gt=0, allow_inf_nan=False, description="Pixel size in units of the scene's CRS."
    )
    bands: list[str] | None = Field(default=None, description="Only these bands.")
    raw: bool = Field(default=False, description="Digital numbers instead of reflectance.")
    offset: float | Literal["auto"] | None = Field(
        default=None, description="Offset of the digital numbers, where the metadata is wrong."
    )
    sign: str | None = Field(default=None, description="Who signs remote addresses: planetary-computer, …")


class EngineSpec(_Part):
    """Where tiles are made; what else stands here is an option of that engine (``address`` of ray)."""

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="allow", strict=True, frozen=True)

    name: str | None = Field(default=None, description="inline, process, ray, dask; by default what suits.")
    workers: int | None = Field(default=None, ge=1, description="By default the CPUs of this process.")


class RetrySpec(_Part):
    """How often what failed is tried again, by kind."""

    transient: int = Field(default=4, ge=1, description="Attempts in all for failures that may pass.")
    worker_deaths: int = Field(default=3, ge=1, description="Workers that one tile may take down.")
    base: float = Field(default=1.0, ge=0, description="Seconds before the second attempt.")
    cap: float = Field(default=60.0, ge=0, description="The longest pause in seconds.")


class FailureSpec(_Part):
    """What is done about tiles that fail."""

    max_failures: int | str = Field(default="2%", description="A number of tiles, or a share such as 2%.")
    on_error: Literal["log", "raise"] = "log"
    timeout: float | None = Field(default=None, gt=0, description="Seconds for one attempt at a tile.")
    breaker: int | None = Field(
        default=20, ge=0, description="End when so many tiles in a row fail for one reason; 0 never."
    )
    retry_failed: bool = Field(default=False, description="Try quarantined tiles again.")
    retries: RetrySpec = RetrySpec()


class BudgetSpec(_Part):
    """What one run may spend."""

    hours: float | None = Positive
    cpu_hours: float | None = Positive
    bytes: int | str | None = Field(default=None, description="Written outputs: 2000000000, or 2GB.")
    cost: float | None = Positive
    price_cpu_hour: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    price_gb: float | None = Field(default=None, ge=0, allow_inf_nan=False)


class JobSpec(_Part):
    """A pipeline over a catalog, on an engine. Relative paths are relative to the file."""

    source: str | None = Field(default=None, description="A scene, a folder of scenes, or a catalog.")
    catalog: str | None = Field(default=None, description="The same as source.")
    pipeline: str | dict[str, Any] = Field(description="A YAML file, the name of a preset, or the pipeline.")
    set: dict[str, Any] = Field(default={}, description="Values for the places ${NAME} of the pipeline.")
    out: str = Field(description="The output folder.")
    slice: SliceSpec | None = None
    tiles: str | list[str] | None = Field(default=None, description="Ids, or a text file with one a line.")
    read: ReadSpec = ReadSpec()
    engine: EngineSpec = EngineSpec()
    failures: FailureSpec = FailureSpec()
    budget: BudgetSpec = BudgetSpec()
    stale_on: list[Literal["code", "environment"]] = []
    quicklook: bool = Field(default=True, description="A small picture of every tile.")
    metrics: str | None = Field(default=None, description="A Prometheus text file, kept up to date.")
    alert: str | None = Field(default=None, description="A URL or command that is told how the run ended.")


def job_schema() -> dict[str, Any]:
    """Return the JSON Schema of ``job.yaml``, for editors that complete and check it.

    Examples
    --------
    >>> sorted(job_schema()["required"])
    ['out', 'pipeline']
    """
    schema = JobSpec.model_json_schema()
    engine = schema["properties"]["engine"]
    name = {"type": "string", "description": "The name of an engine."}
    schema["properties"]["engine"] = {**engine, "anyOf": [{"$ref": engine.pop("$ref", "")}, name]}
    schema["properties"]["engine"].pop("$ref", None)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "geotoolz job"}


def validated(value: Any, line_of: Callable[[str], int | None]) -> JobSpec:
    """Check what a job says.

    Parameters
    ----------
    value : object
        The document.
    line_of : callable
        Line of a path such as ``"[read][aoi]"``.

    Raises
    ------
    ConfigError
        With the line, the key, the nearest known one, and what is allowed.
    """
    from geotoolz.core._errors import ConfigError

    if not isinstance(value, Mapping):
        raise ConfigError(
            f"the job is {'empty' if value is None else f'a {type(value).__name__}'}",
            expected="a mapping with source, pipeline and out",
        )
    if "_target_" in value:
        raise ConfigError(
            "this is a pipeline, not a job",
            expected="a mapping with source, pipeline and out",
            fix="`geotoolz run PIPELINE SOURCE OUT` runs a pipeline by itself",
        )
    if isinstance(value.get("engine"), str):
        value = {**value, "engine": {"name": value["engine"]}}
    try:
        spec = JobSpec.model_validate(value)
    except ValidationError as error:
        raise _told(error, value, line_of) from None
    if (spec.source is None) == (spec.catalog is None):
        found = "neither source nor catalog" if spec.source is None else "both source and catalog"
        raise ConfigError(found, expected="source: a scene, a folder of scenes, or a catalog")
    return spec


def _told(error: ValidationError, document: Any, line_of: Callable[[str], int | None]) -> Exception:
    from geotoolz.core._errors import ConfigError, nearest

    found = error.errors(include_url=False)
    first = found[0]
    path, keys = _place(document, first["loc"])
    line = line_of(path)
    where = f"line {line}: " if line is not None else ""
    name = ".".join(keys)
    if first["type"] == "extra_forbidden":
        known = _known(keys[:-1])
        return ConfigError(
            f"{where}unknown key {name!r}{nearest(keys[-1], known)}", expected=f"some of {', '.join(known)}"
        )
    if first["type"] == "missing":
        return ConfigError(f"there is no {name!r}", expected="source, pipeline and out")
    reasons = [one["msg"] for one in found if _place(document, one["loc"])[1] == keys]
    expected = " or ".join(dict.fromkeys(_lowered(reason) for reason in reasons))
    return ConfigError(f"{where}{name} is {first['input']!r}", expected=expected)


def _place(document: Any, loc: tuple[Any, ...] | list[str]) -> tuple[str, list[str]]:
    """Return path and keys of a location; what pydantic adds for alternatives of a type is passed over."""
    path, keys = "", []
    for number, step in enumerate(loc):
        inside = isinstance(document, Mapping) and step in document
        if inside or (isinstance(document, list) and isinstance(step, int) and step < len(document)):
            document = document[step]
        elif number != len(loc) - 1 or not isinstance(document, Mapping):
            continue
        path += f"[{step}]"
        keys.append(str(step))
    return path, keys


def _known(keys: list[str]) -> list[str]:
    model: Any = JobSpec
    for key in keys:
        model = model.model_fields[key].annotation
        model = next(
            (part for part in getattr(model, "__args__", ()) if hasattr(part, "model_fields")), model
        )
    return list(model.model_fields)


def _lowered(reason: str) -> str:
    """Return a reason of pydantic in our words."""
    text = reason.removeprefix("Input should be ").removeprefix("Value error, ")
    return text[:1].lower() + text[1:]
