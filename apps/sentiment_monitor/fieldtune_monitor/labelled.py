"""Labelled titles as clean rows, and which of them are held out for the gate. Knows no models."""

import hashlib
from pathlib import Path

import numpy as np
import pandas as pd

from fieldtune.data.read import read_table
from fieldtune.data.scrub import scrub
from fieldtune.errors import InputError
from fieldtune.text.language import detect, known
from fieldtune.text.normalise import equality_key
from fieldtune_monitor.dedupe import bare_title
from fieldtune_monitor.intake import MAX_TITLE, plain
from fieldtune_monitor.records import TONES

HELD = 10  # one row in ten is held out for the gate
TASKS = {"tone": "sentiment", "topic": "topic"}
COLUMNS = ("title", "sentiment", "topic", "language")


def read_rows(path: Path) -> pd.DataFrame:
    """A labelled table in the columns title, sentiment, topic, language.

    Raises:
        InputError: no title (or text) column, neither sentiment nor topic, an unknown tone or language.
    """
    table = read_table(path, numbered=True)
    if not {"title", "text"} & set(table) or not {"sentiment", "topic"} & set(table):
        raise InputError(
            "the columns title (or text) and sentiment, topic, or both",
            f"{', '.join(map(str, table.columns))} in {path}",
            "rename the columns; sentiment is negative, neutral or positive",
        )
    if "title" not in table:
        table = table.rename(columns={"text": "title"})
    return clean_rows(table, str(path))


def clean_rows(table: pd.DataFrame, where: str) -> pd.DataFrame:
    """All four columns as clean text, one row per title and language; the last labels given to a title count.

    Titles are what the monitor reads of them: bare, so that one title in two wrappings is one row, on one side of the
    gate. A column `source` helps to recognise the wrapping. They are kept with every version, so personal data is
    removed here, as it is from what users say.

    Args:
        table: its index numbers its rows, and where names it, in messages.

    Raises:
        InputError: an unknown tone or language, or no title.
    """
    rows = pd.DataFrame({name: table.get(name, "") for name in (*COLUMNS, "source")}).fillna("").astype(str)
    rows = rows.apply(lambda column: column.str.strip())
    rows["sentiment"] = rows["sentiment"].str.lower()
    wrong = sorted(set(rows["sentiment"]) - {*TONES, ""})
    if wrong:
        raise InputError(f"tones {', '.join(TONES)}", f"{wrong[0]!r} in {where}", "rename the labels")
    wrapped = zip(rows["title"], rows["source"], strict=True)
    rows["title"] = [_kept(title, source) for title, source in wrapped]
    rows = pd.DataFrame(rows[rows["title"] != ""])
    if rows.empty:
        raise InputError("at least one title", f"only empty cells in {where}", "check the columns")
    rows["language"] = [
        known(tag, f"row {number} of {where}") or detect(title)
        for number, tag, title in zip(rows.index, rows["language"], rows["title"], strict=True)
    ]
    labels = rows.replace("", pd.NA).groupby(["title", "language"], sort=False, as_index=False)[list(TASKS.values())]
    return pd.DataFrame(labels.last().fillna("")[list(COLUMNS)])


def _kept(title: str, source: str) -> str:
    """A title bare and without personal data. Bare first: what a wrapping touches may not look like a number."""
    return bare_title(scrub(bare_title(plain(title, MAX_TITLE), source)).text, source)


def is_held_out(title: str) -> bool:
    """Whether a row belongs to the gate: by a hash of its bare title, so it is never trained on, whoever sends it."""
    return int(hashlib.sha256(equality_key(title).encode()).hexdigest()[:8], 16) % HELD == 0


def held_out(rows: pd.DataFrame) -> pd.DataFrame:
    """The labelled rows that the gate compares on.

    Raises:
        InputError: there is none.
    """
    labelled = (rows[list(TASKS.values())] != "").any(axis=1).to_numpy()
    held = rows[labelled & np.array([is_held_out(title) for title in rows["title"]], dtype=bool)].reset_index(drop=True)
    if held.empty:
        raise InputError(f"enough rows for one in {HELD} to be held out", f"{len(rows)} rows", "label more titles")
    return pd.DataFrame(held)
