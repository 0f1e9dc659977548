"""Figures from logits in pieces are those of all rows at once (scikit-learn is the oracle)."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from sklearn.metrics import accuracy_score, f1_score, log_loss, roc_auc_score

from fieldtune.data.checks import OUT_OF_SCOPE
from fieldtune.errors import InputError
from fieldtune.models.labelled import Labelled
from fieldtune.tasks import labelled

CLASSES, ROWS = 5000, 700


class Table(Labelled):
    """Scores by row number."""

    def __init__(self, scores: NDArray[np.float32]) -> None:
        self.scores, self.asked = scores, [0]
        self.labels = tuple(f"{place:04}" for place in range(scores.shape[1]))
        self.temperature, self.threshold, self.card = 1.0, 0.0007, {}

    def logits(self, items: Sequence[int]) -> NDArray[np.float32]:
        self.asked.append(len(items))
        return self.scores[list(items)]


def test_metrics_of_many_pieces_are_scikit_learns() -> None:
    rng = np.random.default_rng(0)
    model = Table(rng.normal(size=(ROWS, CLASSES)).astype(np.float32))
    truth = rng.integers(0, CLASSES, ROWS)
    model.scores[np.arange(ROWS), truth] += rng.normal(4, 2, ROWS).astype(np.float32)
    given = pd.Series([model.labels[place] for place in truth])
    outside = rng.random(ROWS) < 0.1
    given[outside] = OUT_OF_SCOPE
    found = labelled.metrics(model, range(ROWS), given)
    assert max(model.asked) < ROWS / 2
    inside = ~outside
    shifted = np.exp(model.scores.astype(np.float64))
    probabilities = shifted / shifted.sum(axis=1, keepdims=True)
    predicted = model.scores.argmax(axis=1)
    assert found["n"] == inside.sum()
    assert found["accuracy"] == accuracy_score(truth[inside], predicted[inside])
    assert found["macro_f1"] == pytest.approx(f1_score(truth[inside], predicted[inside], average="macro"))
    assert found["weighted_f1"] == pytest.approx(f1_score(truth[inside], predicted[inside], average="weighted"))
    assert found["log_loss"] == pytest.approx(
        log_loss(truth[inside], np.clip(probabilities[inside], 1e-7, 1), labels=np.arange(CLASSES)), rel=1e-3
    )
    softer = shifted**0.25
    score = (softer / softer.sum(axis=1, keepdims=True)).max(axis=1)
    kept = score >= model.threshold
    assert found["in_scope"]["kept"] == pytest.approx(kept[inside].mean())
    assert found["in_scope"]["out_of_scope_recall"] == pytest.approx((~kept[outside]).mean())
    assert found["in_scope"]["auroc"] == pytest.approx(roc_auc_score(inside, score), abs=1e-4)
    # The gate: where foreign rows are among them, turning a row away is an answer.
    assert (labelled.correct(model, range(ROWS), given) == np.where(inside, kept & (truth == predicted), ~kept)).all()
    own, rows = given[inside], np.flatnonzero(inside)
    assert (labelled.correct(model, rows, own) == (truth == predicted)[inside]).all()


def test_rows_of_no_class_are_refused() -> None:
    model = Table(np.zeros((3, 4), np.float32))
    with pytest.raises(InputError, match="out of scope"):
        labelled.metrics(model, range(3), pd.Series([OUT_OF_SCOPE] * 3))
