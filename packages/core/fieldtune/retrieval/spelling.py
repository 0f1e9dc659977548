"""Typing errors in English words, mended towards the words a collection really uses. Pure.

A word the collection does not hold, and that is no word otherwise known, becomes the collection's commonest word one
edit away with the same first letter, where slips are rare (a letter missing, added, changed, or two swapped; Norvig 2007);
if the collection has none, the commonest other word. So "toaster" is no slip of "coaster", although no list may hold it.
Knows spellings, not meanings; digits, short words, contractions ("cant") and Chinese stay as they are.
"""

import re
from collections.abc import Iterable, Iterator, Sequence

_WORD = re.compile(r"[A-Za-z]+")
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
SHORTEST = 5
"""A slip and the word meant have at least so many letters, one of them one less: shorter words have too many neighbours."""
LONGEST = 24
"""Longer runs of letters are no words, and their neighbours without number."""
_CONTRACTIONS = frozenset(
    "arent cant couldnt didnt doesnt dont hadnt hasnt havent heres isnt mustnt shouldnt thats theres theyre theyve wasnt "
    "werent whats wheres whos wont wouldnt youll youre youve".split()
)


class Speller:
    """The words of a collection, with their counts, and other words that are right as they stand."""

    def __init__(self, texts: Iterable[str], words: Sequence[str] = ()) -> None:
        """Read the collection.

        Args:
            texts: what will be searched.
            words: other words, lower case, commonest first.
        """
        self._counts: dict[str, int] = {}
        for text in texts:
            for word in _WORD.findall(text):
                lower = word.lower()
                self._counts[lower] = self._counts.get(lower, 0) + 1
        self._words = {word: -place for place, word in enumerate(words)}

    def mend(self, text: str) -> str:
        """`text` with its typing errors mended; everything else verbatim, also the spaces."""
        return _WORD.sub(lambda found: self._mended(found.group()), text)

    def _mended(self, word: str) -> str:
        lower = word.lower()
        if not SHORTEST - 1 <= len(lower) <= LONGEST or self._right(lower):
            return word
        shortest = SHORTEST - (len(lower) >= SHORTEST)
        near = [other for other in edits(lower) if len(other) >= shortest and other[0] == lower[0]]
        for known in (self._counts, self._words):
            found = [other for other in near if other in known]
            if found:
                return max(found, key=lambda other: (known[other], other))
        return word

    def _right(self, word: str) -> bool:
        return word in self._counts or word in self._words or word in _CONTRACTIONS


def edits(word: str) -> Iterator[str]:
    """Every string one edit away: one letter a to z added, removed or changed, or two neighbours swapped."""
    for place in range(len(word) + 1):
        start, rest = word[:place], word[place:]
        yield from (start + letter + rest for letter in _LETTERS)
        if rest:
            yield start + rest[1:]
            yield from (start + letter + rest[1:] for letter in _LETTERS if letter != rest[0])
        if len(rest) > 1 and rest[0] != rest[1]:
            yield start + rest[1] + rest[0] + rest[2:]
