"""Typing errors in English words, mended towards the words a collection really uses. Pure.

A word the collection does not hold, and that is no word otherwise known, becomes the collection's commonest word one
edit away (a letter missing, added, changed, or two swapped), if there is one. Knows spellings, not meanings; digits,
short words and Chinese stay as they are.
"""

import re
from collections.abc import Collection, Iterable, Iterator

_WORD = re.compile(r"[A-Za-z]+")
SHORTEST = 5
"""Letters of the shortest word that is mended; shorter ones have too many neighbours."""


class Speller:
    """The words of a collection, searchable one edit away (symmetric deletes, Garbe 2012)."""

    def __init__(self, texts: Iterable[str], words: Collection[str] = ()) -> None:
        """Read the collection.

        Args:
            texts: what will be searched.
            words: other words that are right as they stand, lower case.
        """
        self._counts: dict[str, int] = {}
        for text in texts:
            for word in _WORD.findall(text):
                lower = word.lower()
                self._counts[lower] = self._counts.get(lower, 0) + 1
        self._words = words
        self._near: dict[str, list[str]] = {}
        for word in sorted(self._counts):
            if len(word) >= SHORTEST - 1:
                for key in _deletes(word):
                    self._near.setdefault(key, []).append(word)

    def mend(self, text: str) -> str:
        """`text` with its typing errors mended; everything else verbatim, also the spaces."""
        return _WORD.sub(lambda found: self._mended(found.group()), text)

    def _mended(self, word: str) -> str:
        lower = word.lower()
        if len(lower) < SHORTEST or lower in self._counts or lower in self._words:
            return word
        near = {known for key in _deletes(lower) for known in self._near.get(key, ()) if one_edit(lower, known)}
        return max(near, key=lambda known: (self._counts[known], known)) if near else word


def _deletes(word: str) -> Iterator[str]:
    yield word
    for place in range(len(word)):
        yield word[:place] + word[place + 1 :]


def one_edit(one: str, other: str) -> bool:
    """Is the distance 1: one letter added, removed or changed, or two neighbours swapped?"""
    if abs(len(one) - len(other)) > 1 or one == other:
        return False
    same = next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    rest, others = one[same:], other[same:]
    return (
        rest[1:] == others
        or rest == others[1:]
        or rest[1:] == others[1:]
        or (rest[:2] == others[1::-1] and rest[2:] == others[2:])
    )
