"""Blocks of a document, the tables it shows, and how they are run in this process: one start of Python for all."""

import re
import shlex
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from tests.conftest import Ran

ROOT = Path(__file__).resolve().parent.parent


def section(file: str, title: str) -> str:
    """The text below a heading ``## title``, to the next one."""
    found = re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", (ROOT / file).read_text(), flags=re.M | re.S)
    assert found, f"{file} has no section {title}"
    return found.group(1)


def titles(file: str) -> list[str]:
    return re.findall(r"^## (.+)$", (ROOT / file).read_text(), flags=re.M)


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, flags=re.M | re.S)


def write_tables(text: str, folder: Path) -> None:
    """Write every table the text shows, as it shows it; pictures it names are made."""
    for name, shown in re.findall(r"^```(?:csv|jsonl|conll) (\S+)\n(.*?)^```", text, flags=re.M | re.S):
        (folder / name).write_text(shown, encoding="utf-8")
    for number, name in enumerate(sorted(set(re.findall(r"[\w/]+\.png", text)))):
        (folder / name).parent.mkdir(exist_ok=True)
        pixels = np.random.default_rng(number).integers(0, 255, (32, 32, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / name)


def run_commands(block: str, cli: Callable[..., Ran]) -> None:
    """Every line of a block of shell commands, each ``fieldtune ...``, through the command line's own entrance."""
    lines = [line for line in block.replace("\\\n", " ").splitlines() if line and not line.startswith("#")]
    for line in lines:
        program, *arguments = shlex.split(line, comments=True)
        assert program == "fieldtune", line
        done = cli(*arguments)
        assert done.code == 0, f"{line}\n{done.err[-2000:]}"
