"""A search of 20 trials, killed by SIGKILL in its ninth, then the same command again: 20 finished trials, one model left."""

import argparse
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.common import fieldtune, peak_gib, report, workspace, write
from benchmarks.few_sets import banking77, shots
from fieldtune.train.search import STUDY, WORK

CLASSES, ROWS = 30, 8
FIXED = ("max_steps=12", "token_budget=512", "max_length=48")


def main() -> None:
    """Print how many trials were finished at the kill and at the end, the best figure and that of the defaults."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="4 trials, killed in the second")
    trials, killed_in = (4, 2) if parser.parse_args().quick else (20, 9)
    table, _ = banking77()
    table = shots(table[table["label"].isin(sorted(set(table["label"]))[:CLASSES])], ROWS, 0)[0]
    with workspace() as folder:
        out, home = folder / "out", folder / "home"
        command = [
            "search", "--task", "text-classification", "--train", write(table, folder / "rows.csv"), "--out", out,
            "--trials", trials, *(word for one in FIXED for word in ("--set", one)),
        ]  # fmt: skip
        killed_inside = killed([str(word) for word in command], out, killed_in, home)
        at_kill = finished(out)
        ended = fieldtune(*command, home=home)
        values = [trial["value"] for trial in ended["trials"]]
        report(
            {
                "killed_in_trial": killed_in if killed_inside else 0,
                "finished_at_the_kill": at_kill,
                "finished": finished(out),
                "failed": ended["failed"],
                "best": ended["best"]["value"],
                "default": values[0],
                "least": min(values),
                "models_on_disk": len({file.parent for file in out.rglob("*.safetensors")}),
                "left": sorted(file.name for file in out.iterdir() if not file.name.startswith(".")),
                "peak_gib": peak_gib(),
            }
        )


def killed(command: list[str], out: Path, trial: int, home: Path) -> bool:
    """Whether the search was killed while it was at that trial, counted from 1."""
    script = [sys.executable, "-c", "from fieldtune.cli import main; main()", *command, "--json"]
    environment = {**os.environ, "FIELDTUNE_HOME": str(home)}
    with subprocess.Popen(script, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        while process.poll() is None and not (finished(out) == trial - 1 and (out / WORK).is_dir()):
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
    return process.returncode == -signal.SIGKILL


def finished(out: Path) -> int:
    """Trials with a figure in the study; 0 before there is one."""
    if not (out / STUDY).is_file():
        return 0
    try:
        with sqlite3.connect(f"file:{out / STUDY}?mode=ro", uri=True) as connection:
            return int(connection.execute("SELECT count(*) FROM trials WHERE state = 'COMPLETE'").fetchone()[0])
    except sqlite3.OperationalError:  # it is being made
        return 0


if __name__ == "__main__":
    main()
