"""The ranker's view of (taste, item) pairs: numbers that depend on the log strictly before t, and on nothing else.

Counts never appear, only shares, ranks and similarities, so a longer log does not shift them. The length of the
history is a feature: the trees learn when to trust the text and when behaviour.
"""

from collections.abc import Mapping

import numpy as np

from fieldtune_recommender import signals
from fieldtune_recommender.records import Floats, Taste
from fieldtune_recommender.snapshot import WINDOWS, Snapshot, standing

ITEM = (
    *(f"popularity_{window:g}" for window in WINDOWS),
    *(f"standing_{window:g}" for window in WINDOWS),
    "trend",
    "age",
)
USER = ("history", "idle", "taste_for_popular", "taste_for_new")
PAIR = ("popular_gap", "age_gap")
RANKED = ("together_last", "together_recency", "near_faded", "words_last", "learnt")


def names(text: bool) -> tuple[str, ...]:
    """Feature names in the order of the columns; without text for the twin."""
    signal = signals.BEHAVIOUR + (signals.SEMANTIC + signals.TEXTUAL if text else ())
    ranked = tuple(f"{name}_standing" for name in RANKED if name in signal)
    return (*ITEM, *USER, *PAIR, *signal, *ranked)


def rising(text: bool) -> tuple[int, ...]:
    """Per column 1 where more can only speak for an item, else 0.

    Popularity, co-visitation and likeness of text are such; the trees then cannot learn the noise of a few thousand
    examples in the other direction, which costs a seventh of the accuracy on logs of this size.
    """
    evidence = {*signals.BEHAVIOUR, *signals.SEMANTIC, *signals.TEXTUAL} - {"near_disliked"}
    kinds = ("popularity", "standing")
    return tuple(int(name.removesuffix("_standing") in evidence or name.startswith(kinds)) for name in names(text))


def build(taste: Taste, snapshot: Snapshot, found: Mapping[str, Floats], items: np.ndarray, text: bool) -> Floats:
    """float32[len(items), len(names(text))] for one taste and its candidates."""
    columns = [
        *snapshot.popularity[:, items],
        *snapshot.standing[:, items],
        snapshot.popularity[1, items] - snapshot.popularity[3, items],
        snapshot.age[items],
    ]
    user = _user(taste, snapshot)
    columns += [np.full(len(items), value, np.float32) for value in user]
    columns += [snapshot.standing[2, items] - user[2], snapshot.age[items] - user[3]]
    signal = [name for name in names(text) if name in found]
    columns += [found[name][items] for name in signal]
    columns += [standing(found[name], snapshot.known)[items] for name in RANKED if name in signal]
    return np.stack(columns, axis=1).astype(np.float32) if len(items) else np.zeros((0, len(names(text))), np.float32)


def _user(taste: Taste, snapshot: Snapshot) -> tuple[float, float, float, float]:
    """History length (log), share of the log since the last event, mean standing and age of what was liked."""
    if not len(taste.items):
        return 0.0, 1.0, 0.5, 0.5
    last = taste.items[-20:]
    return (
        float(np.log1p(len(taste.items))),
        float(taste.ages[-1]),
        float(snapshot.standing[2, last].mean()),
        float(snapshot.age[last].mean()),
    )
