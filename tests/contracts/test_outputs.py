"""No command replaces what it reads: an output that is an input is refused before any work, and nothing is touched."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

CONFIG = """[[topics]]
name = "banks"
[[sources]]
kind = "file"
path = "data.csv"
"""
WITH_DATA = [
    "predict --model m --data data.csv --out {out}",
    "chatbot mine --dialogues data.jsonl --out {out}",
    "monitor score --model m --data data.csv --out {out}",
    "monitor detect --counts data.csv --alerts {out}",
    "monitor replay --config monitor.toml --input data.csv --alerts {out}",
    "monitor replay --config monitor.toml --input other.csv --alerts {out}",
    "recommender recommend --model m --users data.csv --out {out}",
]


@pytest.mark.parametrize("command", WITH_DATA)
@pytest.mark.parametrize("alias", [False, True])
def test_an_output_that_is_an_input_is_refused(
    command: str, alias: bool, cli: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("monitor.toml").write_text(CONFIG)
    for name in ("data.csv", "data.jsonl", "other.csv"):
        Path(name).write_text("title,user,time,topic,documents,text\n")
    target = "data.jsonl" if "data.jsonl" in command else "data.csv"
    before = Path(target).read_bytes()
    out = target
    if alias:
        out = f"link{Path(target).suffix}"
        Path(out).symlink_to(target)
    ran = cli(*command.format(out=out).split())
    assert (ran.code, ran.err.count("\n")) == (1, 1)
    assert "expected an output that is no input" in ran.err
    assert Path(target).read_bytes() == before


def test_a_sink_that_is_a_source_is_refused(cli: Callable[..., Any], tmp_path: Path) -> None:
    config = tmp_path / "monitor.toml"
    config.write_text(CONFIG + '[[sinks]]\nkind = "jsonl"\npath = "data.csv"\n')
    ran = cli("monitor", "run", "--config", config, "--once")
    assert ran.code == 1
    assert "a sink that is no source" in ran.err
