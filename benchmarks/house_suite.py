"""Run some of the tests and report the exit code and the counts: rows of the table that are proven by tests."""

import re
import subprocess
import sys
import time

from benchmarks.common import ROOT, report


def main() -> None:
    """Print exit, passed, failed, seconds of ``pytest`` on the given paths."""
    paths = [word for word in sys.argv[1:] if word != "--quick"]
    started = time.monotonic()
    done = subprocess.run([sys.executable, "-m", "pytest", "-q", *paths], cwd=ROOT, capture_output=True, text=True)
    counts = {
        name: int(number) for number, name in re.findall(r"(\d+) (passed|failed|skipped|error)", done.stdout[-400:])
    }
    report({"exit": done.returncode, **counts, "seconds": time.monotonic() - started})


if __name__ == "__main__":
    main()
