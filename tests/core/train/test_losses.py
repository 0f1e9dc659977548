"""Losses of labels against plain torch, scikit-learn and formulas written out in numpy."""

import numpy as np
import pytest
import torch
from sklearn.utils.class_weight import compute_class_weight

from fieldtune.errors import ConfigError
from fieldtune.train.losses import binary_cross_entropy, class_weights, cross_entropy, positive_weights
from fieldtune.train.settings import Settings

RNG = np.random.default_rng(0)
LOGITS = RNG.normal(size=(40, 4)).astype(np.float32) * 2
TARGETS = RNG.integers(0, 4, 40)
WEIGHTS = np.asarray([0.5, 1.0, 2.0, 3.0], dtype=np.float32)
LABELS = ("a", "b", "c", "d")


def log_softmax(logits: np.ndarray) -> np.ndarray:
    shifted = logits - logits.max(axis=1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True)))


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_divided_by_its_items_it_is_the_mean_loss_of_torch(smoothing: float) -> None:
    logits, targets, weights = torch.from_numpy(LOGITS), torch.from_numpy(TARGETS), torch.from_numpy(WEIGHTS)
    ours = cross_entropy(logits, targets, weights, smoothing) / weights[targets].sum()
    theirs = torch.nn.CrossEntropyLoss(weight=weights, label_smoothing=smoothing)(logits, targets)
    assert ours.item() == pytest.approx(theirs.item(), rel=1e-6)


def test_a_loss_per_row_is_torchs_with_and_without_weights() -> None:
    logits, targets, weights = torch.from_numpy(LOGITS), torch.from_numpy(TARGETS), torch.from_numpy(WEIGHTS)
    for given in (weights, None):
        theirs = torch.nn.CrossEntropyLoss(weight=given, label_smoothing=0.1, reduction="none")(logits, targets)
        torch.testing.assert_close(cross_entropy(logits, targets, given, 0.1, reduction="none"), theirs, rtol=0, atol=0)


@pytest.mark.parametrize("gamma", [0.5, 2.0])
def test_focal_loss_is_the_papers_formula(gamma: float) -> None:
    logits, targets, weights = torch.from_numpy(LOGITS), torch.from_numpy(TARGETS), torch.from_numpy(WEIGHTS)
    chosen = log_softmax(LOGITS.astype(np.float64))[np.arange(40), TARGETS]
    formula = (-WEIGHTS[TARGETS] * (1 - np.exp(chosen)) ** gamma * chosen).sum()
    assert cross_entropy(logits, targets, weights, gamma=gamma).item() == pytest.approx(formula, rel=1e-5)


def test_focal_loss_of_a_row_that_is_surely_right_has_a_finite_gradient() -> None:
    logits = torch.tensor([[200.0, 0.0, 0.0, 0.0]], requires_grad=True)
    cross_entropy(logits, torch.tensor([0]), torch.ones(4), gamma=0.5).backward()
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()


@pytest.mark.parametrize(("gamma", "smoothing"), [(0.0, 0.0), (0.0, 0.1), (2.0, 0.0)])
def test_labels_that_are_questions_of_their_own(gamma: float, smoothing: float) -> None:
    truth = (RNG.random((40, 4)) < 0.3).astype(np.float32)
    likely = 1 / (1 + np.exp(-LOGITS.astype(np.float64)))
    wanted = truth * (1 - smoothing) + smoothing / 2
    plain = -(WEIGHTS * wanted * np.log(likely) + (1 - wanted) * np.log(1 - likely))
    formula = (plain * np.where(truth > 0, 1 - likely, likely) ** gamma).sum()
    found = binary_cross_entropy(
        torch.from_numpy(LOGITS), torch.from_numpy(truth), torch.from_numpy(WEIGHTS), smoothing, gamma
    )
    assert found.item() == pytest.approx(formula, rel=1e-5)


def test_balanced_weights_are_those_of_scikit_learn_and_their_mean_over_rows_is_one() -> None:
    theirs = compute_class_weight("balanced", classes=np.arange(4), y=TARGETS)
    for chosen, power in (("none", 0.0), ("sqrt", 0.5), ("balanced", 1.0)):
        found = class_weights(TARGETS, LABELS, chosen).numpy()
        np.testing.assert_allclose(found / found[0], (theirs / theirs[0]) ** power, rtol=1e-5)
        assert found[TARGETS].mean() == pytest.approx(1.0, rel=1e-5)
    named = class_weights(TARGETS, LABELS, "b=3, d = .5").numpy()
    np.testing.assert_allclose(named / named[0], [1, 3, 1, 0.5], rtol=1e-5)


def test_weights_of_labels_by_themselves() -> None:
    truth = np.asarray([[1, 0], [1, 0], [1, 1], [0, 0]], dtype=np.float32)
    np.testing.assert_allclose(positive_weights(truth, ("a", "b"), "balanced").numpy(), [1 / 3, 3.0])
    np.testing.assert_allclose(positive_weights(truth, ("a", "b"), "b=2").numpy(), [1.0, 2.0])


@pytest.mark.parametrize("text", ["cubic", "a=", "a=0", "a=-1", "a=inf", "a=1,b", "=", ""])
def test_weights_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="class_weights"):
        Settings().updated({"class_weights": text})


def test_a_weight_for_a_label_that_is_not_there_is_refused() -> None:
    with pytest.raises(ConfigError, match="'spam'"):
        class_weights(TARGETS, LABELS, "spam=3")
