"""A fresh clone, `make setup` there, then `make demo` with the network off: exit code, seconds, memory of the demo alone.

Set-up needs the package index and is timed apart. What is not committed is not in the clone.
"""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks import watched
from benchmarks.common import ROOT, report, workspace

MAKE = ("make", "--no-print-directory")
SMALL = (".venv/bin/fieldtune", "demo", "--out", "demo", "--small")


def clone(place: Path) -> None:
    """The last commit of this repository, as others get it."""
    subprocess.run(["git", "clone", "--quiet", ROOT, place], check=True)


def alone() -> dict[str, str]:
    """The environment without what would reach into the clone: other code, and the options of a `make` around this."""
    return {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "MAKEFLAGS", "MAKELEVEL")}


def figures_of(place: Path) -> dict[str, Any]:
    """What the demo's report holds; nothing where none was written."""
    written = place / "demo" / "report.json"
    return dict(json.loads(written.read_text(encoding="utf-8"))["figures"]) if written.is_file() else {}


def main() -> None:
    """Print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="the small company")
    options = parser.parse_args()
    off = watched.offline()
    with workspace() as folder:
        place = folder / "fieldtune"
        clone(place)
        ready = watched.run([*MAKE, "setup"], cwd=place, env=alone())
        print(ready.printed, file=sys.stderr, flush=True)
        if ready.exit:
            raise SystemExit(f"make setup exited {ready.exit}")
        ran = watched.run([*off, *(SMALL if options.quick else (*MAKE, "demo"))], cwd=place, env=alone())
        figures = figures_of(place)
    print(ran.printed, file=sys.stderr)
    report({
        "exit": ran.exit, "seconds": round(ran.seconds, 1), "peak_gib": round(ran.peak_gib, 2), "network_off": bool(off),
        "setup_seconds": round(ready.seconds, 1), "steps": figures.get("seconds"),
        "loop": {
            name: {key: turn[key] for key in ("promoted", "before", "after", "refused_with_noise", "rollback_identical")}
            for name, turn in figures.get("loop", {}).items()
        },
    })  # fmt: skip


if __name__ == "__main__":
    main()
