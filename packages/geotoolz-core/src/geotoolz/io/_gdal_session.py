"""Whose credentials GDAL reads an object store with."""

from __future__ import annotations

from typing import Any

from geotoolz.io._object_options import credentials

#: GDAL's names of what a provider returns
_KEYS = {
    "AWS_ACCESS_KEY_ID": "access_key_id",
    "AWS_SECRET_ACCESS_KEY": "secret_access_key",
    "AWS_SESSION_TOKEN": "token",
}


def session_for(path: str) -> Any:
    """Return rasterio's session with the keys of our provider; None where GDAL finds them itself."""
    held = credentials() if path.lower().startswith(("s3://", "/vsis3/")) else None
    if held is None:
        return None
    from rasterio.session import DummySession

    names = {
        "access_key_id": "ACCESS_KEY_ID",
        "secret_access_key": "SECRET_ACCESS_KEY",
        "token": "SESSION_TOKEN",
    }
    keys = {f"AWS_{name}": str(held[key]) for key, name in names.items() if held.get(key)}

    class Provided(DummySession):  # type: ignore[misc]
        """Hands the provider's keys to GDAL."""

        def get_credential_options(self) -> dict[str, str]:
            return keys

    return Provided()
