"""Held-out rows in words that training never saw (pure).

Tomorrow's news says the same things in other words. A random split of headlines keeps every phrase on both sides and
flatters whatever memorises phrases; here each row is filed under the word that speaks most for its label, and whole
words are held out with all their rows. Choosing a model and a threshold on such rows is nearer to what the stream does.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from fieldtune.text.ngrams import lexical_tokens

Indices = NDArray[np.int64]
LEAST_ROWS = 3  # a word in fewer rows than this says nothing about a label
WIDEST = 0.3  # a word in more than this share of a label's rows is never held out


def unseen_wording(
    texts: Sequence[str], labels: Sequence[str], share: float, rng: np.random.Generator
) -> tuple[Indices, Indices]:
    """(train, held out) row numbers: about `share` of each label's rows, in words the rest does not use for it.

    Deterministic for one state of `rng`. A label may be held out by less where its rows all share their words.
    """
    words = [frozenset(word for word in lexical_tokens(text) if len(word) > 1) for text in texts]
    speaks = _weights(words, labels)
    filed: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for row, (own, label) in enumerate(zip(words, labels, strict=True)):
        best = max(sorted(own), key=lambda word: speaks.get((word, label), -math.inf), default="")
        filed[label][best].append(row)
    held: set[int] = set()
    for label in sorted(filed):
        held |= _hold(filed[label], share, rng, [i for i, own in enumerate(labels) if own == label], words)
    rest = np.array([row for row in range(len(texts)) if row not in held], dtype=np.int64)
    return rest, np.array(sorted(held), dtype=np.int64)


def _hold(
    groups: dict[str, list[int]],
    share: float,
    rng: np.random.Generator,
    rows: list[int],
    words: Sequence[frozenset[str]],
) -> set[int]:
    """Rows of one label to hold out: whole words at random until their rows reach the share."""
    order = sorted(groups)
    held: set[int] = set()
    for place in rng.permutation(len(order)):
        word = order[int(place)]
        with_word = {row for row in rows if word in words[row]}
        most = min(share * len(rows) * 1.25 + 1, len(rows) - 1)
        if word and len(with_word) <= WIDEST * len(rows) and len(held | with_word) <= most:
            held |= with_word
        if len(held) >= share * len(rows):
            break
    return held


def _weights(words: Sequence[frozenset[str]], labels: Sequence[str]) -> dict[tuple[str, str], float]:
    """(word, label) -> z-score of the smoothed log odds that the word comes with the label (Monroe et al. 2008)."""
    rows = Counter(labels)
    total, by_label = Counter[str](), Counter[tuple[str, str]]()
    for own, label in zip(words, labels, strict=True):
        total.update(own)
        by_label.update((word, label) for word in own)
    found = {}
    for (word, label), n in by_label.items():
        if total[word] < LEAST_ROWS:
            continue
        other, rest = total[word] - n, len(labels) - rows[label]
        odds = math.log((n + 0.5) / (rows[label] - n + 0.5)) - math.log((other + 0.5) / (rest - other + 0.5))
        found[word, label] = odds / math.sqrt(1 / (n + 0.5) + 1 / (other + 0.5))
    return found
