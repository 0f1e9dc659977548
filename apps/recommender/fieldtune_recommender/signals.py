"""What each source of evidence thinks of every item for one taste: one float32[items] per signal.

Candidates, rivals and features all read these signals, so a rival is exactly what the ranker sees of it.
Knows nothing of how signals are combined.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from fieldtune_recommender import affinity, covisits, interests, lexical
from fieldtune_recommender.affinity import Affinity
from fieldtune_recommender.records import Floats, Taste
from fieldtune_recommender.snapshot import Snapshot

FEW = 5
BEHAVIOUR = ("together", "together_recency", "together_last", "together_now")
SEMANTIC = ("near_1", "near_3", "near_faded", "near_last", "near_all", "near_disliked")
TEXTUAL = ("words", "words_last", "learnt", "learnt_last")


@dataclass(frozen=True, slots=True)
class World:
    """All that a list can rest on, at one moment.

    Attributes:
        vectors: float32[items, d], unit length, of the text tower; None where no text is wanted.
        lexicon: BM25 over the same texts; None where no text is wanted.
        affinity: which words go with which, learnt before the same moment; None where there is no lexicon.
        encode, tokenise: for a stated interest only.
    """

    snapshot: Snapshot
    vectors: Floats | None = None
    lexicon: lexical.LexicalIndex | None = None
    affinity: Affinity | None = None
    encode: Callable[[Sequence[str]], Floats] | None = None
    tokenise: Callable[[str], Sequence[str]] | None = None


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


def stated(interest: str, world: World) -> Floats:
    """How well each item fits a sentence: float32[items] in [0, 1], half words, half meaning where both are there."""
    parts = []
    if world.lexicon is not None and world.tokenise is not None:
        asked = lexical.sentence(world.lexicon, world.tokenise(interest))
        words = lexical.scores(world.lexicon, asked)
        parts.append(words / max(float(words.max(initial=0)), 1e-9))
    if world.vectors is not None and world.encode is not None:
        parts.append(np.clip(world.vectors @ world.encode([interest])[0], 0, 1))
    if not parts:
        return np.zeros(len(world.snapshot.age), np.float32)
    return np.asarray(np.mean(parts, axis=0), np.float32)
