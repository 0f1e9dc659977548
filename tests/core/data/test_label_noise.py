"""Wrong labels: the rule on a case worked out by hand, and planted flips found by the command."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from fieldtune.data.noise import suspects
from fieldtune.errors import ConfigError
from fieldtune.models.trained import load_encoder
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


def test_training_can_leave_doubtful_rows_out(tiny_encoder: Path, tmp_path: Path) -> None:
    words = {"card": "card lost", "refund": "refund order", "transfer": "transfer account"}
    rows = [(f"{word} {a}{b}", label) for label, word in words.items() for a in "abcdefgh" for b in "klmnop"]
    table = pd.DataFrame(rows, columns=["text", "label"])
    flipped = np.arange(0, len(table), 12)
    spoilt = table.copy()
    spoilt.loc[flipped, "label"] = [next(name for name in words if name != label) for label in table["label"][flipped]]
    texts, places = table["text"].tolist(), np.searchsorted(sorted(words), spoilt["label"].to_numpy(dtype=str))
    vectors = load_encoder(tiny_encoder, 128).encode(texts)
    kept = unsuspected(texts, vectors, places.astype(np.int64), 3, 0, few_too=True, show=False)
    assert len(set(kept.tolist()) & set(flipped.tolist())) <= 2
    common: dict[str, Any] = {"seed": 0, "folder": tmp_path, "show": False}
    dropped = train(spoilt, "head", str(tiny_encoder), DEFAULTS.updated({"noisy": "drop"}), **common)
    wanted = train(spoilt.iloc[kept].reset_index(drop=True), "head", str(tiny_encoder), DEFAULTS, **common)
    np.testing.assert_array_equal(dropped.weight, wanted.weight)
    with pytest.raises(ConfigError, match="noisy"):
        DEFAULTS.updated({"noisy": "maybe"})


def test_what_tunes_the_encoder_leaves_doubtful_rows_out_where_they_are_many(
    tiny_encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = {"card": "card lost", "refund": "refund order", "transfer": "transfer account"}
    rows = [(f"{word} {a}{b}", label) for label, word in words.items() for a in "abcdefgh" for b in "klmnop"]
    right = pd.DataFrame(rows, columns=["text", "label"])
    flipped = np.arange(0, len(right), 8)
    spoilt = right.copy()
    spoilt.loc[flipped, "label"] = [next(name for name in words if name != label) for label in right["label"][flipped]]

    def weights(table: pd.DataFrame, noisy: str, method: str = "full") -> np.ndarray:
        settings = DEFAULTS.updated({"noisy": noisy, "max_steps": 2, "learning_rate": 1e-3})
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        model = train(table, method, str(tiny_encoder), settings, seed=0, folder=folder, show=True)
        return model.logits(["my card", "the order"])

    def said() -> str:
        return capsys.readouterr().err

    assert (weights(spoilt, "auto") == weights(spoilt, "keep")).all()  # too few to tell
    monkeypatch.setattr(noise, "MANY", len(right))
    assert "left out" not in said()
    assert (weights(spoilt, "auto") == weights(spoilt, "drop")).all()
    assert said().count(f"of {len(right)} rows are left out") == 2
    assert (weights(right, "auto") == weights(right, "keep")).all()
    with monkeypatch.context() as patch:  # a class that is hard to learn keeps its rows
        patch.setattr(noise, "MOST_LOST", 0.1)
        assert (weights(spoilt, "auto") == weights(spoilt, "keep")).all()
    monkeypatch.setattr(noise, "KNOWN", 1 + spoilt["label"].value_counts().max())  # of rare classes nothing can be said
    assert (weights(spoilt, "auto") == weights(spoilt, "keep")).all()
    assert (weights(spoilt, "auto", "head") == weights(spoilt, "keep", "head")).all()
    assert "left out" not in said()
