"""Which articles tell the same story: one story counts once, its copies are amplification.

Similarity of title and lead decides (MinHash), figures in the title must agree ("up 3 %" is not "up 5 %"), and the
first article of the last 48 hours stands for the story. Nothing is ever dropped. Same *article* is for `identity`.
"""

import heapq
import re
from collections.abc import Iterable, Sequence

from fieldtune.text.duplicates import Signatures, StoryIndex, signatures
from fieldtune.text.normalise import normalise

MEMORY = 48 * 3600
_PREFIX = re.compile(r"(?:(?:update\s*(?:\d+\s*)?[-–—:]|breaking\s*[-–—:]|【[^】]{1,8}】)\s*)+", re.IGNORECASE)
_FIGURES = re.compile(r"\d+(?:[.,]\d+)*")


def bare_title(title: str, source: str) -> str:
    """The title without what a newsroom puts around it: "UPDATE 1-", "【快讯】", " - Source", "_Source".

    A bare title stays as it is: what was learned from it and what is read are the same text.
    """
    start = _PREFIX.match(title)
    begun = (title[start.end() :] if start else title) or title
    if not source:
        return begun
    return re.sub(rf"(?:\s*[-–—_|｜－]\s*{re.escape(source)})+\s*$", "", begun, flags=re.IGNORECASE) or begun


def marks(titles: Sequence[str], texts: Sequence[str], sources: Sequence[str]) -> Signatures:
    """Signatures of title and lead, uint32 [n, 128]."""
    return signatures(
        [
            f"{bare_title(title, source)} {text[:600]}"
            for title, text, source in zip(titles, texts, sources, strict=True)
        ]
    )


def figures(title: str, source: str) -> frozenset[str]:
    """The numbers a title names."""
    return frozenset(_FIGURES.findall(normalise(bare_title(title, source))))


class Stories:
    """The stories of the last 48 hours. Rebuilt from the store after a restart with `tell` in the order of telling."""

    def __init__(self) -> None:
        self._index = StoryIndex()
        self._figures: dict[str, frozenset[str]] = {}
        self._told: list[tuple[int, str]] = []

    def story_of(self, identity: str, mark: Signatures, numbers: frozenset[str], at: int) -> str:
        """The identity of the story's first article: an earlier one, or this one. `at`: first seen, in seconds."""
        self.forget(at - MEMORY)
        found = self._index.match(mark)
        if found is not None and self._figures.get(found) == numbers:
            return found
        self.tell([(identity, mark, numbers, at)])
        return identity

    def tell(self, stories: Iterable[tuple[str, Signatures, frozenset[str], int]]) -> None:
        """Remember first articles: (identity, signature, figures, first seen)."""
        for identity, mark, numbers, at in stories:
            self._index.add(identity, mark, at)
            self._figures[identity] = numbers
            heapq.heappush(self._told, (at, identity))

    def forget(self, before: int) -> None:
        """Drop what was told before that time."""
        self._index.evict(before)
        while self._told and self._told[0][0] < before:
            self._figures.pop(heapq.heappop(self._told)[1], None)
