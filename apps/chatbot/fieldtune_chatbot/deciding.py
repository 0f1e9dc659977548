"""Answer, ask back or hand off: two small calibrated logistics over what retrieval saw. Pure.

One says whether the company has an answer at all (how much of the question the best source holds), the other whether
the first source is the right one (how far it leads). Low on the first: hand off. Low on the second: ask back. Knows
scores; not texts and models.

Learnt from held-out questions: as they are, with their source taken away, and questions known to have no answer.
Weights are not negative, because more evidence must never lower the confidence.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

ANSWERABLE = (
    "fused", "evidence", "first_dense_passage", "first_dense_sentence", "first_dense_question", "first_words_passage",
    "first_words_question", "first_words_source",
)  # fmt: skip
RIGHT = ("odds", "margin", "agreement", "intent_agrees")
FEATURES = (*ANSWERABLE, *RIGHT)

Matrix = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Logistic:
    """Probability from standardised features; `mean`, `scale`, `weight` as long as its features."""

    mean: tuple[float, ...]
    scale: tuple[float, ...]
    weight: tuple[float, ...]
    bias: float

    def __call__(self, features: Matrix) -> NDArray[np.float64]:
        """float64[n, features] -> float64[n]."""
        z = (features - np.asarray(self.mean)) / np.asarray(self.scale) @ np.asarray(self.weight) + self.bias
        return np.asarray(1.0 / (1.0 + np.exp(-z)), np.float64)


@dataclass(frozen=True)
class Decider:
    """What to do at which probability, for one language.

    Attributes:
        answerable, right: the two logistics, over `ANSWERABLE` and `RIGHT`.
        answer_at: below this probability that there is an answer: hand off.
        sure_at: below this probability that the first source is right: ask back.
        clear_at: below this probability that there is an answer: ask back; 0 where `answer_at` was learnt.
    """

    answerable: Logistic
    right: Logistic
    answer_at: float = 0.5
    sure_at: float = 0.3
    clear_at: float = 0.0


@dataclass(frozen=True)
class Decision:
    """The outcome with its reason; `confidence` is the probability that the first source answers the question: that there
    is an answer, times that the first source is the right one."""

    outcome: str
    confidence: float
    reason: str


def _unlearnt(fused: float, evidence: float, bias: float) -> Decider:
    none = (0.0,) * (len(ANSWERABLE) - 2)
    return Decider(
        Logistic((0.0,) * len(ANSWERABLE), (1.0,) * len(ANSWERABLE), (fused, evidence, *none), bias),
        Logistic((0.0,) * len(RIGHT), (1.0,) * len(RIGHT), (3.0, 0.2, 1.0, 1.0), -1.5),
        clear_at=0.75,
    )


LEAST = 20
"""Known questions with an answer from which a decider is learnt: of fewer, the promised share is less than one."""
DEFAULT, DEFAULT_WORDS = _unlearnt(0.3, 1.0, -5.0), _unlearnt(0.7, 0.7, -4.5)
"""Used with the fixed weights until there are `LEAST` known questions: cautious, and not calibrated. The second where
words alone find the sources, whose fused score is on a smaller scale."""


@dataclass(frozen=True)
class Case:
    """One question as the decision saw it: named features, and what was true of it."""

    features: Mapping[str, float]
    right: bool
    answerable: bool
    made_up: bool = False
    told: bool = False


def fit(
    cases: Sequence[Case], *, wrong_share: float, made_up_share: float = 0.25, default: Decider = DEFAULT
) -> Decider:
    """Fit both logistics, then the lowest threshold that keeps the promise.

    Args:
        cases: questions as they are asked; `made_up` ones, whose source was taken away; and `told` ones, known because
            somebody spoke of the answer. Of these the unanswerable are only those that were answered, and set no
            threshold.
        wrong_share: at most this share of the unanswerable questions may be answered.
        made_up_share: the same for the made-up ones, used while there are fewer than `LEAST` others. They are harder: the
            sources next to the one taken away are about nearly the same thing, and often answer too.
        default: returned where there is too little to learn from.

    Returns:
        A decider; `default` when fewer than `LEAST` cases are answerable, or one kind of case is missing.
    """
    answerable = np.asarray([case.answerable for case in cases], bool)
    right = np.asarray([case.right for case in cases], bool)
    if answerable.sum() < LEAST or answerable.all() or not right.any():
        return default
    one, other = _matrix(cases, ANSWERABLE), _matrix(cases, RIGHT)
    has_answer = _logistic(one, answerable)
    sure = _logistic(other[answerable], right[answerable]) if not right[answerable].all() else DEFAULT.right
    sampled = ~answerable & ~np.asarray([case.told for case in cases], bool)
    real = sampled & ~np.asarray([case.made_up for case in cases], bool)
    held_out = _crossed(one, answerable)
    if real.sum() >= LEAST:
        answer_at = threshold(held_out, real, wrong_share)
    else:
        answer_at = threshold(held_out, sampled, made_up_share)
    return Decider(has_answer, sure, answer_at, DEFAULT.sure_at)


def threshold(probability: NDArray[np.float64], unanswerable: Flags, wrong_share: float) -> float:
    """The lowest value at which at most `wrong_share` of the unanswerable rows are still answered."""
    outside = np.sort(probability[unanswerable])[::-1]
    if not len(outside):
        return 0.5
    allowed = int(np.floor(wrong_share * len(outside)))
    highest = float(outside[min(allowed, len(outside) - 1)])
    above = probability[probability > highest]
    return float((highest + above.min()) / 2) if len(above) else 1.0


def decide(features: Mapping[str, float], decider: Decider) -> Decision:
    """What to do; `features` is empty when nothing was found at all."""
    if not features:
        return Decision("hand_off", 0.0, "nothing in the knowledge base shares a word or a meaning with the question")
    case = [Case(features, False, False)]
    known = float(decider.answerable(_matrix(case, ANSWERABLE))[0])
    sure = float(decider.right(_matrix(case, RIGHT))[0])
    confidence = known * sure
    if known < decider.answer_at:
        reason = f"no source covers the question: {known:.2f} that one does, at least {decider.answer_at:.2f} is needed"
        return Decision("hand_off", confidence, reason)
    if known < decider.clear_at:
        reason = f"a source may fit: {known:.2f} that one covers this, at least {decider.clear_at:.2f} is needed"
        return Decision("ask_back", confidence, reason)
    if sure < decider.sure_at:
        reason = f"several sources fit alike: {sure:.2f} that it is the first, at least {decider.sure_at:.2f} is needed"
        return Decision("ask_back", confidence, reason)
    limit = max(decider.answer_at, decider.clear_at)
    reason = (
        f"one source fits: {known:.2f} that one covers this, at least {limit:.2f} is needed, times {sure:.2f} that it is "
        "the first"
    )
    return Decision("answer", confidence, reason)


def asked_back(decision: Decision, sources: int) -> Decision:
    """The question back in place of an answer to one word that several sources are asked for with."""
    if decision.outcome != "answer" or sources < 2:
        return decision
    return Decision("ask_back", decision.confidence, f"one word, and {sources} sources are asked for with it")


def agreement(tops: Sequence[int]) -> float:
    """Share of the legs whose first hit is the commonest first hit."""
    return max(tops.count(top) for top in set(tops)) / len(tops) if tops else 0.0


def _matrix(cases: Sequence[Case], names: Sequence[str]) -> Matrix:
    rows = [[case.features.get(name, 0.0) for name in names] for case in cases]
    return np.asarray(rows, np.float64).reshape(len(cases), len(names))


def _logistic(features: Matrix, target: Flags, penalty: float = 0.01) -> Logistic:
    """Logistic regression with weights >= 0, both classes weighing the same as they occur."""
    from scipy.optimize import minimize

    mean, scale = features.mean(0), np.maximum(features.std(0), 1e-3)
    scaled = (features - mean) / scale

    def loss(values: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        weight, z = values[:-1], scaled @ values[:-1] + values[-1]
        off = 1.0 / (1.0 + np.exp(-z)) - target
        slope = np.append(scaled.T @ off / len(z) + 2 * penalty * weight, off.mean())
        return float(np.mean(np.logaddexp(0.0, z) - target * z) + penalty * weight @ weight), slope

    bounds = [(0.0, None)] * features.shape[1] + [(None, None)]
    found = minimize(loss, np.zeros(features.shape[1] + 1), jac=True, method="L-BFGS-B", bounds=bounds).x
    values = [tuple(round(float(value), 6) for value in part) for part in (mean, scale, found)]
    return Logistic(values[0], values[1], values[2][:-1], values[2][-1])


def _crossed(features: Matrix, target: Flags, folds: int = 5) -> NDArray[np.float64]:
    """Probability of each row by a model that did not see it; folds by position, so no chance is involved."""
    result = np.zeros(len(target))
    for fold in range(folds):
        held = np.arange(len(target)) % folds == fold
        if held.any():
            result[held] = _logistic(features[~held], target[~held])(features[held])
    return result
