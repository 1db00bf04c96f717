"""Where things are: paths and URIs, relative to a catalog, an item, or nothing."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit
from urllib.request import url2pathname


def is_uri(href: str) -> bool:
    """Tell whether an href is a URI or a GDAL virtual path, that is: no path on this machine.

    Examples
    --------
    >>> is_uri("s3://bucket/a.tif"), is_uri("/vsizip/a.zip/b.tif"), is_uri("file:///a.tif"), is_uri("a.tif")
    (True, True, False, False)
    """
    return href.startswith("/vsi") or ("://" in href and not href.startswith("file://"))


def local_path(href: str, base: str | Path | None = None) -> Path | None:
    """Return the absolute path that an href means on this machine, or None for a URI.

    Parameters
    ----------
    href : str
        A path, a ``file://`` URI, or a URI.
    base : str or Path, optional
        Folder that relative paths start from.
    """
    if is_uri(href):
        return None
    if href.startswith("file://"):
        return Path(url2pathname(unquote(urlsplit(href).path)))
    path = Path(href)
    if not path.is_absolute():
        path = Path(base or ".") / path
    # normpath and not resolve: a link stays what the user called it
    return Path(os.path.normpath(path if path.is_absolute() else Path.cwd() / path))


def absolute(href: str, base: str | Path | None = None) -> str:
    """Return an absolute path, or the URI unchanged; relative to a URI where the base is one."""
    if isinstance(base, str) and is_uri(base) and not is_uri(href) and not href.startswith(("/", "file:")):
        scheme, rest = base.split("://", 1) if "://" in base else ("", base)
        joined = os.path.normpath(PurePosixPath(rest) / href).replace("\\", "/")
        return f"{scheme}://{joined}" if scheme else joined
    if is_uri(href):
        return href
    if href.startswith("file://"):
        return str(local_path(href, base))
    # strings and no Path objects: called 10^5 times
    return os.path.normpath(os.path.join(os.getcwd(), os.fspath(base or "."), href))  # noqa: PTH109, PTH118


def relative(href: str, folder: Path) -> str:
    """Return an href as a catalog in `folder` keeps it: relative where it lies below, else unchanged."""
    path = local_path(href)
    if path is None:
        return href
    try:
        return path.relative_to(folder).as_posix()
    except ValueError:
        return str(path)


def file_uri(href: str) -> str:
    """Return what a STAC item may hold: a URI; local paths become ``file:///…``."""
    path = local_path(href)
    return href if path is None else path.as_uri()
