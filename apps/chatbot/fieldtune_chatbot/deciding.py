"""Answer, ask back or hand off: a small calibrated logistic over what retrieval saw. Pure.

Learns from held-out questions how often the first hit is right, from the same questions with their source taken
away and from questions known to have no answer how a miss looks. Knows nothing of texts and models.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FEATURES = (
    "fused", "margin", "dense", "dense_margin", "words", "words_margin", "coverage", "agreement",
    "intent", "intent_agrees", "length", "chinese", "chinese_words", "chinese_intent",
)  # fmt: skip
"""What is looked at, in this order; all between about -1 and 2. `chinese_*` are the same seen for Chinese only."""

Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class Decider:
    """Probability that the first hit answers the question, and what to do with it.

    Attributes:
        mean, scale, weight: float64[features]; bias: their logistic.
        answer_at: answer at or above this probability.
        ask_at: below `answer_at`, ask back at or above this one; below it, hand off.
    """

    mean: tuple[float, ...]
    scale: tuple[float, ...]
    weight: tuple[float, ...]
    bias: float
    answer_at: float = 0.5
    ask_at: float = 0.2

    def probability(self, features: Matrix) -> NDArray[np.float64]:
        """float64[n, features] -> float64[n]."""
        z = (features - np.asarray(self.mean)) / np.asarray(self.scale) @ np.asarray(self.weight) + self.bias
        return np.asarray(1.0 / (1.0 + np.exp(-z)), np.float64)


DEFAULT = Decider(
    mean=(0.0,) * len(FEATURES),
    scale=(1.0,) * len(FEATURES),
    weight=(1.5, 2.0, 3.0, 0.0, 2.0, 0.0, 2.0, 1.0) + (0.0,) * (len(FEATURES) - 8),
    bias=-4.0,
    answer_at=0.6,
    ask_at=0.3,
)
"""Used until there are known questions to learn from: cautious, and not calibrated."""


def vector(values: Mapping[str, float]) -> Matrix:
    """Named features -> float64[1, features]; a missing one counts 0."""
    return np.asarray([[values.get(name, 0.0) for name in FEATURES]], np.float64)


def fit(features: Matrix, right: NDArray[np.bool_], unanswerable: NDArray[np.bool_], *, wrong_share: float) -> Decider:
    """Fit the logistic, then the lowest threshold that keeps both promises.

    Args:
        features: float64[n, features] of the first hits.
        right: whether the first hit was right.
        unanswerable: questions without any right source.
        wrong_share: at most this share of the unanswerable may be answered.

    Returns:
        A decider; `DEFAULT` when all examples are right or all are wrong.
    """
    if right.all() or not right.any():
        return DEFAULT
    from sklearn.linear_model import LogisticRegression

    mean, scale = features.mean(0), np.maximum(features.std(0), 1e-3)
    scaled = (features - mean) / scale
    model = LogisticRegression(C=1.0, max_iter=2000).fit(scaled, right)
    out_of_sample = _crossed(scaled, right)
    answer_at = threshold(out_of_sample, unanswerable, wrong_share)
    return Decider(
        tuple(mean.tolist()), tuple(scale.tolist()), tuple(model.coef_[0].tolist()), float(model.intercept_[0]),
        answer_at, ask_at=answer_at / 3,
    )  # fmt: skip


def threshold(probability: NDArray[np.float64], unanswerable: NDArray[np.bool_], wrong_share: float) -> float:
    """The lowest value at which at most `wrong_share` of the unanswerable rows are still answered."""
    outside = np.sort(probability[unanswerable])[::-1]
    if not len(outside):
        return 0.5
    allowed = int(np.floor(wrong_share * len(outside)))
    highest = float(outside[min(allowed, len(outside) - 1)])
    above = probability[probability > highest]
    return float((highest + above.min()) / 2) if len(above) else 1.0


def _crossed(scaled: Matrix, right: NDArray[np.bool_], folds: int = 5) -> NDArray[np.float64]:
    """Probability of each row by a model that did not see it; folds by position, so no chance is involved."""
    from sklearn.linear_model import LogisticRegression

    result = np.zeros(len(right))
    for fold in range(folds):
        held = np.arange(len(right)) % folds == fold
        if len(set(right[~held].tolist())) < 2:
            result[held] = right.mean()
            continue
        model = LogisticRegression(C=1.0, max_iter=2000).fit(scaled[~held], right[~held])
        result[held] = model.predict_proba(scaled[held])[:, 1]
    return result


def outcome(probability: float, decider: Decider, *, found: bool) -> tuple[str, str]:
    """What to do, and why in one sentence.

    Args:
        found: whether retrieval returned anything at all.
    """
    if not found:
        return "hand_off", "nothing in the knowledge base shares a word or a meaning with the question"
    if probability >= decider.answer_at:
        return (
            "answer",
            f"confidence {probability:.2f} reaches the {decider.answer_at:.2f} learnt from known questions",
        )
    if probability >= decider.ask_at:
        return (
            "ask_back",
            f"confidence {probability:.2f} is below {decider.answer_at:.2f}: one of these may be meant",
        )
    return "hand_off", f"confidence {probability:.2f} is below {decider.ask_at:.2f}: a person should answer"


def agreement(tops: Sequence[int]) -> float:
    """Share of the legs whose first hit is the commonest first hit."""
    return max(tops.count(top) for top in set(tops)) / len(tops) if tops else 0.0
