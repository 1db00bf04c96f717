"""Whose credentials GDAL reads an object store with."""

from __future__ import annotations

from typing import Any

from geotoolz.io._gdal_azure import azure_options
from geotoolz.io._object_options import credentials

#: GDAL's names of what a provider returns
_KEYS = {
    "AWS_ACCESS_KEY_ID": "access_key_id",
    "AWS_SECRET_ACCESS_KEY": "secret_access_key",
    "AWS_SESSION_TOKEN": "token",
}


def gdal_env(path: str = "", **options: Any) -> Any:
    """Return rasterio's environment for what is read from a path, or for a file of this machine.

    rasterio makes a session of boto3 wherever the variables hold keys of AWS, for local files too: ten
    milliseconds each time, for keys that GDAL finds in the same variables.

    Parameters
    ----------
    path : str
        File or URL.
    **options
        GDAL's.
    """
    from rasterio.env import Env

    return Env(session_for(path), **options)


def session_for(path: str) -> Any:
    """Return rasterio's session with our keys; one without keys where GDAL finds them itself.

    On S3 those of a provider; on Azure also what stands in the environment under obstore's names.
    """
    from rasterio.session import DummySession

    options = _options(path.lower())
    if not options:
        return DummySession()

    class Provided(DummySession):  # type: ignore[misc]
        """Hands the keys to GDAL."""

        def get_credential_options(self) -> dict[str, str]:
            return options

    return Provided()


def _options(path: str) -> dict[str, str]:
    if path.startswith(("az://", "/vsiaz/")):
        return azure_options(credentials())
    held = credentials() if path.startswith(("s3://", "/vsis3/")) else None
    return {name: str(held[key]) for name, key in _KEYS.items() if held.get(key)} if held else {}
