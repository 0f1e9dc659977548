"""From what a user gave to the rows a method learns from: read, without personal data, checked, some kept apart."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from fieldtune.data.checks import ONE_CLASS, check_inside, strangers
from fieldtune.data.given import Given, tabled
from fieldtune.data.hiding import hidden, said
from fieldtune.data.labels import row_labels
from fieldtune.data.leaks import Leaked, leaked
from fieldtune.data.parts import of_part
from fieldtune.data.tables import SETS
from fieldtune.errors import InputError
from fieldtune.progress import say
from fieldtune.tasks import Task

FIGURES = 300
"""Rows of which the tenth that is kept apart says something."""


@dataclass(frozen=True)
class Rows:
    """The rows of a run.

    Attributes:
        train: to learn from.
        valid: kept apart, to calibrate and measure on.
        everything: all that a training may read: ``train``, and ``valid`` too where it was split off the user's training
            rows. Of a table with official parts it is the train part alone.
        unlabelled: one table of rows without a label, or none.
        leaked: those of ``valid`` that also stand in ``train``, or nearly do; None where nobody wants to know.
        hidden: in how many cells of the user's training table personal data of each kind was hidden.
    """

    train: pd.DataFrame
    valid: pd.DataFrame
    everything: pd.DataFrame
    unlabelled: tuple[pd.DataFrame, ...]
    leaked: Leaked | None
    hidden: Mapping[str, int]

    @property
    def tables(self) -> tuple[pd.DataFrame, ...]:
        """All that can change what is learnt."""
        return (self.train, self.valid, *self.unlabelled)


def prepared(
    about: Task,
    task: str,
    method: str,
    train: Given,
    valid: Given | None,
    unlabelled: Given | None,
    *,
    rename: Mapping[str, str] | None,
    labels: Mapping[str, str] | None,
    scrub: bool,
    apart: bool,
    goes_on: bool,
    seed: int,
    progress: bool,
) -> Rows:
    """Read, hide, check and split; the arguments are those of :func:`fieldtune.pipeline.finetune`.

    Args:
        goes_on: the rows are one block more for a model that knows labels already: one new label is enough.

    Raises:
        InputError: rows that cannot be trained on, none left to validate on where the method compares figures, only rows
            out of scope to measure on, or rows without a label for a method that has no use for them.
    """
    rows = about.read(tabled(train), rename=rename, labels=labels)
    held_out = about.read(tabled(valid), rename=rename, labels=labels) if valid is not None else None
    more = _unlabelled(about, method, unlabelled, rename)
    counts: Counter[str] = Counter()
    if scrub:
        (rows, held_out, *others), counts = _hidden((rows, held_out, *more), progress)
        more = tuple(others)
    _check(about, rows, progress, one_class=goes_on)
    everything = of_part(rows, "train")
    rows, held_out = about.split(rows, seed) if held_out is None else (everything, held_out)
    found = _leaks(rows, held_out, task, apart, progress and valid is not None)
    held_out = of_part(held_out, "valid", "test")
    for finding in strangers(*(row_labels(part, task in SETS) for part in (rows, held_out))) if progress else ():
        say(f"note: {finding.message}")
    if held_out.empty:
        _unmeasured(len(rows), method, method in about.MEASURED, progress)
    elif "label" in held_out and task not in SETS and not goes_on:  # else rows of earlier blocks are measured on, too
        check_inside(held_out["label"])
    return Rows(rows, held_out, everything, more, found, counts)


def _leaks(rows: pd.DataFrame, held_out: pd.DataFrame, task: str, apart: bool, remark: bool) -> Leaked | None:
    """Held-out rows that stand among the others, see ``apart`` of :func:`fieldtune.pipeline.finetune`; with a remark where
    the user held them out: rows split off here are never the same, and customers write alike."""
    if not apart:
        return None
    found = leaked(rows, held_out, task)
    for finding in found.findings() if remark else ():
        say(f"note: {finding.message}")
    return found


def _unmeasured(rows: int, method: str, pointless: bool, progress: bool) -> None:
    """Say that no row could be kept apart, or refuse what only makes sense with such rows."""
    if pointless or rows < 2:
        raise InputError(
            f"validation rows for --method {method}, which compares figures" if pointless else "two rows or more",
            f"none left of {rows} training rows" if pointless else "one",
            "give more rows that differ (equal ones stay together), or --valid FILE",
        )
    if progress:
        say(
            f"note: not measured: none of the {rows} rows can be kept apart (equal ones stay together, and a class keeps "
            f"its last row to learn from); figures worth something take some {FIGURES} rows, or --valid FILE"
        )


def _unlabelled(
    about: Task, method: str, data: Given | None, rename: Mapping[str, str] | None
) -> tuple[pd.DataFrame, ...]:
    """The table of rows without a label, where the method learns from such rows; none for the others."""
    wants = method in about.UNLABELLED
    if wants and data is None:
        raise InputError(f"rows without a label for method {method}", "none", "give them with --unlabelled FILE")
    if data is not None and not wants:
        known = ", ".join(about.UNLABELLED) or "none of this task"
        raise InputError(f"a method that learns from unlabelled rows ({known})", repr(method), "leave --unlabelled out")
    if data is None or about.read_unlabelled is None:
        return ()
    return (about.read_unlabelled(tabled(data), rename=rename),)


def _hidden(tables: Sequence[pd.DataFrame | None], progress: bool) -> tuple[list[Any], Counter[str]]:
    """The tables without personal data in their texts, and in how many cells of the first each kind was; of all it is said."""
    done = [(None, Counter[str]()) if table is None else hidden(table) for table in tables]
    found = sum((counts for _, counts in done), Counter[str]())
    if found and progress:
        say(f"note: {said(found)}")
    return [table for table, _ in done], done[0][1]


def _check(about: Task, rows: pd.DataFrame, progress: bool, *, one_class: bool) -> None:
    """Say what is odd, refuse what is wrong; ``one_class`` lets rows of a single label pass."""
    for finding in about.check(rows):
        if finding.severity == "error" and not (one_class and finding.kind == ONE_CLASS):
            raise InputError("training rows a model can learn from", finding.message, "correct the table")
        if progress and finding.severity != "error":
            say(f"note: {finding.message}")
