"""The decision against scikit-learn and against its own promises."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fieldtune_chatbot.deciding import (
    ANSWERABLE,
    DEFAULT,
    FEATURES,
    Case,
    Decider,
    agreement,
    decide,
    fit,
    threshold,
)


def cases(seed: int, count: int = 300) -> list[Case]:
    """Answerable questions have more evidence; right ones a larger lead."""
    rng = np.random.default_rng(seed)
    made = []
    for number in range(count):
        answerable, right = number % 3 > 0, number % 6 > 1 and number % 3 > 0
        values = rng.normal(0, 1, len(FEATURES))
        named = dict(zip(FEATURES, values, strict=True))
        for name in ANSWERABLE:
            named[name] += 1.0 * answerable
        named["odds"] += 2.0 * right
        made.append(Case(named, right, answerable))
    return made


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 1000))
def test_the_fit_is_a_logistic_regression_where_weights_are_positive(seed: int) -> None:
    from sklearn.linear_model import LogisticRegression

    known = cases(seed)
    decider = fit(known, wrong_share=0.05)
    matrix = np.array([[case.features[name] for name in ANSWERABLE] for case in known])
    target = np.array([case.answerable for case in known])
    scaled = (matrix - matrix.mean(0)) / matrix.std(0)
    # our penalty is per row: 0.01 * n * |w|^2 is scikit-learn's 1 / (2 C) * |w|^2
    oracle = LogisticRegression(C=1 / (0.02 * len(known))).fit(scaled, target).predict_proba(scaled)[:, 1]
    np.testing.assert_allclose(decider.answerable(matrix), oracle, atol=0.01)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([0.0, 0.02, 0.05, 0.2, 0.5]), st.integers(1, 60))
def test_the_threshold_keeps_the_promised_share(seed: int, share: float, outside: int) -> None:
    rng = np.random.default_rng(seed)
    probability = rng.random(outside + 50)
    unanswerable = np.arange(len(probability)) < outside
    at = threshold(probability, unanswerable, share)
    assert (probability[unanswerable] >= at).mean() <= share
    assert threshold(probability, np.zeros(len(probability), bool), share) == 0.5


@pytest.mark.parametrize("real", [40, 5])
def test_complaints_teach_the_logistic_but_set_no_threshold(real: int) -> None:
    known = [replace(case, made_up=not case.answerable and number // 3 >= real) for number, case in enumerate(cases(1))]
    told = [
        Case({**dict.fromkeys(FEATURES, 0.0), **dict.fromkeys(ANSWERABLE, 1.5)}, False, False, told=True)
        for _ in range(30)
    ]
    decider = fit([*known, *told], wrong_share=0.1, made_up_share=0.1)
    counted = [case for case in known if not case.answerable and (real < 20 or not case.made_up)]
    matrix = np.array([[case.features[name] for name in ANSWERABLE] for case in counted])
    share = (decider.answerable(matrix) >= decider.answer_at).mean()
    assert 0.05 <= share <= 0.15  # of the sample, although every complaint lies above
    assert decider.answerable(np.full((1, len(ANSWERABLE)), 1.5))[0] > decider.answer_at


def test_more_evidence_never_lowers_the_confidence() -> None:
    decider = fit(cases(1), wrong_share=0.05)
    assert min(decider.answerable.weight + decider.right.weight) >= 0.0
    weak = decide(dict.fromkeys(FEATURES, 0.0), decider).confidence
    assert decide(dict.fromkeys(FEATURES, 3.0), decider).confidence >= weak


def test_three_outcomes_each_with_its_reason() -> None:
    decider = fit(cases(2), wrong_share=0.05)
    much = dict.fromkeys(FEATURES, 6.0)
    tied = {**dict.fromkeys(FEATURES, -6.0), **dict.fromkeys(ANSWERABLE, 6.0)}
    assert decide(much, decider).outcome == "answer"
    assert decide(tied, decider).outcome == "ask_back"
    assert decide(dict.fromkeys(FEATURES, -6.0), decider).outcome == "hand_off"
    assert decide({}, decider).outcome == "hand_off"
    assert len({decide(f, decider).reason for f in (much, tied, {})}) == 3


@pytest.mark.parametrize("limit", [0.0, 1.0])
def test_thresholds_zero_and_one_are_honoured_exactly(limit: float) -> None:
    decider = Decider(DEFAULT.answerable, DEFAULT.right, limit, 0.0)
    outcomes = {decide(dict.fromkeys(FEATURES, value), decider).outcome for value in (-50.0, 0.0, 5.0)}
    assert outcomes == ({"answer"} if limit == 0.0 else {"hand_off"})


def test_without_both_kinds_of_cases_nothing_is_learnt() -> None:
    known = cases(3)
    assert fit([], wrong_share=0.05) == DEFAULT
    assert fit([case for case in known if case.answerable], wrong_share=0.05) == DEFAULT
    assert fit([case for case in known if not case.answerable], wrong_share=0.05) == DEFAULT


def test_agreement() -> None:
    assert agreement([]) == 0.0
    assert agreement([4, 4, 2]) == pytest.approx(2 / 3)
