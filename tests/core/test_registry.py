"""The gate and the registry: only what is surely better replaces what serves, and a rollback undoes it."""

import json
import shutil
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from fieldtune import registry
from fieldtune.errors import InputError, RefusedError
from fieldtune.models.folder import staged

NOW = datetime(2026, 1, 2, tzinfo=UTC)


def bundle(path: Path, text: str) -> Path:
    with staged(path) as folder:
        (folder / "answer.txt").write_text(text)
    return path


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def scores(mean: float, n: int = 400) -> np.ndarray:
    return (np.arange(n) < mean * n).astype(float)


def test_without_an_incumbent_the_best_ships_and_the_simplest_wins_a_tie() -> None:
    verdict = registry.gate({"plain": scores(0.8), "frozen": scores(0.8), "tuned": scores(0.7)}, rng())
    assert (verdict.promoted, verdict.winner) == (True, "plain")


def test_an_incumbent_is_replaced_only_when_the_interval_of_the_gain_is_above_zero() -> None:
    better = registry.gate({"incumbent": scores(0.7), "tuned": scores(0.8)}, rng(), "incumbent")
    assert (better.promoted, better.winner) == (True, "tuned")
    hardly = registry.gate({"incumbent": scores(0.7), "tuned": scores(0.7025)}, rng(), "incumbent")
    assert (hardly.promoted, hardly.winner) == (False, "incumbent")
    assert "not surely better" in hardly.reason
    worse = registry.gate({"incumbent": scores(0.7), "tuned": scores(0.6)}, rng(), "incumbent")
    assert (worse.promoted, worse.winner) == (False, "incumbent")


def test_a_gain_on_one_kind_of_item_does_not_pay_for_a_loss_on_another() -> None:
    asked, new = np.repeat([True, False], 200), np.repeat([False, True], 200)
    parts = {"questions asked before": asked, "new questions": new, "nothing": np.zeros(400, bool)}
    serving = np.concatenate([scores(0.6, 200), scores(0.6, 200)])
    tilted = np.concatenate([scores(0.9, 200), scores(0.5, 200)])
    even = np.concatenate([scores(0.7, 200), scores(0.6, 200)])
    verdict = registry.gate({"incumbent": serving, "tilted": tilted}, rng(), "incumbent", parts)
    assert (verdict.promoted, verdict.winner) == (False, "incumbent")
    assert "worse on new questions (0.5000 against 0.6000)" in verdict.reason
    luck = np.concatenate([scores(0.9, 200), scores(0.595, 200)])
    assert registry.gate({"incumbent": serving, "luck": luck}, rng(), "incumbent", parts).promoted
    thin = np.concatenate([scores(0.66, 200), scores(0.6, 200)])  # surely better on one kind, hardly on all together
    mixed = registry.gate({"incumbent": serving, "thin": thin}, rng(), "incumbent", parts)
    assert mixed.promoted
    assert "questions asked before 0.6000 to 0.6600 (97.5 % interval of the gain +" in mixed.reason
    single = {"one row": np.arange(400) == 0}
    unlucky = np.concatenate([[0.0], np.ones(399)])
    assert registry.gate({"incumbent": serving, "unlucky": unlucky}, rng(), "incumbent", single).promoted
    second = registry.gate({"incumbent": serving, "tilted": tilted, "even": even}, rng(), "incumbent", parts)
    assert (second.promoted, second.winner, len(second.standings)) == (True, "even", 3)


def test_scores_on_different_items_are_refused() -> None:
    with pytest.raises(InputError, match="same held-out items"):
        registry.gate({"a": scores(0.5, 10), "b": scores(0.5, 11)}, rng())


def test_publish_serve_roll_back(tmp_path: Path, home: Path) -> None:
    origin = bundle(tmp_path / "store", "first")
    assert registry.serving("chatbot", origin) == origin.resolve()
    first = registry.publish("chatbot", origin, {"tuned": origin}, {"tuned": scores(0.7)}, rng=rng(), now=NOW)
    assert first.promoted
    served = registry.serving("chatbot", origin)
    assert served != origin.resolve()
    assert (served / "answer.txt").read_text() == "first"

    candidate = bundle(tmp_path / "candidate", "second")
    second = registry.publish(
        "chatbot", origin, {"incumbent": None, "new": candidate},
        {"incumbent": scores(0.7), "new": scores(0.9)}, rng=rng(), now=NOW,
    )  # fmt: skip
    assert second.promoted
    assert (registry.serving("chatbot", origin) / "answer.txt").read_text() == "second"

    refused = registry.publish(
        "chatbot", origin, {"incumbent": None, "bad": bundle(tmp_path / "bad", "third")},
        {"incumbent": scores(0.9), "bad": scores(0.2)}, rng=rng(), now=NOW,
    )  # fmt: skip
    assert not refused.promoted
    assert (registry.serving("chatbot", origin) / "answer.txt").read_text() == "second"

    assert registry.rollback("chatbot", now=NOW) == first.version
    assert (registry.serving("chatbot", origin) / "answer.txt").read_text() == "first"
    with pytest.raises(RefusedError, match="only the first"):
        registry.rollback("chatbot", now=NOW)
    listed = registry.versions()
    assert [row["serving"] for row in listed] == [row["id"] == first.version for row in listed]
    assert json.dumps(listed[0]["details"])
    assert registry.origins("chatbot") == [origin.resolve()]


