"""Azure's variables under the names that GDAL reads them by: obstore and GDAL have different ones."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

__all__ = ["azure_options"]

_ACCOUNT = ("AZURE_STORAGE_ACCOUNT_NAME", "AZURE_STORAGE_ACCOUNT")
_KEY = ("AZURE_STORAGE_ACCOUNT_KEY", "AZURE_STORAGE_ACCESS_KEY", "AZURE_STORAGE_MASTER_KEY")
_SIGNATURE = ("AZURE_STORAGE_SAS_TOKEN", "AZURE_STORAGE_SAS_KEY")
_ENDPOINT = ("AZURE_STORAGE_ENDPOINT", "AZURE_ENDPOINT")
_YES = frozenset({"1", "true", "yes", "on"})


def azure_options(held: Mapping[str, Any] | None = None) -> dict[str, str]:
    """Return GDAL's options for the account that obstore writes to.

    Parameters
    ----------
    held : mapping, optional
        What a provider of credentials returned: ``access_key``, ``sas_token`` or ``token``. It goes before
        the variables.

    Returns
    -------
    dict
        Empty where no variable names an account.
    """
    if os.environ.get("AZURE_STORAGE_CONNECTION_STRING"):
        return {"AZURE_STORAGE_CONNECTION_STRING": os.environ["AZURE_STORAGE_CONNECTION_STRING"]}
    account = _first(_ACCOUNT)
    if not account:
        return {}
    given = held or {}
    key = str(given.get("access_key") or "") if held else _first(_KEY)
    signature = str(given.get("sas_token") or "") if held else _first(_SIGNATURE)
    endpoint = _endpoint(account)
    if endpoint and (key or signature):
        return {"AZURE_STORAGE_CONNECTION_STRING": _connection(account, key, signature, endpoint)}
    options = {"AZURE_STORAGE_ACCOUNT": account}
    if given.get("token"):
        options["AZURE_STORAGE_ACCESS_TOKEN"] = str(given["token"])
    elif key:
        options["AZURE_STORAGE_ACCESS_KEY"] = key
    elif signature:
        options["AZURE_STORAGE_SAS_TOKEN"] = signature.removeprefix("?")
    elif _is_yes("AZURE_SKIP_SIGNATURE") or _is_yes("AZURE_NO_SIGN_REQUEST"):
        options["AZURE_NO_SIGN_REQUEST"] = "YES"
    return options


def _connection(account: str, key: str, signature: str, endpoint: str) -> str:
    secret = f"AccountKey={key}" if key else f"SharedAccessSignature={signature.removeprefix('?')}"
    scheme = endpoint.partition("://")[0]
    return f"DefaultEndpointsProtocol={scheme};AccountName={account};{secret};BlobEndpoint={endpoint};"


def _endpoint(account: str) -> str:
    if _is_yes("AZURE_STORAGE_USE_EMULATOR"):
        address = os.environ.get("AZURITE_BLOB_STORAGE_URL") or "http://127.0.0.1:10000"
        return f"{address.rstrip('/')}/{account}"
    return _first(_ENDPOINT).rstrip("/")


def _first(names: tuple[str, ...]) -> str:
    return next((os.environ[name] for name in names if os.environ.get(name)), "")


def _is_yes(name: str) -> bool:
    return os.environ.get(name, "").strip().lower() in _YES
