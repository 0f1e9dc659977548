"""Held-out rows that a model has seen, word for word or nearly: figures on them are not those of unseen rows.

Of two tables it finds which rows show the same; it knows no model and no figure.
"""

from collections.abc import Hashable, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from fieldtune.data.checks import TEXT_COLUMNS, Finding, some, text_key
from fieldtune.data.images import key
from fieldtune.data.parts import of_part, places_of_part
from fieldtune.text.duplicates import nearly, repeats

PICTURE = "image"
SHOWN = {
    **TEXT_COLUMNS,
    "dialogue": TEXT_COLUMNS["seq2seq"],
    "token-classification": ("tokens",),
    "image-text": (PICTURE, "text"),
    "image-classification": (PICTURE,),
    "object-detection": (PICTURE,),
}
"""Task -> the columns that make two rows the same."""
_EITHER_WAY = ("text-pair",)
"""Tasks whose rows are the same with their texts the other way round, too."""
NEAR = 0.8
"""Jaccard similarity of shingles from which on two texts of one label are nearly the same. Of 3,080 test questions of
banking77, 3.8 % are, as are 2.4 % of rows drawn from its training table ("My card hasn't arrived yet." beside "My card
hasn't arrived."); from .7 on it is 11 %, and they are other questions ("How are your exchange rates calculated?"). Of these
questions with " please" at their end .8 finds 73 %, .9 finds 14 %."""


class Leaked(NamedTuple):
    """Row numbers in the held-out table, from 0; no row is in both."""

    exact: tuple[int, ...]
    near: tuple[int, ...]

    @property
    def counts(self) -> dict[str, int]:
        """How many."""
        return {"exact": len(self.exact), "near": len(self.near)}

    def findings(self) -> list[Finding]:
        """The same in words, kinds leakage and near-leakage."""
        flatter = "also stand in train: figures will flatter"
        return [
            *some("leakage", "warning", f"held-out rows {flatter}", list(self.exact)),
            *some("near-leakage", "warning", f"held-out rows, but for a few letters, {flatter}", list(self.near)),
        ]


def leaked(train: pd.DataFrame, held_out: pd.DataFrame, task: str) -> Leaked:
    """Which held-out rows show what a row of ``train`` shows: the same but for case, spacing and punctuation at the ends,
    or nearly the same (see :data:`NEAR`) beside the same label and the same picture. Pairs are the same either way round."""
    tables = (of_part(held_out, "valid", "test"), of_part(train, "train"))
    held, seen = (_shown(table, SHOWN[task]) for table in tables)
    turned = task in _EITHER_WAY
    known = set(_keys(seen, turned))
    exact = np.array([any(row) and row in known for row in _keys(held, turned)], dtype=bool)
    near = np.zeros(len(exact), dtype=bool)
    words = [name for name in held if name != PICTURE]
    if words and not exact.all():
        left = np.flatnonzero(~exact)
        texts = [[held[name][row] for row in left] for name in words]
        beside = [_beside(*pair) for pair in zip(tables, (held, seen), strict=True)]
        equal = ([beside[0][row] for row in left], beside[1])
        for ours in (texts, texts[::-1]) if turned else (texts,):
            near[left] |= nearly(ours, [seen[name] for name in words], equal=equal, threshold=NEAR)
    places = places_of_part(held_out, "valid", "test")
    return Leaked(*(tuple(places[row] for row in np.flatnonzero(found)) for found in (exact, near)))


def repeated(table: pd.DataFrame, task: str) -> list[Finding]:
    """Kind near-duplicate: rows that nearly are an earlier one, see :func:`leaked`, but not to the letter."""
    table, places = of_part(table, "train"), places_of_part(table, "train")
    shown = _shown(table, SHOWN[task])
    words = [texts for name, texts in shown.items() if name != PICTURE]
    if not words or table.empty:
        return []
    near = repeats(words, equal=_beside(table, shown), threshold=NEAR)
    again = pd.Series(_keys(shown, turned=False), dtype=object).duplicated().to_numpy()
    rows = [places[row] for row in np.flatnonzero(near & ~again)]
    return some("near-duplicate", "warning", "rows repeat an earlier one but for a few letters", rows)


def _shown(table: pd.DataFrame, columns: Sequence[str]) -> dict[str, list[str]]:
    """Column -> a text for each cell, lists of words joined, of a picture the digest; "" for a missing one."""
    return {name: [_text(cell, name) for cell in table[name]] for name in columns}


def _text(cell: Any, column: str) -> str:
    if column == PICTURE:
        return "" if cell is None else key(cell)
    if isinstance(cell, (list, tuple, np.ndarray)):
        return " ".join(map(str, cell))
    return "" if pd.isna(cell) else str(cell)


def _keys(shown: dict[str, list[str]], turned: bool) -> list[tuple[str, ...]]:
    own = ([text if name == PICTURE else text_key(text) for text in texts] for name, texts in shown.items())
    return [tuple(sorted(row)) if turned else row for row in zip(*own, strict=True)]


def _beside(table: pd.DataFrame, shown: dict[str, list[str]]) -> list[Hashable]:
    """What rows that are nearly the same have in common beside their texts: the label and the picture."""
    none = [None] * len(table)
    return list(zip(table["label"].tolist() if "label" in table else none, shown.get(PICTURE, none), strict=True))
