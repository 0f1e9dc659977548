"""calibration: against scipy, a plain loop, and samples of known temperature."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import optimize, special
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss

from fieldtune.errors import InputError
from fieldtune.evaluate.calibration import (
    area_under_risk_coverage,
    expected_calibration_error,
    fit_lean,
    fit_temperature,
    reliability,
    risk_coverage,
    softmax,
    threshold_keeping,
)

ROWS = st.integers(1, 60).flatmap(lambda n: st.tuples(arrays(float, n, elements=st.floats(0, 1)), arrays(bool, n)))


@given(arrays(float, (3, 4), elements=st.floats(-800, 800)), st.floats(0.1, 10))
def test_softmax_is_scipys(logits: np.ndarray, temperature: float) -> None:
    np.testing.assert_allclose(softmax(logits, temperature), special.softmax(logits / temperature, axis=1))


@pytest.mark.parametrize("truth", [0.3, 1.0, 4.0])
def test_temperature_is_found_again(truth: float) -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(scale=2.0, size=(8000, 5))
    targets = np.array([rng.choice(5, p=p) for p in softmax(logits)])
    assert fit_temperature(logits * truth, targets) == pytest.approx(truth, rel=0.08)


def test_temperature_is_the_minimum_of_scikit_learns_log_loss() -> None:
    rng = np.random.default_rng(1)
    targets = rng.integers(0, 3, 300)
    logits = rng.normal(size=(300, 3)) * 4 + 3 * np.eye(3)[targets]
    best = fit_temperature(logits, targets)
    losses = [log_loss(targets, softmax(logits, best * factor)) for factor in (0.97, 1.0, 1.03)]
    assert losses[1] == min(losses)


def test_rows_that_are_all_right_do_not_make_a_model_sure_of_everything() -> None:
    rng = np.random.default_rng(2)
    targets = rng.integers(0, 3, 45)
    logits = rng.normal(size=(45, 3)) * 0.1 + 2 * np.eye(3)[targets]
    best = fit_temperature(logits, targets)
    soft = np.where(np.eye(3)[targets] == 1, 46 / 47, 1 / 47 / 2)
    losses = [-(soft * special.log_softmax(logits / (best * factor), axis=1)).sum() for factor in (0.97, 1.0, 1.03)]
    assert losses[1] == min(losses)
    assert softmax(logits, best).max(axis=1).mean() == pytest.approx(46 / 47, abs=0.01)


@given(ROWS)
def test_ece_is_the_plain_loop(rows: tuple[np.ndarray, np.ndarray]) -> None:
    confidence, correct = rows
    expected, edges = 0.0, np.linspace(0, 1, 16)
    for i in range(15):
        inside = (confidence > edges[i]) & (confidence <= edges[i + 1])
        if i == 0:
            inside |= confidence == 0
        if inside.any():
            expected += inside.mean() * abs(confidence[inside].mean() - correct[inside].mean())
    assert expected_calibration_error(confidence, correct) == pytest.approx(expected, abs=1e-12)


def test_ece_by_hand() -> None:
    """Guo et al.: 4 rows at .9, three right: gap .15; 1 row at .5, right: gap .5."""
    assert expected_calibration_error([0.9] * 4 + [0.5], [1, 1, 1, 0, 1]) == pytest.approx(0.8 * 0.15 + 0.2 * 0.5)
    assert reliability([0.9], [True])[0].sum() == 1
    assert np.isnan(expected_calibration_error([], []))


@given(st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=50), st.floats(0.01, 1))
def test_threshold_keeps_the_share_and_no_higher_one_does(scores: list[float], share: float) -> None:
    threshold = threshold_keeping(scores, share)
    kept = sum(score >= threshold for score in scores)
    assert kept >= share * len(scores) - 1e-6
    above = sum(score > threshold for score in scores)
    assert above < share * len(scores)


def test_threshold_survives_floating_point() -> None:
    assert threshold_keeping(list(range(20)), 0.95) == 1.0


@given(ROWS)
def test_risk_coverage_ends_at_the_error_rate(rows: tuple[np.ndarray, np.ndarray]) -> None:
    confidence, correct = rows
    coverage, risk = risk_coverage(confidence, correct)
    assert coverage[-1] == 1.0
    assert risk[-1] == pytest.approx(1 - correct.mean())
    assert (np.diff(coverage) > 0).all()
    assert len(coverage) == len(np.unique(confidence))
    for threshold, share, wrong in zip(np.unique(confidence)[::-1], coverage, risk, strict=True):
        answered = confidence >= threshold
        assert share == pytest.approx(answered.mean())
        assert wrong == pytest.approx(1 - correct[answered].mean())


def test_area_is_lower_for_the_better_order() -> None:
    correct = [True] * 8 + [False] * 2
    good, bad = np.arange(10)[::-1] / 10, np.arange(10) / 10
    assert area_under_risk_coverage(good, correct) < area_under_risk_coverage(bad, correct)


def test_refuses() -> None:
    with pytest.raises(InputError):
        threshold_keeping([], 0.9)
    with pytest.raises(InputError):
        threshold_keeping([0.5], 0.0)
    with pytest.raises(InputError):
        fit_temperature([[0.0, 1.0]], [2])
    with pytest.raises(InputError):
        fit_temperature(np.zeros((0, 2)), [])


def test_the_lean_of_weighted_classes_comes_off() -> None:
    """scikit-learn with weighted classes, its lean taken off, against scikit-learn without weights."""
    rng = np.random.default_rng(0)
    targets = rng.choice(3, 4000, p=[0.75, 0.2, 0.05])
    points = rng.normal(size=(4000, 4)) + np.eye(3, 4)[targets] * 1.5
    weights = (1 / np.bincount(targets)) ** 0.5
    learnt, apart = slice(0, 3000), slice(3000, None)
    fair = LogisticRegression(C=1e6).fit(points[learnt], targets[learnt])
    leaning = LogisticRegression(C=1e6, class_weight=dict(enumerate(weights / weights.min())))
    logits = leaning.fit(points[learnt], targets[learnt]).decision_function(points[apart]) * 3
    share = fit_lean(logits, targets[apart], np.log(weights))
    straight = logits - share * np.log(weights)
    found = log_loss(targets[apart], softmax(straight, fit_temperature(straight, targets[apart])))
    wanted = log_loss(targets[apart], fair.predict_proba(points[apart]))
    before = log_loss(targets[apart], softmax(logits, fit_temperature(logits, targets[apart])))
    assert share == pytest.approx(3, abs=1)
    assert found < wanted + 0.003 < before
    best = optimize.brute(
        lambda at: log_loss(targets[apart], softmax(logits * at[0] - at[1] * np.log(weights))),
        ((0.1, 1.0), (0.0, 1.0)), Ns=12, finish=None,
    )  # fmt: skip
    assert found <= log_loss(targets[apart], softmax(logits * best[0] - best[1] * np.log(weights))) + 1e-4


def test_the_whole_lean_is_the_most_that_comes_off_and_of_an_even_one_nothing() -> None:
    rng = np.random.default_rng(1)
    targets = rng.choice(2, 500, p=[0.95, 0.05])
    logits, lean = rng.normal(size=(500, 2)) + np.eye(2)[targets], np.array([-0.4, 0.4])
    whole = optimize.minimize_scalar(
        lambda hot: log_loss(targets, softmax(logits / hot - lean)), bounds=(0.1, 10), method="bounded"
    )
    assert fit_lean(logits, targets, lean) == pytest.approx(whole.x, rel=1e-2)
    assert fit_lean(logits, targets, [0.0, 0.0]) == 0
