"""Figures of rows that fitted what judges them: on noise they are no better than chance, and as a loop by hand has them."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import balanced_accuracy_score, f1_score, log_loss, precision_recall_curve
from torch import nn

from fieldtune.data.split import FOLDS, crossed, rarest
from fieldtune.errors import InputError
from fieldtune.evaluate.calibration import fit_temperature, softmax
from fieldtune.models.image_classifier import ImageClassifier
from fieldtune.models.labelled import Labelled
from fieldtune.models.multi_label import MultiLabelClassifier
from fieldtune.tasks import image_classification, labelled
from fieldtune.tasks import multi_label_classification as multi

NAMES = ("a", "b", "c", "d", "e", "f")


def multi_label(scores: np.ndarray) -> MultiLabelClassifier:
    """A model of texts that are numbers of rows of scores."""
    width = scores.shape[1]
    features: Any = lambda texts: scores[[int(text) for text in texts]]  # noqa: E731
    return MultiLabelClassifier(features, np.eye(width), np.zeros(width), NAMES[:width], np.full(width, 0.5))


def noise(rng: np.random.Generator, rows: int) -> tuple[np.ndarray, np.ndarray, pd.DataFrame]:
    scores, truth = rng.normal(size=(rows, 6)).astype(np.float32), rng.random((rows, 6)) < 0.1
    labels = ["|".join(np.array(NAMES)[row]) for row in truth]
    return scores, truth, pd.DataFrame({"text": list(map(str, range(rows))), "label": labels})


def test_figures_of_labels_that_nothing_tells_are_those_of_new_rows() -> None:
    gaps, flattered = [], []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        scores, truth, table = noise(rng, 100)
        model = multi_label(scores)
        found = multi.finish(model, table)
        again, other, _ = noise(rng, 4000)
        new = f1_score(other, again >= np.log(model.thresholds / (1 - model.thresholds)), average="micro")
        same = f1_score(truth, scores >= np.log(model.thresholds / (1 - model.thresholds)), average="micro")
        gaps.append(found["micro_f1"] - new)
        flattered.append(same - new)
        assert found["folds"] == FOLDS
    error = np.std(gaps) / np.sqrt(len(gaps))
    assert np.mean(flattered) > 0.03 and np.mean(gaps) < 3 * error


def test_each_row_is_judged_by_thresholds_of_the_other_folds() -> None:
    scores, truth, table = noise(np.random.default_rng(3), 200)
    told = np.zeros_like(truth)
    chances = multi_label(scores).probabilities(table["text"].tolist())
    for others, own in crossed(rarest([set(label.split("|")) - {""} for label in table["label"]])):
        assert not set(others) & set(own) and len(others) + len(own) == 200
        for label in range(6):
            precision, recall, cuts = precision_recall_curve(truth[others, label], chances[others, label])
            best = int(np.argmax(2 * precision[:-1] * recall[:-1] / np.maximum(precision[:-1] + recall[:-1], 1e-9)))
            below = max((value for value in chances[others, label] if value < cuts[best]), default=0.0)
            told[own, label] = chances[own, label] >= (cuts[best] + below) / 2
    assert multi.finish(multi_label(scores), table)["micro_f1"] == pytest.approx(f1_score(truth, told, average="micro"))


def test_a_label_on_the_least_rows_is_judged_by_thresholds_that_were_fitted_too() -> None:
    table = pd.DataFrame({"text": list(map(str, range(40))), "label": ["a"] * 5 + [""] * 35})
    scores = np.where(table["label"] == "a", -2.0, -6.0).astype(np.float32)[:, None]  # all below one half
    assert multi.finish(multi_label(scores), table)["micro_f1"] == 1.0


class Given(Labelled):
    """A model that knows the logits of rows by their numbers."""

    def __init__(self, scores: np.ndarray, labels: tuple[str, ...]) -> None:
        self.scores, self.labels, self.temperature, self.threshold = scores, labels, 1.0, 0.0

    def logits(self, items: Any) -> Any:
        return self.scores[list(items)]


def rows_of(rng: np.random.Generator, rows: int, classes: int, signal: float) -> tuple[np.ndarray, pd.Series]:
    targets = rng.integers(classes, size=rows)
    scores = rng.normal(size=(rows, classes)) + signal * np.eye(classes)[targets]
    return (3 * scores).astype(np.float32), pd.Series(np.array(NAMES)[targets])


def test_temperature_and_scope_are_those_of_the_other_folds() -> None:
    scores, given = rows_of(np.random.default_rng(0), 90, 3, 1.0)
    model = Given(scores, NAMES[:3])
    found = labelled.finish(model, range(90), given)
    targets = np.searchsorted(NAMES[:3], given)
    chances, kept = np.zeros((90, 3)), np.zeros(90, dtype=bool)
    for others, own in crossed(given.tolist()):
        heat = fit_temperature(scores[others], targets[others])
        chances[own] = softmax(scores[own], heat)
        sure = np.sort(softmax(scores[others], 4 * heat).max(axis=1))[::-1]
        kept[own] = softmax(scores[own], 4 * heat).max(axis=1) >= sure[int(np.ceil(0.95 * len(others) - 1e-9)) - 1]
    assert found["log_loss"] == pytest.approx(log_loss(targets, chances), rel=1e-4)
    assert found["in_scope"]["kept"] == pytest.approx(kept.mean(), abs=0.012)
    assert found["folds"] == FOLDS and model.temperature == fit_temperature(scores, targets)
    assert found["in_scope"]["threshold"] == model.threshold
    assert labelled.metrics(model, range(90), given)["in_scope"]["kept"] == pytest.approx(0.956, abs=0.002)


def test_one_row_is_measured_and_foreign_rows_are_refused() -> None:
    scores, given = rows_of(np.random.default_rng(0), 1, 3, 1.0)
    assert "folds" not in labelled.finish(Given(scores, NAMES[:3]), range(1), given)
    scores, given = rows_of(np.random.default_rng(0), 9, 3, 1.0)
    with pytest.raises(InputError, match="rows of a class; found 9 rows, all out of scope"):
        labelled.finish(Given(scores, NAMES[:3]), range(9), given.map(lambda _: "oos"))


@pytest.mark.parametrize("rows", [19, 20, 22, 24])
def test_few_rows_are_judged_by_temperatures_as_the_model_that_is_kept(rows: int) -> None:
    targets = np.array([0] * (rows - 7) + [1] * 7)
    scores = 0.1 * np.eye(2)[targets].astype(np.float32)  # always right, and hardly sure of it
    model = Given(scores, NAMES[:2])
    found = labelled.finish(model, range(rows), pd.Series(np.array(NAMES)[targets]))
    confidence = softmax(scores, model.temperature).max(axis=1)
    assert (model.temperature != 1.0) == (rows >= labelled.CALIBRATION_ROWS)
    assert found["ece"] == pytest.approx(1 - confidence.mean(), abs=0.03)


def picture_figures(scores: np.ndarray, given: pd.Series, act: Callable[..., Any]) -> tuple[Any, ImageClassifier]:
    model = ImageClassifier(nn.Identity(), {}, NAMES[:2])
    model.logits = lambda items: scores[list(items)]  # type: ignore[method-assign]
    return act(model, pd.DataFrame({"image": range(len(given)), "label": given})), model


@pytest.mark.parametrize(("rows", "stays"), [(19, True), (20, False)])
def test_few_pictures_choose_no_cut(rows: int, stays: bool) -> None:
    given = pd.Series(["a"] * 15 + ["b"] * (rows - 15))
    scores = np.stack([np.full(rows, 2.0), np.where(given == "b", 1.0, 0.0)], axis=1).astype(np.float32)
    _, model = picture_figures(scores, given, image_classification.finish)
    assert (model.cut == 0.5) == stays
    table = pd.DataFrame({"image": range(rows), "label": given})
    assert any("one of two labels" in one for one in image_classification.uncalibrated(model, table)) == stays


def test_the_cut_of_two_classes_that_nothing_tells_is_no_better_than_chance() -> None:
    found, same = [], []
    for seed in range(60):
        scores, given = rows_of(np.random.default_rng(seed), 60, 2, 0.0)
        figures, model = picture_figures(scores, given, image_classification.finish)
        found.append(figures["balanced_accuracy"])
        decided = model.decide(softmax(scores, model.temperature))
        same.append(balanced_accuracy_score(given == "b", decided))
        assert figures["cut"] == model.cut and figures["folds"] == FOLDS
    assert np.mean(same) > 0.55 and np.mean(found) < 0.5 + 3 * np.std(found) / np.sqrt(len(found))
