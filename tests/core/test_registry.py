"""The registry: only what is surely better replaces what serves, and a rollback undoes it."""

import json
import shutil
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from fieldtune import gate, registry
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

    def offer(text: str, scored: Path) -> gate.Verdict:
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
