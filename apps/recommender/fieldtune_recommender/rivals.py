"""The plain methods every list is compared with, each one signal of the same snapshot.

Variants are fixed, not chosen on the test window. A rival is what the ranker sees of it, neither stronger nor weaker.
"""

from collections.abc import Callable, Mapping

from fieldtune_recommender.records import Floats
from fieldtune_recommender.snapshot import WINDOWS, Snapshot

Rival = Callable[[Snapshot, Mapping[str, Floats]], Floats]


def _popularity(window: float) -> Rival:
    return lambda snapshot, found: snapshot.popularity[WINDOWS.index(window)]


def _signal(name: str) -> Rival:
    return lambda snapshot, found: found[name]


#: Rivals that use behaviour alone; recent popularity is the last 3 % of the log, its neighbours shown beside it.
BEHAVIOUR: Mapping[str, Rival] = {
    "recent_popularity": _popularity(0.03),
    "recent_popularity_1": _popularity(0.01),
    "recent_popularity_10": _popularity(0.1),
    "popularity": _popularity(1.0),
    "item_knn": _signal("together"),
    "item_knn_last": _signal("together_last"),
}
#: Rivals that read the texts; frozen_text when the vectors are the frozen encoder's, tuned_text_alone when tuned.
LEXICAL: Mapping[str, Rival] = {
    "bm25": _signal("words"),
    "bm25_last": _signal("words_last"),
    "learnt_words": _signal("learnt"),
}
SEMANTIC: Mapping[str, Rival] = {"near": _signal("near_faded"), "near_last": _signal("near_last")}
