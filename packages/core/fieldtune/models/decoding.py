"""From scores per word and tag to the best valid sequence of tags: Viterbi over all sentences at once.

Knows IOB2 and nothing of where the scores come from.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from fieldtune.batching import by_length

Floats = NDArray[np.float32]
_CELLS = 200_000  # words, padding included, whose scores are held at once


def allowed(tags: Sequence[str]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which tags may begin a sentence, bool ``[tags]``, and which may follow which, bool ``[tags before, tags]``.

    ``I-X`` follows ``B-X`` or ``I-X`` only.
    """
    begins = np.array([not tag.startswith("I-") for tag in tags])
    follows = np.array([[ok or before[2:] == tag[2:] for tag, ok in zip(tags, begins, strict=True)] for before in tags])
    return begins, follows


def viterbi(scores: Floats, lengths: Sequence[int], tags: Sequence[str]) -> NDArray[np.int64]:
    """The valid sequence of highest total score per sentence (Viterbi 1967; constraints as in Ratinov & Roth 2009).

    Args:
        scores: log-probabilities, float32 ``[words of all sentences, tags]``.
        lengths: words per sentence, in order.

    Returns:
        A tag's place in ``tags`` per word, int64 ``[words]``.
    """
    ends = np.cumsum(lengths, dtype=np.int64)
    starts = ends - np.asarray(lengths, dtype=np.int64)
    out = np.zeros(len(scores), dtype=np.int64)
    for batch in by_length(lengths, _CELLS):
        places = [np.arange(starts[row], ends[row]) for row in batch]
        for place, path in zip(places, _paths([scores[place] for place in places], *allowed(tags)), strict=True):
            out[place] = path
    return out


def _paths(
    sentences: Sequence[Floats], begins: NDArray[np.bool_], follows: NDArray[np.bool_]
) -> list[NDArray[np.int64]]:
    """Best paths of sentences sorted by length, longest first, so that those still going on stand at the front."""
    lengths = np.array([len(sentence) for sentence in sentences])
    total = np.zeros((len(sentences), len(begins)))
    back = np.zeros((lengths.max(initial=0), len(sentences), len(begins)), dtype=np.int8 if len(begins) < 128 else int)
    barrier = np.where(follows, 0.0, -np.inf)
    for step in range(len(back)):
        going = int((lengths > step).sum())
        here = np.stack([sentences[row][step] for row in range(going)])
        if step == 0:
            total[:going] = here + np.where(begins, 0.0, -np.inf)
            continue
        paths = total[:going, :, None] + barrier
        back[step, :going] = paths.argmax(axis=1)
        total[:going] = paths.max(axis=1) + here
    return [_trace(back[: lengths[row], row], int(total[row].argmax())) for row in range(len(sentences))]


def _trace(back: NDArray[np.int_], last: int) -> NDArray[np.int64]:
    path = np.full(len(back), last, dtype=np.int64)
    for step in range(len(back) - 1, 0, -1):
        path[step - 1] = back[step, path[step]]
    return path
