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
LEGS = ("dense_passage", "dense_question", "words_passage", "words_question", "intent")


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


def features(
    ranking: Ranking, weights: Mapping[str, float], *, intent: float, coverage: float, terms: int, chinese: bool
) -> dict[str, float]:
    """Named features of the first hit (see `deciding.FEATURES`); all zero when there is none.

    Args:
        intent: highest intent probability.
        coverage: share of the question's information (idf) that the first hit's own texts hold.
        terms: number of terms in the question.
    """
    if not len(ranking.order):
        return {}
    first = int(ranking.order[0])
    second = int(ranking.order[1]) if len(ranking.order) > 1 else None
    legs = ranking.legs
    dense, words = _trusted(legs, weights, "dense"), _trusted(legs, weights, "words")
    scale = sum(weights.values()) or 1.0
    gap = _gap(ranking.fused, first, second) / scale
    named = {
        "fused": float(ranking.fused[first]) / scale,
        "margin": gap,
        "dense": float(dense[first]),
        "dense_margin": _gap(dense, first, second),
        "words": float(words[first]),
        "words_margin": _gap(words, first, second),
        "coverage": coverage,
        "agreement": agreement(_tops(ranking, weights)),
        "intent": intent,
        "intent_agrees": float(legs["intent"][first]),
        "length": float(np.log1p(terms)) / 3,
    }
    if chinese:
        named.update(chinese=1.0, chinese_words=named["words"], chinese_intent=named["intent_agrees"])
    return named


def _trusted(legs: Mapping[str, Scores], weights: Mapping[str, float], kind: str) -> Scores:
    """The better of a kind's two legs, zero where neither counts: an encoder that cannot read has no opinion."""
    best = np.maximum(legs[f"{kind}_passage"], legs[f"{kind}_question"])
    return best if weights.get(f"{kind}_passage") or weights.get(f"{kind}_question") else np.zeros_like(best)


def _gap(scores: Scores, first: int, second: int | None) -> float:
    return float(scores[first]) - (float(scores[second]) if second is not None else 0.0)


def _tops(ranking: Ranking, weights: Mapping[str, float]) -> list[int]:
    """The favourite of every leg that counts and has one."""
    allowed = np.isfinite(ranking.fused)
    tops = []
    for name, scores in ranking.legs.items():
        inside = np.where(allowed, scores, -np.inf)
        if weights.get(name) and inside.max() > 0:
            tops.append(int(np.argmax(inside)))
    return tops
