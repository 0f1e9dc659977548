"""Build wheel and sdist twice, from two copies of the repository that differ in all but content, and compare the bytes."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

from benchmarks.common import ROOT, report, workspace

# where the copy lies, umask, time of its files, and what else may leak into an archive
COPIES = (
    ("copy", 0o022, 1_000_000_000, {"TZ": "UTC", "LC_ALL": "C", "PYTHONHASHSEED": "1"}),
    ("elsewhere/a copy", 0o077, 1_500_000_000, {"TZ": "Asia/Shanghai", "LC_ALL": "C.UTF-8", "PYTHONHASHSEED": "2"}),
)
BUILD = "import sys; from pathlib import Path; from benchmarks.archives import build; build(Path('out'), tuple(sys.argv[1:]))"


def built(folder: Path, *kinds: str) -> list[dict[str, str]]:
    """The sha256 of each archive, by the end of its name, once for every copy."""
    found = []
    for name, umask, time, environment in COPIES:
        copy = folder / "-".join(kinds) / name
        subprocess.run(["git", "clone", "--quiet", ROOT, copy], check=True, umask=umask)
        for file in copy.rglob("*"):
            os.utime(file, (time, time))
        (copy / "out").mkdir()
        env = {**os.environ, **environment, "PYTHONPATH": str(copy)}
        subprocess.run(
            [sys.executable, "-c", BUILD, *kinds], check=True, cwd=copy, env=env, umask=umask, stdout=sys.stderr
        )
        archives = (copy / "out").iterdir()
        found.append({file.suffix: hashlib.sha256(file.read_bytes()).hexdigest() for file in archives})
    return found


def main() -> None:
    """Print the digests, and whether both copies gave the same; also the wheel's straight from the tree, without sdist."""
    with workspace() as folder:
        one, two = built(folder)
        straight, _ = built(folder, "--wheel")
    report({"wheel": one[".whl"], "wheel_same": one[".whl"] == two[".whl"], "sdist": one[".gz"],
            "sdist_same": one[".gz"] == two[".gz"], "sdist_is_whole": straight[".whl"] == one[".whl"]})  # fmt: skip


if __name__ == "__main__":
    main()
