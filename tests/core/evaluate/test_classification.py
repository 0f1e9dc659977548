"""classification: against scikit-learn."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import confusion_matrix, f1_score, log_loss, precision_recall_fscore_support

from fieldtune.errors import InputError
from fieldtune.evaluate.classification import confusion, report

CLASSES = ("a", "b", "c", "d")


@given(st.integers(1, 40), st.integers(0, 2**32 - 1), st.integers(1, 4))
def test_figures_are_scikit_learns(n: int, seed: int, used: int) -> None:
    """With `used` < 4 some classes are absent from the labels."""
    rng = np.random.default_rng(seed)
    labels = rng.choice(CLASSES[:used], n).tolist()
    probabilities = rng.dirichlet(np.ones(4), n)
    predicted = [CLASSES[i] for i in probabilities.argmax(axis=1)]
    ours = report(labels, predicted, probabilities, CLASSES)
    assert ours["accuracy"] == pytest.approx(np.mean([a == b for a, b in zip(labels, predicted, strict=True)]))
    for average in ("macro", "weighted"):
        theirs = f1_score(labels, predicted, average=average, zero_division=0)
        assert ours[f"{average}_f1"] == pytest.approx(theirs)
    assert ours["log_loss"] == pytest.approx(log_loss(labels, probabilities, labels=CLASSES), rel=1e-6)
    table = np.array(precision_recall_fscore_support(labels, predicted, labels=CLASSES, zero_division=0)).T
    surest = np.argsort(-probabilities.max(axis=1))
    wrong = [sum(labels[row] != predicted[row] for row in surest[:answered]) / answered for answered in range(1, n + 1)]
    assert ours["aurc"] == pytest.approx(np.mean(wrong))
    for name, row in zip(CLASSES, table, strict=True):
        np.testing.assert_allclose(list(ours["per_class"][name].values()), row)
    np.testing.assert_array_equal(
        confusion(labels, predicted, CLASSES), confusion_matrix(labels, predicted, labels=CLASSES)
    )


def test_surely_wrong_and_unknown_labels_cost_a_finite_loss() -> None:
    ours = report(["a", "new"], ["b", "b"], [[0.0, 1.0], [0.0, 1.0]], ["a", "b"])
    assert ours["log_loss"] == pytest.approx(16.118, abs=1e-3)
    assert ours["per_class"]["new"]["support"] == 1
    assert ours["ece"] == pytest.approx(1.0)


def test_a_rejected_row_is_wrong() -> None:
    ours = report(["a", "a"], ["a", "oos"], [[0.9, 0.1], [0.6, 0.4]], ["a", "b"])
    assert ours["accuracy"] == 0.5
    assert ours["ece"] == pytest.approx((0.1 + 0.6) / 2)


def test_refuses() -> None:
    with pytest.raises(InputError):
        report([], [], np.zeros((0, 2)), ["a", "b"])
    with pytest.raises(InputError):
        report(["a"], ["a"], [[1.0]], ["a", "b"])
