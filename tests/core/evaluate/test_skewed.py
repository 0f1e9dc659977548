"""Figures of skewed classes against scikit-learn and a slow search."""

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score, roc_auc_score

from fieldtune.evaluate.skewed import auc, balance, balanced_accuracy, best_cut, mean_auc


@pytest.mark.parametrize("seed", range(5))
def test_they_are_scikit_learns(seed: int) -> None:
    rng = np.random.default_rng(seed)
    targets = np.concatenate([[0, 1, 2], rng.integers(0, 3, 40)])
    table = rng.dirichlet(np.ones(3), len(targets)).round(1)  # rounded: ties
    table /= table.sum(axis=1, keepdims=True)
    assert auc(targets == 1, table[:, 1]) == pytest.approx(roc_auc_score(targets == 1, table[:, 1]))
    assert mean_auc(targets, table) == pytest.approx(roc_auc_score(targets, table, multi_class="ovr"))
    given = rng.integers(0, 3, len(targets))
    assert balanced_accuracy(targets, given) == pytest.approx(balanced_accuracy_score(targets, given))


@pytest.mark.parametrize("seed", range(5))
def test_no_cut_is_better(seed: int) -> None:
    rng = np.random.default_rng(seed)
    truth = np.concatenate([[True, False], rng.random(60) < 0.8])
    scores = np.clip(truth * 0.3 + rng.normal(0.4, 0.2, len(truth)), 0, 1)
    every = [balanced_accuracy(truth, scores >= value) for value in np.linspace(0, 1, 2001)]
    assert balanced_accuracy(truth, scores >= best_cut(truth, scores)) >= max(every)


@pytest.mark.parametrize("seed", range(5))
def test_the_balance_of_every_cut_is_scikit_learns(seed: int) -> None:
    rng = np.random.default_rng(seed)
    yes, no = (rng.normal(mean, 0.3, 30).round(1).astype(np.float32) for mean in (0.6, 0.4))  # rounded: ties
    truth, cuts = np.repeat([True, False], 30), np.unique([*yes, *no])
    wanted = [balanced_accuracy_score(truth, np.concatenate([yes, no]) >= cut) for cut in cuts]
    np.testing.assert_allclose(balance(yes, no, cuts), wanted)


def test_one_class_gives_no_choice() -> None:
    assert best_cut([True, True], [0.1, 0.9]) == 0.5
    assert np.isnan(auc([True], [0.5]))
    assert np.isnan(mean_auc([-1, -1], [[0.5, 0.5], [0.1, 0.9]]))
