"""The words of a text as spans, and which word each token of an encoder belongs to (pure)."""

import re
from collections.abc import Sequence

from fieldtune.text.language import HAN, KANA_HANGUL

_EAST = f"[{HAN}{KANA_HANGUL}]"
_WORD = re.compile(rf"{_EAST}|(?:(?!{_EAST})\w)+(?:['’](?:(?!{_EAST})\w)+)*|[^\w\s]")

Span = tuple[int, int]


def words(text: str) -> list[Span]:
    """Where each word starts and ends: a run of letters or digits, one character of Chinese, one sign."""
    return [match.span() for match in _WORD.finditer(text)]


def word_of(offsets: Sequence[Span], spans: Sequence[Span]) -> list[int]:
    """The word that each token stands in, by characters; -1 for a token of no word, such as [CLS].

    Args:
        offsets: start and end of each token in the text, (0, 0) for special ones.
        spans: what :func:`words` gave for the same text.
    """
    found: list[int] = []
    for start, end in offsets:
        overlaps = [min(end, last) - max(start, first) for first, last in spans]
        best = max(range(len(spans)), key=overlaps.__getitem__, default=-1)
        found.append(best if best >= 0 and overlaps[best] > 0 else -1)
    return found


def without(text: str, spans: Sequence[Span]) -> str:
    """The text with these words cut out; what stood around them stays."""
    kept, place = [], 0
    for start, end in sorted(spans):
        kept.append(text[place:start])
        place = end
    return "".join([*kept, text[place:]])
