"""The identity of a pipeline."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from geotoolz.core import _registry
from geotoolz.core._config import REF_TARGET, TARGET, normalised, to_config
from geotoolz.core._operator import Operator
from geotoolz.core._sink import Sink


def config_hash(op: Operator) -> str:
    """Return the SHA-256 of an operator's configuration.

    The configuration is taken with all defaults and each operator's ``version``, in the canonical
    JSON of RFC 8785. Sinks are left out, and of a `Ref` only the content counts: where something
    is read from or written to does not change the pixels.

    Parameters
    ----------
    op : Operator
        The pipeline.

    Returns
    -------
    str
        64 hexadecimal digits.

    Examples
    --------
    >>> from geotoolz.core import Sequential, config_hash
    >>> len(config_hash(Sequential([])))
    64
    """
    return hashlib.sha256(canonical_json(op)).hexdigest()


def canonical_json(op: Operator) -> bytes:
    """Return the bytes that `config_hash` hashes."""
    import rfc8785

    return rfc8785.dumps(normalised(_identity(to_config(op))))


def _identity(value: Any) -> Any:
    if isinstance(value, Mapping):
        target = value.get(TARGET)
        if target == REF_TARGET:
            return {TARGET: REF_TARGET, "sha256": value["sha256"]}
        own = {key: _identity(item) for key, item in value.items()}
        if isinstance(target, str):
            own["_version_"] = _registry.find(target).version
        return own
    if isinstance(value, list):
        return [_identity(item) for item in value if not _is_sink(item)]
    return value


def _is_sink(value: Any) -> bool:
    if not isinstance(value, Mapping) or not isinstance(value.get(TARGET), str):
        return False
    if value[TARGET] == REF_TARGET:
        return False
    return issubclass(_registry.find(value[TARGET]), Sink)
