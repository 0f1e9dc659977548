"""Held-out figures of a bundle: every method and every rival on the events after its cut, user by user.

Used at the end of training, by `evaluate`, and to score what serves now. Reads the log only up to the cut.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from fieldtune import gate
from fieldtune.errors import FieldtuneError, InputError
from fieldtune.progress import say, track
from fieldtune_recommender import bundle, evaluation, interests, methods, scoring
from fieldtune_recommender.bundle import METHODS, Bundle
from fieldtune_recommender.records import Log

METRIC = "ndcg@10"
MOST_USERS = 5000
"""Users of the headline that are ranked, and as many of those shown apart; of more a random sample."""
SLICES = {"new_users": (0, 0), "users_1_to_4": (1, 4)}


@dataclass(frozen=True, slots=True)
class Measured:
    """Figures per user.

    Attributes:
        queries: the users of the headline. sampled_from: of how many they are a random sample, or all.
        scores: method or rival -> nDCG@10, float64[q].
        metrics: method or rival -> metric -> float64[q].
        coverage: method or rival -> share of the items known at the cut that are shown.
        slices: name of a group of newer users -> method or rival -> nDCG@10 per user.
    """

    queries: evaluation.Queries
    scores: Mapping[str, np.ndarray]
    metrics: Mapping[str, Mapping[str, np.ndarray]]
    coverage: Mapping[str, float]
    slices: Mapping[str, Mapping[str, np.ndarray]]
    sampled_from: int

    def summary(self, ours: str, rng: np.random.Generator) -> dict[str, Any]:
        """What `train` and `evaluate` print: figures of `ours`, every rival, and paired intervals of the gain."""
        gains = evaluation.compare(self.scores, ours, rng)
        table = {
            name: {
                **{metric: float(values.mean()) for metric, values in found.items()},
                "coverage@10": self.coverage[name],
                **({"gain": _plain(gains[name])} if name in gains else {}),
            }
            for name, found in self.metrics.items()
        }
        return {
            "answers_with": ours,
            **{metric: float(values.mean()) for metric, values in self.metrics[ours].items()},
            "n_users": len(self.queries.users),
            "sampled_from": self.sampled_from,
            "n_relevant": sum(map(len, self.queries.relevant)),
            "unreachable": self.queries.unreachable,
            "rivals": {name: row for name, row in table.items() if name != ours},
            "slices": {
                name: {"n_users": len(next(iter(found.values()))), **{key: float(v.mean()) for key, v in found.items()}}
                for name, found in self.slices.items()
            },
        }


def held_out(one: Bundle, *, rng: np.random.Generator, progress: bool, future: Log | None = None) -> Measured:
    """Measure every method of a bundle and every rival after its cut.

    Args:
        future: events to predict, numbered as the bundle's; those before the cut are ignored. None takes the
            bundle's own.

    Raises:
        InputError: nobody who can be asked took anything new after the cut.
    """
    data = one.data
    worlds = methods.worlds(data, one.cut, one.vectors)
    past, own = evaluation.halves(data.log, one.cut)
    after = own if future is None else evaluation.halves(future, one.cut)[1]
    known = worlds.any.snapshot.known
    queries = evaluation.queries(past, after, known, len(data.users))
    low = int(one.card["min_positives"])
    total = len(queries.having(low))
    if not total:
        raise InputError(
            f"positive events after the cut, of users with at least {low} before it",
            f"none ({len(after)} events after the cut)",
            "give events later than the log's first 80 %, or train with a smaller --min-positives",
        )
    queries = sample(queries, low, rng)
    if total > MOST_USERS:
        say(f"note: figures rest on a random sample of {MOST_USERS} of {total} held-out users")
    tastes = interests.tastes(past, queries.users, len(data.users))
    answering = methods.methods(one.rankers, one.popularity_knots)
    users = track(tastes, "ranking held-out users", len(tastes), show=progress)
    rows = list(scoring.ranked(users, worlds, answering, rng))
    return _measured(queries, rows, low, int(known.sum()), total)


def sample(queries: evaluation.Queries, low: int, rng: np.random.Generator) -> evaluation.Queries:
    """At most MOST_USERS users with `low` positive events before the cut, and as many with fewer, drawn at random."""
    groups = queries.having(low), queries.having(0, low - 1)
    drawn = [rng.choice(group, MOST_USERS, replace=False) if len(group) > MOST_USERS else group for group in groups]
    return queries.take(np.sort(np.concatenate(drawn)))


def _measured(
    queries: evaluation.Queries, rows: list[dict[str, np.ndarray]], low: int, n_items: int, sampled_from: int
) -> Measured:
    headline = queries.having(low)
    found = {name: _metrics(queries, rows, headline, name) for name in rows[0]}
    groups = {name: queries.having(*span) for name, span in SLICES.items() if span[1] < low}
    return Measured(
        queries.take(headline),
        {name: values[METRIC] for name, values in found.items()},
        found,
        {name: evaluation.coverage([rows[i][name] for i in headline], n_items) for name in rows[0]},
        {
            group: {name: _metrics(queries, rows, chosen, name)[METRIC] for name in rows[0] if name in METHODS}
            for group, chosen in groups.items()
            if len(chosen)
        },
        sampled_from,
    )


def _metrics(
    queries: evaluation.Queries, rows: list[dict[str, np.ndarray]], chosen: np.ndarray, name: str
) -> dict[str, np.ndarray]:
    return evaluation.measure([rows[i][name] for i in chosen], [queries.relevant[i] for i in chosen])


def beside_incumbent(
    fresh: Bundle, measured: Measured, origin: Path, place: Path, *, rng: np.random.Generator, progress: bool
) -> dict[str, np.ndarray]:
    """nDCG@10 of the fresh bundle's methods and of what serves, on the same users and the same past.

    The incumbent keeps its trees and vectors and is given the new log up to the cut, so that models are compared and
    not the age of their logs. An item it has no vector for stands as an item without text. Trees grown on feedback
    have seen events after the fresh cut: against those, only the events after the incumbent's own cut count, and only
    the method that answers.

    Args:
        measured: the fresh bundle's figures after its own cut.
        place: what serves for `origin` now; `origin` itself where nothing was promoted.

    Returns:
        Without ``gate.INCUMBENT`` where nothing serves, or nothing that can be compared; a note says why.
    """
    own = {name: measured.scores[name] for name in METHODS if name in measured.scores}
    if place == origin.resolve():
        return own
    try:
        old = bundle.read(place)
    except FieldtuneError as error:
        say(f"what serves now cannot be read and is left out of the comparison: {error}")
        return own
    if old.cut > fresh.cut:
        fresh = replace(fresh, cut=old.cut)
        try:
            measured = held_out(fresh, rng=rng, progress=progress)
        except InputError as error:
            say(f"what serves now is left out of the comparison: this log holds too little it has not learnt: {error}")
            return own
        own = {fresh.answers_with: measured.scores[fresh.answers_with]}
    return {**own, gate.INCUMBENT: _incumbent(_aligned(old, fresh), measured)}


def _incumbent(aligned: Bundle, measured: Measured) -> np.ndarray:
    answering = methods.methods(aligned.rankers, aligned.popularity_knots)[aligned.answers_with]
    worlds = methods.worlds(aligned.data, aligned.cut, aligned.vectors)
    past, _ = evaluation.halves(aligned.data.log, aligned.cut)
    tastes = interests.tastes(past, measured.queries.users, len(aligned.data.users))
    rows = scoring.ranked(tastes, worlds, {gate.INCUMBENT: answering}, np.random.default_rng(0))
    found = [row[gate.INCUMBENT] for row in rows]
    return evaluation.measure(found, measured.queries.relevant)[METRIC]


def _aligned(old: Bundle, fresh: Bundle) -> Bundle:
    """The old models over the new log: vectors moved to the new item numbers."""
    place = {item: number for number, item in enumerate(old.data.catalogue.ids)}
    rows = np.array([place.get(item, -1) for item in fresh.data.catalogue.ids])
    moved = {}
    for name, vectors in old.vectors.items():
        moved[name] = np.zeros((len(rows), vectors.shape[1]), np.float32)
        moved[name][rows >= 0] = vectors[rows[rows >= 0]]
    return Bundle(
        fresh.data,
        fresh.schema,
        fresh.cut,
        fresh.ranker_cut,
        old.answers_with,
        moved,
        old.rankers,
        old.popularity_knots,
        old.card,
    )


def _plain(interval: Any) -> dict[str, float]:
    return {"mean": interval.mean, "low": interval.low, "high": interval.high}
