"""SQLite's write-ahead log: deleted rows lie in it, readable, until it is written back and cut. Knows no tables."""

import sqlite3

from fieldtune.progress import say

_PATIENCE = 3000
"""Milliseconds to wait for those who read what was there before; such a reader is done in a few, unless it hangs."""


def empty_log(database: sqlite3.Connection) -> None:
    """Write the log into the database and cut it to nothing; where a program that still reads keeps it, that is said.

    Args:
        database: a connection with no transaction open.
    """
    (before,) = database.execute("PRAGMA busy_timeout").fetchone()
    database.execute(f"PRAGMA busy_timeout={_PATIENCE}")
    (kept, _, _), file = database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone(), _file(database)
    database.execute(f"PRAGMA busy_timeout={before}")
    if kept:
        say(
            f"note: {file}-wal holds what was deleted until a program that reads it ends: stop pages and services that "
            "use it, then erase once more"
        )


def _file(database: sqlite3.Connection) -> str:
    return str(next(file for _, name, file in database.execute("PRAGMA database_list") if name == "main"))
