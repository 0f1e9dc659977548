"""``fieldtune demo`` from nothing, as `make demo` runs it once everything is installed: exit code, seconds, memory."""

import argparse
import json
import resource
import subprocess
import sys
import time

from benchmarks.common import report, workspace


def main() -> None:
    """Print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--quick", action="store_true", help="the small company")
    options = parser.parse_args()
    with workspace() as folder:
        command = [
            sys.executable,
            "-c",
            "from fieldtune.cli import main; main()",
            "demo",
            "--out",
            str(folder / "demo"),
        ]
        command += ["--seed", str(options.seed), *(["--small"] if options.quick else [])]
        started = time.monotonic()
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
        spent = time.monotonic() - started
        written = folder / "demo" / "report.json"
        figures = json.loads(written.read_text(encoding="utf-8"))["figures"] if written.is_file() else {}
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
    print(done.stdout, file=sys.stderr)
    report({
        "exit": done.returncode, "seconds": round(spent, 1), "peak_gib": round(peak, 2), "steps": figures.get("seconds"),
        "loop": {
            name: {key: turn[key] for key in ("promoted", "before", "after", "refused_with_noise", "rollback_identical")}
            for name, turn in figures.get("loop", {}).items()
        },
    })  # fmt: skip


if __name__ == "__main__":
    main()
