"""A server that says no to its load balancer for a while before it stops listening."""

from __future__ import annotations

import asyncio
import socket
from types import FrameType
from typing import TYPE_CHECKING

import uvicorn

if TYPE_CHECKING:
    from geotoolz.serve._state import State


class DrainingServer(uvicorn.Server):
    """uvicorn, with a pause between the first signal and the end.

    Parameters
    ----------
    config : uvicorn.Config
    state : State
    drain : float
        Seconds during which ``/readyz`` answers 503 and everything else is served. A second signal ends the
        pause.
    """

    def __init__(self, config: uvicorn.Config, state: State, drain: float) -> None:
        super().__init__(config)
        self._state = state
        self._drain = drain
        self._loop: asyncio.AbstractEventLoop | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Remember the loop that the pause is counted in, and say where the server is."""
        self._loop = asyncio.get_running_loop()
        await super().startup(sockets)
        if self.started:
            self._say_where()

    def _say_where(self) -> None:
        from geotoolz._cli._console import say

        host, port = self.servers[0].sockets[0].getsockname()[:2]
        host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)
        page = "workbench/" if self._state.settings.workbench else "layers"
        say(f"http://{host}:{port}/{page}, until Ctrl-C")

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Take a signal."""
        first = not self._state.draining
        self._state.draining = True
        if not first or self._drain <= 0 or self._loop is None:
            super().handle_exit(sig, frame)
            return
        stop = super().handle_exit
        self._loop.call_soon_threadsafe(
            lambda: asyncio.get_running_loop().call_later(self._drain, stop, sig, None)
        )
