"""Wrong labels: the rule on a case worked out by hand, and planted flips found by the command."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import fieldtune
from fieldtune.data.noise import suspects
from fieldtune.errors import ConfigError
from fieldtune.tasks.text_classification import DEFAULTS, train
from fieldtune.train import noise
from fieldtune.train.noise import out_of_fold, unsuspected


def test_a_label_six_times_less_likely_than_another_is_doubted() -> None:
    probabilities = np.array([[0.5, 0.09, 0.41], [0.5, 0.08, 0.42], [0.1, 0.8, 0.1], [0.1, 0.8, 0.1]])
    assert suspects(probabilities, np.array([1, 1, 1, 0])).tolist() == [-1, 0, -1, 1]
    assert suspects(np.full((2, 3), 1 / 3), np.array([0, 2])).tolist() == [-1, -1]


def test_no_row_is_judged_by_a_model_that_saw_it_or_its_twin() -> None:
    rng = np.random.default_rng(0)
    targets = np.repeat([0, 1], 40)
    vectors = np.eye(80, dtype=np.float32)  # nothing in common: a model that saw a row would know it, another cannot
    texts = [f"w{number}" for number in range(80)]
    found = out_of_fold(texts, vectors, targets, 2, rng)
    np.testing.assert_allclose(found.sum(axis=1), 1)
    assert abs(found[np.arange(80), targets].mean() - 0.5) < 0.05
    twins = np.vstack([vectors[:40], vectors[:40]])
    found = out_of_fold([*texts[:40], *texts[:40]], twins, np.repeat([0, 1], 40), 2, rng)
    assert abs(found[:, 0] - 0.5).max() < 0.05


def test_nothing_is_told_of_a_class_that_no_other_fold_holds() -> None:
    rng = np.random.default_rng(0)
    targets = np.array([0] * 20 + [1] * 20 + [2, 3, 4, 5])
    texts = [f"{'card' if n < 20 else 'refund' if n < 40 else 'other'} {n}" for n in range(44)]
    vectors = rng.normal(size=(44, 8)).astype(np.float32)
    found = out_of_fold(texts, vectors / np.linalg.norm(vectors, axis=1, keepdims=True), targets, 6, rng)
    assert not found[40:].any() and (suspects(found, targets)[40:] == -1).all()
    np.testing.assert_allclose(found[:40].sum(axis=1), 1)


def test_planted_flips_are_named_with_row_and_right_label(
    tiny_encoder: Path, tmp_path: Path, cli: Callable[..., Any]
) -> None:
    words = {"card": "card lost", "refund": "refund order", "transfer": "transfer account"}
    rows = [(f"{word} {a}{b}", label) for label, word in words.items() for a in "abcdefgh" for b in "klmnop"]
    table = pd.DataFrame(rows, columns=["text", "label"])
    rng = np.random.default_rng(3)
    flipped = np.sort(rng.choice(len(table), 14, replace=False))
    right = table["label"].to_numpy(copy=True)
    for row in flipped:
        table.loc[row, "label"] = next(name for name in words if name != right[row])
    table.to_csv(tmp_path / "rows.csv", index=False)
    ran = cli("data", "check", tmp_path / "rows.csv", "--labels", "--model", tiny_encoder, "--json")
    assert ran.code == 0, ran.err
    assert "fits ten models" in ran.err
    (found,) = [finding for finding in ran.json["findings"] if finding["kind"] == "likely-wrong-label"]
    first = 2  # as the file numbers its rows
    named = dict(zip(np.array(found["rows"]) - first, found["suggested"], strict=True))
    hits = [row for row in flipped if named.get(row) == right[row]]
    assert len(hits) >= 0.8 * len(flipped)
    assert len(set(named) - set(flipped.tolist())) <= 0.05 * (len(table) - len(flipped))
    quick = cli("data", "check", tmp_path / "rows.csv", "--json")
    assert all(finding["kind"] != "likely-wrong-label" for finding in quick.json["findings"])


@pytest.fixture
def drawn() -> tuple[list[str], np.ndarray, np.ndarray]:
    """Texts, vectors and classes of 600 rows: two even classes that lie apart, and a rare one that lies within the first."""
    rng = np.random.default_rng(0)
    targets = np.repeat([0, 1, 2], [290, 290, 20])
    vectors = np.eye(2, 8)[[0, 1, 0]][targets] + rng.normal(scale=0.1, size=(600, 8))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return [f"w{number}" for number in range(600)], vectors.astype(np.float32), targets.astype(np.int64)


def flip(targets: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """The first two classes changed for each other in these rows."""
    changed = targets.copy()
    changed[rows] = 1 - targets[rows]
    return changed


def test_flipped_labels_go_where_they_are_many_and_right_ones_stay(
    drawn: tuple[list[str], np.ndarray, np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    texts, vectors, targets = drawn

    def gone(given: np.ndarray, noisy: str) -> set[int]:
        kept = unsuspected(texts, vectors, given, 3, 0, noisy=noisy, show=False)
        return set(range(len(given))) - set(kept.tolist())

    few, many = set(range(0, 580, 40)), set(range(0, 580, 8))
    spoilt, hardly = flip(targets, np.array(sorted(many))), flip(targets, np.array(sorted(few)))
    assert gone(spoilt, "auto") == gone(spoilt, "keep") == set()  # too few rows to tell
    found = gone(spoilt, "drop")  # not the rare class, whose rows all look wrong
    assert found <= many
    assert len(found) > 0.7 * len(many)
    assert gone(hardly, "drop") == few
    monkeypatch.setattr(noise, "MANY", 500)
    assert gone(spoilt, "auto") == found
    assert gone(hardly, "auto") == gone(targets, "auto") == set()
    monkeypatch.setattr(noise, "KNOWN", 400)
    assert gone(spoilt, "drop") == set()  # of small classes nothing can be said


def test_of_very_many_rows_a_part_says_whether_all_are_judged(
    drawn: tuple[list[str], np.ndarray, np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    texts, vectors, targets = drawn
    monkeypatch.setattr(noise, "MANY", 100)
    monkeypatch.setattr(noise, "LOOKED_AT", 400)
    seen: list[int] = []
    real = noise.out_of_fold
    monkeypatch.setattr(noise, "out_of_fold", lambda *given: [seen.append(len(given[0])), real(*given)][1])
    assert len(unsuspected(texts, vectors, targets, 3, 0, noisy="auto", show=False)) == 600
    spoilt = flip(targets, np.arange(0, 580, 10))
    assert len(unsuspected(texts, vectors, spoilt, 3, 0, noisy="auto", show=False)) < 560
    assert seen == [400, 400, 600]


@pytest.fixture
def spoilt() -> tuple[pd.DataFrame, np.ndarray]:
    """Rows of three classes, and which of them have the label of another."""
    words = {"card": "card lost", "refund": "refund order", "transfer": "transfer account"}
    rows = [(f"{word} {a}{b}", label) for label, word in words.items() for a in "abcdefgh" for b in "klmnop"]
    table, flipped = pd.DataFrame(rows, columns=["text", "label"]), np.arange(0, len(rows), 8)
    table.loc[flipped, "label"] = [next(name for name in words if name != label) for label in table["label"][flipped]]
    return table, flipped


def test_training_leaves_doubtful_rows_out_as_if_they_were_not_in_the_table(
    tiny_encoder: Path, tmp_path: Path, spoilt: tuple[pd.DataFrame, np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    table, flipped = spoilt
    monkeypatch.setattr(noise, "MANY", len(table))

    def logits(rows: pd.DataFrame, noisy: str, method: str) -> np.ndarray:
        settings = DEFAULTS.updated({"noisy": noisy, "max_steps": 2, "learning_rate": 1e-3})
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        model = train(rows, method, str(tiny_encoder), settings, seed=0, folder=folder, show=False)
        return model.logits(["my card", "the order"])

    names = sorted(set(table["label"]))
    places = np.searchsorted(names, table["label"].to_numpy(dtype=str)).astype(np.int64)
    vectors = fieldtune.load_encoder(tiny_encoder, DEFAULTS.max_length).encode(table["text"].tolist())
    kept = unsuspected(table["text"].tolist(), vectors, places, 3, 0, noisy="drop", show=False)
    assert set(range(len(table))) - set(kept.tolist()) <= set(flipped.tolist())
    others = table.iloc[kept].reset_index(drop=True)
    assert len(others) < len(table)
    for method, noisy, wanted in (
        ("head", "drop", others), ("full", "auto", others), ("head", "auto", table), ("full", "keep", table),
    ):  # fmt: skip
        np.testing.assert_array_equal(logits(table, noisy, method), logits(wanted, "keep", method))
    with pytest.raises(ConfigError, match="noisy"):
        DEFAULTS.updated({"noisy": "maybe"})


def test_the_card_says_how_many_and_the_training_on_all_rows_does_as_the_measured_one(
    tiny_encoder: Path, tmp_path: Path, spoilt: tuple[pd.DataFrame, np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    table, flipped = spoilt
    monkeypatch.setattr(noise, "MANY", len(table))  # reached with the rows that were kept apart, not without them
    settings = {"max_steps": 1}
    given: dict[str, Any] = {"model": str(tiny_encoder), "settings": settings, "progress": False}
    whole = fieldtune.finetune("text-classification", table, out=tmp_path / "whole", **given)
    card = fieldtune.load(whole.path).card
    assert card["rows"] == len(table)
    assert "left_out" not in card
    monkeypatch.setattr(noise, "MANY", len(table) // 2)
    left = fieldtune.finetune("text-classification", table, out=tmp_path / "left", **given)
    card = fieldtune.load(left.path).card
    assert 0 < card["left_out"] <= len(flipped)
    assert card["rows"] == len(table) - card["left_out"]
    assert f"{card['left_out']}, whose label is likely wrong" in (left.path / "README.md").read_text()
