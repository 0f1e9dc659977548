"""From one taste to one ordered list: signals, candidates, features, score, diversity. Pure; no files, no names.

A known user, an edited history, a stated interest and a batch of users all pass through here.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from fieldtune.retrieval.diversity import mmr
from fieldtune_recommender import candidates, features
from fieldtune_recommender.records import Floats, Taste
from fieldtune_recommender.signals import Asked, World, asked, signals
from fieldtune_recommender.snapshot import WINDOWS, standing

RECENT_POPULARITY = WINDOWS.index(0.03)
INTEREST_POOL = 200
INTEREST_SHARE = 0.75
POOL = 100


@dataclass(frozen=True, slots=True)
class Method:
    """One way to order candidates.

    Attributes:
        name: recent_popularity, without_text, frozen_text or tuned_text.
        vectors: which vectors its features read, "frozen" or "tuned"; None for behaviour alone.
        score: float32[c, features] -> float[c]; None orders by recent popularity alone.
        calibrate: score -> probability that the user takes the item before the horizon of training ends.
    """

    name: str
    vectors: str | None
    score: Callable[[Floats], Floats] | None
    calibrate: Callable[[Floats], Floats]

    @property
    def text(self) -> bool:
        """Whether its features read the texts."""
        return self.vectors is not None


@dataclass(frozen=True, slots=True)
class Scored:
    """Candidates of one taste, best first: int32[c] items, float32[c] scores and probabilities, float32[c, f].

    Attributes:
        asked: the sentence that leads the order; None where there is none, or where nothing fits it.
    """

    items: np.ndarray
    scores: Floats
    probabilities: Floats
    features: Floats | None
    asked: Asked | None = None


def rank(
    taste: Taste,
    world: World,
    method: Method,
    among: np.ndarray | None = None,
    found: Mapping[str, Floats] | None = None,
) -> Scored:
    """Every candidate of one taste, best first; equal scores keep the order of the items.

    Args:
        among: int[c], only these items; None gathers candidates.
        found: the signals where they are known already.
    """
    if found is None:
        found = signals(taste, world, method.text) if method.score is not None else {}
    sentence = asked(taste.interest, world) if taste.interest else None
    relevance = None if sentence is None else sentence.fit
    items = _pool(taste, world, found, relevance) if among is None else _allowed(taste, world, among)
    if method.score is None:
        table, own = None, world.snapshot.popularity[RECENT_POPULARITY][items]
    else:
        table = features.build(taste, world.snapshot, found, items, method.text)
        own = method.score(table) if len(items) else np.zeros(0, np.float32)
    scores = own if relevance is None else _blend(own, relevance[items])
    order = np.lexsort((items, -scores))
    probabilities = method.calibrate(own)
    return Scored(
        items[order],
        scores[order].astype(np.float32),
        probabilities[order].astype(np.float32),
        None if table is None else table[order],
        sentence,
    )


def choose(scored: Scored, vectors: Floats, k: int, balance: float) -> np.ndarray:
    """Positions in `scored` of the list to show: int64[<= k].

    Args:
        vectors: float32[items, d], unit length, that say what is alike.
        balance: 1 keeps the plain order exactly; towards 0 the list becomes more varied.
    """
    if balance >= 1.0:
        return np.arange(min(k, len(scored.items)), dtype=np.int64)
    top = slice(0, max(POOL, 3 * k))
    scores = scored.scores[top]
    spread = float(np.ptp(scores)) if len(scores) else 0.0
    relevance = (scores - scores.min()) / spread if spread > 0 else np.zeros(len(scores))
    return mmr(relevance, vectors[scored.items[top]], k, balance)


def _pool(taste: Taste, world: World, found: Mapping[str, Floats], relevance: Floats | None) -> np.ndarray:
    if relevance is None:
        return candidates.gather(taste, world.snapshot, found)
    allowed = world.snapshot.known.copy()
    allowed[taste.seen] = False
    fitting = candidates.top(relevance, INTEREST_POOL, allowed & (relevance > 0))
    if len(fitting) >= POOL:
        return np.sort(fitting).astype(np.int32)
    return np.union1d(fitting, candidates.gather(taste, world.snapshot, found)).astype(np.int32)


def _allowed(taste: Taste, world: World, among: np.ndarray) -> np.ndarray:
    items = np.unique(among).astype(np.int32)
    return items[world.snapshot.known[items] & ~np.isin(items, taste.seen)]


def _blend(own: Floats, relevance: Floats) -> Floats:
    """A stated interest leads, the usual order settles what fits equally well."""
    return np.asarray(
        INTEREST_SHARE * relevance + (1 - INTEREST_SHARE) * standing(own) * relevance.max(initial=0), np.float32
    )
