"""Starting a private Ray, or joining a running one."""

from __future__ import annotations

import logging
import os
import secrets
import socket
import sys
from typing import Any

from geotoolz.core import BatchError, MissingDependencyError

from ._cluster_state import short_folder, token_for
from ._ray_options import RayOptions, check_bytes

__all__ = ["RAY_ENV", "connect", "import_ray", "reach", "telling_line"]

_log = logging.getLogger("geotoolz.nextgen")
_MIB = 2**20
#: set before Ray is imported; what the user has set wins
RAY_ENV = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_task_oom_retries": "0",  # retries belong to the driver, where attempts are recorded
    "RAY_CLIENT_SERVER_CHECK_CHANNEL_TIMEOUT_S": "120",  # a busy head takes longer than 30 s to start one
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # without it Ray warns that this default is about to change
}


def connect(options: RayOptions, n_workers: int) -> tuple[Any, bool]:
    """Return the module ``ray`` with a connection, and whether the connection was made here.

    Parameters
    ----------
    options : RayOptions
    n_workers : int
        CPUs of a private Ray.

    Raises
    ------
    BatchError
        If nobody answers at the address, or Ray cannot be started.
    """
    _knock(options.address)
    _let_in(options.address)
    ray = import_ray(private=options.address == "local")
    if ray.is_initialized():
        return ray, False
    try:
        ray.init(**_init_options(options, n_workers))
    except (ConnectionError, RuntimeError, ValueError, TypeError, OSError) as exc:
        raise BatchError(
            f"Ray at {options.address!r} cannot be reached or started: {telling_line(exc)}",
            expected="'local', 'auto', 'host:port' or 'ray://host:port'",
            fix="check the address, or use engine='process' on this machine",
        ) from exc
    _keep_stdout_clean()
    return ray, True


def import_ray(*, private: bool) -> Any:
    """Import Ray with its switches set; it reads most of them when it is imported."""
    # uv's hook makes the tasks of a local Ray hang (seen with 2.60: the first get never returned)
    os.environ["RAY_ENABLE_UV_RUN_RUNTIME_ENV"] = "0"
    for name, value in RAY_ENV.items():
        os.environ.setdefault(name, value)
    if private and "ray" not in sys.modules:
        _lock_up()
    try:
        import ray
    except ModuleNotFoundError as exc:
        raise MissingDependencyError("ray is not installed", expected="ray ≥ 2.46", fix="uv add ray") from exc
    return ray


def telling_line(exc: BaseException) -> str:
    r"""Return the line of an error's text that says something; Ray's go on for many.

    The first one, or the last of a traceback, which Ray's client sends as a text.

    Examples
    --------
    >>> telling_line(RuntimeError("worker died:\n  it ran out of memory\n  see the log"))
    'it ran out of memory'
    >>> telling_line(RuntimeError("Traceback (most recent call last):\n  File 'a.py'\nOSError: no proxy"))
    'OSError: no proxy'
    """
    lines = [line.strip() for line in str(exc).splitlines() if line.strip()]
    if lines and lines[0].startswith("Traceback (most recent call last)"):
        return lines[-1]
    said = next((line for line in lines if not line.endswith(":")), "")
    return said or (lines or [type(exc).__name__])[0]


def _init_options(options: RayOptions, n_workers: int) -> dict[str, Any]:
    made: dict[str, Any] = {"address": options.address}
    if options.runtime_env is not None:
        made["runtime_env"] = dict(options.runtime_env)
    if options.address.startswith("ray://"):
        logging.getLogger("ray.client_builder").setLevel(logging.ERROR)
        return made  # a client hands further arguments on to the other side
    made |= {"log_to_driver": False, "logging_level": logging.ERROR}
    if options.address == "local":
        made |= {
            "num_cpus": n_workers,
            "include_dashboard": False,
            "object_store_memory": check_bytes("object_store_memory", options.object_store_memory)
            or 512 * _MIB,
            "_temp_dir": options.temp_dir or short_folder(),
        }
    return made


def _knock(address: str) -> None:
    """Refuse an address where nobody listens: Ray itself would try for many minutes.

    Raises
    ------
    BatchError
        If no connection can be made.
    """
    try:
        reach(address)
    except (OSError, OverflowError) as error:
        raise BatchError(
            f"nobody answers at {address!r}: {error}",
            expected="the address of a running Ray, as `ray start --head` prints it",
            fix="start one there, or use the address 'local'",
        ) from error


def reach(address: str) -> None:
    """Connect to ``host:port``, with or without a scheme, and leave again; an address without a port passes.

    Raises
    ------
    OSError, OverflowError
        If nobody listens there.
    """
    host, colon, port = address.rpartition("://")[2].rpartition(":")
    if colon and port.isdigit():
        socket.create_connection((host, int(port)), timeout=5).close()


def _let_in(address: str) -> None:
    """Take the token of the cluster that ``geotoolz cluster up`` started, where it is that one."""
    token = token_for(address)
    if token:
        os.environ.update(RAY_AUTH_MODE="token", RAY_AUTH_TOKEN_PATH=token)
        os.environ.pop("RAY_AUTH_TOKEN", None)


def _lock_up() -> None:
    """Give the private cluster a token of its own: whoever reaches an open one can run code as this user."""
    os.environ.setdefault("RAY_AUTH_MODE", "token")
    if os.environ["RAY_AUTH_MODE"] == "token" and "RAY_AUTH_TOKEN_PATH" not in os.environ:
        os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))


def _keep_stdout_clean() -> None:
    """Send the raylet's remarks (every dead worker is one) to the log: standard output is for results.

    Ray prints them whatever ``log_to_driver`` says, and has no switch; where its inside has changed, they
    stay.
    """
    from ray._private import worker

    if hasattr(worker, "print_to_stdstream"):
        worker.print_to_stdstream = _to_log


def _to_log(data: Any, ignore_prefix: bool) -> None:
    for line in data.get("lines", ()):
        _log.info("ray: %s", line)
