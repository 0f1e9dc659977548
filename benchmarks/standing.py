"""What a figure stands on: the files its processes imported and those its row names, and a digest of them.

A module that no process of the benchmark imported cannot have changed its figures. Comments and docstrings cannot
either, so Python counts as its syntax tree without them.
"""

import ast
import hashlib
import os
import shlex
from collections.abc import Iterable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
CODE = (".py", ".toml", ".txt", ".csv", ".sql")
RECORDING = ROOT / "benchmarks" / "recording"


def recording(folder: Path) -> dict[str, str]:
    """The environment in which every Python process, and every one it starts, notes its imports in ``folder``."""
    path = os.pathsep.join(filter(None, (str(RECORDING), os.environ.get("PYTHONPATH"))))
    return {**os.environ, "PYTHONPATH": path, "FIELDTUNE_IMPORTED": str(folder)}


def recorded(folder: Path) -> set[str]:
    """The files of this repository in the notes of a benchmark's processes, relative to it."""
    files = {Path(line) for notes in folder.iterdir() for line in notes.read_text().splitlines()}
    inside = {file.relative_to(ROOT) for file in files if file.is_relative_to(ROOT)}
    return {str(file) for file in inside if not file.parts[0].startswith(".")}  # an environment is no code of ours


def named(row: dict[str, Any]) -> set[str]:
    """The files a row always stands on: its script, the pinned versions, and what is in the folders it ``reads``."""
    script = shlex.split(row["command"])[2].replace(".", "/") + ".py"
    places = [ROOT / name for name in (*row.get("reads", ()), "constraints.txt", "benchmarks/common.py", script)]
    return {str(file.relative_to(ROOT)) for place in places for file in _files(place)}


def digest(command: str, files: Iterable[str]) -> str:
    """A hash of a command and of the files it stands on; of one that is gone, its absence."""
    hashed = hashlib.sha256(command.encode())
    for name in sorted(files):
        hashed.update(name.encode() + b"\0" + _content(ROOT / name))
    return hashed.hexdigest()[:16]


def _files(place: Path) -> list[Path]:
    """A named file as it is; of a folder, what is code or data of the code."""
    if not place.is_dir():
        return [place]
    return [file for file in sorted(place.rglob("*.*")) if file.suffix in CODE]


def _content(file: Path) -> bytes:
    if not file.is_file():
        return b"gone"
    if file.suffix != ".py":
        return file.read_bytes()
    tree = ast.parse(file.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and ast.get_docstring(
            node, clean=False
        ):
            node.body = node.body[1:]
    return ast.dump(tree).encode()
