"""Checkpoints of a run: the newest one whose every file is as it was written, and when to write the next."""

import contextlib
import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from fieldtune.errors import ArtefactError
from fieldtune.models.folder import MARKS, RUN, unfinished, verify, write_whole
from fieldtune.progress import say

# Written and read by torch; loaded with weights_only=True, and only after the manifest's digests matched.
OURS = frozenset({"optimizer.pt", "scheduler.pt", "rng_state.pth", "scaler.pt"})
KEEP = 2
CHOICE = "choice.json"
"""What was chosen before training began, by ``auto``; a run that goes on does not choose again."""


def newest(folder: Path) -> Path | None:
    """The newest good checkpoint, or None when the run has none yet.

    A damaged one is named on stderr and passed over for the one before it.

    Raises:
        ArtefactError: there are checkpoints and none of them is good; a run never starts again from zero unasked.
    """
    found = sorted(folder.glob("checkpoint-*"), key=step, reverse=True)
    for path in found:
        try:
            verify(path, ours=OURS)
            return path
        except ArtefactError as error:
            say(f"checkpoint {path.name} passed over: {error}")
    if found:
        raise ArtefactError(
            "one undamaged checkpoint", f"{len(found)} damaged ones in {folder}", "delete that folder to start again"
        )
    return None


def prune(saved: Path) -> None:
    """Delete all but the one just saved and the one before it.

    Those of later steps are what :func:`newest` passed over as damaged: a run goes on from the last good one.
    """
    found = sorted(saved.parent.glob("checkpoint-*"), key=step, reverse=True)
    kept = [path for path in found if step(path) <= step(saved)][:KEEP]
    for path in found:
        if path not in kept:
            shutil.rmtree(path, ignore_errors=True)


def step(path: Path) -> int:
    """The optimizer step a checkpoint was written after."""
    return int(path.name.rsplit("-", 1)[1])


@contextlib.contextmanager
def claimed(folder: Path, fingerprint: dict[str, object]) -> Iterator[None]:
    """Hold ``folder`` for one run; one that fails before its first checkpoint leaves nothing, so it stops no other.

    Raises:
        ArtefactError: it holds an unfinished run of something else, or files that are not ours.
    """
    text = json.dumps(fingerprint, indent=1, sort_keys=True, default=str)
    _refuse_others(folder, text)
    try:
        _mark(folder, text)
        yield
    except BaseException as error:
        stopped = not isinstance(error, Exception)  # by a signal: what was chosen is not to be chosen again
        if not any(folder.rglob("checkpoint-*")) and not (stopped and any(folder.rglob(CHOICE))):
            shutil.rmtree(folder, ignore_errors=True)
            with contextlib.suppress(OSError):  # a folder with more in it stays
                folder.parent.rmdir()
        raise


def _refuse_others(folder: Path, text: str) -> None:
    """Raise where the folder is not of this run; of its two marks a whole one is enough."""
    marks = {
        name: (folder / name).read_text(encoding="utf-8", errors="replace")
        for name in MARKS
        if (folder / name).is_file()
    }
    begun = RUN in marks or any(folder.glob("checkpoint-*"))  # the mark that is written first may be alone
    if text in marks.values():
        if begun and marks.get(RUN) != text:
            say(f"{folder / RUN} is damaged or missing; {MARKS[1]} beside it tells that the run is this one")
        return
    if marks and (folder / CHOICE).is_file() and {file.name for file in folder.iterdir()} <= {*MARKS, CHOICE}:
        say(f"note: what auto chose in {folder} for another run is given up")
        shutil.rmtree(folder)
        return
    if marks and begun:
        raise _of_another(folder, list(marks.values()), text)
    if folder.exists() and not unfinished(folder):
        raise ArtefactError("an empty folder for checkpoints", f"other files in {folder}", "choose another --out")


def _of_another(folder: Path, marks: list[str], text: str) -> ArtefactError:
    for mark in marks:
        with contextlib.suppress(ValueError):
            why = of_which_rows(json.loads(mark), json.loads(text))
            return ArtefactError(
                "an unfinished run of the same configuration, encoder and data",
                f"a different one in {folder}{why}",
                "choose another --out, or delete the folder to give that run up",
            )
    return ArtefactError(
        f"a readable {RUN} and {MARKS[1]}, one at least, which tell of what run the checkpoints are",
        f"damaged ones in {folder}",
        "restore one of them, choose another --out, or delete the folder to start again",
    )


def of_which_rows(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """What to know of two fingerprints of which nothing but the digests of private rows differs; else empty."""
    private = (now.get("settings") or {}).get("epsilon")
    if not private or {**before, "data": ""} != {**now, "data": ""}:
        return ""
    return " (of other rows, or of these: private rows are known again only with the digests.key of the FIELDTUNE_HOME they were learnt in)"


def _mark(folder: Path, text: str) -> None:
    """Write down whose folder this is, where it does not stand there: each mark is on disk before the next is touched."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in reversed(MARKS):
        mark = folder / name
        if not mark.is_file() or mark.read_text(encoding="utf-8", errors="replace") != text:
            write_whole(mark, text)
