"""A pipeline as a LitServe API: loaded once per worker, in batches, one bad request fails alone."""

# no annotations from __future__: LitServe compares those of the methods with classes

import json
import logging
import os
import shutil
import tempfile
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastapi import HTTPException, Request, Response

from geotoolz.core import GeotoolzError, MissingDependencyError
from geotoolz.serve._auth import Auth
from geotoolz.serve._bodies import checked, json_body
from geotoolz.serve._errors import Problem, as_problem, problem_answer
from geotoolz.serve._jobs import Job
from geotoolz.serve._process_api import ProcessBody
from geotoolz.serve._process_run import Order, process
from geotoolz.serve._registry import Registry
from geotoolz.serve._settings import ServeSettings, load_settings
from geotoolz.serve._sources import ReadBody, check_source, open_body

try:
    import litserve
    from litserve.server import LIT_SERVER_API_KEY, api_key_auth
except ModuleNotFoundError as error:
    raise MissingDependencyError(
        "geotoolz.serve.PipelineAPI needs litserve, which is not installed",
        fix="pip install 'geotoolz-serve[litserve]'",
    ) from error


_OPEN = frozenset({"/health"})
"""Answered without a key, as the probes of the HTTP API are."""
_log = logging.getLogger("geotoolz.serve")


@dataclass(frozen=True)
class Encoded:
    """A finished answer."""

    body: bytes
    media_type: str
    headers: Mapping[str, str]


def _refused(problem: Problem, headers: dict[str, str] | None = None) -> HTTPException:
    body = json.loads(bytes(problem_answer(problem, uuid.uuid4().hex).body))
    return HTTPException(problem.status, body["error"], headers)


class PipelineAPI(litserve.LitAPI):  # type: ignore[misc]
    """Serves one pipeline of the settings with LitServe.

    A request is the JSON of ``POST /process/{name}``; so are the answers, with ``X-Config-Hash``. The limits
    of the settings hold, and so do ``api_keys`` and ``auth_hook``: without a key ``/health`` alone is
    answered. What goes wrong with one request of a batch is told to that client only.

    Parameters
    ----------
    settings : ServeSettings, mapping or path
        Pipelines, catalogs and limits; layers are not opened.
    pipeline : str, optional
        Its name; may be left out where there is one only.
    **options
        Of `litserve.LitAPI`: ``max_batch_size``, ``batch_timeout``, ``api_path`` (by default
        ``/process/NAME``).

    Raises
    ------
    MissingDependencyError
        Without litserve.
    Problem
        404, for a pipeline that is not in the settings.

    Examples
    --------
    >>> import litserve  # doctest: +SKIP
    >>> api = PipelineAPI("serve.yaml", "methane", max_batch_size=4)  # doctest: +SKIP
    >>> if __name__ == "__main__":  # doctest: +SKIP
    ...     server = litserve.LitServer(api, accelerator="cpu", workers_per_device=1)
    ...     server.run(host="127.0.0.1", port=8001, num_api_servers=1, generate_client_file=False)

    The last lines belong under ``__main__``: LitServe's workers import the file again.
    """

    def __init__(
        self,
        settings: ServeSettings | Mapping[str, Any] | str | os.PathLike[str],
        pipeline: str | None = None,
        **options: Any,
    ) -> None:
        self.settings = load_settings(settings).model_copy(update={"layers": []})
        names = [one.name for one in self.settings.pipelines]
        self.pipeline = pipeline if pipeline is not None else names[0] if len(names) == 1 else ""
        if self.pipeline not in names:
            raise Problem(
                f"there is no pipeline {self.pipeline!r}",
                status=404,
                code="unknown_pipeline",
                expected=f"one of: {', '.join(names) or 'none'}",
            )
        self._auth = Auth(self.settings)
        super().__init__(**{"api_path": f"/process/{self.pipeline}", **options})

    async def authorize(self, request: Request) -> None:
        """Let a request in, or not; LitServe asks this first, before the request gets into a batch.

        Raises
        ------
        HTTPException
            401 without a key, 422 for a body that is no JSON.
        """
        path = request.url.path
        if self._auth.required and path not in _OPEN:
            try:
                await self._auth.client(request.headers, path, "")
            except Problem as problem:
                raise _refused(problem, {"WWW-Authenticate": "Bearer"}) from None
        elif not self._auth.required and LIT_SERVER_API_KEY:  # what LitServe itself would ask for
            api_key_auth(request.headers.get("x-api-key", ""))
        if request.method == "POST":
            try:
                await json_body(request)
            except Problem as problem:
                raise _refused(problem) from None

    def setup(self, device: Any) -> None:
        """Load the pipeline, once per worker."""
        self.registry = Registry.open(self.settings)
        self.served = self.registry.pipelines[self.pipeline]

    def decode_request(self, request: Request) -> ProcessBody | Problem:
        """Validate a request into a value: an error raised here would fail the whole batch.

        LitServe hands in the parsed JSON; the annotation makes it leave the validation to us.
        """
        try:
            body = checked(ProcessBody, request)
            check_source(self.settings, self.registry, body.source)
        except GeotoolzError as error:
            return as_problem(error)
        return body

    def predict(self, x: Any) -> Any:
        """Run the pipeline for one request, or for each of a batch."""
        return [self._one(body) for body in x] if isinstance(x, list) else self._one(x)

    def unbatch(self, output: list[Encoded | Problem]) -> list[Encoded | Problem]:
        """Return the answers of a batch."""
        return output

    def encode_response(self, output: Encoded | Problem) -> Response:
        """Return bytes with the pipeline's hash, or the problem in the form of the HTTP API."""
        if isinstance(output, Problem):
            number = uuid.uuid4().hex
            _log.warning("refused: %s", output, extra={"request_id": number})
            return problem_answer(output, number)
        return Response(output.body, media_type=output.media_type, headers=dict(output.headers))

    def _one(self, body: ProcessBody | Problem) -> Encoded | Problem:
        if isinstance(body, Problem):
            return body
        try:
            return self._run(body)
        except GeotoolzError as error:
            return as_problem(error)

    def _run(self, body: ProcessBody) -> Encoded:
        """Run the pipeline."""
        folder = Path(tempfile.mkdtemp(prefix="geotoolz-litserve-"))
        served = self.served
        job = Job("litserve", "litserve", served.name, served.config_hash, folder)
        bands = None if body.bands is None else tuple(body.bands)
        order = Order(served.name, served.operator, served.config_hash, body.format, bands, body.size)
        try:
            read = ReadBody(aoi=body.aoi, resolution=body.resolution)
            opening = open_body(self.settings, self.registry, body.source, read, folder)
            answer = process(self.settings, order, opening, job)
            return Encoded(answer.path.read_bytes(), answer.media_type, answer.headers)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
