"""Listen, answer, and stop without losing a request.

Told to stop (SIGTERM, Ctrl-C), the service says so on ``/ready`` and closes each connection with its next answer, still
answers what comes for a moment, then stops listening and finishes what it accepted. A second signal ends it at once.
"""

import gc
import os
import resource
import signal
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from types import FrameType
from typing import Any

import uvicorn

from fieldtune.errors import InputError
from fieldtune.serve import log
from fieldtune.serve.app import Service
from fieldtune.serve.guard import Guard
from fieldtune.serve.heads import Heads

BACKLOG = 2048
_SOCKETS = 4  # silent ones beyond the connections that are wanted, for the seconds until they are closed


class Server(uvicorn.Server):
    """uvicorn's server with a moment between the signal and the closed door."""

    def __init__(self, config: uvicorn.Config, service: Service) -> None:
        super().__init__(config)
        self.service = service
        self._stop_at: float | None = None

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to drain; the second time, end."""
        if self.service.draining:
            log.event("ended", signal=signal.Signals(sig).name, held=self.service.queue.held)
            os._exit(1)  # the thread of the model cannot be interrupted
        self.service.draining = True
        self._stop_at = time.monotonic() + self.service.limits.drain_s
        log.event("draining", signal=signal.Signals(sig).name, held=self.service.queue.held)

    async def on_tick(self, counter: int) -> bool:
        """Called ten times a second by uvicorn."""
        if self._stop_at is not None and time.monotonic() >= self._stop_at:
            self.should_exit = True
        return await super().on_tick(counter)


def listening(host: str, port: int) -> socket.socket:
    """A socket that listens; port 0 takes a free one.

    Raises:
        InputError: no such address, or the port is taken.
    """
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except (OSError, OverflowError) as error:
        raise InputError("an address and a free port", f"{host}:{port}: {error}", "choose --host and --port") from error


def address(sock: socket.socket) -> str:
    """The URL of a listening socket."""
    host, port = sock.getsockname()[:2]
    return f"http://[{host}]:{port}" if sock.family == socket.AF_INET6 else f"http://{host}:{port}"


def more_files(wanted: int) -> None:
    """Let this process hold so many files and sockets, as far as the system allows: 1,024, the usual, is soon full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def run(service: Service, app: Guard, sock: socket.socket, announce: Callable[[], None]) -> None:
    """Serve until told to stop; ``announce`` is called when requests may come."""
    log.start()
    limits = service.limits
    more_files(_SOCKETS * int(limits.connections))
    http = partial(Heads, head_s=limits.head_s, most=int(limits.connections))
    options: dict[str, Any] = {"http": http, "loop": "asyncio", "ws": "none", "lifespan": "on"}
    config = uvicorn.Config(
        app, log_config=None, access_log=False, server_header=False, proxy_headers=False, backlog=BACKLOG,
        timeout_keep_alive=max(int(limits.head_s), 1),
        timeout_graceful_shutdown=int(limits.deadline_s + limits.body_s) + 1, **options,
    )  # fmt: skip
    gc.collect()
    gc.freeze()  # a full collection through all that is loaded would stop every answer for a quarter second
    announce()
    sys.stdout.flush()  # whoever started this process may read a pipe
    Server(config, service).run(sockets=[sock])
    log.event("stopped", rows=asdict(service.queue.counts), held=service.queue.held)
