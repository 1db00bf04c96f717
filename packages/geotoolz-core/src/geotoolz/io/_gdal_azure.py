"""Azure's variables under the names that GDAL reads them by: obstore and GDAL have different ones."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from geotoolz.io._object_options import is_yes

__all__ = ["azure_options"]

_ACCOUNT = ("AZURE_STORAGE_ACCOUNT_NAME", "AZURE_STORAGE_ACCOUNT")
_KEY = ("AZURE_STORAGE_ACCOUNT_KEY", "AZURE_STORAGE_ACCESS_KEY", "AZURE_STORAGE_MASTER_KEY")
_SIGNATURE = ("AZURE_STORAGE_SAS_TOKEN", "AZURE_STORAGE_SAS_KEY")
#: what a provider of Azure's credentials may return. S3's returns a token, too, beside its keys
_PROVIDED = ("access_key", "sas_token", "token")
_ENDPOINT = ("AZURE_STORAGE_ENDPOINT", "AZURE_ENDPOINT")


def azure_options(held: Mapping[str, Any] | None = None) -> dict[str, str]:
    """Return GDAL's options for the account that obstore writes to.

    Parameters
    ----------
    held : mapping, optional
        What a provider of credentials returned: ``access_key``, ``sas_token`` or ``token`` go before the
        variables. One that knows no Azure (an S3 provider) says nothing here.

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
    given = {name: str(value) for name, value in _of_azure(held).items() if name in _PROVIDED and value}
    key = given.get("access_key", "") if given else _first(_KEY)
    signature = given.get("sas_token", "") if given else _first(_SIGNATURE)
    endpoint = _endpoint(account)
    if endpoint and (key or signature):
        return {"AZURE_STORAGE_CONNECTION_STRING": _connection(account, key, signature, endpoint)}
    options = {"AZURE_STORAGE_ACCOUNT": account}
    if "token" in given:
        options["AZURE_STORAGE_ACCESS_TOKEN"] = given["token"]
    elif key:
        options["AZURE_STORAGE_ACCESS_KEY"] = key
    elif signature:
        options["AZURE_STORAGE_SAS_TOKEN"] = signature.removeprefix("?")
    elif is_yes("AZURE_SKIP_SIGNATURE") or is_yes("AZURE_NO_SIGN_REQUEST"):
        options["AZURE_NO_SIGN_REQUEST"] = "YES"
    return options


def _of_azure(held: Mapping[str, Any] | None) -> Mapping[str, Any]:
    return {} if held is None or "access_key_id" in held else held


def _connection(account: str, key: str, signature: str, endpoint: str) -> str:
    secret = f"AccountKey={key}" if key else f"SharedAccessSignature={signature.removeprefix('?')}"
    scheme = endpoint.partition("://")[0]
    return f"DefaultEndpointsProtocol={scheme};AccountName={account};{secret};BlobEndpoint={endpoint};"


def _endpoint(account: str) -> str:
    if is_yes("AZURE_STORAGE_USE_EMULATOR"):
        address = os.environ.get("AZURITE_BLOB_STORAGE_URL") or "http://127.0.0.1:10000"
        return f"{address.rstrip('/')}/{account}"
    return _first(_ENDPOINT).rstrip("/")


def _first(names: tuple[str, ...]) -> str:
    return next((os.environ[name] for name in names if os.environ.get(name)), "")
