"""A trained model and a table: its figures on labelled rows, its answers to others. What the command line does, in Python.

``measure`` is not called evaluate, because :mod:`fieldtune.evaluate` is the package of the figures themselves.
"""

import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from fieldtune.data.checks import OUT_OF_SCOPE
from fieldtune.data.filled import empty
from fieldtune.data.given import Given, by_name, named, tabled, texts_of, with_numbers
from fieldtune.data.hiding import as_trained, hidden, was_hidden
from fieldtune.data.labels import row_labels
from fieldtune.data.parts import of_part
from fieldtune.data.read import check_columns
from fieldtune.data.tables import NAME_IT, NAME_OTHERS, SETS
from fieldtune.data.unreadable import UNREADABLE
from fieldtune.data.write import in_pieces
from fieldtune.errors import InputError
from fieldtune.fingerprint import keyed, table_digest
from fieldtune.models import Classifier, load
from fieldtune.models.card import NOT_UNSEEN, leakage
from fieldtune.models.readable import warn_unread, warn_unwritten
from fieldtune.progress import say
from fieldtune.reporting import classifier_report
from fieldtune.tasks import Task, check_rename, task_module
from fieldtune.text.shown import some_of

_GIVEN_TOO = ("spans", "boxes")
"""Columns of labels in a training table that hold answers where predict writes them."""
_SEEN = {
    "train": f"note: {{}} was trained on these rows: {NOT_UNSEEN}, they tell what it remembers",
    "valid": "note: {} was calibrated on these rows: the figures flatter it a little",
}


def measure(
    model: Any,
    data: Given,
    *,
    rename: Mapping[str, str] | None = None,
    labels: Mapping[str, str] | None = None,
    report: Path | None = None,
) -> dict[str, Any]:
    """The figures of a model on labelled rows it has not seen, as ``fieldtune evaluate`` prints them.

    Args:
        model: a model folder, or what :func:`fieldtune.load` gave.
        data: a table, a dict of columns or a path, with the columns of the training table.
        rename: column wanted -> the user's name for it.
        labels: label in the file -> label wanted.
        report: of a classifier, the folder to write a page with pictures to.

    Returns:
        The task's figures; ``seen``, "train" or "valid" where the whole table is the one that it was trained or
        validated on, its rows in any order, else "not known"; ``seconds`` that answering took; the path of the ``report``.

    Raises:
        InputError: no such folder, rows that cannot be measured on, or a report of another model than a classifier.
        ArtefactError: the folder is damaged or foreign.
    """
    by_name(rename=rename, labels=labels)
    trained = load(model) if isinstance(model, (str, Path)) else model
    task = trained.card["task"]
    check_rename(task, rename)
    if report is not None and not isinstance(trained, Classifier):
        raise InputError("a classifier for --report", f"a model for {task}", "leave --report out")
    about = task_module(task)
    table = about.read(tabled(data), rename=rename, labels=labels)
    strangers, known = _strangers(trained, table)
    started = time.monotonic()
    found: dict[str, Any] = about.metrics(trained, table)
    found |= {"seen": remark_seen(trained.card, table), "seconds": time.monotonic() - started}
    if strangers and "boxes" not in table:  # detection says so itself
        say(f"note: labels the model does not know: {strangers} (it knows {known})")
    _remark_hidden(trained, table)
    warn_unread(trained, about.read_at_once(table), linear="linear" in about.METHODS)
    warn_unwritten(trained, table.get("target", ()))
    return found if report is None else {**found, "report": str(classifier_report(trained, table, found, report))}


def predict(model: Any, data: Given, *, rename: Mapping[str, str] | None = None) -> pd.DataFrame:
    """The table with what a model answers to each row, as ``fieldtune predict`` writes it.

    Args: see :func:`measure`; the columns read are those that the task looks at.

    Returns:
        The columns, rows and index of ``data`` and the columns the task adds: ``predicted``, ``probability``, ``score``,
        ``spans``, ... Columns ``spans`` or ``boxes`` of ``data`` give way to answers of the same name, which is said.
        Rows without text are kept. Where pictures could not be read, their answers are empty, and a
        column ``unreadable`` says why.

    Raises:
        InputError: a column is missing, or one of the names that are added is taken; else as :func:`measure`.
    """
    by_name(rename=rename)
    trained = load(model) if isinstance(model, (str, Path)) else model
    check_rename(trained.card["task"], rename)
    return pd.concat(list(answers(trained, data, rename=rename)))


