"""The gate: only what is surely better ships, and no gain on one kind of item pays for a loss on another."""

import numpy as np
import pytest

from fieldtune import gate
from fieldtune.errors import InputError


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def scores(mean: float, n: int = 400) -> np.ndarray:
    return (np.arange(n) < mean * n).astype(float)


def test_without_an_incumbent_the_best_ships_and_the_simplest_wins_a_tie() -> None:
    verdict = gate.decide({"plain": scores(0.8), "frozen": scores(0.8), "tuned": scores(0.7)}, rng())
    assert (verdict.promoted, verdict.winner) == (True, "plain")


def test_an_incumbent_is_replaced_only_when_the_interval_of_the_gain_is_above_zero() -> None:
    better = gate.decide({"incumbent": scores(0.7), "tuned": scores(0.8)}, rng(), "incumbent")
    assert (better.promoted, better.winner) == (True, "tuned")
    hardly = gate.decide({"incumbent": scores(0.7), "tuned": scores(0.7025)}, rng(), "incumbent")
    assert (hardly.promoted, hardly.winner) == (False, "incumbent")
    assert "not surely better" in hardly.reason
    worse = gate.decide({"incumbent": scores(0.7), "tuned": scores(0.6)}, rng(), "incumbent")
    assert (worse.promoted, worse.winner) == (False, "incumbent")


def test_a_gain_on_one_kind_of_item_does_not_pay_for_a_loss_on_another() -> None:
    asked, new = np.repeat([True, False], 200), np.repeat([False, True], 200)
    parts = {"questions asked before": asked, "new questions": new, "nothing": np.zeros(400, bool)}
    serving = np.concatenate([scores(0.6, 200), scores(0.6, 200)])
    tilted = np.concatenate([scores(0.9, 200), scores(0.5, 200)])
    even = np.concatenate([scores(0.7, 200), scores(0.6, 200)])
    verdict = gate.decide({"incumbent": serving, "tilted": tilted}, rng(), "incumbent", parts)
    assert (verdict.promoted, verdict.winner) == (False, "incumbent")
    assert "worse on new questions (0.5000 against 0.6000)" in verdict.reason
    luck = np.concatenate([scores(0.9, 200), scores(0.595, 200)])
    assert gate.decide({"incumbent": serving, "luck": luck}, rng(), "incumbent", parts).promoted
    thin = np.concatenate([scores(0.66, 200), scores(0.6, 200)])  # surely better on one kind, hardly on all together
    mixed = gate.decide({"incumbent": serving, "thin": thin}, rng(), "incumbent", parts)
    assert mixed.promoted
    assert "questions asked before 0.6000 to 0.6600 (97.5 % interval of the gain +" in mixed.reason
    single = {"one row": np.arange(400) == 0}
    unlucky = np.concatenate([[0.0], np.ones(399)])
    assert gate.decide({"incumbent": serving, "unlucky": unlucky}, rng(), "incumbent", single).promoted
    second = gate.decide({"incumbent": serving, "tilted": tilted, "even": even}, rng(), "incumbent", parts)
    assert (second.promoted, second.winner, len(second.standings)) == (True, "even", 3)


@pytest.mark.parametrize("n", [1, 10, 19])
def test_what_serves_is_not_replaced_on_hardly_any_rows(n: int) -> None:
    verdict = gate.decide({"incumbent": np.zeros(n), "tuned": np.ones(n)}, rng(), "incumbent")
    assert (verdict.promoted, verdict.winner) == (False, "incumbent")
    assert f"{n} held-out rows are too few" in verdict.reason


@pytest.mark.parametrize("n", [20, 50, 200])
def test_four_rows_better_and_none_worse_may_be_luck(n: int) -> None:  # one-sided sign test: p = 1/16
    verdict = gate.decide({"incumbent": np.zeros(n), "tuned": (np.arange(n) < 4).astype(float)}, rng(), "incumbent")
    assert not verdict.promoted
    assert "not surely better" in verdict.reason
    assert gate.decide(
        {"incumbent": np.zeros(n), "tuned": (np.arange(n) < 6).astype(float)}, rng(), "incumbent"
    ).promoted


def test_scores_on_different_items_are_refused() -> None:
    with pytest.raises(InputError, match="same held-out items"):
        gate.decide({"a": scores(0.5, 10), "b": scores(0.5, 11)}, rng())
