"""What the documents say is run: the README's blocks, the library examples, the Makefile's targets, the links."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from fieldtune_monitor.config import read_config

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent


def blocks(file: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", (ROOT / file).read_text(), flags=re.M | re.S)


def run(command: list[str | Path], folder: Path, home: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "FIELDTUNE_HOME": str(home), "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, f"{command}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
    return done


@pytest.mark.parametrize("file", ["README.md", "README.zh-CN.md"])
def test_the_python_blocks_run(file: str, tmp_path: Path, home: Path) -> None:
    found = blocks(file, "python")
    assert found
    for block in found:
        run([sys.executable, "-c", block], tmp_path, home)


def test_the_shell_blocks_run(tmp_path: Path, home: Path) -> None:
    """The applications end to end, through the command line, with the embedded encoder."""
    for block in blocks("README.md", "bash"):
        done = run(["bash", "-euc", block], tmp_path, home)
        assert "Traceback" not in done.stderr


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


def test_the_library_examples_run_and_are_short(tmp_path: Path, home: Path) -> None:
    folder = ROOT / "examples" / "library"
    for name in ("classify.py", "search.py", "compare.py"):
        assert len((folder / name).read_text().splitlines()) <= 20, name
    run([sys.executable, folder / "classify.py", "model"], tmp_path, home)
    run([sys.executable, folder / "search.py"], tmp_path, home)
    run([sys.executable, folder / "compare.py"], tmp_path, home)
    (tmp_path / "inbox").mkdir()
    pd.DataFrame({"text": ["card lost", "refund please"]}).to_csv(tmp_path / "inbox" / "monday.csv", index=False)
    nightly: list[str | Path] = [sys.executable, folder / "nightly.py", "model", "inbox", "outbox"]
    assert "monday.csv: 2 rows" in run(nightly, tmp_path, home).stdout
    assert run(nightly, tmp_path, home).stdout == ""
    assert pd.read_csv(tmp_path / "outbox" / "monday.csv")["label"].tolist() == ["card", "refund"]


def test_links_between_documents_lead_somewhere() -> None:
    for file in ROOT.glob("*.md"):
        for target in re.findall(r"\]\(([^)#]+)\)", file.read_text()):
            assert target.startswith("http") or (ROOT / target).exists(), f"{file.name} links to {target}"
