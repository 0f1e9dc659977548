"""significance: against scipy's bootstrap and the normal interval."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from fieldtune.errors import InputError
from fieldtune.evaluate.significance import bootstrap, chance_of_gain, paired_bootstrap


def test_agrees_with_scipy() -> None:
    values = np.random.default_rng(0).exponential(size=200)
    ours = bootstrap(values, np.random.default_rng(1), draws=5000)
    theirs = stats.bootstrap(
        (values,), np.mean, n_resamples=5000, method="percentile", rng=np.random.default_rng(2)
    ).confidence_interval
    assert ours.low == pytest.approx(theirs.low, abs=0.02)
    assert ours.high == pytest.approx(theirs.high, abs=0.02)


def test_covers_the_truth_about_95_times_in_100() -> None:
    rng = np.random.default_rng(3)
    intervals = [bootstrap(rng.normal(size=100), rng, draws=400) for _ in range(300)]
    covered = sum(i.low <= 0 <= i.high for i in intervals) / 300
    assert 0.91 <= covered <= 0.98


def test_pairing_sees_what_independent_samples_hide() -> None:
    rng = np.random.default_rng(4)
    hard = rng.normal(scale=10, size=500)
    better = paired_bootstrap(hard + 0.1 + rng.normal(scale=0.1, size=500), hard, rng)
    assert 0 < better.low < better.mean < better.high < 0.2


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=30))
def test_mean_lies_within_the_values(values: list[float]) -> None:
    found = bootstrap(values, np.random.default_rng(5), draws=50)
    assert found.low <= found.high
    assert min(values) - 1e-6 <= found.low and found.high <= max(values) + 1e-6


def test_a_draw_of_many_rows_is_chunked_and_still_repeats() -> None:
    values = np.random.default_rng(6).normal(size=3_000_000)
    first, second = (bootstrap(values, np.random.default_rng(7), draws=3) for _ in range(2))
    assert first == second


@pytest.mark.parametrize(("a", "b"), [([], []), ([1.0, 2.0], [1.0]), ([float("nan")], [0.0])])
def test_refuses(a: list[float], b: list[float]) -> None:
    with pytest.raises(InputError):
        paired_bootstrap(a, b, np.random.default_rng(0))


@pytest.mark.parametrize(("wins", "losses"), [(4, 0), (6, 0), (9, 2), (40, 20)])
def test_of_rows_right_or_wrong_the_permutation_test_is_the_sign_test(wins: int, losses: int) -> None:
    a, b = np.zeros(200), np.zeros(200)
    a[:wins], b[wins : wins + losses] = 1, 1
    exact = stats.binomtest(wins, wins + losses, alternative="greater").pvalue
    assert chance_of_gain(a, b, np.random.default_rng(8)) == pytest.approx(exact, abs=0.005)


def test_equal_rows_are_no_gain() -> None:
    assert chance_of_gain([0.5, 0.5], [0.5, 0.5], np.random.default_rng(9)) == 1
