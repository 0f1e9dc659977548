"""What the documents say is run: the README's blocks, the library examples, the Makefile's targets, the links."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from fieldtune_monitor.config import read_config
from tests.conftest import Ran
from tests.processes import FIELDTUNE, run

ROOT = Path(__file__).resolve().parent.parent


def blocks(file: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", (ROOT / file).read_text(), flags=re.M | re.S)


def done(*words: object, folder: Path) -> Ran:
    """What ``python WORDS`` said in a process of its own; it has to succeed."""
    ran = run(*words, folder=folder)
    assert ran.code == 0, f"{words}\n{ran.out[-2000:]}\n{ran.err[-4000:]}"
    return ran


def test_the_python_blocks_run(tmp_path: Path) -> None:
    english, chinese = (blocks(file, "python") for file in ("README.md", "README.zh-CN.md"))
    assert english and len(english) == len(chinese)
    for block in english:  # in a fresh process: it imports what it uses
        subprocess.run([sys.executable, "-c", block], cwd=tmp_path, check=True)
    for block in chinese:
        done("-c", block, folder=tmp_path)


def test_the_shell_blocks_run(tmp_path: Path) -> None:
    """The applications end to end, through the command line, with the embedded encoder: a process a command."""
    lines = [line for block in blocks("README.md", "bash") for line in block.splitlines()]
    commands = [words for words in (shlex.split(line, comments=True) for line in lines) if words]
    assert len(commands) > 10
    for program, *arguments in commands:
        assert program in ("python", "fieldtune")
        ran = done(*(FIELDTUNE if program == "fieldtune" else ()), *arguments, folder=tmp_path)
        assert "Traceback" not in ran.err


@pytest.mark.parametrize("file", ["README.md", "README.zh-CN.md"])
def test_the_configuration_shown_is_one(file: str, tmp_path: Path) -> None:
    (shown,) = blocks(file, "toml")
    (tmp_path / "monitor.toml").write_text(shown, encoding="utf-8")
    config = read_config(tmp_path / "monitor.toml")
    assert config.budget == 1.0
    assert config.topics[0].keywords == ("bank", "银行")


def test_both_readmes_show_the_same_commands() -> None:
    def commands(file: str) -> list[str]:
        lines = [line.split("  #")[0].strip() for block in blocks(file, "(?:bash|sh)") for line in block.splitlines()]
        return [line for line in lines if line and not line.startswith("#")]

    assert commands("README.md") == commands("README.zh-CN.md")


def test_the_makefile_knows_its_targets() -> None:
    for target in ("setup", "demo", "test", "check", "ui", "bench", "accept"):
        subprocess.run(["make", "-n", target], cwd=ROOT, check=True, capture_output=True)


def test_the_library_examples_run_and_are_short(tmp_path: Path) -> None:
    folder = ROOT / "examples" / "library"
    for name in ("classify.py", "search.py", "compare.py"):
        assert len((folder / name).read_text().splitlines()) <= 20, name
    done(folder / "classify.py", "model", folder=tmp_path)
    done(folder / "search.py", folder=tmp_path)
    done(folder / "compare.py", folder=tmp_path)
    (tmp_path / "inbox").mkdir()
    pd.DataFrame({"text": ["card lost", "refund please"]}).to_csv(tmp_path / "inbox" / "monday.csv", index=False)
    nightly = (folder / "nightly.py", "model", "inbox", "outbox")
    assert "monday.csv: 2 rows" in done(*nightly, folder=tmp_path).out
    assert done(*nightly, folder=tmp_path).out == ""
    assert pd.read_csv(tmp_path / "outbox" / "monday.csv")["label"].tolist() == ["card", "refund"]


def test_links_between_documents_lead_somewhere() -> None:
    for file in ROOT.glob("*.md"):
        for target in re.findall(r"\]\(([^)#]+)\)", file.read_text()):
            assert target.startswith("http") or (ROOT / target).exists(), f"{file.name} links to {target}"
