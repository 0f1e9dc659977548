"""The methods that can answer, put together from trained rankers. Knows no file."""

from collections.abc import Mapping
from functools import partial

import numpy as np

from fieldtune.text.ngrams import lexical_tokens
from fieldtune_recommender import affinity, lexical, ranker, scoring, snapshot, timecut
from fieldtune_recommender.bundle import METHODS
from fieldtune_recommender.lists import Method
from fieldtune_recommender.reading import Dataset
from fieldtune_recommender.records import Floats
from fieldtune_recommender.signals import World


def methods(rankers: Mapping[str, ranker.Ranker], popularity_knots: np.ndarray) -> dict[str, Method]:
    """Every method whose ranker is there, the simplest first; recent popularity always.

    Args:
        popularity_knots: float64[2, m], recent popularity (log) and the probability it means.
    """
    popular = Method("recent_popularity", None, None, partial(ranker.between_knots, popularity_knots))
    found = {popular.name: popular}
    for name, vectors in METHODS.items():
        if name in rankers:
            found[name] = Method(name, vectors, rankers[name].score, rankers[name].calibrate)
    return found


def worlds(data: Dataset, t: float, vectors: Mapping[str, Floats | None], today: float = np.inf) -> scoring.Worlds:
    """The moment `t` of a data set, once per kind of vectors; for `today` see :func:`snapshot.take`."""
    moment = snapshot.take(data.log, t, len(data.users), data.catalogue.added, today)
    texts = zip(data.catalogue.texts, moment.known, strict=True)
    lexicon = lexical.index((lexical_tokens(text) if there else () for text, there in texts), moment.known)
    learnt = affinity.learn(timecut.before(data.log, t), lexicon.weights)
    return scoring.Worlds(
        {name: World(moment, own, lexicon, learnt, None, lexical_tokens) for name, own in vectors.items()}
    )
