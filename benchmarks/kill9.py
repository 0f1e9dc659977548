"""SIGKILL at random instants of a real process, then the same command again: the end must be the same, to the bit.

Targets: train, chatbot build, monitor run, feedback retrain. Each instant starts from a fresh copy of the same folder.
``--inside N`` aims N of the instants into the writing of a checkpoint, told by its staging folder.
"""

import argparse
import fnmatch
import hashlib
import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.common import fieldtune, report, workspace, write


@dataclass(frozen=True)
class Target:
    """What is killed: how the folder is prepared, the command, and what must be equal at the end."""

    prepare: Callable[[Path], None]
    command: Callable[[Path], list[object]]
    state: Callable[[Path], Any]


def files(folder: Path) -> dict[str, str]:
    """Digest of every file below a folder."""
    found = sorted(file for file in folder.rglob("*") if file.is_file() and not file.name.startswith("."))
    return {file.relative_to(folder).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest() for file in found}


def sample(folder: Path, part: str, *options: object) -> None:
    """A small company."""
    command = [sys.executable, "-m", "fieldtune_sample", "--out", folder, "--seed", 4001, "--part", part, *options]
    subprocess.run([str(word) for word in command], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def rows(database: Path, query: str) -> list[Any]:
    """Rows of one query."""
    with sqlite3.connect(database) as connection:
        return connection.execute(query).fetchall()


def prepare_news(folder: Path) -> None:
    """A short stream and its models, trained before the clock starts."""
    sample(folder, "news", *STREAM)
    train_monitor(folder, folder / "news" / "labelled.csv")


def train_monitor(folder: Path, table: Path) -> None:
    """The monitor's first version: n-grams alone, which train in seconds."""
    fieldtune("monitor", "train", "--data", table, "--out", folder / "model", "--methods", "linear",
              home=folder / "home")  # fmt: skip


def monitor_config(folder: Path) -> Path:
    """The stream's configuration, with the model's place in this copy."""
    config = folder / "news" / "monitor.toml"
    config.write_text(config.read_text().replace('model = "model"', 'model = "../model"'))
    return config


def prepare_feedback(folder: Path) -> None:
    """A monitor that knows few headlines, and readers who gave the tone of many more.

    So what it learns from them is promoted: where the gate refuses, the end is the same whenever the kill came.
    """
    sample(folder, "news", *STREAM)
    table = pd.read_csv(folder / "news" / "labelled.csv")
    train_monitor(folder, write(table[:KNOWN], folder / "known.csv"))
    corrected = write(table[KNOWN : KNOWN + CORRECTED], folder / "corrected.csv")
    script = (
        "import sys, pandas as pd; from datetime import UTC, datetime; from fieldtune import feedback, registry\n"
        "table = pd.read_csv(sys.argv[1])\n"
        "with registry.open_home().begin() as connection:\n"
        "    for n, row in table.iterrows():\n"
        "        payload = {'text': row['title'], 'label': row['sentiment'], 'tone': row['sentiment']}\n"
        "        one = feedback.Feedback('monitor', f'story-{n}', 'tone', 'ann', row['language'], payload=payload)\n"
        "        feedback.record(connection, one, datetime(2026, 6, 1, tzinfo=UTC))\n"
    )
    environment = {**os.environ, "FIELDTUNE_HOME": str(folder / "home")}
    subprocess.run([sys.executable, "-c", script, corrected], env=environment, check=True)


def serving(folder: Path) -> Any:
    """Which versions exist and serve: their ids are hashes of their content."""
    query = "SELECT id, app FROM versions ORDER BY id"
    promoted = "SELECT app, version, previous FROM promotions ORDER BY position"
    return rows(folder / "home" / "fieldtune.db", query), rows(folder / "home" / "fieldtune.db", promoted)


def seen(folder: Path) -> Any:
    """Alerts written and documents stored, without the clock of processing."""
    alerts = [json.loads(line) for line in (folder / "news" / "alerts.jsonl").read_text().splitlines()]
    database = next(file for file in folder.rglob("fieldtune.db") if rows(file, HAS_DOCUMENTS))
    return sorted(alert["key"] for alert in alerts), rows(
        database, "SELECT id, topics, tone, story FROM documents ORDER BY identity"
    )


def promotions(home: Path) -> int:
    """How often something was put into service."""
    database = home / "fieldtune.db"
    return int(rows(database, "SELECT COUNT(*) FROM promotions")[0][0]) if database.is_file() else 0


MACHINE = "machine.json"
STAGED = ".checkpoint-*.staged-*"
LAST_SAVE, LONGEST_SAVE = 8, 0.2
"""An aimed kill waits for the 1st to 8th checkpoint to begin, and then for up to so many seconds."""
HAS_DOCUMENTS = "SELECT name FROM sqlite_master WHERE name = 'documents'"
SUPPORT = ("--dialogues", 200)
STREAM = ("--stories", 12000, "--days", 60, "--surges", 3)
KNOWN, CORRECTED = 400, 1200
"""Headlines that the first monitor is trained on, and headlines whose tone readers gave after it."""
TARGETS = {
    "train": Target(
        lambda folder: sample(folder, "news", "--stories", 2000, "--days", 60, "--surges", 3),
        lambda folder: [
            "train", "--task", "text-classification", "--train", folder / "news" / "labelled.csv", "--text", "title",
            "--label", "sentiment", "--out", folder / "model", "--set", "max_steps=60", "--set", "checkpoint_steps=5",
        ],
        lambda folder: files(folder / "model"),
    ),
    "chatbot": Target(
        lambda folder: sample(folder, "support", *SUPPORT),
        lambda folder: [
            "chatbot", "build", "--documents", folder / "support" / "documents", "--faq", folder / "support" / "faq.csv",
            "--dialogues", folder / "support" / "dialogues.jsonl", "--questions", folder / "support" / "known_questions.csv",
            "--store", folder / "bot", "--max-steps", 10,
        ],
        serving,
    ),
    "monitor": Target(
        prepare_news, lambda folder: ["monitor", "run", "--once", "--config", monitor_config(folder)], seen
    ),
    "retrain": Target(prepare_feedback, lambda folder: ["feedback", "retrain", "monitor"], serving),
}  # fmt: skip


def start(arguments: list[object], home: Path) -> subprocess.Popen[bytes]:
    """One command in a process group of its own, so that a kill takes its children along."""
    command = [sys.executable, "-c", "from fieldtune.cli import main; main()", *map(str, arguments)]
    environment = {**os.environ, "FIELDTUNE_HOME": str(home)}
    return subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )


