"""What an object store answers, as typed errors: what is wrong, and whether it may pass by itself."""

from __future__ import annotations

import errno
import re

from geotoolz.core._errors import ReadError, WriteError

_CODE = re.compile(r"<Code>\s*(\w+)\s*</Code>|\"code\":\s*\"?(\w+)")
_STATUS = re.compile(r"status code: (\d{3})")
_HOST = re.compile(r"https?://[^\s/?]+")
#: where machines in a cloud ask for credentials: asked only when the environment holds none
_METADATA_HOSTS = ("169.254.169.254", "169.254.170.", "metadata.google", "fd00:ec2::254")
_NO_BUCKET = frozenset({"NoSuchBucket", "ContainerNotFound", "InvalidBucketName", "PermanentRedirect"})
_BAD_KEYS = frozenset(
    {"InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken", "TokenRefreshRequired",
     "AuthenticationFailed", "InvalidAuthenticationInfo"}
)  # fmt: skip
_BUSY = frozenset({"SlowDown", "ServiceUnavailable", "InternalError", "RequestTimeout", "ServerBusy"})
_SLOW = ("timed out", "kind: timeout", "timedout", "deadline")


class StoreError(ReadError, WriteError):
    """An object store cannot be read or written; ``errno`` tells whether that may pass."""

    errno: int | None = errno.EIO


class StoreCredentialsError(StoreError):
    """There are no credentials for an object store, or it does not accept them."""

    errno: int | None = errno.EACCES


class StoreDeniedError(StoreError):
    """An object store knows the caller and refuses what is asked (HTTP 403)."""

    errno: int | None = errno.EACCES


class StoreMissingError(StoreError):
    """A bucket or container does not exist."""

    errno: int | None = errno.ENOENT


class StoreUnreachableError(StoreError):
    """Nobody answers at the endpoint, too late, or the connection breaks off."""

    errno: int | None = errno.ECONNREFUSED


class StoreBusyError(StoreError):
    """An object store answers 429 or 5xx, also after some retries."""

    errno: int | None = errno.EAGAIN


class StoreDamagedError(StoreError):
    """What an object store holds is not what was sent: another size or ETag."""

    errno: int | None = errno.EAGAIN


def store_error(error: BaseException, url: str) -> StoreError:
    """Return the typed error for what obstore raised.

    Nothing of the answer's body is repeated but its code: bodies may hold key ids and signatures.

    Parameters
    ----------
    error : BaseException
    url : str
        The bucket, or object, that was asked for.

    Examples
    --------
    >>> error = store_error(OSError("Server returned non-2xx status code: 503 Slow Down"), "s3://b/a")
    >>> type(error).__name__, str(error).partition(";")[0]
    ('StoreBusyError', 's3://b/a: the object store answers 503')
    """
    text = str(error).partition("\n\nDebug source")[0]
    said = _CODE.search(text)
    code = (said[1] or said[2]) if said else ""
    found = _STATUS.search(text)
    status = int(found[1]) if found else 0
    kind = type(error).__name__
    if any(host in text for host in _METADATA_HOSTS) or "redential" in text:
        return StoreCredentialsError(
            f"{url}: no credentials were found in this process",
            expected="the provider's variables (AWS_ACCESS_KEY_ID …), a profile, or GEOTOOLZ_CREDENTIALS",
            fix="set them, for the workers of a cluster too (runtime_env: {env_vars: …}); a public bucket is "
            "read with AWS_SKIP_SIGNATURE=true",
        )
    if code in _NO_BUCKET or (status == 404 and "list" in text):
        return StoreMissingError(
            f"{url}: there is no such bucket ({code or status})",
            expected="a bucket or container that exists",
            fix="create it, or correct the address, region and endpoint",
        )
    if status == 416:  # obstore asks for the rest of what was announced
        return StoreDamagedError(
            f"{url}: fewer bytes than the object store announced", expected="the whole object"
        )
    if status in (401, 403) or code in _BAD_KEYS or kind in ("PermissionDeniedError", "UnauthenticatedError"):
        return _refused(url, code, status)
    if status == 429 or status >= 500 or code in _BUSY:
        return StoreBusyError(
            f"{url}: the object store answers {status or code}",
            expected="an answer after some retries",
            fix="run again later, with fewer workers: finished tiles are kept",
        )
    if status or kind in ("InvalidPathError", "UnknownConfigurationKeyError", "NotSupportedError"):
        return StoreError(f"{url}: {code or status or text[:200]}", expected="a request that the store takes")
    return _silent(url, text, slow=any(word in str(error).lower() for word in _SLOW))


def _refused(url: str, code: str, status: int) -> StoreError:
    said = " ".join(str(part) for part in (status or "", code) if part)
    if code in _BAD_KEYS:
        return StoreCredentialsError(
            f"{url}: the credentials are not accepted ({said})",
            expected="valid keys and a token that has not run out",
            fix="renew them, or let a provider do it: GEOTOOLZ_CREDENTIALS=module:function",
        )
    return StoreDeniedError(
        f"{url}: access is denied ({said})",
        expected="the rights to list, read, write and delete below the address",
        fix="ask for them, or choose another address",
    )


def _silent(url: str, text: str, *, slow: bool) -> StoreError:
    """Return the error of a request without an answer."""
    host = _HOST.search(text)
    error = StoreUnreachableError(
        f"{url}: {host[0] if host else 'the endpoint'} {'answers too late' if slow else 'cannot be reached'}",
        expected="an object store that answers",
        fix="check the endpoint (AWS_ENDPOINT_URL) and the network, then run again: finished tiles are kept",
    )
    if slow:
        error.errno = errno.ETIMEDOUT
    return error
