"""Run an application's page in Streamlit, on this machine only, until it is stopped. Knows no page."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

from fieldtune.errors import InputError, MissingExtraError
from fieldtune.progress import say

HOST = "127.0.0.1"
_SIGNALS = (signal.SIGINT, signal.SIGTERM)
STOPPED = (0, *(-number for number in _SIGNALS), *(128 + number for number in _SIGNALS))


def launch(page: Path, port: int, environment: Mapping[str, str]) -> None:
    """Serve ``page`` at http://127.0.0.1:port and wait for its end; whatever stops this process stops the server.

    Args:
        environment: variables the page reads, added to those of this process.

    Raises:
        MissingExtraError: Streamlit is not installed. InputError: no such port, it is taken, or the server failed.
    """
    if find_spec("streamlit") is None:
        raise MissingExtraError("streamlit", "it is not installed", "pip install 'fieldtune[ui]'")
    _check(port)
    command = [
        sys.executable, "-m", "streamlit", "run", str(page), "--server.address", HOST,
        "--server.port", str(port), "--server.headless", "true", "--browser.gatherUsageStats", "false",
        "--client.toolbarMode", "viewer",
    ]  # fmt: skip
    say(f"http://{HOST}:{port}")
    server = subprocess.Popen(command, env={**os.environ, **environment})
    before = signal.signal(signal.SIGTERM, lambda *_: server.terminate())
    try:
        code = server.wait()
    finally:
        signal.signal(signal.SIGTERM, before)
        if server.poll() is None:
            server.terminate()
            server.wait()
    if code not in STOPPED:
        raise InputError("a page that is served until it is stopped", f"streamlit ended with {code}", "see above")


def _check(port: int) -> None:
    if not 0 < port < 65_536:
        raise InputError("a port from 1 to 65535", str(port), "choose another with --port")
    with socket.socket() as free:
        free.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            free.bind((HOST, port))
        except OSError as error:
            raise InputError("a free port", f"{port}: {error.strerror}", "choose another with --port") from error
