"""Run one command as a user would, watched: exit code, seconds, and the memory of all its processes together."""

import resource
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

EVERY = 0.5
"""Seconds between two looks at the memory, at least."""
SHARE = 0.05
"""Of one core, what looking may take of what is watched: a look at 2 GiB takes .09 s, so long are pages counted."""
ALONE = ("unshare", "--net", "--map-root-user", "sh", "-c", 'ip link set lo up 2>/dev/null; exec "$0" "$@"')
PROC = Path("/proc")


@dataclass(frozen=True)
class Ran:
    """What one command did; ``peak_gib`` is the most that it and its descendants held at one of the looks."""

    exit: int
    seconds: float
    peak_gib: float
    printed: str


def run(command: Sequence[object], *, cwd: Path, env: Mapping[str, str] | None = None) -> Ran:
    """Run to the end; what it says on stderr is passed on.

    Where the system does not tell (no ``/proc``), the peak is that of the largest single process, which leaves out
    what others held beside it.
    """
    started, peak = time.monotonic(), 0.0
    process = subprocess.Popen([str(word) for word in command], cwd=cwd, env=env, stdout=subprocess.PIPE, text=True)
    while True:
        looked = time.monotonic()
        peak = max(peak, resident(process.pid))
        try:
            printed, _ = process.communicate(timeout=max(EVERY, (time.monotonic() - looked) / SHARE))
            break
        except subprocess.TimeoutExpired:
            continue
    spent = time.monotonic() - started
    if not peak:
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
    return Ran(process.returncode, spent, peak, printed)


def offline() -> tuple[str, ...]:
    """Words before a command that switch its network off (a namespace of its own); none where the system cannot."""
    return ALONE if subprocess.run([*ALONE, "true"], capture_output=True).returncode == 0 else ()


def resident(root: int) -> float:
    """GiB that a process and its descendants hold now; a page that several share counts once (proportional set size)."""
    return sum(_kib(process) for process in family(root)) / 2**20


def family(root: int) -> set[int]:
    """A process and all its descendants."""
    children: dict[int, list[int]] = {}
    for folder in PROC.glob("[0-9]*"):
        parent = _parent(folder)
        if parent is not None:
            children.setdefault(parent, []).append(int(folder.name))
    found, left = set[int](), [root]
    while left:
        one = left.pop()
        found.add(one)
        left += children.get(one, [])
    return found


def _parent(folder: Path) -> int | None:
    """The parent of a process, None when it ended meanwhile. Its name, in brackets, may hold anything."""
    try:
        return int((folder / "stat").read_text(errors="replace").rpartition(")")[2].split()[1])
    except (OSError, IndexError):
        return None


def _kib(process: int) -> int:
    try:
        lines = (PROC / str(process) / "smaps_rollup").read_text().splitlines()
    except OSError:  # ended meanwhile
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)
