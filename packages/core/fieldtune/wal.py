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
    file = next(file for _, name, file in database.execute("PRAGMA database_list") if name == "main")
    database.execute(f"PRAGMA busy_timeout={_PATIENCE}")
    try:
        (kept, _, _), why = database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone(), "a program reads it"
    except sqlite3.Error as error:  # what was to be deleted is: the caller's work stands
        kept, why = True, str(error)
    finally:
        database.execute(f"PRAGMA busy_timeout={before}")
    if kept:
        say(
            f"note: {file}-wal still holds what was deleted ({why}): stop the pages and services that use it, then erase "
            "once more"
        )
