"""Words as an encoder reads them: pieces, the shape of their letters, and windows over texts longer than it reads.

A word is labelled at its first piece. Knows no tags.
"""

import itertools
from collections.abc import Sequence
from typing import NamedTuple

from fieldtune.models.encoder import Encoder

Words = Sequence[str]
SHAPES = ("none", "lower", "first", "upper", "digits", "mixed")
"""How a word is written, which an uncased encoder does not see; ``none`` for marks and special tokens."""
_LONGEST = 16  # pieces of one word; the rest of a longer one, a web address say, tells little
_OVERLAP = 4  # a quarter of a window is shared with the next


class Window(NamedTuple):
    """Words ``start`` to ``stop`` of a row, read together; only ``first`` to ``last`` are labelled in this window."""

    row: int
    start: int
    stop: int
    first: int
    last: int


def shape(word: str) -> int:
    """The place in :data:`SHAPES` of how a word is written."""
    if any(letter.isdigit() for letter in word):
        return SHAPES.index("digits")
    letters = [letter for letter in word if letter.isalpha()]
    if not letters:
        return SHAPES.index("none")
    capitals = sum(letter.isupper() for letter in letters)
    if capitals == len(letters) > 1:
        return SHAPES.index("upper")
    if capitals == 0:
        return SHAPES.index("lower")
    return SHAPES.index("first" if capitals == 1 and letters[0].isupper() else "mixed")


def word_pieces(encoder: Encoder, sentences: Sequence[Words]) -> list[list[list[int]]]:
    """Piece ids of every word of every sentence, at least one and at most 16 a word; each distinct word is cut once."""
    distinct = sorted({word for words in sentences for word in words})
    unknown = [encoder.tokenizer.unk_token_id]
    known = {word: ids[:_LONGEST] or unknown for word, ids in zip(distinct, encoder.pieces(distinct), strict=True)}
    return [[known[word] for word in words] for words in sentences]


def windows(sizes: Sequence[int], limit: int, row: int = 0) -> list[Window]:
    """Windows over one row, each of at most ``limit`` pieces, that overlap by about a quarter.

    Every word belongs to exactly one of them: the border between two windows is the middle of what they share, so a
    word has context on both sides. A word larger than ``limit`` has a window of its own.

    Args:
        sizes: pieces per word.
    """
    cuts: list[tuple[int, int]] = []
    start = 0
    while start < len(sizes):
        stop = _reach(sizes, start, limit)
        cuts.append((start, stop))
        if stop == len(sizes):
            break
        shared = min(limit // _OVERLAP, limit - sizes[stop])  # the next window has to reach beyond this one
        start = max(_back(sizes, stop, shared), start + 1)
    borders = [0, *((left[1] + right[0]) // 2 for left, right in itertools.pairwise(cuts)), len(sizes)]
    return [Window(row, *cut, borders[i], borders[i + 1]) for i, cut in enumerate(cuts)]


def _reach(sizes: Sequence[int], start: int, limit: int) -> int:
    """The end of the window that begins at ``start``."""
    stop, total = start + 1, sizes[start]
    while stop < len(sizes) and total + sizes[stop] <= limit:
        total += sizes[stop]
        stop += 1
    return stop


def _back(sizes: Sequence[int], stop: int, shared: int) -> int:
    """The first word of at most ``shared`` pieces before ``stop``."""
    start, total = stop, 0
    while start > 0 and total + sizes[start - 1] <= shared:
        start -= 1
        total += sizes[start]
    return start
