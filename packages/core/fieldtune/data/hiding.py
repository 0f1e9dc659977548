"""Personal data out of a table, to train on or to answer: every column of texts, nothing else of it. Knows no task."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from fieldtune.data.scrub import find, scrub
from fieldtune.data.tagged import parted

TEXTS = ("text", "query", "positive", "negative", "source", "target", "text_a", "text_b", "document")
"""Columns of texts, as the tasks name them."""
TOKENS = "tokens"
TAGGED = "token-classification"


def hidden(table: pd.DataFrame) -> tuple[pd.DataFrame, Counter[str]]:
    """The table with "[email]" and the like in its texts, and in how many cells each kind was; it may be the same table.

    A word of a tagged row is replaced whole, so that each keeps its tag.
    """
    found: Counter[str] = Counter()
    changed: dict[str, pd.Series] = {}
    for name in (name for name in (*TEXTS, TOKENS) if name in table):
        cells = [_words(cell) if name == TOKENS else _text(cell) for cell in table[name]]
        found.update(kind for _, kinds in cells for kind in kinds)
        if any(kinds for _, kinds in cells):
            changed[name] = pd.Series([cell for cell, _ in cells], index=table.index, dtype=table[name].dtype)
    return (table.assign(**changed) if changed else table), found


def as_trained(table: pd.DataFrame, card: Mapping[str, Any]) -> pd.DataFrame:
    """The table as a model learnt to read it: with the same hidden, where its card says that this was done in training.

    Of tagged rows only the words change: what is said of them is told by places in the text as it was given.
    """
    if not card.get("run", {}).get("settings", {}).get("scrub"):
        return table
    if card.get("task") != TAGGED:
        return hidden(table)[0]
    table = table if TOKENS in table else parted(table["text"].tolist())
    return table.assign(**{TOKENS: hidden(table[[TOKENS]])[0][TOKENS]})


def said(found: Counter[str]) -> str:
    """What was hidden, for people: ``personal data hidden: 12 email, 3 card``."""
    kinds = ", ".join(f"{count} {kind}" for kind, count in found.most_common())
    return f"personal data hidden before training: {kinds} (--set scrub=false leaves it)"


def _text(cell: Any) -> tuple[Any, Sequence[str]]:
    return scrub(cell) if isinstance(cell, str) else (cell, ())


def _words(words: Any) -> tuple[Any, Sequence[str]]:
    """Words of a row; a number that goes over several of them is hidden in each."""
    places = find(" ".join(words))
    if not places:
        return words, ()
    kept, start = [], 0
    for word in words:
        end = start + len(word)
        kinds = [kind for first, last, kind in places if first < end and last > start]
        kept.append(f"[{kinds[0]}]" if kinds else word)
        start = end + 1
    return kept, [kind for _, _, kind in places]
