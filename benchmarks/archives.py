"""``python -m benchmarks.archives FOLDER``: the wheel and the sdist of the last commit, the same bytes whoever builds.

What a build takes from the machine is taken away: only what is committed is built (`git archive`), with git's modes
instead of the umask's, and every time is SOURCE_DATE_EPOCH, by default that of the commit. setuptools keeps to it in a
wheel and not in an sdist, so the sdist is packed once more. Another setuptools or zlib may still write other bytes:
a wheel names its setuptools. The wheel is built from the sdist, so the sdist is known to be whole.
"""

import gzip
import io
import os
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from benchmarks.standing import ROOT


def build(out: Path, kinds: tuple[str, ...] = ()) -> list[Path]:
    """Write the archives of the last commit into ``out``; returns them by name. ``kinds``: options of ``build``."""
    epoch = int(os.environ.get("SOURCE_DATE_EPOCH") or _git("log", "-1", "--format=%ct"))
    with tempfile.TemporaryDirectory() as folder:
        with tarfile.open(fileobj=io.BytesIO(_git("-c", "tar.umask=0022", "archive", "--format=tar", "HEAD"))) as tree:
            tree.extractall(folder, filter="data")
        command = [sys.executable, "-m", "build", "--no-isolation", *kinds, "--outdir", str(out.resolve()), folder]
        env = {**os.environ, "SOURCE_DATE_EPOCH": str(epoch)}
        subprocess.run(command, check=True, env=env, umask=0o022, stdout=sys.stderr)
    for sdist in out.glob("*.tar.gz"):
        settle(sdist, epoch)
    return sorted(out.iterdir())


def settle(sdist: Path, epoch: int) -> None:
    """Pack a ``.tar.gz`` once more: members by name, of nobody, readable by all, every time ``epoch``."""
    packed = io.BytesIO()
    with tarfile.open(sdist) as old, tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as new:
        for member in sorted(old.getmembers(), key=lambda member: member.name):
            entry = tarfile.TarInfo(member.name)
            entry.type, entry.size, entry.mtime = member.type, member.size, epoch
            entry.mode = 0o755 if member.isdir() or member.mode & 0o100 else 0o644
            new.addfile(entry, old.extractfile(member))
    sdist.write_bytes(gzip.compress(packed.getvalue(), mtime=epoch))


def _git(*words: str) -> bytes:
    return subprocess.run(["git", *words], cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout


def main() -> None:
    """Build into the folder that is named."""
    out = Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    for archive in build(out):
        print(archive)


if __name__ == "__main__":
    main()
