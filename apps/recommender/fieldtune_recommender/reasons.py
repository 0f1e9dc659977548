"""Why an item stands in a list: what was asked for, the history items that speak for it, popularity, novelty.

The history items are those that made the signals, not a story told afterwards, and nothing is called popular or new
that is not. How a reason reads is the business of `wording`, for every face.
"""

from dataclasses import replace

import numpy as np

from fieldtune_recommender import interests, lexical, wording
from fieldtune_recommender.records import Catalogue, Floats, Reason, Taste
from fieldtune_recommender.signals import Asked, World
from fieldtune_recommender.snapshot import RECENT_WINDOW, WINDOWS

POPULAR_FROM = 0.95
FEWEST_LIKES = 5
"""Recent likes below which a high rank among the popular is chance: in a small log one like makes it."""
ALIKE_FROM = 0.95
"""Share of the catalogue that an item must be less like than like the history item it is said to read like."""
NEW_UNTIL = 0.05
MOST = 3
LEADS = 4.0
"""Of the sentence, which leads the order: above what MOST history items can weigh."""
CITED_FROM = 0.6
"""Share of the strongest link below which another history item is not worth naming."""


def why(taste: Taste, world: World, catalogue: Catalogue, item: int, asked: Asked | None = None) -> tuple[Reason, ...]:
    """At least one reason, the strongest first; where none stands out, one that says so.

    Args:
        item: number of the recommended item.
        asked: the sentence that led the order of the list, as `lists.rank` gives it.
    """
    found = [
        *_asked_for(asked, world, item),
        *_similar(taste, world, catalogue, item),
        *_together(taste, world, catalogue, item),
        *_popular(world, item),
        *_new(world, catalogue, item),
    ]
    found = sorted(found, key=lambda reason: -reason.weight) or [Reason("other", "")]
    history = taste.items[-interests.RECENT :]
    titles = {catalogue.ids[number]: catalogue.titles[number] or catalogue.ids[number] for number in history}
    return tuple(replace(reason, text=wording.english(reason, titles.__getitem__)) for reason in found)


def _asked_for(asked: Asked | None, world: World, item: int) -> list[Reason]:
    if asked is None:
        return []
    if world.lexicon is not None and asked.words is not None:
        words = lexical.asked_for(world.lexicon, item, asked.words)
        if words:
            return [Reason("interest", "", (), words, LEADS)]
    return [Reason("meaning", "", weight=LEADS)] if asked.close[item] else []


def _similar(taste: Taste, world: World, catalogue: Catalogue, item: int) -> list[Reason]:
    history = taste.items[-interests.RECENT :]
    if world.vectors is None or not len(history) or len(world.vectors) < 2:
        return []
    weights = taste.weights[-interests.RECENT :] * interests.recency(len(history))
    likeness = world.vectors @ world.vectors[item]
    unusual = likeness[history] >= np.quantile(np.delete(likeness, item), ALIKE_FROM, method="lower")
    near = np.where(unusual, likeness[history] * weights, 0.0)
    return _cite("similar", near, history, world, catalogue, item)


def _together(taste: Taste, world: World, catalogue: Catalogue, item: int) -> list[Reason]:
    history = taste.items[-interests.RECENT :]
    if not len(history):
        return []
    strength = np.asarray(world.snapshot.neighbours[history][:, [item]].todense()).ravel()
    strength = strength * taste.weights[-interests.RECENT :]
    return _cite("together", strength, history, world, catalogue, item)


def _cite(
    kind: str,
    strength: Floats,
    history: np.ndarray,
    world: World,
    catalogue: Catalogue,
    item: int,
) -> list[Reason]:
    """The history items of the largest strength, and for texts the words they share with the item."""
    best = np.argsort(-strength, kind="stable")[:MOST]
    best = best[strength[best] > np.float32(max(0.0, CITED_FROM * float(strength.max())))]
    if not len(best):
        return []
    words: tuple[str, ...] = ()
    if kind == "similar" and world.lexicon is not None:
        words = lexical.telling(world.lexicon, lexical.shared(world.lexicon, item, history[best]))
    cited = tuple(catalogue.ids[number] for number in history[best])
    return [Reason(kind, "", cited, words, float(strength[best].sum()))]


def _popular(world: World, item: int) -> list[Reason]:
    standing = float(world.snapshot.standing[WINDOWS.index(RECENT_WINDOW), item])
    popular = standing >= POPULAR_FROM and world.snapshot.recent_likes[item] >= FEWEST_LIKES
    return [Reason("popular", "", weight=standing - 0.5)] if popular else []


def _new(world: World, catalogue: Catalogue, item: int) -> list[Reason]:
    """An item without a time that nobody has touched may have been there for years."""
    age = float(world.snapshot.age[item])
    unknown = age == 0.0 and np.isnan(catalogue.added[item])
    return [Reason("new", "", weight=0.1)] if age < NEW_UNTIL and not unknown else []
