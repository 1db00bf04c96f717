"""Reading bodies: JSON, forms, files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, TypeVar

from fastapi import Request
from pydantic import BaseModel, ValidationError
from starlette.datastructures import FormData, UploadFile

from geotoolz.serve._errors import Problem
from geotoolz.serve._settings import ServeSettings

Model = TypeVar("Model", bound=BaseModel)
PART = 1 << 20
"""Bytes that are held of a file, and of a form's other fields."""
_FIELDS = ("file", "options")


async def json_body(request: Request) -> Any:
    """Return the JSON of a request.

    Raises
    ------
    Problem
        422.
    """
    try:
        return json.loads(await request.body())
    except (ValueError, RecursionError) as error:
        raise Problem("the body is no JSON", status=422, code="invalid") from error


def checked(model: type[Model], value: Any) -> Model:
    """Return a validated body.

    Raises
    ------
    Problem
        422, with every field that is wrong.
    """
    try:
        return model.model_validate(value)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)
        clauses = [f"{'.'.join(map(str, one['loc'])) or 'body'}: {one['msg']}"[:300] for one in found[:10]]
        raise Problem("; ".join(clauses), status=422, code="invalid") from error


def refuse_others(request: Request, form: FormData | None = None) -> None:
    """Refuse query parameters and form fields that nobody reads: what they ask for would not be done.

    Raises
    ------
    Problem
        422, naming them.
    """
    others = [*request.query_params, *(name for name in form or () if name not in _FIELDS)]
    if others:
        place = "the JSON in the form's field options" if form is not None else "the JSON body"
        names = ", ".join(dict.fromkeys(name[:64] for name in others[:10]))
        raise Problem(f"{names}: not read here", status=422, code="invalid", fix=f"write it into {place}")


def file_of(form: FormData) -> UploadFile:
    """Return the file of a form.

    Raises
    ------
    Problem
        422.
    """
    file = form.get("file")
    if not isinstance(file, UploadFile):
        raise Problem("the form has no file", status=422, code="invalid", expected="a part called file")
    return file


def form_options(form: FormData) -> Any:
    """Return the options of a form.

    Raises
    ------
    Problem
        422.
    """
    options = form.get("options", "{}")
    try:
        return json.loads(options) if isinstance(options, str) else None
    except (ValueError, RecursionError) as error:
        raise Problem("options is no JSON", status=422, code="invalid") from error


async def save_upload(file: UploadFile, path: Path, settings: ServeSettings) -> None:
    """Write an upload into a file of ours; the name that the client gave it is never used.

    Raises
    ------
    Problem
        413.
    """
    limit, taken = settings.max_upload_mb * 2**20, 0
    with path.open("wb") as target:
        while part := await file.read(PART):
            taken += len(part)
            if taken > limit:
                raise Problem(
                    "the file is too large", status=413, code="too_large", expected=f"at most {limit} bytes"
                )
            target.write(part)


def schema_of(model: type[BaseModel]) -> dict[str, Any]:
    """Return the JSON Schema of a body that an operation reads by itself, with its definitions in place."""
    schema = model.model_json_schema()
    definitions = schema.pop("$defs", {})

    def placed(value: Any) -> Any:
        if isinstance(value, dict):
            name = str(value.get("$ref", "")).rpartition("/")[2]
            return placed(definitions[name]) if name else {key: placed(one) for key, one in value.items()}
        return [placed(one) for one in value] if isinstance(value, list) else value

    found: dict[str, Any] = placed(schema)
    return found
