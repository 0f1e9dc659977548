"""What the benchmark scripts share: the command line as users call it, public data, and facts about this machine."""

import gzip
import json
import os
import platform
import re
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

ROOT = Path(__file__).resolve().parent.parent
WORKSPACE = "fieldtune-bench-"


def fieldtune(*arguments: object, home: Path, expect: int = 0) -> dict[str, Any]:
    """Run one command with ``--json`` in a process of its own and return what it printed."""
    command = [sys.executable, "-c", "from fieldtune.cli import main; main()", *map(str, arguments), "--json"]
    done = subprocess.run(command, env={**os.environ, "FIELDTUNE_HOME": str(home)}, capture_output=True, text=True)
    if done.returncode != expect:
        raise SystemExit(f"fieldtune {' '.join(map(str, arguments))} exited {done.returncode}\n{done.stderr[-4000:]}")
    return dict(json.loads(done.stdout)) if done.stdout.strip() else {}


def data(name: str) -> Path:
    """The folder of a public set; without FIELDTUNE_DATA the row cannot be measured."""
    root = os.environ.get("FIELDTUNE_DATA")
    if not root or not (Path(root) / name).is_dir():
        raise SystemExit(f"set FIELDTUNE_DATA to the folder that holds {name} (see `fieldtune data list`)")
    return Path(root) / name


def text_of(path: Path, encoding: str = "utf-8") -> str:
    """The decoded text of a file, ``.gz`` unpacked."""
    raw = path.read_bytes()
    return (gzip.decompress(raw) if path.suffix == ".gz" else raw).decode(encoding)


@contextmanager
def workspace() -> Iterator[Path]:
    """A temporary folder."""
    with tempfile.TemporaryDirectory(prefix=WORKSPACE) as folder:
        yield Path(folder)


def write(frame: pd.DataFrame, path: Path) -> Path:
    """Write a CSV for a command to read."""
    frame.to_csv(path, index=False)
    return path


def interval(values: Sequence[float], rng: np.random.Generator, draws: int = 2000) -> list[float]:
    """95 % bootstrap interval of the mean."""
    array = np.asarray(values, dtype=float)
    means = array[rng.integers(0, len(array), (draws, len(array)))].mean(axis=1)
    return [float(np.quantile(means, edge)) for edge in (0.025, 0.975)]


def machine() -> dict[str, Any]:
    """Where a figure was measured."""
    model = next(
        (line.split(":")[1].strip() for line in _cpuinfo() if line.startswith("model name")), platform.processor()
    )
    return {"cpu": model, "cores": os.cpu_count(), "python": platform.python_version()}


def peak_gib() -> float:
    """Largest resident memory of this process and of its finished children, in GiB."""
    kinds = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return max(resource.getrusage(kind).ru_maxrss for kind in kinds) / 2**20


def report(result: dict[str, Any]) -> None:
    """Print the one JSON object of a script."""
    text = json.dumps(result, ensure_ascii=False, default=float)
    print(re.sub(rf"[^\"]*/{WORKSPACE}\w+", WORKSPACE.rstrip("-"), text))  # no path of this machine in a result


def _cpuinfo() -> list[str]:
    file = Path("/proc/cpuinfo")
    return file.read_text().splitlines() if file.is_file() else []
