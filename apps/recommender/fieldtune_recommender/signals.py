"""What each source of evidence thinks of every item for one taste: one float32[items] per signal.

Candidates, rivals and features all read these signals, so a rival is exactly what the ranker sees of it.
Knows nothing of how signals are combined.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from fieldtune_recommender import affinity, covisits, interests, lexical
from fieldtune_recommender.affinity import Affinity
from fieldtune_recommender.records import Flags, Floats, Taste
from fieldtune_recommender.snapshot import Snapshot

FEW = 5
BEHAVIOUR = ("together", "together_recency", "together_last", "together_now")
SEMANTIC = ("near_1", "near_3", "near_faded", "near_last", "near_all", "near_disliked")
#: How many strings of random letters say what likeness means nothing, and how many of them lie below it.
PLACEBOS = 64
BELOW = 0.9
TEXTUAL = ("words", "words_last", "learnt", "learnt_last")


@dataclass(frozen=True, slots=True)
class World:
    """All that a list can rest on, at one moment.

    Attributes:
        vectors: float32[items, d], unit length, of the text tower; None where no text is wanted.
        lexicon: BM25 over the same texts; None where no text is wanted.
        affinity: which words go with which, learnt before the same moment; None where there is no lexicon.
        encode, tokenise: for a stated interest only.
        chance: likeness to the nearest item that a text without meaning hardly exceeds, see :func:`chance`.
    """

    snapshot: Snapshot
    vectors: Floats | None = None
    lexicon: lexical.LexicalIndex | None = None
    affinity: Affinity | None = None
    encode: Callable[[Sequence[str]], Floats] | None = None
    tokenise: Callable[[str], Sequence[str]] | None = None
    chance: Callable[[], float] = float


@dataclass(frozen=True, slots=True)
class Asked:
    """What a sentence asks for, over the whole catalogue.

    Attributes:
        words: one sparse row, the words of the sentence that the catalogue knows; None without a lexicon.
        close: bool[items], nearer in meaning than a text without meaning comes to its nearest item.
        fit: float32[items] in [0, 1], half words, half meaning where both are there.
    """

    words: sparse.csr_matrix | None
    close: Flags
    fit: Floats


def signals(taste: Taste, world: World, text: bool = True) -> dict[str, Floats]:
    """Every signal for one taste over the whole catalogue; behaviour alone without `text`."""
    found = behaviour(taste, world.snapshot)
    if text and world.vectors is not None:
        found |= semantic(taste, world.vectors)
    if text:
        found |= textual(taste, world)
    return found


def behaviour(taste: Taste, snapshot: Snapshot) -> dict[str, Floats]:
    """Co-visitation from the whole history, from its last events, and over the recent log."""
    weights = taste.weights * interests.recency(len(taste.items), 4 * interests.HALF_LIFE)
    last = Taste(taste.items[-FEW:], taste.weights[-FEW:], taste.ages[-FEW:], taste.disliked, taste.seen)
    return {
        "together": covisits.scores(taste, snapshot.neighbours, taste.weights),
        "together_recency": covisits.scores(taste, snapshot.neighbours, weights),
        "together_last": covisits.scores(last, snapshot.neighbours, last.weights),
        "together_now": covisits.scores(taste, snapshot.recent_neighbours, weights),
    }


def semantic(taste: Taste, vectors: Floats) -> dict[str, Floats]:
    """Similarities of every item to the last items of the history, and to those turned down."""
    history = vectors[taste.items[-interests.RECENT :]]
    against = vectors[taste.disliked[-interests.RECENT :]] @ vectors.T
    zeros = np.zeros(len(vectors), np.float32)
    refused = against.max(axis=0) if len(against) else zeros
    if not len(history):
        return {**dict.fromkeys(SEMANTIC, zeros), "near_disliked": refused}
    near = history @ vectors.T
    faded = near * (taste.weights[-interests.RECENT :] * interests.recency(len(history)))[:, None]
    return {
        "near_1": near.max(axis=0),
        "near_3": interests.mean_of_largest(near, 3),
        "near_faded": interests.mean_of_largest(faded, 3),
        "near_last": near[-FEW:].max(axis=0),
        "near_all": near.mean(axis=0),
        "near_disliked": refused,
    }


def textual(taste: Taste, world: World) -> dict[str, Floats]:
    """By words: BM25 for those of the history and of its last items; and what has been learnt to go with them."""
    found = {}
    items, weights = taste.items[-interests.RECENT :], taste.weights[-interests.RECENT :]
    faded = weights * interests.recency(len(items))
    if world.lexicon is not None:
        everything = lexical.query(world.lexicon, items, faded)
        latest = lexical.query(world.lexicon, items[-FEW:], faded[-FEW:])
        found["words"] = lexical.scores(world.lexicon, everything)
        found["words_last"] = lexical.scores(world.lexicon, latest)
    if world.affinity is not None:
        found["learnt"] = affinity.scores(world.affinity, taste.items, taste.weights)
        found["learnt_last"] = affinity.scores(world.affinity, items[-FEW:], faded[-FEW:])
    return found


def asked(interest: str, world: World) -> Asked | None:
    """What a sentence asks for; None where no item shares a word with it and none comes near it in meaning."""
    words, parts = None, []
    likeness = np.zeros(len(world.snapshot.age), np.float32)
    if world.lexicon is not None and world.tokenise is not None:
        words = lexical.sentence(world.lexicon, world.tokenise(interest))
        found = lexical.scores(world.lexicon, words)
        parts.append(found / max(float(found.max(initial=0)), 1e-9))
    if world.vectors is not None and world.encode is not None:
        likeness = np.clip(world.vectors @ world.encode([interest])[0], 0, 1)
        parts.append(likeness)
    close = (likeness > world.chance()) & world.snapshot.known
    if not close.any() and (words is None or not words.nnz):
        return None
    return Asked(words, close, np.asarray(np.mean(parts, axis=0), np.float32))


def chance(vectors: Floats, encode: Callable[[Sequence[str]], Floats]) -> float:
    """The likeness to its nearest item that one string of random letters in ten exceeds.

    A placebo, as the likeness of what means nothing depends on encoder and catalogue: no fixed number suits two of
    them. Not the largest of all, since some random letters make up a word.

    Args:
        vectors: float32[items, d], unit length.
    """
    rng = np.random.default_rng(0)
    letters = list("abcdefghijklmnopqrstuvwxyz")
    strings = ["".join(rng.choice(letters, length)) for length in rng.integers(3, 11, PLACEBOS)]
    return float(np.quantile((encode(strings) @ vectors.T).max(axis=1, initial=0.0), BELOW))