def test_two_folders_of_one_name_do_not_share_a_slot(tmp_path: Path) -> None:
    one, two = bundle(tmp_path / "a" / "store", "one"), bundle(tmp_path / "b" / "store", "two")
    registry.publish("chatbot", one, {"x": one}, {"x": scores(0.5)}, rng=rng(), now=NOW)
    assert registry.serving("chatbot", two) == two.resolve()


def test_rolling_back_what_never_served_is_refused() -> None:
    with pytest.raises(RefusedError, match="earlier version of monitor"):
        registry.rollback("monitor", now=NOW)


def test_two_folders_of_equal_content_each_have_their_place(tmp_path: Path, home: Path) -> None:
    for name in ("staging", "production"):
        origin = bundle(tmp_path / name, "the same")
        registry.publish("shop", origin, {"new": origin}, {"new": scores(0.7)}, rng=rng(), now=NOW)
    assert {origin.name for origin in registry.origins("shop")} == {"staging", "production"}
    assert registry.serving("shop", tmp_path / "staging") == registry.serving("shop", tmp_path / "production")


def test_a_slot_is_named_by_its_folder_or_its_path(tmp_path: Path, home: Path) -> None:
    origin = bundle(tmp_path / "store", "first")
    registry.publish("shop", origin, {"new": origin}, {"new": scores(0.5)}, rng=rng(), now=NOW)
    better = bundle(tmp_path / "better", "second")
    both = {"new": scores(0.9), "incumbent": scores(0.5)}
    registry.publish("shop", origin, {"new": better}, both, rng=rng(), now=NOW)
    first = registry.rollback("shop", "store", now=NOW)
    assert registry.serving("shop", origin).name == first
    with pytest.raises(RefusedError, match="has served"):
        registry.reinstate("shop", origin, "shop-unknown", now=NOW)
    second = next(version["id"] for version in registry.versions() if version["id"] != first)
    registry.reinstate("shop", origin, second, now=NOW)
    assert (registry.serving("shop", origin) / "answer.txt").read_text() == "second"
    assert registry.rollback("shop", now=NOW) == first
    assert registry.origin_of("shop", str(origin.resolve())) == origin.resolve()
    with pytest.raises(RefusedError):
        registry.rollback("shop", "another", now=NOW)


def test_a_name_that_two_folders_have_is_refused(tmp_path: Path, home: Path) -> None:
    for place in ("production", "staging"):
        origin = bundle(tmp_path / place / "store", place)
        registry.publish("shop", origin, {"new": origin}, {"new": scores(0.5)}, rng=rng(), now=NOW)
    with pytest.raises(InputError, match="'store', which 2 have; fix: name it by store-"):
        registry.rollback("shop", "store", now=NOW)
    slot = registry.slot_of((tmp_path / "production" / "store").resolve())
    assert registry.origin_of("shop", slot) == (tmp_path / "production" / "store").resolve()
    shutil.rmtree(tmp_path / "staging")
    assert registry.origin_of("shop", "store") == (tmp_path / "production" / "store").resolve()


def test_a_folder_trained_anew_and_refused_gets_back_what_serves(tmp_path: Path, home: Path) -> None:
    origin = bundle(tmp_path / "store", "first")
    registry.publish("shop", origin, {"new": origin}, {"new": scores(0.7)}, rng=rng(), now=NOW)
    bundle(origin, "worse")
    both = {"new": scores(0.6), "incumbent": scores(0.7)}
    assert not registry.publish("shop", origin, {"new": origin}, both, rng=rng(), now=NOW).promoted
    assert (origin / "answer.txt").read_text() == "worse"  # a folder published by hand is only read
    registry.put_back("shop", origin)
    assert (origin / "answer.txt").read_text() == "first"
    elsewhere = bundle(tmp_path / "candidate", "worse")
    registry.publish("shop", origin, {"new": elsewhere}, both, rng=rng(), now=NOW)
    assert ((origin / "answer.txt").read_text(), (elsewhere / "answer.txt").read_text()) == ("first", "worse")


def test_what_was_rolled_back_during_a_comparison_is_not_overridden(tmp_path: Path, home: Path) -> None:
    origin, both = bundle(tmp_path / "store", "first"), {"incumbent": scores(0.5), "new": scores(0.9)}

    def offer(text: str, scored: Path) -> registry.Verdict:
        folder = bundle(tmp_path / text, text)
        return registry.publish("shop", origin, {"new": folder}, both, rng=rng(), now=NOW, scored=scored)

    assert offer("second", registry.serving("shop", origin)).promoted
    begun = registry.serving("shop", origin)
    assert offer("third", begun).promoted
    third = registry.serving("shop", origin)
    registry.rollback("shop", now=NOW)
    for scored in (third, origin.resolve()):
        with pytest.raises(RefusedError, match=f"found {begun.name} by now"):
            offer("fourth", scored)
    assert registry.serving("shop", origin) == begun
    assert len(registry.versions()) == len(list((home / "versions").iterdir())) == 2
    assert offer("fourth", begun).promoted
