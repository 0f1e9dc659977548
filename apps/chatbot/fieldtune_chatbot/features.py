"""What the decision looks at, computed from the scores of one question. Pure.

Knows the legs' scores per source; not the texts, the encoder or the decision.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fieldtune.retrieval.fusion import weighted
from fieldtune_chatbot.deciding import agreement

Scores = NDArray[np.float32]
LEGS = (
    "dense_passage", "dense_sentence", "dense_question", "words_passage", "words_question", "words_source", "intent",
)  # fmt: skip


@dataclass(frozen=True)
class Ranking:
    """Sources in order for one question.

    Attributes:
        order: positions of the sources that may answer, best first.
        fused: float32[sources], -inf where the source may not answer.
        legs: name -> float32[sources].
    """

    order: NDArray[np.int64]
    fused: Scores
    legs: Mapping[str, Scores]


def rank(legs: Mapping[str, Scores], weights: Mapping[str, float], allowed: NDArray[np.bool_]) -> Ranking:
    """Fuse and sort; sources that score nothing at all are left out, ties go to the earlier source."""
    fused = np.where(allowed, weighted(legs, weights), -np.inf).astype(np.float32)
    order = np.argsort(-fused, kind="stable")
    return Ranking(order[fused[order] > 0].astype(np.int64), fused, legs)


def features(ranking: Ranking, weights: Mapping[str, float], *, ceiling: float) -> dict[str, float]:
    """What `deciding` looks at, of the first hit; nothing when there is no hit.

    Args:
        ceiling: information (idf) in the question, the scale of ``words_source``.
    """
    if not len(ranking.order):
        return {}
    first = int(ranking.order[0])
    second = float(ranking.fused[ranking.order[1]]) if len(ranking.order) > 1 else 0.0
    best = float(ranking.fused[first])
    return {
        "fused": best,
        "evidence": float(np.log1p(max(0.0, float(ranking.legs["words_source"][first])) * ceiling)),
        "odds": _odds(ranking.fused[np.isfinite(ranking.fused)], best),
        "margin": best - second,
        "agreement": agreement(_tops(ranking, weights)),
        "intent_agrees": float(ranking.legs["intent"][first]),
        **{f"first_{name}": float(scores[first]) for name, scores in ranking.legs.items()},
    }


def _odds(fused: Scores, best: float) -> float:
    """The first hit's share of the probability under the fitted weights."""
    return float(1.0 / np.exp(np.asarray(fused, np.float64) - best).sum())


def _tops(ranking: Ranking, weights: Mapping[str, float]) -> list[int]:
    """The favourite of every leg that counts and has one."""
    allowed = np.isfinite(ranking.fused)
    tops = []
    for name, scores in ranking.legs.items():
        inside = np.where(allowed, scores, -np.inf)
        if weights.get(name) and inside.max() > 0:
            tops.append(int(np.argmax(inside)))
    return tops
