"""obstore's stores, made once per bucket; what they raise as typed errors."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from importlib.util import find_spec
from typing import Any

from geotoolz.core._errors import MissingDependencyError
from geotoolz.io._object_errors import StoreError, store_error
from geotoolz.io._object_options import client_options, environment

_stores: dict[Any, Any] = {}
_lock = threading.Lock()


@contextmanager
def typed_as(url: str) -> Iterator[None]:
    """Turn obstore's errors into `StoreError`; a missing object stays a `FileNotFoundError`."""
    from obstore.exceptions import BaseError

    try:
        yield
    except StoreError:
        raise
    except (OSError, BaseError) as error:
        if isinstance(error, FileNotFoundError) and "NoSuchBucket" not in str(error):
            raise FileNotFoundError(f"{url} does not exist") from None
        raise store_error(error, url) from None  # the cause's text holds the whole answer


def client_of(scheme: str, bucket: str, *, quick: bool = False) -> Any:
    """Return obstore's store for a bucket, made once per process and environment."""
    key = (scheme, bucket) if scheme == "memory" else (scheme, bucket, quick, environment())
    with _lock:
        found = _stores.get(key)
        if found is None:
            found = _stores[key] = _made(scheme, bucket, quick)
        return found


def require_obstore(scheme: str) -> None:
    """Raise `MissingDependencyError` where obstore is not installed."""
    if not _is_installed():
        raise MissingDependencyError(
            f"{scheme}:// needs obstore, which is not installed", fix="pip install 'geotoolz-core[cloud-io]'"
        )


@lru_cache(maxsize=1)
def _is_installed() -> bool:
    return find_spec("obstore") is not None


def _made(scheme: str, bucket: str, quick: bool) -> Any:
    from obstore import store as kinds

    if scheme == "memory":
        return kinds.MemoryStore()
    made = {"s3": kinds.S3Store, "gs": kinds.GCSStore, "az": kinds.AzureStore}[scheme]
    with typed_as(f"{scheme}://{bucket}"):
        return made(bucket, **client_options(scheme, quick=quick))
