"""A table of any kind without the personal data of some of its columns, for ``fieldtune data scrub``. Knows no task."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import pandas as pd

from fieldtune.data.cells import cleaned
from fieldtune.data.filled import empty
from fieldtune.data.hiding import TEXTS, TOKENS, instead
from fieldtune.data.moved import moved
from fieldtune.errors import InputError

LISTS = (TOKENS, "turns", "messages")
COLUMNS = (*TEXTS, *LISTS)
"""Columns of texts, of words and of dialogues, as the tasks name them."""
SPANS = "spans"


def scrubbed(
    table: pd.DataFrame, columns: Sequence[str], names: Sequence[str] = (), where: str = "the table"
) -> tuple[pd.DataFrame, Counter[str]]:
    """The table with "[email]" and the like in these columns, and how many texts (or words) of each kind were found.

    A column ``spans`` moves with its text: the column ``text``, or the only one of texts that is named.

    Args:
        columns: of texts, or of lists and objects of them, or of JSON of such.
        names: of people, to hide too.
        where: what messages call the table.

    Raises:
        InputError: a cell is none of these, with its row; or it is not known whose the spans are.
    """
    found: Counter[str] = Counter()
    changed: dict[str, list[Any]] = {}
    owner = _owner(table, columns, where)
    for name in columns:
        if name == SPANS and owner:
            continue
        if name == owner:
            pairs = _each(table, name, where, lambda text, spans: _spanned(text, spans, names), SPANS)
            changed[name], changed[SPANS] = ([pair[place] for pair, _ in pairs] for place in (0, 1))
        else:
            pairs = _each(table, name, where, lambda cell, words=name == TOKENS: cleaned(cell, names, words=words))
            changed[name] = [cell for cell, _ in pairs]
        found.update(kind for _, kinds in pairs for kind in kinds)
    return table.assign(**{name: instead(table[name], cells) for name, cells in changed.items()}), found


def _owner(table: pd.DataFrame, columns: Sequence[str], where: str) -> str | None:
    """The column that the spans stand in; None without spans."""
    texts = [name for name in columns if name not in (*LISTS, SPANS)]
    if SPANS not in table or not texts:
        return None
    if "text" in texts or (len(texts) == 1 and "text" not in table):
        return "text" if "text" in texts else texts[0]
    raise InputError(
        "to know which column the spans stand in: text, or the only one of texts",
        f"{', '.join(texts)} to scrub in {where}",
        "scrub that column by itself, and drop the column spans where it is not of that text",
    )


def _each(
    table: pd.DataFrame, name: str, where: str, clean: Callable[..., tuple[Any, Sequence[str]]], *beside: str
) -> list[tuple[Any, Sequence[str]]]:
    done = []
    for row, *cells in zip(table.index, *(table[one] for one in (name, *beside)), strict=True):
        try:
            done.append(clean(*cells))
        except TypeError as error:
            raise InputError(
                f"texts, or lists or objects of texts, in column {name!r}",
                f"{error} in row {row} of {where}",
                "correct that row, or name the columns of texts alone with --text COLUMN",
            ) from error
    return done


def _spanned(text: Any, spans: Any, names: Sequence[str]) -> tuple[Any, Sequence[str]]:
    if not isinstance(text, str) and not empty(text):
        raise TypeError(f"{type(text).__name__} beside spans of it")
    clean, places, kinds = moved(text if isinstance(text, str) else "", spans, names)
    return (clean if isinstance(text, str) else text, places), kinds
