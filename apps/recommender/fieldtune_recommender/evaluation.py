"""Full-catalogue evaluation on events after a cut: who is asked, what counts as right, and paired intervals.

No sampled negatives, seen items out, ties broken by one random order of the items so that a constant score earns
what chance earns. Knows nothing of models: it receives scores.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from fieldtune.evaluate import ranking, significance
from fieldtune_recommender import timecut
from fieldtune_recommender.records import Flags, Floats, Log, Taste

DEPTH = 20
MIN_POSITIVES = 5


@dataclass(frozen=True, slots=True)
class Queries:
    """Users with something to find after the cut.

    Attributes:
        users: int64[q], ascending.
        relevant: per user, the items of positive events after the cut that were not seen before it.
        history: int64[q], positive events before the cut.
        unreachable: relevant pairs left out because the item did not exist at the cut.
    """

    users: np.ndarray
    relevant: tuple[frozenset[int], ...]
    history: np.ndarray
    unreachable: int

    def having(self, low: int, high: float = np.inf) -> np.ndarray:
        """Positions of the users with low <= positive events before the cut <= high."""
        return np.flatnonzero((self.history >= low) & (self.history <= high))

    def take(self, chosen: np.ndarray) -> "Queries":
        """The chosen positions only."""
        return Queries(
            self.users[chosen], tuple(self.relevant[i] for i in chosen), self.history[chosen], self.unreachable
        )


def queries(past: Log, future: Log, known: Flags, n_users: int) -> Queries:
    """Every user with at least one new, known, positive item in `future`; also those without a past.

    Args:
        past: events before the cut. future: events to predict. known: bool[items], existed at the cut.
    """
    n_items = len(known)
    wanted = future.rows(future.positive)
    pairs = np.unique(wanted.users.astype(np.int64) * n_items + wanted.items)
    seen = np.unique(past.users.astype(np.int64) * n_items + past.items)
    pairs = pairs[~np.isin(pairs, seen)]
    reachable = known[pairs % n_items]
    users, items = np.divmod(pairs[reachable], n_items)
    asked, starts = np.unique(users, return_index=True)
    groups = np.split(items, starts[1:]) if len(asked) else []
    history = np.bincount(past.users[past.positive], minlength=max(n_users, int(asked.max(initial=0)) + 1))
    return Queries(
        asked,
        tuple(frozenset(group.tolist()) for group in groups),
        history[asked],
        int((~reachable).sum()),
    )


def best(scores: Floats, taste: Taste, known: Flags, tie_order: np.ndarray, depth: int = DEPTH) -> np.ndarray:
    """The `depth` best items: int[<= depth]; seen, unknown and -inf items out.

    Args:
        tie_order: int[items], a random permutation; among equal scores the smaller entry comes first.
    """
    allowed = known & np.isfinite(scores)
    allowed[taste.seen] = False
    pool = np.flatnonzero(allowed)
    if len(pool) > depth:
        pool = pool[scores[pool] >= np.partition(scores[pool], len(pool) - depth)[len(pool) - depth]]
    return pool[np.lexsort((tie_order[pool], -scores[pool]))][:depth]


def measure(lists: Sequence[np.ndarray], relevant: Sequence[frozenset[int]]) -> dict[str, np.ndarray]:
    """Per user: the metrics of `fieldtune.evaluate.ranking`, and recall@20."""
    found = ranking.per_query([items.tolist() for items in lists], list(relevant))
    hits = [
        len(right.intersection(items[:20].tolist())) / len(right) for items, right in zip(lists, relevant, strict=True)
    ]
    return {**found, "recall@20": np.array(hits, float)}


def coverage(lists: Sequence[np.ndarray], n_items: int, k: int = 10) -> float:
    """Share of the catalogue that stands in at least one list."""
    shown = np.unique(np.concatenate([items[:k] for items in lists])) if len(lists) else np.zeros(0)
    return len(shown) / max(n_items, 1)


def compare(scores: Mapping[str, np.ndarray], ours: str, rng: np.random.Generator) -> dict[str, significance.Interval]:
    """For every rival, the paired 95 % interval of mean(ours - rival) over the users."""
    return {
        name: significance.paired_bootstrap(scores[ours], values, rng)
        for name, values in scores.items()
        if name != ours
    }


def halves(log: Log, t: float, end: float = np.inf) -> tuple[Log, Log]:
    """The events before `t`, and those from `t` up to `end`."""
    return timecut.before(log, t), timecut.between(log, t, end)
