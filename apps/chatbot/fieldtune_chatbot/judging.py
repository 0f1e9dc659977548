"""How good a bot is on questions with known sources: the figures of ``chatbot evaluate``. Pure.

Knows rankings, outcomes and citations; not how they came about.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fieldtune.evaluate.ranking import per_query
from fieldtune.text.ngrams import lexical_tokens
from fieldtune_chatbot.records import Answer, KnownQuestion

RIGHT_F1 = 0.5
"""Without a named document, an answer is right when its token F1 with the known one reaches this."""


@dataclass(frozen=True)
class Asked:
    """One question, the ids of the sources found (best first, before any abstention), and the reply."""

    known: KnownQuestion
    ranked: tuple[str, ...]
    answer: Answer
    relevant: frozenset[str]


def report(asked: Sequence[Asked]) -> dict[str, Any]:
    """All figures, then the same per language under ``languages``."""
    figures = _figures(asked)
    spoken = sorted({row.known.language for row in asked})
    return {**figures, "languages": {name: _figures([r for r in asked if r.known.language == name]) for name in spoken}}


def is_right(known: KnownQuestion, answer: Answer) -> bool:
    """Does the first citation name the right document, or (none named) does the answer say the known one?"""
    if known.document:
        return bool(answer.citations) and answer.citations[0].document == known.document
    return bool(known.answer) and token_f1(answer.answer, known.answer) >= RIGHT_F1


def token_f1(said: str, known: str) -> float:
    """Harmonic mean of precision and recall over the two bags of tokens (SQuAD's measure, both languages)."""
    one, other = Counter(lexical_tokens(said)), Counter(lexical_tokens(known))
    common = sum((one & other).values())
    return 2 * common / (sum(one.values()) + sum(other.values())) if common else 0.0


def _figures(asked: Sequence[Asked]) -> dict[str, Any]:
    answerable = [row for row in asked if row.known.answerable]
    outside = [row for row in asked if not row.known.answerable]
    answered = [row for row in answerable if row.answer.outcome == "answer"]
    right = [row for row in answered if is_right(row.known, row.answer)]
    judged = [row for row in answerable if row.relevant]
    ranks = per_query([row.ranked for row in judged], [row.relevant for row in judged]) if judged else {}
    times = [row.answer.milliseconds for row in asked]
    return {
        **{name: _mean(ranks.get(name, ())) for name in ("recall@1", "recall@5", "mrr@10")},
        "coverage": _share(len(answered), len(answerable)),
        "answered_wrong": _share(len(answered) - len(right), len(answered)),
        "unanswerable_answered": _share(sum(row.answer.outcome == "answer" for row in outside), len(outside)),
        "correct_first": _share(len(right), len(answerable)),
        "p50_ms": round(float(np.percentile(times, 50)), 2) if times else None,
        "p95_ms": round(float(np.percentile(times, 95)), 2) if times else None,
        "n": len(asked),
        "n_answerable": len(answerable),
    }


def _share(part: int, whole: int) -> float | None:
    """None where there is nothing to take a share of: JSON has no NaN."""
    return round(part / whole, 6) if whole else None


def _mean(values: Any) -> float | None:
    return round(float(np.mean(values)), 6) if len(values) else None
