"""The state of the shop at one moment: popularity, age and co-visitation from the events before it.

What the trees read is a share or a rank, so that the trees meet the same numbers in a later, longer log. A snapshot is a
function of (log before t, items known at t): appending later events or items cannot change it. Knows nothing of texts or single users.
"""

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from fieldtune_recommender import covisits, timecut
from fieldtune_recommender.records import Flags, Floats, Log, Times

#: Windows of popularity, as the last share of the events before t.
WINDOWS = (0.01, 0.03, 0.1, 0.3, 1.0)
RECENT_WINDOW = 0.1
SMOOTHING = 0.5


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One moment of the shop.

    Attributes:
        t: events at or after this time are unknown.
        popularity: float32[windows, items], log of (share in the window x number of known items), smoothed.
        standing: float32[windows, items], rank in [0, 1] among the known items, ties shared; 1 is the most popular.
        recent_likes: int64[items], likes within the last tenth. A count, so never a feature: it says how much a rank rests on.
        age: float32[items], share of the log since the item came (since its first event where that is not known).
        known: bool[items], whether the item exists at t, see :func:`known_at`.
        neighbours, recent_neighbours: items x items co-visitation over the whole and over the last tenth.
    """

    t: float
    popularity: Floats
    standing: Floats
    recent_likes: np.ndarray
    age: Floats
    known: Flags
    neighbours: sparse.csr_matrix
    recent_neighbours: sparse.csr_matrix


def take(log: Log, t: float, n_users: int, added: Times, today: float = np.inf) -> Snapshot:
    """The snapshot strictly before `t`.

    Args:
        log: any log in time order; events at or after t are ignored.
        added: float64[items], when each item came, NaN where unknown.
        today: read where t is inf: items that are to come later are not there yet.
    """
    past = timecut.before(log, t)
    n_items, known = len(added), known_at(past, t, added, today)
    liked = past.rows(past.weights > 0)
    counts = np.stack([_counts(liked, share, n_items) for share in WINDOWS])
    likes = covisits.matrix(past, n_users, n_items)
    recent = covisits.matrix(_last(liked, RECENT_WINDOW), n_users, n_items)
    total = counts.sum(axis=1, keepdims=True)
    n_known = int(known.sum())
    share = (counts + SMOOTHING) / (total + SMOOTHING * max(n_known, 1))
    return Snapshot(
        t=t,
        popularity=np.log(share * max(n_known, 1)).astype(np.float32),
        standing=np.stack([standing(row, known) for row in counts]),
        recent_likes=np.bincount(_last(liked, RECENT_WINDOW).items, minlength=n_items),
        age=_age(past, t, added),
        known=known,
        neighbours=covisits.neighbours(likes),
        recent_neighbours=covisits.neighbours(recent),
    )


def known_at(past: Log, t: float, added: Times, today: float = np.inf) -> Flags:
    """Which items exist at `t`: bool[items].

    An item comes at its time, or with its first event where that is earlier or no time is given. With t = inf, the
    moment of serving, every item of the catalogue is there but those whose time is still to come.

    Args:
        past: the events before t.
        today: the time at which a list is made; read where t is inf.
    """
    came = ~(added > today) if np.isinf(t) else added < t
    return came | (np.bincount(past.items, minlength=len(added)) > 0)


def standing(values: np.ndarray, among: Flags | None = None) -> Floats:
    """Rank of each value in [0, 1], equal values sharing the middle of their ranks: float32[n].

    Args:
        among: bool[n], whose ranks are wanted; the others get 0. None ranks all.
    """
    if among is not None:
        result = np.zeros(len(values), np.float32)
        result[among] = standing(values[among])
        return result
    _, place, size = np.unique(values, return_inverse=True, return_counts=True)
    middle = np.cumsum(size) - (size + 1) / 2.0
    return (middle[place] / max(len(values) - 1, 1)).astype(np.float32)


def _last(log: Log, share: float) -> Log:
    return log.rows(slice(len(log) - max(int(np.ceil(len(log) * share)), min(len(log), 1)), len(log)))


def _counts(liked: Log, share: float, n_items: int) -> np.ndarray:
    return np.bincount(_last(liked, share).items, minlength=n_items).astype(np.float64)


def _age(past: Log, t: float, added: Times) -> Floats:
    first = np.full(len(added), len(past), np.int64)
    np.minimum.at(first, past.items, np.arange(len(past)))
    known = ~np.isnan(added) & (added < t)
    first[known] = np.minimum(first[known], np.searchsorted(past.times, added[known], side="left"))
    return ((len(past) - first) / max(len(past), 1)).astype(np.float32)
