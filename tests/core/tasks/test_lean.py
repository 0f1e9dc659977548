"""The weights of classes teach rare ones; their lean comes off the probabilities, also of the model that is kept."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.special import softmax
from sklearn.metrics import log_loss

from fieldtune.data.split import crossed
from fieldtune.evaluate.calibration import fit_lean, fit_temperature
from fieldtune.models.trained import CARD, Classifier
from fieldtune.tasks import text_classification as task

SKEWED = pd.DataFrame(
    {
        "text": [f"the {'refund' if row % 6 == 0 else 'card'} case {row}" for row in range(120)],
        "label": ["rare" if row % 12 == 0 or row % 37 == 1 else "usual" for row in range(120)],
    }
)


def trained(encoder: Path, folder: Path, weights: str = "sqrt") -> Classifier:
    settings = task.DEFAULTS.updated({"max_steps": 3, "class_weights": weights})
    model = task.train(SKEWED, "full", str(encoder), settings, seed=0, folder=folder, show=False)
    if model.lean is not None:
        model.bias = model.bias + model.lean  # as it would be after many steps
    return model


def test_probabilities_are_those_of_unweighted_classes(tiny_encoder: Path, tmp_path: Path) -> None:
    model = trained(tiny_encoder, tmp_path / "run")
    counts = SKEWED["label"].value_counts().sort_index().to_numpy()
    np.testing.assert_allclose(np.diff(model.lean), np.diff(np.log(counts**-0.5)), rtol=1e-5)
    logits = model.logits(list(SKEWED["text"]))
    task.finish(model, SKEWED)
    found = log_loss(SKEWED["label"], model.probabilities(list(SKEWED["text"])))
    heats = np.geomspace(0.05, 20, 60)
    assert (
        found <= min(log_loss(SKEWED["label"], softmax(logits / heat, axis=1)) for heat in heats) + 2e-3
    )  # Platt's targets
    assert model.lean is None
    assert model.taken > 0


def of_noise(seed: int) -> tuple[Classifier, np.ndarray, pd.DataFrame]:
    """A model that leans by two logits, its scores, and labels that these tell nothing of."""
    rng = np.random.default_rng(seed)
    scores = rng.normal(size=(24, 2)).astype(np.float32)
    features: Any = lambda texts: scores[[int(text) for text in texts]]  # noqa: E731
    lean = np.array([1.0, -1.0], np.float32)
    model = Classifier(features, np.eye(2, dtype=np.float32), lean, ("a", "b"), lean=lean)
    return (
        model,
        scores + lean,
        pd.DataFrame({"text": list(map(str, range(24))), "label": rng.choice(["a", "b"], 24)}),
    )


def test_figures_of_noise_are_not_those_of_the_rows_that_the_lean_was_fitted_to() -> None:
    found, fitted, chance = [], [], []
    for seed in range(80):
        model, _, table = of_noise(seed)
        found.append(task.finish(model, table)["accuracy"])
        fitted.append(task.metrics(model, table)["accuracy"])
        chance.append(table["label"].value_counts(normalize=True).max())  # of whoever knows the shares alone
    gaps = np.subtract(fitted, found)
    assert gaps.mean() > 3 * gaps.std() / np.sqrt(80) and np.mean(found) < np.mean(chance)


def test_each_row_is_judged_without_the_lean_that_the_other_folds_tell() -> None:
    model, logits, table = of_noise(1)
    lean, right, chances = model.lean, np.searchsorted(["a", "b"], table["label"]), np.zeros((24, 2))
    for others, own in crossed(table["label"].tolist()):
        less = logits - fit_lean(logits[others], right[others], lean) * lean
        chances[own] = softmax(less[own].astype(float) / fit_temperature(less[others], right[others]), axis=1)
    assert task.finish(model, table)["log_loss"] == pytest.approx(log_loss(right, chances), rel=1e-4)


def test_the_model_of_all_rows_takes_off_as_much(tiny_encoder: Path, tmp_path: Path) -> None:
    measured, again = trained(tiny_encoder, tmp_path / "one"), trained(tiny_encoder, tmp_path / "two")
    task.finish(measured, SKEWED)
    task.adopt(again, measured)
    np.testing.assert_allclose(again.probabilities(["the card"]), measured.probabilities(["the card"]), rtol=1e-5)


def test_the_lean_is_kept_with_a_model_until_it_is_calibrated(tiny_encoder: Path, tmp_path: Path) -> None:
    model = trained(tiny_encoder, tmp_path / "run")
    model.card = {"task": "text-classification", "method": "full", "max_length": 32}
    for name in ("before", "after"):
        (tmp_path / name).mkdir()
        model.save(tmp_path / name)
        read = Classifier.load(
            tmp_path / name, model.card | pd.read_json(tmp_path / name / CARD, typ="series").to_dict()
        )
        assert (read.lean is None) == (name == "after")
        np.testing.assert_array_equal(read.bias, model.bias)
        task.finish(model, SKEWED)


@pytest.mark.parametrize("weights", ["none", "balanced", "rare=5"])
def test_weights_that_were_asked_for_keep_their_lean(tiny_encoder: Path, tmp_path: Path, weights: str) -> None:
    assert trained(tiny_encoder, tmp_path / "run", weights).lean is None


def test_a_frozen_encoder_leans_no_way(tiny_encoder: Path, tmp_path: Path) -> None:
    model = task.train(SKEWED, "head", str(tiny_encoder), task.DEFAULTS, seed=0, folder=tmp_path, show=False)
    assert model.lean is None
