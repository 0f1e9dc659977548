"""What is wrong with a training table, said before a model learns it.

Pure: a table in, findings out; nothing is repaired. It does not know whether a label is right, only whether
labels contradict each other.
"""

from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd

from fieldtune.errors import InputError
from fieldtune.text.misread import misread
from fieldtune.text.normalise import blank, equality_key, normalise
from fieldtune.text.shown import some_of

OUT_OF_SCOPE = "oos"
"""The label of rows that belong to no class: it is never answered. They teach what is foreign, or fit a threshold alone."""
TEXT_COLUMNS = {
    "text-classification": ("text",),
    "multi-label-classification": ("text",),
    "regression": ("text",),
    "text-pair": ("text_a", "text_b"),
    "embedding": ("query", "positive"),
    "reranking": ("query", "document"),
    "seq2seq": ("source", "target"),
}
ONE_CLASS = "one-class"
_LABELLED = ("text-classification", "text-pair")  # tasks whose label is the name of one class
MOST_CLASSES = 5_000
"""More are documents to rank, not classes: every method would take a weight vector for each."""
_TOLD = 50  # groups of like labels that are listed
LONGEST = 4000
"""Characters. The usual encoders read 512 tokens: some 2,500 characters of English, 500 of Chinese."""


class Finding(NamedTuple):
    """One thing found. An "error" makes training pointless or wrong; a "warning" is for the user to judge."""

    kind: str
    severity: Literal["error", "warning"]
    message: str
    rows: tuple[int, ...]
    """Row numbers in the table, from 0; of what is found in two tables, in the held-out one."""
    suggested: tuple[str, ...] = ()
    """For `likely-wrong-label`, the label that each of the rows likely has."""


def check_table(frame: pd.DataFrame, task: str, longest: int = LONGEST) -> list[Finding]:
    """Findings on a training table, errors first; rows count from 0.

    Kinds: no-rows, missing-text, empty-text, misread-text, over-long, duplicate; where a label is a class also missing-label,
    one-class, no-class, too-many-classes, single-row-class, label-spelling, conflicting-labels; for embedding also same-text, negative-is-positive.
    Tasks with labels of another kind look at these themselves, see :mod:`fieldtune.data.labels`.

    Raises:
        InputError: a task without checks, or a column missing.
    """
    columns = _columns(frame, task)
    if frame.empty:
        return [Finding("no-rows", "error", "the table has no rows", ())]
    found = [finding for column in columns for finding in _texts(frame[column], longest)]
    keys = [tuple(map(text_key, row)) for row in zip(*(frame[column] for column in columns), strict=True)]
    labels = frame.get("label")
    if task in _LABELLED:
        found += _labels(frame["label"])
    found += _repeats(keys, labels)
    if task == "embedding":
        same = [row for row, key in enumerate(keys) if key[0] and key[0] == key[1]]
        found += some("same-text", "warning", "query and positive are the same text", same)
        told = zip(keys, map(text_key, frame.get("negative", [""] * len(frame))), strict=True)
        same = [row for row, (key, wrong) in enumerate(told) if wrong and key[1] == wrong]
        found += some("negative-is-positive", "warning", "negatives that say what the positive says, not used", same)
    return sorted(found, key=lambda finding: finding.severity)


def check_labels(keys: Sequence[Hashable], labels: pd.Series, what: str) -> list[Finding]:
    """The same of anything with one label each: missing-label, one-class, no-class, single-row-class, label-spelling, duplicate,
    conflicting-labels.

    Args:
        keys: per row, equal where rows show the same.
        what: a word for what they show, e.g. ``"picture"``.
    """
    if not len(labels):
        return [Finding("no-rows", "error", "the table has no rows", ())]
    return sorted(_labels(labels) + _repeats(keys, labels, what), key=lambda finding: finding.severity)


def check_inside(labels: pd.Series) -> None:
    """Raises InputError for rows to measure on that are all out of scope: they have no right answer."""
    if (labels == OUT_OF_SCOPE).all():
        raise InputError("rows of a class", f"{len(labels)} rows, all out of scope", "add labelled rows to measure on")


def strangers(train: Iterable[Collection[str]], valid: Sequence[Collection[str]]) -> list[Finding]:
    """Held-out rows with a label that no row of train has; each is given by its labels."""
    known = {OUT_OF_SCOPE}.union(*train)
    rows = [row for row, own in enumerate(valid) if not known.issuperset(own)]
    names = _names({label for row in rows for label in valid[row]} - known)
    return some(
        "unseen-label", "warning", f"held-out rows of labels that train never saw ({names}), counted as wrong", rows
    )


def numbered(findings: Iterable[Finding], number: Callable[[int], int]) -> list[Finding]:
    """The findings with rows as the file numbers them, in the message too; ``number`` gives that of a row."""
    told = []
    for finding in findings:
        rows = tuple(number(row) for row in finding.rows)
        shown = some_of(dict.fromkeys(rows))  # each once: a dialogue is several rows
        told.append(finding._replace(message=f"{finding.message} ({shown})" if rows else finding.message, rows=rows))
    return told


def placed(findings: Iterable[Finding], places: Sequence[int]) -> list[Finding]:
    """Findings on some rows of a table, those at ``places``, as findings on the table."""
    return [finding._replace(rows=tuple(places[row] for row in finding.rows)) for finding in findings]


def _columns(frame: pd.DataFrame, task: str) -> tuple[str, ...]:
    columns = TEXT_COLUMNS.get(task)
    if columns is None:
        raise InputError(f"a task among {', '.join(TEXT_COLUMNS)}", f"{task!r}", "correct the task")
    wanted = (*columns, "label") if task in _LABELLED else columns
    missing = [column for column in wanted if column not in frame.columns]
    if missing:
        raise InputError(
            f"columns {', '.join(wanted)}",
            f"columns {', '.join(map(str, frame.columns)) or '(none)'}",
            f"add or rename {', '.join(missing)}",
        )
    return columns


