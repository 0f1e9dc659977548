"""``python -m benchmarks.run [--rows a,b] [--quick]``: measure rows of the acceptance table and keep the results.

A row is measured again only when files that its processes imported, or that it names, changed since; killed, the next
call goes on with what is left.
"""

import argparse
import json
import shlex
import subprocess
import sys
import tempfile
import time
import tomllib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import fieldtune
from benchmarks import standing
from benchmarks.common import ROOT, machine
from fieldtune.data.write import written

RESULTS = ROOT / "benchmarks" / "results"


def rows() -> list[dict[str, Any]]:
    """The table: every row of ``acceptance.toml``."""
    return list(tomllib.loads((ROOT / "benchmarks" / "acceptance.toml").read_text())["row"])


def measure(row: dict[str, Any], quick: bool) -> dict[str, Any]:
    """Run one benchmark script; returns its JSON object with commit, machine and time added."""
    command = row["command"]
    words = shlex.split(command) + (["--quick"] if quick else [])
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as notes:
        done = subprocess.run(
            [sys.executable, *words[1:]],
            cwd=ROOT,
            env=standing.recording(Path(notes)),
            stdout=subprocess.PIPE,
            text=True,
        )
        files = sorted(standing.named(row) | standing.recorded(Path(notes)))
    try:
        figures = json.loads(done.stdout.strip().splitlines()[-1])
    except (IndexError, ValueError):
        figures = {"failed": True, "exit": done.returncode}
    return {
        "figures": figures,
        "command": command,
        "quick": quick,
        "seconds": round(time.monotonic() - started, 1),
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": _git("rev-parse", "--short", "HEAD"),
        "code": standing.digest(command, files),
        "files": files,
        "machine": machine(),
    }


def current(result: dict[str, Any], row: dict[str, Any]) -> bool:
    """Whether the files that a result stands on are as they were."""
    return bool(result["code"] == standing.digest(row["command"], result.get("files", ())))


def name_of(command: str) -> str:
    """The result file of a command: several rows may read one result."""
    return "_".join(word.strip("-").replace("benchmarks.", "") for word in shlex.split(command)[2:]).replace("/", "-")


def keep(file: Path, result: dict[str, Any]) -> None:
    """Write a result, whole or not at all: the next run reads it."""
    with written(file) as temporary:
        temporary.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n")


def check_environment() -> None:
    """Refuse the environment of another checkout: its code would be measured, and written down as this one's."""
    package = Path(fieldtune.__file__)
    if not package.resolve().is_relative_to(ROOT):
        sys.exit(
            f"expected: fieldtune of {ROOT}\nfound: {package.parent}, of another checkout or installed\n"
            "fix: make setup, then .venv/bin/python -m benchmarks.run; or name this checkout's packages in PYTHONPATH"
        )


def main() -> None:
    """Measure what is asked for and out of date."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", default="", help="ids, comma-separated; all rows without it")
    parser.add_argument("--quick", action="store_true", help="smaller and faster; never committed as a result")
    parser.add_argument("--again", action="store_true", help="measure even when nothing changed")
    options = parser.parse_args()
    check_environment()
    table = rows()
    wanted = set(filter(None, options.rows.split(",")))
    if unknown := wanted - {row["id"] for row in table}:
        sys.exit(
            f"expected: ids of benchmarks/acceptance.toml\nfound: {', '.join(sorted(unknown))}\nfix: see make accept"
        )
    commands = {row["command"]: row for row in table if not wanted or row["id"] in wanted}
    for command, row in commands.items():
        file = RESULTS / f"{name_of(command)}{'.quick' if options.quick else ''}.json"
        if file.is_file() and not options.again and current(json.loads(file.read_text()), row):
            print(f"{command}: measured on this code already", file=sys.stderr)
            continue
        print(f"{command} ...", file=sys.stderr, flush=True)
        result = measure(row, options.quick)
        keep(file, result)
        print(json.dumps(result["figures"], ensure_ascii=False)[:600], file=sys.stderr, flush=True)


def _git(*words: str) -> str:
    done = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True)
    return done.stdout.strip()


if __name__ == "__main__":
    main()
