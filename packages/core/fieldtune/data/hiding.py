"""Personal data out of a table, to train on or to answer: every column of texts, nothing else of it. Knows no task."""

from collections import Counter, deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from fieldtune.data.raw import decode, read_bytes
from fieldtune.data.scrub import find, hidden_names, placeholder, scrub
from fieldtune.errors import InputError

TEXTS = ("text", "query", "positive", "negative", "source", "target", "text_a", "text_b", "document")
"""Columns of texts, as the tasks name them."""
TOKENS = "tokens"


def hidden(
    table: pd.DataFrame, columns: Sequence[str] = TEXTS, names: Sequence[str] = ()
) -> tuple[pd.DataFrame, Counter[str]]:
    """The table with "[email]" and the like in its texts, and in how many cells each kind was; it may be the same table.

    A word of a tagged row is replaced whole, so that each keeps its tag.

    Args:
        columns: of texts, those that are there.
        names: of people, to hide too.
    """
    found: Counter[str] = Counter()
    changed: dict[str, pd.Series] = {}
    for name in (name for name in (*columns, TOKENS) if name in table):
        cells = [in_words(cell, names) if name == TOKENS else _text(cell, names) for cell in table[name]]
        found.update(kind for _, kinds in cells for kind in kinds)
        if any(kinds for _, kinds in cells):
            changed[name] = instead(table[name], [cell for cell, _ in cells])
    return (table.assign(**changed) if changed else table), found


def was_hidden(card: Mapping[str, Any]) -> bool:
    """Whether a model's card says that this was done in its training."""
    return bool(card.get("run", {}).get("settings", {}).get("scrub"))


def as_trained(table: pd.DataFrame, card: Mapping[str, Any]) -> pd.DataFrame:
    """Labelled rows as a model learnt them: with the same hidden, in texts that are answers too, where its card says so.

    What it only reads it hides by itself, see :func:`fieldtune.models.asked.reads_as_trained`.
    """
    return hidden(table)[0] if was_hidden(card) else table


def listed(file: Path) -> tuple[str, ...]:
    """The names in a file, one a line.

    Raises:
        InputError: no such file, no UTF-8, or nothing in it.
    """
    names = tuple(line.strip() for line in decode(read_bytes(file), file).splitlines() if line.strip())
    if not names:
        raise InputError("a name a line", f"none in {file}", "write one, or leave --names out")
    return names


def said(found: Counter[str]) -> str:
    """What was hidden, for people: ``personal data hidden: 12 email, 3 card``."""
    kinds = ", ".join(f"{count} {kind}" for kind, count in found.most_common())
    return f"personal data hidden before training: {kinds} (--set scrub=false leaves it)"


def instead(column: pd.Series, cells: Sequence[Any]) -> pd.Series:
    """Other cells in the place of a column's; a category for each text would have none for those that are new."""
    kind = object if isinstance(column.dtype, pd.CategoricalDtype) else column.dtype
    return pd.Series(list(cells), index=column.index, dtype=kind)


def _text(cell: Any, names: Sequence[str]) -> tuple[Any, Sequence[str]]:
    return scrub(cell, names=names) if isinstance(cell, str) else (cell, ())


def in_words(words: Any, names: Sequence[str] = ()) -> tuple[Any, Sequence[str]]:
    """Words of a row, and each kind once; a number that goes over several of them is hidden in each.

    Looked at again until nothing is found, as :func:`fieldtune.data.scrub.scrub` does: what is hidden may have covered more.
    """
    kept, seen, known = words, dict[str, None](), hidden_names(names)
    while found := find(" ".join(kept), known):
        ahead, kept = list(kept), _replaced(kept, found)
        if ahead == kept:
            break
        seen.update(dict.fromkeys(kind for _, _, kind in found))
    return kept, tuple(seen)


def _replaced(words: Sequence[str], places: Sequence[tuple[int, int, str]]) -> list[str]:
    """Words with the kind in the place of each that one of these places reaches into, counted with a space between words."""
    kept, start, ahead = list[str](), 0, deque(places)  # one after another, none inside another
    for word in words:
        end = start + len(word)
        while ahead and ahead[0][1] <= start:
            ahead.popleft()
        hit = ahead and ahead[0][0] < end and not placeholder(word)
        kept.append(f"[{ahead[0][2]}]" if hit else word)
        start = end + 1
    return kept