def answers(trained: Any, data: Given, *, rename: Mapping[str, str] | None = None) -> Iterator[pd.DataFrame]:
    """The same in pieces of rows, so that no more of the answers than one piece is held."""
    about, names, data = task_module(trained.card["task"]), rename or {}, tabled(data)
    if about.read_inputs:
        table, inputs = about.read_inputs(data, names)
    else:
        table, inputs = _inputs(data, [names.get(name, name) for name in about.INPUTS], about.INPUTS)
    _remark_nothing(inputs, about, named(data))
    rows = list(zip(*(inputs[name] for name in about.INPUTS if name != "image"), strict=True))
    warn_unread(trained, rows, linear="linear" in about.METHODS)
    start = 0
    for piece in in_pieces(table):
        added = _added(about, trained, inputs.iloc[start : start + len(piece)].reset_index(drop=True))
        given_too = [name for name in _GIVEN_TOO if name in added and name in piece]
        if given_too and not start:
            say(f"note: the column {given_too[0]} of {named(data)} is not copied: the answers take its name")
        piece = piece.drop(columns=given_too)
        taken = [name for name in added if name in piece]
        if taken:
            raise InputError(
                "columns of other names than predict adds",
                f"{', '.join(map(str, taken))} in {named(data)}",
                "rename them",
            )
        # A table read from Parquet has an index of its own.
        yield piece.assign(**{str(name): added[name].to_numpy() for name in added})
        start += len(piece)


def _remark_nothing(inputs: pd.DataFrame, about: Task, where: str) -> None:
    """Say on stderr of how many rows there is nothing to read: they are answered all the same."""
    optional = about.COLUMNS[1]
    needed = [name for name in about.INPUTS if name not in optional]
    lacks = inputs[list(about.INPUTS)].map(empty)
    nothing = lacks[needed].any(axis=1) if needed else lacks.all(axis=1)
    if UNREADABLE in inputs:  # told apart
        nothing &= inputs[UNREADABLE] == ""
    if nothing.any():
        which = f" in {' or '.join(needed)}" if len(needed) > 1 else ""
        what = f"no text{which}" if needed else f"neither {' nor '.join(about.INPUTS)}"
        say(f"note: {int(nothing.sum())} rows have {what} ({where}): the answers to them are guesses on nothing")


def _added(about: Task, trained: Any, inputs: pd.DataFrame) -> Any:
    """What the task adds to each row; to one of which nothing could be read only why."""
    if UNREADABLE not in inputs:
        return about.predict(trained, inputs)
    lost = (inputs[UNREADABLE] != "") & inputs[list(about.INPUTS)].map(empty).all(axis=1)
    found = about.predict(trained, inputs[~lost].reset_index(drop=True)).set_axis(inputs.index[~lost], axis=0)
    return found.reindex(inputs.index).assign(**{UNREADABLE: inputs[UNREADABLE]})


def seen(card: Mapping[str, Any], table: pd.DataFrame) -> str:
    """Whether this is the whole table that a model was trained on, "train", or validated on, "valid"; rows in any order, and
    of a table that names its parts those that are measured on.

    Else "not known": a card holds a digest of each table and none of its rows. That of private rows can be told in the
    FIELDTUNE_HOME alone where they were learnt, whose key this reads and never draws.
    """
    known = card.get("tables", {})
    private = bool(card.get("run", {}).get("settings", {}).get("epsilon"))
    if not known or (private and not keyed()):
        return "not known"
    own = table_digest(as_trained(of_part(table, "test", "valid"), card), private=private)
    return next((name for name in _SEEN if known.get(name) == own), "not known")


def remark_seen(card: Mapping[str, Any], table: pd.DataFrame, which: str = "the model") -> str:
    """The same, said on stderr where it is "train" or "valid"; ``which`` names the model there."""
    found = seen(card, table)
    if found in _SEEN:
        say(_SEEN[found].format(which))
    if found == "valid" and (leak := leakage(card)):
        say(f"note: {leak}")
    return found


def _inputs(
    data: pd.DataFrame | Path | str, wanted: list[str], names: tuple[str, ...]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The table, and the columns a task reads under its own names; empty cells are empty texts, so no row is lost."""
    table, numbers = with_numbers(data)
    check_columns(table, wanted, named(data), NAME_IT if "text" in names else NAME_OTHERS)
    inputs = table[wanted].set_axis(numbers).apply(texts_of, where=named(data))
    return table, inputs.set_axis(list(names), axis=1).reset_index(drop=True)


def _remark_hidden(model: Any, table: pd.DataFrame) -> None:
    """Say on stderr in how many texts to be written there is personal data, which a model that never saw any cannot write."""
    if "target" not in table or not was_hidden(model.card):
        return
    changed = int((hidden(table[["target"]])[0]["target"] != table["target"]).sum())
    if changed:
        say(
            f"note: {changed} texts of the column target hold personal data; as in training it is hidden before they are "
            "compared with what the model writes, which says [email] and the like there"
        )


def _strangers(model: Any, table: pd.DataFrame) -> tuple[str, str]:
    """Labels of the table that the model cannot answer, whose rows count as wrong, and those that it can; in words.

    Raises:
        InputError: it can answer none of them, and none is out of scope: all figures would be zero.
    """
    labels = getattr(model, "labels", ())
    types = {label.partition("-")[2] for label in labels} - {""} if "tags" in table else set(labels)
    found = set().union(*row_labels(table, model.card["task"] in SETS)) if types else set()
    strangers, known = some_of(sorted(found - types - {OUT_OF_SCOPE})), some_of(sorted(types))
    if found and not found & {*types, OUT_OF_SCOPE}:
        fix = "rename them: --map OLD=NEW,... (in Python labels={'OLD': 'NEW', ...})"
        raise InputError(f"labels that the model knows ({known})", f"none of them, but {strangers}", fix)
    return strangers, known
