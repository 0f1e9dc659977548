"""Build the wheel, install it without extras into a fresh environment, and train a model there. Needs the package index."""

import json
import subprocess
import sys
import time
import venv
from pathlib import Path

from benchmarks.common import ROOT, report, workspace

EXTRAS = ("streamlit", "faiss-cpu", "fastapi", "bm25s", "lightgbm")


def main() -> None:
    """Print whether it installed and trained, how many extras slipped in, and the seconds of a bare import."""
    with workspace() as folder:
        pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(folder), str(ROOT)]
        subprocess.run(pip, check=True)
        wheel = next(folder.glob("fieldtune-*.whl"))
        venv.create(folder / "env", with_pip=True)
        python = folder / "env" / "bin" / "python"
        torch = next(line for line in (ROOT / "constraints.txt").read_text().splitlines() if line.startswith("torch=="))
        install = [python, "-m", "pip", "install", "--quiet", "--constraint", ROOT / "constraints.txt", torch, wheel]
        subprocess.run(install, check=True, stdout=sys.stderr)
        listed = json.loads(subprocess.check_output([python, "-m", "pip", "list", "--format", "json"]))
        found = [entry["name"] for entry in listed if entry["name"].lower() in EXTRAS]
        done = subprocess.run(
            [python, ROOT / "examples/library/classify.py", folder / "m"], capture_output=True, text=True
        )
        report({"ok": done.returncode == 0, "extras_installed": len(found), "packages": len(listed),
                "import_seconds": _import_seconds(python)})  # fmt: skip


def _import_seconds(python: Path) -> float:
    times = []
    for _ in range(5):
        started = time.monotonic()
        subprocess.run([python, "-c", "import fieldtune"], check=True)
        times.append(time.monotonic() - started)
    return sorted(times)[2]


if __name__ == "__main__":
    main()
