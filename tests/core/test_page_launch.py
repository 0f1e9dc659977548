"""One launcher for every page: its end by itself is an error of one line, not Streamlit's exit code."""

import socket
import sys
from pathlib import Path

import pytest

from fieldtune.errors import InputError, MissingExtraError
from fieldtune.ui import launch


def test_a_taken_port_is_an_error_with_its_fix(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("streamlit")
    (tmp_path / "page.py").write_text("")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(InputError, match=f"ended with 1 on {port}; fix: choose another with --port"):
            launch.launch(tmp_path / "page.py", port, {})
    assert f"http://127.0.0.1:{port}" in capsys.readouterr().err


def test_without_streamlit_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "streamlit", None)
    with pytest.raises(MissingExtraError, match=r"fieldtune\[ui\]"):
        launch.launch(tmp_path / "page.py", 1, {})