def staging(place: Path) -> set[str]:
    """Checkpoints that are being written, or were when the process was killed."""
    below = (names for _, names, _ in os.walk(place))  # which passes over what vanishes meanwhile; rglob raises
    return {name for names in below for name in fnmatch.filter(names, STAGED)}


def killed(target: Target, base: Path, place: Path, seconds: float, saves: int = 0) -> tuple[bool, bool]:
    """Kill after so many seconds, run again to the end.

    Args:
        seconds: from the start; with ``saves``, from the beginning of that many-th writing of a checkpoint.

    Returns:
        Whether the kill came before the end, and whether inside the writing of a checkpoint.
    """
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(base, place)
    process = start(target.command(place), place / "home")
    seen: set[str] = set()
    while len(seen) < saves and process.poll() is None:
        seen |= staging(place)
        time.sleep(0.002)
    time.sleep(seconds)
    early = process.poll() is None
    if early:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    inside = bool(staging(place))
    fieldtune(*target.command(place), home=place / "home")
    return early, inside


def main() -> None:
    """Print how many of the instants ended in the same state as the run that nobody killed, and what that promoted."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--target", choices=TARGETS, required=True)
    parser.add_argument("--instants", type=int, default=10)
    parser.add_argument("--inside", type=int, default=0, help="how many of them lie inside the writing of a checkpoint")
    parser.add_argument("--seed", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="two instants")
    options = parser.parse_args()
    target, rng = TARGETS[options.target], random.Random(options.seed)
    same, early, inside, differ = 0, 0, 0, []
    with workspace() as folder:
        base, place = folder / "base", folder / "place"  # one place: paths must not differ between the runs
        target.prepare(base)
        shutil.copytree(base, place)
        started = time.monotonic()
        fieldtune(*target.command(place), home=place / "home")
        length = time.monotonic() - started
        wanted, promoted = target.state(place), promotions(place / "home")
        if (place / "home" / MACHINE).is_file():  # which number format is fast here is found out once per home
            (base / "home").mkdir(exist_ok=True)
            shutil.copy(place / "home" / MACHINE, base / "home" / MACHINE)
        instants = 2 if options.quick else options.instants
        for tried in range(2 * instants):
            if early == instants:
                break
            aimed = early < min(options.inside, instants)
            seconds = rng.uniform(0, LONGEST_SAVE) if aimed else rng.uniform(0.05, 0.9) * length
            came, saving = killed(target, base, place, seconds, rng.randint(1, LAST_SAVE) if aimed else 0)
            early, inside = early + came, inside + saving
            equal = target.state(place) == wanted
            same += came and equal
            if not equal:
                differ.append(round(seconds, 2))
            where = (
                f"{seconds:.2f} s {'into a save' if aimed else f'of {length:.1f}'}, in a save: {saving}, same: {equal}"
            )
            print(f"{tried + 1}: {'killed' if came else 'over before the kill'} at {where}", file=sys.stderr)
            if not came and not aimed:  # the first run was slower than they are now; another instant is drawn
                length = min(length, seconds)
    report({"instants": instants, "killed_before_the_end": early, "killed_in_a_save": inside, "same": same, "all_same": same == instants and not differ,
            "differ_at": differ, "promotions": promoted, "run_seconds": length})  # fmt: skip


if __name__ == "__main__":
    main()
