"""Why an item stands in a list: the history items that speak for it, shared words, popularity, novelty.

The history items are those that made the signals, not a story told afterwards. Knows no language but English; the
page words the same reasons in Chinese by their kind.
"""

import numpy as np

from fieldtune_recommender import interests, lexical
from fieldtune_recommender.records import Catalogue, Floats, Reason, Taste
from fieldtune_recommender.signals import World

POPULAR_FROM = 0.97
NEW_UNTIL = 0.05
MOST = 3
CITED_FROM = 0.6
"""Share of the strongest link below which another history item is not worth naming."""


def why(taste: Taste, world: World, catalogue: Catalogue, item: int) -> tuple[Reason, ...]:
    """At least one reason, the strongest first.

    Args:
        item: number of the recommended item.
    """
    found = [
        *_interest(taste, world, item),
        *_similar(taste, world, catalogue, item),
        *_together(taste, world, catalogue, item),
        *_popular(world, item),
        *_new(world, item),
    ]
    found = sorted(found, key=lambda reason: -reason.weight)
    return tuple(found) or (Reason("popular", "people like it now", weight=0.0),)


def _interest(taste: Taste, world: World, item: int) -> list[Reason]:
    if not taste.interest or world.lexicon is None or world.tokenise is None:
        return []
    asked = lexical.sentence(world.lexicon, world.tokenise(taste.interest))
    both = np.intersect1d(asked.indices, world.lexicon.weights[item].indices)
    words = lexical.telling(world.lexicon, (world.lexicon.names[column] for column in both))
    return [Reason("interest", f"you asked for: {', '.join(words)}", (), words, 2.0)] if words else []


def _similar(taste: Taste, world: World, catalogue: Catalogue, item: int) -> list[Reason]:
    history = taste.items[-interests.RECENT :]
    if world.vectors is None or not len(history):
        return []
    weights = taste.weights[-interests.RECENT :] * interests.recency(len(history))
    near = (world.vectors[history] @ world.vectors[item]) * weights
    return _cite("similar", "reads like", near, history, world, catalogue, item, floor=0.15)


def _together(taste: Taste, world: World, catalogue: Catalogue, item: int) -> list[Reason]:
    history = taste.items[-interests.RECENT :]
    if not len(history):
        return []
    strength = np.asarray(world.snapshot.neighbours[history][:, [item]].todense()).ravel()
    strength = strength * taste.weights[-interests.RECENT :]
    return _cite("together", "liked by people who liked", strength, history, world, catalogue, item, floor=0.0)


def _cite(
    kind: str,
    phrase: str,
    strength: Floats,
    history: np.ndarray,
    world: World,
    catalogue: Catalogue,
    item: int,
    floor: float,
) -> list[Reason]:
    """The history items of the largest strength, and for texts the words they share with the item."""
    best = np.argsort(-strength, kind="stable")[:MOST]
    best = best[strength[best] > np.float32(max(floor, CITED_FROM * float(strength.max())))]
    if not len(best):
        return []
    titles = ", ".join(f"'{catalogue.titles[number]}'" for number in history[best])
    words: tuple[str, ...] = ()
    if kind == "similar" and world.lexicon is not None:
        words = lexical.telling(world.lexicon, lexical.shared(world.lexicon, item, history[best]))
    text = f"{phrase} {titles}" + (f" (shared words: {', '.join(words)})" if words else "")
    cited = tuple(catalogue.ids[number] for number in history[best])
    return [Reason(kind, text, cited, words, float(strength[best].sum()))]


def _popular(world: World, item: int) -> list[Reason]:
    standing = float(world.snapshot.standing[1, item])
    return [Reason("popular", "popular at the moment", weight=standing - 0.5)] if standing >= POPULAR_FROM else []


def _new(world: World, item: int) -> list[Reason]:
    age = float(world.snapshot.age[item])
    return [Reason("new", "new in the catalogue", weight=0.1)] if age < NEW_UNTIL else []
