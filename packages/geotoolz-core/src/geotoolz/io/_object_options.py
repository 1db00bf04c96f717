"""How object stores are reached: credentials, endpoint, patience; the same for obstore and for GDAL."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from geotoolz.core._errors import ParameterError

Provider = Callable[[], Mapping[str, Any]]

#: a function that returns credentials, as ``module:function``; asked again before they run out
CREDENTIALS = "GEOTOOLZ_CREDENTIALS"
#: seconds that one request may take, and how often it is tried again
TIMEOUT, RETRIES = "GEOTOOLZ_STORE_TIMEOUT", "GEOTOOLZ_STORE_RETRIES"
_TIMEOUT, _RETRIES = 60.0, 5
#: whether an endpoint is there at all is known in seconds
_QUICK_TIMEOUT, _QUICK_RETRIES = 8.0, 2
_FAMILIES = ("AWS_", "GOOGLE_", "AZURE_", "GEOTOOLZ_STORE", "GEOTOOLZ_CREDENTIALS")
_YES = frozenset({"1", "true", "yes", "on"})
_MARGIN = timedelta(seconds=60)
_lock = threading.Lock()
_kept: dict[str, Mapping[str, Any]] = {}


def environment() -> tuple[tuple[str, str], ...]:
    """Return what in the environment decides how stores are reached; to know when it has changed."""
    return tuple(sorted(pair for pair in os.environ.items() if pair[0].startswith(_FAMILIES)))


def client_options(scheme: str, *, quick: bool = False) -> dict[str, Any]:
    """Return what obstore's stores are made with, beside the provider's own variables.

    Parameters
    ----------
    scheme : str
    quick : bool
        For the first question: a wrong endpoint is an error in seconds.

    Raises
    ------
    ParameterError
        If a variable holds no number, or names no function.
    """
    timeout = min(_number(TIMEOUT, _TIMEOUT), _QUICK_TIMEOUT if quick else float("inf"))
    retries = int(min(_number(RETRIES, _RETRIES), _QUICK_RETRIES if quick else float("inf")))
    options: dict[str, Any] = {
        "client_options": {
            "timeout": timedelta(seconds=timeout),
            "connect_timeout": timedelta(seconds=min(timeout, 3.0 if quick else 5.0)),
        },
        "retry_config": {
            "max_retries": retries,
            "retry_timeout": timedelta(seconds=max(1.0, timeout * (1 + retries))),
            "backoff": {"init_backoff": timedelta(milliseconds=100), "max_backoff": timedelta(seconds=5)},
        },
    }
    endpoint = s3_endpoint() if scheme == "s3" else ""
    if endpoint.startswith("http://"):  # whoever names such an endpoint means it
        options["client_options"]["allow_http"] = True
    if endpoint:
        options["endpoint"] = endpoint
    provider = provider_of(scheme)
    if provider is not None:
        options["credential_provider"] = provider
    return options


def s3_endpoint() -> str:
    """Return the address of an S3-compatible server (MinIO, Ceph …); empty for Amazon's."""
    names = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT")
    found: str = next((os.environ[name] for name in names if os.environ.get(name)), "")
    return found.rstrip("/")


def provider_of(scheme: str) -> Provider | None:
    """Return the function that gives credentials; None where the variables are enough.

    `CREDENTIALS` names one; without keys in the environment, boto3 (where it is installed) reads the
    profiles of ``~/.aws``, which obstore does not.
    """
    named = os.environ.get(CREDENTIALS, "")
    if named:
        return _imported(named)
    if scheme != "s3" or os.environ.get("AWS_ACCESS_KEY_ID") or is_yes("AWS_SKIP_SIGNATURE"):
        return None
    folder = Path("~/.aws").expanduser()
    told = os.environ.get("AWS_SHARED_CREDENTIALS_FILE") or os.environ.get("AWS_PROFILE")
    if not (told or (folder / "credentials").is_file() or (folder / "config").is_file()):
        return None
    return _profile(os.environ.get("AWS_PROFILE"))


@lru_cache(maxsize=8)
def _imported(named: str) -> Provider:
    """Return the function ``module:function``; a class, as obstore's own providers are, is made once."""
    module, colon, name = named.partition(":")
    try:
        found = getattr(import_module(module), name) if colon else None
    except (ImportError, AttributeError) as error:
        raise ParameterError(f"{CREDENTIALS}={named}: {error}", expected="module:function") from error
    if not callable(found):
        raise ParameterError(f"{CREDENTIALS}={named}", expected="module:function, a function of credentials")
    made = found() if isinstance(found, type) else found
    return made  # type: ignore[no-any-return]


@lru_cache(maxsize=8)
def _profile(name: str | None) -> Provider | None:
    try:
        import boto3  # type: ignore[import-untyped,unused-ignore]
        from obstore.auth.boto3 import Boto3CredentialProvider
    except ImportError:
        return None
    try:
        return Boto3CredentialProvider(boto3.Session(profile_name=name))
    except Exception as error:  # botocore's own errors, and obstore's ValueError where it finds nothing
        if name is None:  # a file that only says the region
            return None
        raise ParameterError(
            f"AWS_PROFILE={name}: {error}", expected="a profile with credentials in ~/.aws"
        ) from error


def gdal_store_options(path: str) -> dict[str, str]:
    """Return GDAL's options for reading from the store that obstore would write to.

    The endpoint's variables have other names there. What the user set for GDAL wins.

    Examples
    --------
    >>> gdal_store_options("https://host/a.tif")
    {}
    """
    if not path.lower().startswith(("s3://", "/vsis3/")):
        return {}
    options: dict[str, str] = {}
    endpoint = urlsplit(s3_endpoint())
    if endpoint.netloc:
        options["AWS_S3_ENDPOINT"] = endpoint.netloc + endpoint.path
        options["AWS_HTTPS"] = "YES" if endpoint.scheme == "https" else "NO"
        virtual = is_yes("AWS_VIRTUAL_HOSTED_STYLE_REQUEST")
        options["AWS_VIRTUAL_HOSTING"] = "TRUE" if virtual else "FALSE"
    if is_yes("AWS_SKIP_SIGNATURE"):
        options["AWS_NO_SIGN_REQUEST"] = "YES"
    return {name: value for name, value in options.items() if name not in os.environ}


def credentials() -> Mapping[str, Any] | None:
    """Return what the provider of `CREDENTIALS` gives, asked again a minute before it runs out."""
    named = os.environ.get(CREDENTIALS, "")
    if not named:
        return None
    with _lock:
        kept = _kept.get(named)
        if kept is None or _runs_out(kept):
            kept = _kept[named] = _imported(named)()
        return kept


def _runs_out(kept: Mapping[str, Any]) -> bool:
    until = kept.get("expires_at")
    return isinstance(until, datetime) and until - _MARGIN <= datetime.now(UTC)


def is_yes(name: str) -> bool:
    return os.environ.get(name, "").strip().lower() in _YES


def _number(name: str, default: float) -> float:
    text = os.environ.get(name, "")
    try:
        value = float(text) if text else default
    except ValueError:
        value = -1.0
    if value < 0:
        raise ParameterError(f"{name}={text}", expected="a number, 0 or more")
    return value