def _texts(column: pd.Series, longest: int) -> list[Finding]:
    missing = column.isna().to_numpy()
    texts = [str(value) for value in column]
    empty = [i for i, text in enumerate(texts) if not missing[i] and blank(text)]
    wrong = [i for i, text in enumerate(texts) if misread(text)]
    name = column.name
    return [
        *some("missing-text", "error", f"no value in column '{name}'", np.flatnonzero(missing).tolist()),
        *some("empty-text", "warning", f"nothing but white space in column '{name}'", empty),
        *some("misread-text", "warning", f"column '{name}' was decoded with the wrong encoding", wrong),
        *over_long(column, longest),
    ]


def over_long(column: pd.Series, longest: int = LONGEST) -> list[Finding]:
    """Kind over-long: texts that an encoder will not read to their end."""
    long = [row for row, text in enumerate(column) if not _missing(text) and len(str(text)) > longest]
    return some("over-long", "warning", f"column '{column.name}' beyond {longest} letters", long)


def _labels(column: pd.Series) -> list[Finding]:
    gone = [i for i, label in enumerate(column) if _missing(label)]
    labels = {i: str(label) for i, label in enumerate(column) if not _missing(label)}
    counts = pd.Series(labels.values(), dtype=object).value_counts()
    found = some("missing-label", "error", "no label", gone)
    counts = counts.drop(OUT_OF_SCOPE, errors="ignore")
    if labels and len(counts) < 2:
        only = f"every label is '{counts.index[0]}'" if len(counts) else f"every label is '{OUT_OF_SCOPE}', no class"
        message = f"{only}: a classifier needs at least two classes"
        found.append(Finding(ONE_CLASS if len(counts) else "no-class", "error", message, tuple(labels)))
    own = {row: label for row, label in labels.items() if label != OUT_OF_SCOPE}
    return found + named_labels(list(own), list(own.values()))


def named_labels(rows: Sequence[int], labels: Sequence[str]) -> list[Finding]:
    """Findings on class names: too-many-classes, single-row-class, label-spelling.

    Args:
        rows, labels: a row and its label; a row may come more than once.
    """
    own: dict[str, list[int]] = {}
    for row, label in zip(rows, labels, strict=True):
        own.setdefault(label, []).append(row)
    found = too_many(len(own))
    single = {name: numbers[0] for name, numbers in own.items() if len(numbers) == 1}
    what = f"labels with one row only ({_names(single)})"
    found += some("single-row-class", "warning", what, sorted(single.values()))
    return found + spelling_twins(own)


def too_many(classes: int) -> list[Finding]:
    """Kind too-many-classes."""
    if classes <= MOST_CLASSES:
        return []
    what = f"{classes} different labels where a model learns at most {MOST_CLASSES}: is it the right column?"
    return [Finding("too-many-classes", "error", what, ())]


def rows_of(names: Iterable[Iterable[str]]) -> dict[str, list[int]]:
    """Each name with the rows that have it, each once; of rows with any number of names."""
    own: dict[str, list[int]] = {}
    for row, given in enumerate(names):
        for name in dict.fromkeys(given):
            own.setdefault(name, []).append(row)
    return own


def spelling_twins(own: Mapping[str, Sequence[int]]) -> list[Finding]:
    """Kind label-spelling: names that differ in case, width, white space or invisible characters only.

    Args:
        own: each name and its rows.
    """
    found = []
    spellings: dict[str, set[str]] = {}
    for label in own:
        spellings.setdefault(normalise(label), set()).add(label)
    twins = sorted((names for names in spellings.values() if len(names) > 1), key=min)
    for names in twins[:_TOLD]:
        what = f"labels that differ in spelling only ({_names(names)})"
        found += some("label-spelling", "warning", what, sorted({row for name in names for row in own[name]}))
    return found


def _repeats(keys: Sequence[Hashable], labels: pd.Series | None, what: str = "text") -> list[Finding]:
    told: Sequence[object] = [None] * len(keys) if labels is None else labels.tolist()
    groups: dict[Hashable, list[int]] = {}
    for row, key in enumerate(keys):
        if key and (not isinstance(key, tuple) or any(key)):
            groups.setdefault(key, []).append(row)
    given = [None if _missing(label) else normalise(str(label)) for label in told]
    again: list[int] = []
    conflicts: list[int] = []
    for rows in groups.values():
        seen: set[str | None] = set()
        for row in rows:
            again += [row] if given[row] in seen else []
            seen.add(given[row])
        conflicts += rows if len(seen - {None}) > 1 else []
    return [
        *some("duplicate", "warning", "rows repeat an earlier one", sorted(again)),
        *some("conflicting-labels", "warning", f"rows share a {what} but not the label", sorted(conflicts)),
    ]


def some(kind: str, severity: Literal["error", "warning"], what: str, rows: list[int]) -> list[Finding]:
    """A finding with the number of its rows, or none without rows."""
    if not rows:
        return []
    return [Finding(kind, severity, f"{what}: {len(rows)} rows", tuple(rows))]


def text_key(value: object) -> str:
    """Equal for texts that say the same, see :func:`fieldtune.text.normalise.equality_key`; "" for a missing one."""
    if _missing(value):
        return ""
    return equality_key(str(value)) or normalise(str(value))


def _missing(value: Any) -> bool:
    """None, NaN and friends, and empty cells."""
    return (isinstance(value, str) and not value.strip()) or (pd.api.types.is_scalar(value) and bool(pd.isna(value)))


def _names(names: Iterable[str]) -> str:
    return some_of(map(repr, sorted(names)))
