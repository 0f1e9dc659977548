"""``make check test`` with the network switched off, where the system can do that (a network namespace of its own)."""

import os
import re
import shutil
import subprocess
import time

from benchmarks.common import ROOT, peak_gib, report


def main() -> None:
    """Print exit, seconds, and whether the network was really off."""
    command = ["make", "--no-print-directory", "check", "test"]
    alone = ["unshare", "--net", "--map-root-user", "sh", "-c", 'ip link set lo up 2>/dev/null; exec "$0" "$@"']
    off = subprocess.run([*alone, "true"], capture_output=True).returncode == 0
    shutil.rmtree(ROOT / ".mypy_cache", ignore_errors=True)  # as in a fresh clone
    started = time.monotonic()
    done = subprocess.run(
        [*(alone if off else []), *command], cwd=ROOT, stdout=subprocess.PIPE, text=True, env=os.environ
    )
    lines = done.stdout.strip().splitlines()
    report({"exit": done.returncode, "seconds": time.monotonic() - started, "network_off": off, "peak_gib": peak_gib(),
            "last": lines[-1:], "failed": [line for line in lines if line.startswith(("FAILED", "ERROR"))],
            "slowest": [line for line in lines if re.match(r"\d+\.\d+s (call|setup|teardown)", line)]})  # fmt: skip


if __name__ == "__main__":
    main()
