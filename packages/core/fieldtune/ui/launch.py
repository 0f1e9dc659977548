"""Run an application's page in Streamlit, on this machine only, until it is stopped. Knows no page."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

from fieldtune.errors import InputError, MissingExtraError
from fieldtune.progress import say

STOPPED = (0, -signal.SIGINT, 128 + signal.SIGINT)


def launch(page: Path, port: int, environment: Mapping[str, str]) -> None:
    """Serve ``page`` at http://127.0.0.1:port and wait for its end.

    Args:
        environment: variables the page reads, added to those of this process.

    Raises:
        MissingExtraError: Streamlit is not installed. InputError: it ended by itself, as when the port is taken.
    """
    if find_spec("streamlit") is None:
        raise MissingExtraError("streamlit", "it is not installed", "pip install 'fieldtune[ui]'")
    command = [
        sys.executable, "-m", "streamlit", "run", str(page), "--server.address", "127.0.0.1",
        "--server.port", str(port), "--server.headless", "true", "--browser.gatherUsageStats", "false",
    ]  # fmt: skip
    say(f"http://127.0.0.1:{port}")
    code = subprocess.run(command, env={**os.environ, **environment}, check=False).returncode
    if code not in STOPPED:
        raise InputError("a free port", f"streamlit ended with {code} on {port}", "choose another with --port")
