"""Figures of sets of labels against scikit-learn; thresholds against trying every one."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, f1_score, precision_recall_fscore_support

from fieldtune.errors import InputError
from fieldtune.evaluate.multilabel import best_thresholds, indicators, report, row_f1

NAMES = ("a", "b", "c")
ROWS = st.lists(st.tuples(st.sets(st.sampled_from(NAMES)), st.sets(st.sampled_from(NAMES))), min_size=1, max_size=30)


@given(ROWS)
def test_figures_are_those_of_scikit_learn(rows: list[tuple[set[str], set[str]]]) -> None:
    truth, told = [row[0] for row in rows], [row[1] for row in rows]
    found = report(truth, told, NAMES)
    true, guess = indicators(truth, NAMES), indicators(told, NAMES)
    for average in ("micro", "macro", "weighted"):
        assert found[f"{average}_f1"] == pytest.approx(f1_score(true, guess, average=average, zero_division=0))
    assert found["subset_accuracy"] == pytest.approx(accuracy_score(true, guess))
    theirs = precision_recall_fscore_support(true, guess, zero_division=0)
    for place, name in enumerate(NAMES):
        own = found["per_class"][name]
        assert [own["precision"], own["recall"], own["f1"], own["support"]] == pytest.approx([v[place] for v in theirs])
    np.testing.assert_allclose(row_f1(truth, told), f1_score_of_rows(true, guess))


def f1_score_of_rows(true: np.ndarray, guess: np.ndarray) -> list[float]:
    """scikit-learn's sample F1, row by row; it calls two empty rows 0 unless told otherwise."""
    return [f1_score(true[[row]], guess[[row]], average="samples", zero_division=1) for row in range(len(true))]


def test_a_label_that_training_never_saw_counts_as_missed() -> None:
    found = report([{"a", "new"}, {"a"}], [{"a"}, {"a"}], ("a",))
    assert found["per_class"]["new"] == {"precision": 0.0, "recall": 0.0, "f1": 0.0, "support": 1}
    assert found["micro_f1"] == pytest.approx(4 / 5)
    assert found["subset_accuracy"] == 0.5


def test_rows_that_do_not_fit_are_refused() -> None:
    with pytest.raises(InputError):
        report([], [], NAMES)
    with pytest.raises(InputError):
        report([{"a"}], [], NAMES)


@given(st.lists(st.tuples(st.integers(0, 8), st.booleans()), min_size=3, max_size=25))
def test_a_threshold_gives_the_best_f1_that_any_gives(rows: list[tuple[int, bool]]) -> None:
    scores = np.asarray([[row[0] / 8] for row in rows], dtype=np.float32)
    truth = np.asarray([[row[1]] for row in rows], dtype=np.float32)
    chosen = best_thresholds(scores, truth, truth.sum(axis=0) >= 2)[0]
    if truth.sum() < 2:
        assert chosen == 0.5
        return
    tried = [f1_score(truth[:, 0], scores[:, 0] >= value, zero_division=0) for value in np.unique(scores)]
    assert f1_score(truth[:, 0], scores[:, 0] >= chosen, zero_division=0) == pytest.approx(max(tried))
