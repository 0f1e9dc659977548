"""Poisoned model folders, and every damage to the newest checkpoint of a run: what was refused, named, passed over."""

import argparse
import contextlib
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.common import ROOT, fieldtune, report, workspace, write
from benchmarks.kill9 import files, start

TEXTS = ("the card", "my order", "refund", "lost card", "cancel the order", "how to transfer")
LABELS = "abbaba"


def table(folder: Path) -> Path:
    """A small training table."""
    rows = pd.DataFrame({"text": [f"{text} {n}" for n in range(20) for text in TEXTS], "label": [*LABELS] * 20})
    return write(rows, folder / "rows.csv")


def training(folder: Path, out: Path, method: str) -> list[object]:
    """The command that trains a tiny encoder."""
    steps = ["checkpoint_steps=40", "token_budget=64", "epochs=8"] if method == "full" else []
    return ["train", "--task", "text-classification", "--train", folder / "rows.csv", "--model", folder / "encoder",
            "--method", method, "--out", out, *(word for item in ("refit=false", *steps) for word in ("--set", item))]  # fmt: skip


def poisoned(folder: Path) -> dict[str, Any]:
    """Every poisoned folder in a process whose unpickler is a bomb."""
    for method in ("head", "linear"):
        fieldtune(*training(folder, folder / method, method), home=folder / "home")
    (folder / "work").mkdir()
    places = [folder / name for name in ("encoder", "head", "linear", "work")]
    ran = subprocess.run(
        [sys.executable, "-m", "tests.core.models.poison", *map(str, places)], cwd=ROOT, capture_output=True, text=True
    )
    if ran.returncode:
        raise SystemExit(ran.stderr[-3000:])
    found = json.loads(ran.stdout)
    cases = found["cases"]
    return {
        "poisoned": len(cases),
        "kinds": len({name.split(": ")[1] for name in cases}),
        "refused": sum(case["refused"] for case in cases.values()),
        "slowest_seconds": max(case["seconds"] for case in cases.values()),
        "unpickled": len(found["unpickled"]),
        "sockets": len(found["sockets"]),
        "outside": len(found["outside"]) + sum(not name.startswith("outside/") for name in found["left"]),
        "let_in": [name for name, case in cases.items() if not case["refused"]],
    }


def stopped(folder: Path) -> Path:
    """A run with two checkpoints that SIGTERM stopped."""
    out = folder / "stopped"
    process = start(training(folder, out, "full"), folder / "home")
    while process.poll() is None and len(list((out / "checkpoints").glob("checkpoint-*"))) < 2:
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGTERM)
    if process.wait() != 143:
        raise SystemExit(f"a run that was stopped exited {process.returncode}")
    return out


def damages(raw: bytes) -> Iterator[tuple[str, bytes | None]]:
    """What can happen to a file: it is gone, cut short, or one bit is another."""
    yield "deleted", None
    yield "cut", raw[: len(raw) // 2]
    for place in (0, len(raw) // 2, len(raw) - 1):
        yield f"flipped at {place}", raw[:place] + bytes([raw[place] ^ 1]) + raw[place + 1 :]


def damaged(folder: Path) -> dict[str, Any]:
    """Each damage to each file of the newest checkpoint; a few of them trained to the end."""
    from fieldtune.train.checkpoint import newest, step

    out = stopped(folder)
    whole, copy = folder / "whole", folder / "copy" / "stopped"
    fieldtune(*training(folder, whole, "full"), home=folder / "home")
    last = max((out / "checkpoints").glob("checkpoint-*"), key=step).name
    counts = {"damaged": 0, "named": 0, "fell_back": 0, "resumed": 0, "same_weights": 0}
    names = sorted(file.name for file in (out / "checkpoints" / last).iterdir())
    for name in names:
        for kind, content in damages((out / "checkpoints" / last / name).read_bytes()):
            shutil.rmtree(copy, ignore_errors=True)
            shutil.copytree(out, copy)
            victim = copy / "checkpoints" / last / name
            victim.unlink() if content is None else victim.write_bytes(content)
            said = io.StringIO()
            with contextlib.redirect_stderr(said):
                found = newest(copy / "checkpoints")
            counts["damaged"] += 1
            counts["named"] += name in said.getvalue()
            counts["fell_back"] += found is not None and found.name != last
            if (name, kind) in (("model.safetensors", "cut"), ("optimizer.pt", "deleted"), ("MANIFEST.json", "cut")):
                fieldtune(*training(folder, copy, "full"), home=folder / "home")
                counts["resumed"] += 1
                counts["same_weights"] += files(copy) == files(whole)
    return {**counts, "files": names}


def main() -> None:
    """Print the counts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="the same: it takes a minute or two")
    parser.parse_args()
    from tests.conftest import make_encoder

    with workspace() as folder:
        os.environ["FIELDTUNE_DTYPE"] = "float32"
        (folder / "encoder").mkdir()
        make_encoder(folder / "encoder")
        table(folder)
        report({**poisoned(folder), **damaged(folder)})


if __name__ == "__main__":
    main()
