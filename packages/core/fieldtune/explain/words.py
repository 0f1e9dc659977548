"""Which word each token of an encoder belongs to, and a text without some of its words (pure)."""

from collections.abc import Sequence

Span = tuple[int, int]


def word_of(offsets: Sequence[Span], spans: Sequence[Span]) -> list[int]:
    """The word that each token stands in, by characters; -1 for a token of no word, such as [CLS].

    Args:
        offsets: start and end of each token in the text, (0, 0) for special ones.
        spans: what :func:`fieldtune.text.words.spans` gave for the same text.
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
