"""Differential privacy of a head: its accountant against opacus and against the definition, its gradient, its attack."""

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from opacus.accountants import PRVAccountant
from scipy.integrate import quad
from scipy.stats import norm
from sklearn.metrics import roc_auc_score

import fieldtune
from fieldtune.errors import ConfigError
from fieldtune.evaluate.privacy import membership_auc
from fieldtune.train import private


@pytest.mark.filterwarnings("ignore:Optimal order")  # of opacus' search for a first bound
@pytest.mark.parametrize("epsilon", [0.5, 1.0, 8.0])
def test_the_noise_keeps_what_opacus_says_it_keeps(epsilon: float) -> None:
    noise = private.noise_for(epsilon, 1e-5, steps=40)
    accountant = PRVAccountant()
    accountant.history = [(noise, 1 - 1e-12, 40)]  # it takes the logarithm of what is not sampled
    assert accountant.get_epsilon(delta=1e-5, eps_error=1e-3) == pytest.approx(epsilon, rel=0.01)


def test_delta_is_the_hockey_stick_divergence_of_two_gaussians() -> None:
    for epsilon, mu in ((0.5, 0.3), (1.0, 1.0), (3.0, 2.0)):
        found, _ = quad(
            lambda x, e=epsilon, m=mu: max(norm.pdf(x, m) - math.exp(e) * norm.pdf(x), 0.0), -12, 12, limit=200
        )
        assert private.delta_of(epsilon, mu) == pytest.approx(found, rel=1e-5)


def test_with_hardly_any_privacy_it_is_gradient_descent_on_clipped_rows() -> None:
    rng = np.random.default_rng(0)
    targets = rng.integers(0, 3, 300)
    vectors = np.eye(8)[targets] + 0.3 * rng.normal(size=(300, 8))
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    weight, bias = private.private_head(vectors, targets, 3, 100.0, 0.05, rng)
    assert ((vectors @ weight.T + bias).argmax(axis=1) == targets).mean() > 0.95
    strict, _ = private.private_head(vectors, targets, 3, 0.05, 1e-6, np.random.default_rng(1))
    again, _ = private.private_head(vectors, targets, 3, 0.05, 1e-6, np.random.default_rng(2))
    assert np.linalg.norm(strict - again) > 10 * np.linalg.norm(weight)  # nothing but noise is left


def test_membership_is_the_area_under_the_curve_of_the_losses() -> None:
    rng = np.random.default_rng(0)
    inside, outside = np.round(rng.normal(size=50), 1), np.round(rng.normal(0.5, size=70), 1)
    truth = np.concatenate([np.ones(50), np.zeros(70)])
    wanted = roc_auc_score(truth, -np.concatenate([inside, outside]))
    assert membership_auc(inside, outside) == pytest.approx(wanted)
    assert math.isnan(membership_auc([], [1.0]))


def test_a_private_head_is_trained_once_and_says_what_it_keeps(tiny_encoder: Path, tmp_path: Path) -> None:
    rows = [
        (f"{text} {end}", label) for text, label in (("my card", "card"), ("a refund", "refund")) for end in range(20)
    ]
    table = pd.DataFrame(rows, columns=["text", "label"])
    done = fieldtune.finetune(
        "text-classification", table, method="head", model=str(tiny_encoder), out=tmp_path / "a", progress=False,
        settings={"epsilon": 2, "delta": 1e-3},
    )  # fmt: skip
    assert done.metrics["privacy"] == {"epsilon": 2.0, "delta": 1e-3}
    assert 0 <= done.metrics["membership_auc"] <= 1
    assert fieldtune.load(done.path).card["rows"] == 36
    with pytest.raises(ConfigError, match=r"'epsilon'.*--method head"):
        fieldtune.finetune(
            "text-classification",
            table,
            model=str(tiny_encoder),
            out=tmp_path / "b",
            progress=False,
            settings={"epsilon": 2},
        )
