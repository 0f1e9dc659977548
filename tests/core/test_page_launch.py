"""One launcher for every page: what stops it stops the server, and a port that cannot be is an error of one line."""

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from fieldtune.errors import InputError, MissingExtraError
from fieldtune.ui import launch


def test_a_port_that_cannot_be_is_one_line_before_anything_starts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("streamlit")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        for port in (taken.getsockname()[1], 99_999, 0):
            with pytest.raises(InputError, match=f"{port}.*choose another with --port"):
                launch.launch(tmp_path / "page.py", port, {})
    assert "http" not in capsys.readouterr().err


LAUNCH = """
import signal, sys
from pathlib import Path
from fieldtune.ui.launch import launch
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it, and so do its children
launch(Path(sys.argv[1]), int(sys.argv[2]), {})
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_what_stops_the_command_stops_the_server(tmp_path: Path, number: int) -> None:
    pytest.importorskip("streamlit")
    (tmp_path / "page.py").write_text("")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-c", LAUNCH, str(tmp_path / "page.py"), str(port)]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    _until(lambda: _answers(port))
    process.send_signal(number)
    process.wait(timeout=60)
    _until(lambda: not _answers(port))


def _answers(port: int) -> bool:
    with socket.socket() as asking:
        return asking.connect_ex(("127.0.0.1", port)) == 0


def _until(holds: Callable[[], bool]) -> None:
    for _ in range(600):
        if holds():
            return
        time.sleep(0.1)
    raise AssertionError("it never came about")


def test_without_streamlit_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "streamlit", None)
    with pytest.raises(MissingExtraError, match=r"fieldtune\[ui\]"):
        launch.launch(tmp_path / "page.py", 1, {})
