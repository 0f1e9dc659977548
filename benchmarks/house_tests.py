"""``make check test`` with the network switched off, where the system can do that (a network namespace of its own)."""

import re
import shutil

from benchmarks import watched
from benchmarks.common import ROOT, report


def main() -> None:
    """Print exit, seconds, memory, and whether the network was really off."""
    off = watched.offline()
    shutil.rmtree(ROOT / ".mypy_cache", ignore_errors=True)  # as in a fresh clone
    ran = watched.run([*off, "make", "--no-print-directory", "check", "test"], cwd=ROOT)
    lines = ran.printed.strip().splitlines()
    report({"exit": ran.exit, "seconds": ran.seconds, "network_off": bool(off), "peak_gib": ran.peak_gib,
            "last": lines[-1:], "failed": [line for line in lines if line.startswith(("FAILED", "ERROR"))],
            "slowest": [line for line in lines if re.match(r"\d+\.\d+s (call|setup|teardown)", line)]})  # fmt: skip


if __name__ == "__main__":
    main()
