"""Cells that a spreadsheet would run as a formula, made into text and back. Pure.

Tables for people hold what strangers typed: ``=HYPERLINK(...)`` is harmless in a file, not in a program that opens it.
"""

import re

_FORMULA = re.compile("'*[=+@\t\r\n＝＋－＠-]")
"""OWASP's list of first characters (CSV injection); apostrophes before them, so that adding one can be undone."""


def guarded(cell: str) -> str:
    """The cell with an apostrophe in front if it could be run; every other cell as it is."""
    return f"'{cell}" if _FORMULA.match(cell) else cell


def unguarded(cell: str) -> str:
    """What `guarded` was given, exactly."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell
