"""Figures of numbers against scikit-learn and scipy; the interval holds what it promises on new rows."""

import math

import numpy as np
import pytest
from scipy.stats import pearsonr, spearmanr
from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error

from fieldtune.errors import InputError
from fieldtune.evaluate.figures import brief
from fieldtune.evaluate.regression import conformal_width, report
from fieldtune.models.card import outdone


@pytest.mark.parametrize("seed", range(5))
def test_figures_are_those_of_scikit_learn_and_scipy(seed: int) -> None:
    rng = np.random.default_rng(seed)
    truth = rng.normal(size=50).round(1)  # rounded, so that ranks tie
    told = truth + rng.normal(size=50)
    found = report(truth, told)
    assert found["mae"] == pytest.approx(mean_absolute_error(truth, told))
    assert found["rmse"] == pytest.approx(root_mean_squared_error(truth, told))
    assert found["r2"] == pytest.approx(r2_score(truth, told))
    assert found["pearson"] == pytest.approx(pearsonr(truth, told).statistic)
    assert found["spearman"] == pytest.approx(spearmanr(truth, told).statistic)
    assert found["n"] == 50


def test_what_is_undefined_is_nan_and_no_warning() -> None:
    found = report([1.0, 1.0], [2.0, 3.0])
    assert all(math.isnan(found[name]) for name in ("r2", "pearson", "spearman"))
    assert found["mae"] == 1.5
    with pytest.raises(InputError):
        report([], [])


@pytest.mark.parametrize("n", [9, 30, 200])
def test_the_interval_holds_what_it_promises(n: int) -> None:
    rng = np.random.default_rng(n)
    held = [
        (np.abs(rng.standard_cauchy(50)) <= conformal_width(rng.standard_cauchy(n), 0.9)).mean() for _ in range(2000)
    ]
    error = np.std(held) / np.sqrt(len(held))
    assert np.mean(held) >= 0.9 - 4 * error
    assert np.mean(held) <= 0.9 + 1 / (n + 1) + 4 * error  # and is no wider than it must be


def test_too_few_rows_promise_nothing() -> None:
    assert conformal_width(np.ones(8), 0.9) == math.inf
    assert conformal_width([-1.0] * 8 + [-3.0], 0.9) == 3.0


def test_a_very_large_figure_is_its_first_digits() -> None:
    assert [brief(value) for value in (0.12345, -1.5, 123456.7)] == ["0.123", "-1.500", "123456.700"]
    assert [brief(value, 4) for value in (0.12345, -6.1e56)] == ["0.1235", "-6.1e+56"]
    assert [brief(value, sign="+") for value in (0.5, 2e9)] == ["+0.500", "+2e+09"]
    assert "r2 0.100 against -6e+56:" in outdone("head", {"r2": -6e56, "rivals": {"linear": {"r2": 0.1}}}, "r2")
