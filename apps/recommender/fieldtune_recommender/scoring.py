"""Methods and rivals over many users in one pass: examples to train on, lists to measure.

The signals of a user are computed once and shared by every method. Pure but for the scores it is handed.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from fieldtune_recommender import candidates, evaluation, features, lists, rivals, signals
from fieldtune_recommender.records import Floats, Taste
from fieldtune_recommender.signals import World


@dataclass(frozen=True, slots=True)
class Worlds:
    """The same moment with frozen and with tuned vectors ("tuned" may be missing)."""

    by_vectors: Mapping[str, World]

    def signals(self, taste: Taste) -> dict[str | None, dict[str, Floats]]:
        """Signals per kind of vectors; under None those of behaviour alone."""
        world = next(iter(self.by_vectors.values()))
        plain = signals.behaviour(taste, world.snapshot)
        words = signals.textual(taste, world)
        found: dict[str | None, dict[str, Floats]] = {None: plain}
        for name, one in self.by_vectors.items():
            near = signals.semantic(taste, one.vectors) if one.vectors is not None else {}
            found[name] = {**plain, **near, **words}
        return found

    @property
    def any(self) -> World:
        """One of them, for what does not depend on the vectors."""
        return next(iter(self.by_vectors.values()))


def examples(
    tastes: Iterable[Taste], relevant: Sequence[frozenset[int]], worlds: Worlds, methods: Mapping[str, str | None]
) -> Iterator[dict[str, tuple[Floats, np.ndarray]]]:
    """For each user and method the features of the candidates and which of them the user took.

    Args:
        methods: method -> the vectors it reads, None for behaviour alone.
    """
    snapshot = worlds.any.snapshot
    for taste, right in zip(tastes, relevant, strict=True):
        found = worlds.signals(taste)
        wanted = np.fromiter(right, int)
        made = {}
        for name, vectors in methods.items():
            items = candidates.gather(taste, snapshot, found[vectors])
            table = features.build(taste, snapshot, found[vectors], items, vectors is not None)
            made[name] = (table, np.isin(items, wanted))
        yield made


def ranked(
    tastes: Iterable[Taste],
    worlds: Worlds,
    methods: Mapping[str, lists.Method],
    rng: np.random.Generator,
) -> Iterator[dict[str, np.ndarray]]:
    """For each user the best items of every method and of every rival, over the full catalogue.

    Args:
        methods: what can answer, by name.
        rng: for the order among equal scores of a rival.
    """
    snapshot = worlds.any.snapshot
    tie_order = np.zeros(len(snapshot.known), np.int64)
    tie_order[snapshot.known] = rng.permutation(int(snapshot.known.sum()))
    for taste in tastes:
        found = worlds.signals(taste)
        made = {}
        for name, method in methods.items():
            world = worlds.by_vectors.get(method.vectors or "", worlds.any)
            made[name] = lists.rank(taste, world, method, found=found[method.vectors]).items[: evaluation.DEPTH]
        for name, scores in _rivals(worlds, found):
            if name not in made:
                made[name] = evaluation.best(scores, taste, snapshot.known, tie_order)
        yield made


def _rivals(worlds: Worlds, found: Mapping[str | None, Mapping[str, Floats]]) -> Iterator[tuple[str, Floats]]:
    snapshot = worlds.any.snapshot
    for name, rival in rivals.BEHAVIOUR.items():
        yield name, rival(snapshot, found[None])
    for vectors in worlds.by_vectors:
        for name, rival in rivals.LEXICAL.items():
            yield name, rival(snapshot, found[vectors])
        for name, rival in rivals.SEMANTIC.items():
            yield f"{name}_{vectors}", rival(snapshot, found[vectors])
