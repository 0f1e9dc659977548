"""The steps of the demo: each is done once, noted with hashes of what it wrote, and skipped when that still stands.

A step that ran anew makes every later one run anew. Knows nothing of what the steps do.
"""

import contextlib
import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fieldtune.errors import FieldtuneError, RefusedError
from fieldtune.models.folder import MANIFEST, digest, verify
from fieldtune.progress import say

Result = dict[str, Any]
NOTES = ".steps"
HOME = "home"


@dataclass
class Steps:
    """The notes of one run in `folder`.

    Attributes:
        folder: the demo's folder. key: what was asked for; notes of another key do not count.
        seconds: name -> how long the step took when it ran.
    """

    folder: Path
    key: str
    began: float = field(default_factory=time.monotonic)
    anew: bool = False
    seconds: dict[str, float] = field(default_factory=dict)

    def run(self, name: str, what: str, work: Callable[[], Result], outputs: Sequence[Path] = ()) -> Result:
        """The result of a step: from its note where all `outputs` are as they were left, else from `work`."""
        note = None if self.anew else self._note(name)
        if note is not None:
            say(f"[{self.clock()}] {what}: done before")
            self.seconds[name] = note["seconds"]
            return dict(note["result"])
        self.anew = True
        say(f"[{self.clock()}] {what}")
        started = time.monotonic()
        result = json.loads(json.dumps(work(), ensure_ascii=False, default=_plain))
        self.seconds[name] = round(time.monotonic() - started, 1)
        written = {str(path.relative_to(self.folder)): fingerprint(path) for path in outputs}
        note = {"key": self.key, "seconds": self.seconds[name], "outputs": written, "result": result}
        path = self.folder / NOTES / f"{name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.with_suffix(".part").write_text(json.dumps(note, ensure_ascii=False), encoding="utf-8")
        path.with_suffix(".part").replace(path)
        return dict(result)

    def clock(self) -> str:
        """Minutes and seconds since the run began."""
        minutes, seconds = divmod(int(time.monotonic() - self.began), 60)
        return f"{minutes:02d}:{seconds:02d}"

    def _note(self, name: str) -> Result | None:
        try:
            note: Result = json.loads((self.folder / NOTES / f"{name}.json").read_text(encoding="utf-8"))
            whole = all(fingerprint(self.folder / path) == hashed for path, hashed in note["outputs"].items())
        except (OSError, ValueError, KeyError, FieldtuneError):
            return None
        return note if whole and note["key"] == self.key else None


def fingerprint(path: Path) -> str:
    """A hash of a file; of a model folder's manifest, once every file agrees with it; of all files of another folder."""
    if path.is_file():
        return digest(path)
    if (path / MANIFEST).is_file():
        verify(path)
        return digest(path / MANIFEST)
    hashed = hashlib.sha256()
    for file in sorted(path.rglob("*")):
        if file.is_file():
            hashed.update(f"{file.relative_to(path).as_posix()} {digest(file)}\n".encode())
    return hashed.hexdigest()


def command(*words: object, apart: bool = False) -> Result:
    """One fieldtune command exactly as typed; what it printed with ``--json``.

    Args:
        apart: in a process of its own, so that the memory of a training is given back; otherwise in this one, which
            spares starting torch again.

    Raises:
        FieldtuneError: what the command raises; RefusedError when a command in its own process failed.
    """
    told = [str(word) for word in words]
    say("    $ fieldtune " + " ".join(f'"{word}"' if " " in word else word for word in told))
    if apart:
        start = [sys.executable, "-c", "from fieldtune.cli import main; main()"]
        done = subprocess.run([*start, *told, "--json"], stdout=subprocess.PIPE, text=True)
        if done.returncode:
            raise RefusedError(f"`fieldtune {' '.join(told[:2])}` to succeed", f"exit {done.returncode}", "see above")
        return dict(json.loads(done.stdout))
    from fieldtune.command_line import build

    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        build()([*told, "--json"], standalone_mode=False)
    return dict(json.loads(printed.getvalue()))


@contextlib.contextmanager
def home_at(folder: Path) -> Iterator[None]:
    """FIELDTUNE_HOME for the commands inside."""
    before = os.environ.get("FIELDTUNE_HOME")
    os.environ["FIELDTUNE_HOME"] = str(folder)
    try:
        yield
    finally:
        if before is None:
            del os.environ["FIELDTUNE_HOME"]
        else:
            os.environ["FIELDTUNE_HOME"] = before


def prepare(folder: Path, key: str) -> None:
    """The demo's folder: new, empty, or of an earlier demo; what one with other settings put into service is forgotten.

    Raises:
        RefusedError: something else lies there.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())) and not (folder / NOTES).is_dir():
        raise RefusedError(
            "a new folder, or one of an earlier demo", f"other files in {folder}", "choose another --out"
        )
    (folder / NOTES).mkdir(parents=True, exist_ok=True)
    if any(_key_in(note) != key for note in (folder / NOTES).glob("*.json")):
        shutil.rmtree(folder / HOME, ignore_errors=True)


def _key_in(note: Path) -> str | None:
    try:
        return str(json.loads(note.read_text(encoding="utf-8"))["key"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def key_of(settings: Mapping[str, Any]) -> str:
    """A short hash of what was asked for."""
    return hashlib.sha256(json.dumps(settings, sort_keys=True, default=str).encode()).hexdigest()[:12]


def _plain(value: Any) -> Any:
    return value.tolist() if hasattr(value, "tolist") else str(value)
