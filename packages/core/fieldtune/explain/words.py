"""Which word each token of an encoder belongs to, and a text without some of its words (pure)."""

from bisect import bisect_right
from collections.abc import Sequence

Span = tuple[int, int]


def word_of(offsets: Sequence[Span], spans: Sequence[Span]) -> list[int]:
    """The word that each token stands in, by characters; -1 for a token of no word, such as [CLS].

    Args:
        offsets: start and end of each token in the text, (0, 0) for special ones.
        spans: what :func:`fieldtune.text.words.spans` gave for the same text, in order.
    """
    ends, found = [last for _, last in spans], []
    for start, end in offsets:
        best, most = -1, 0
        for word in range(bisect_right(ends, start), len(spans)):
            first, last = spans[word]
            if first >= end:
                break
            if (shared := min(end, last) - max(start, first)) > most:
                best, most = word, shared
        found.append(best)
    return found


def apart(spans: Sequence[Span], places: Sequence[Span]) -> tuple[list[Span], list[Span]]:
    """Words of a text from which something was hidden, a placeholder one of them; and where each stands in the original.

    Args:
        spans: the words as they are parted in the text that is left.
        places: of each of its characters, what :func:`fieldtune.data.scrub.traced` gave.
    """
    here: list[Span] = []
    there: list[Span] = []
    for start, end in spans:
        first, last = places[start][0], places[end - 1][1]
        if there and first < there[-1][1]:  # "[", "email", "]" stand for one thing
            here[-1], there[-1] = (here[-1][0], end), (there[-1][0], last)
        else:
            here.append((start, end))
            there.append((first, last))
    return here, there


def without(text: str, spans: Sequence[Span]) -> str:
    """The text with these words cut out; what stood around them stays."""
    kept, place = [], 0
    for start, end in sorted(spans):
        kept.append(text[place:start])
        place = end
    return "".join([*kept, text[place:]])
