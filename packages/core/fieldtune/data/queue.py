"""Rows waiting for a label, in one SQLite file: a label once given survives any crash, and its row never comes again.

Knows texts and labels, no model and no strategy.
"""

import contextlib
import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from fieldtune.data.checks import text_key
from fieldtune.data.places import outside
from fieldtune.errors import ArtefactError, InputError

_SCHEMA = """
CREATE TABLE IF NOT EXISTS rows (key TEXT PRIMARY KEY, text TEXT NOT NULL, place INTEGER NOT NULL, label TEXT);
CREATE TABLE IF NOT EXISTS about (kind TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS compared (labels INTEGER PRIMARY KEY, predicted TEXT NOT NULL, agreement REAL);
"""


@dataclass(frozen=True)
class Turn:
    """A model that was compared with the one before.

    Attributes:
        labels: from how many it learnt.
        predicted: digest of a text -> what it predicted; the texts are not kept.
        agreement: with the one before; None where there is none, or too few texts were asked of both.
    """

    labels: int
    predicted: Mapping[str, str]
    agreement: float | None


class Queue:
    """The rows that were asked for, with the labels they got.

    Args:
        file: made where there is none.
        kind: of what the labels are, ``texts`` or ``words``.

    Raises:
        ArtefactError: the file is no queue. InputError: one of labels of another kind.
    """

    def __init__(self, file: Path, kind: str = "texts") -> None:
        outside(file)
        self.file = file
        with self._open() as database:
            database.executescript(_SCHEMA)
            database.execute("INSERT INTO about SELECT ? WHERE NOT EXISTS (SELECT * FROM about)", (kind,))
            (found,) = database.execute("SELECT kind FROM about").fetchone()
        if found != kind:
            raise InputError(f"a queue of labels of {kind}", f"one of {found} at {file}", "name another --queue")

    def ask(self, rows: Sequence[tuple[int, str]]) -> None:
        """Put rows into the queue: their place in the pool and their text; one that is there stays as it is."""
        with self._open() as database:
            database.executemany(
                "INSERT OR IGNORE INTO rows (key, text, place) VALUES (?, ?, ?)",
                [(text_key(text), text, place) for place, text in rows],
            )

    def answer(self, labels: Sequence[tuple[str, str]]) -> None:
        """Keep the labels of texts, asked for or not, with the texts as they are given here: tags are those of its words. A text
        labelled before takes the new label. All, or none of them."""
        with self._open() as database:
            database.executemany(
                """INSERT INTO rows (key, text, place, label) VALUES (?, ?, -1, ?)
                   ON CONFLICT (key) DO UPDATE SET text = excluded.text, label = excluded.label""",
                [(text_key(text), text, label) for text, label in labels],
            )

    def waiting(self) -> list[tuple[int, str]]:
        """What was asked for and has no label yet: place in the pool and text, in the order of asking."""
        with self._open() as database:
            return list(database.execute("SELECT place, text FROM rows WHERE label IS NULL ORDER BY rowid"))

    def labelled(self) -> pd.DataFrame:
        """Columns text, label: what has one, in the order of asking."""
        with self._open() as database:
            found = database.execute("SELECT text, label FROM rows WHERE label IS NOT NULL ORDER BY rowid").fetchall()
        return pd.DataFrame(found, columns=["text", "label"])

    def known(self) -> set[str]:
        """The keys of all rows, waiting or labelled, see :func:`fieldtune.data.checks.text_key`."""
        with self._open() as database:
            return {key for (key,) in database.execute("SELECT key FROM rows")}

    def turns(self) -> list[Turn]:
        """What was remembered, in the order of the labels."""
        with self._open() as database:
            found = database.execute("SELECT labels, predicted, agreement FROM compared ORDER BY labels").fetchall()
        return [Turn(labels, json.loads(predicted), agreement) for labels, predicted, agreement in found]

    def remember(self, turn: Turn) -> None:
        """Add a turn; one of as many labels stays as it is."""
        with self._open() as database:
            database.execute(
                "INSERT OR IGNORE INTO compared VALUES (?, ?, ?)",
                (turn.labels, json.dumps(dict(turn.predicted)), turn.agreement),
            )

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        """One transaction, on disk when it ends."""
        try:
            with contextlib.closing(sqlite3.connect(self.file, timeout=30)) as database:
                database.execute("PRAGMA synchronous=FULL")
                with database:
                    yield database
        except sqlite3.DatabaseError as error:
            raise ArtefactError(
                f"a queue of labels at {self.file}", str(error), "name another --queue, or restore that file"
            ) from error
