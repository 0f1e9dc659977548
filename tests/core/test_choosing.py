"""auto: folds that keep texts together, the rule, and a choice that holds what cross-validation showed."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd

import fieldtune
from fieldtune.choosing import candidates, choose, verdict
from fieldtune.data.split import folds
from fieldtune.models import folder as folders
from fieldtune.tasks.text_classification import DEFAULTS, train
from fieldtune.train.checkpoint import CHOICE


def test_folds_spread_labels_and_keep_a_text_on_one_side() -> None:
    labels = [str(row % 5) for row in range(90)]
    keys = [f"text {row // 3}" for row in range(90)]
    found = folds(labels, keys, 3, np.random.default_rng(0))
    assert all(len(set(found[start : start + 3].tolist())) == 1 for start in range(0, 90, 3))
    found = folds(labels, list(range(90)), 3, np.random.default_rng(0))
    counts = np.array(
        [[np.sum((found == fold) & (np.array(labels) == label)) for fold in range(3)] for label in "01234"]
    )
    assert counts.min() == counts.max() == 6


def test_what_is_tried_follows_the_rows_of_a_class() -> None:
    def tried(per_class: int) -> tuple[str, ...]:
        return candidates(pd.Series([str(label) for label in range(4) for _ in range(per_class)]))

    assert tried(3) == ("linear", "head", "fewshot")
    assert tried(20) == ("linear", "head", "fewshot", "full")
    assert tried(200) == ("linear", "head", "full")


def test_the_best_mean_wins_and_the_cheaper_of_equals() -> None:
    right = {"linear": np.array([1.0, 0, 1, 1]), "head": np.array([1.0, 1, 1, 0]), "full": np.array([0.0, 0, 1, 1])}
    best, found = verdict(right, np.random.default_rng(0))
    assert best == found["method"] == "linear"
    assert found["candidates"]["full"]["mean"] == 0.5
    assert found["candidates"]["full"]["low"] < 0.5 < found["candidates"]["full"]["high"]


def test_a_choice_is_on_disk_before_it_counts_and_is_made_once(tmp_path: Path, monkeypatch: Any) -> None:
    table = pd.DataFrame({"text": [f"card {n}" for n in range(12)], "label": ["x", "y"] * 6})
    about: Any = SimpleNamespace(train=lambda *_, **__: None, correct=lambda _, rows: np.ones(len(rows)))
    common: dict[str, Any] = {"seed": 0, "folder": tmp_path, "show": False}
    flushed: list[tuple[str, bool]] = []
    monkeypatch.setattr(folders, "sync", lambda path: flushed.append((path.name, (tmp_path / CHOICE).exists())))
    first = choose(about, table, "", DEFAULTS, **common)
    assert flushed == [(f"{CHOICE}.partial", False), (tmp_path.name, True)]
    about.train = None  # would fail now
    assert choose(about, table, "", DEFAULTS, **common) == first


def test_no_candidate_is_judged_on_a_text_that_it_learnt(tmp_path: Path) -> None:
    texts = [text for n in range(12) for text in (f"card {n}", f"Card {n} ")]  # twins but for case and space
    table = pd.DataFrame({"text": texts, "label": ["x", "y"] * 12})
    seen: list[tuple[set[str], set[str]]] = []

    def correct(learnt: pd.DataFrame, tested: pd.DataFrame) -> Any:
        seen.append((set(learnt["text"].str.casefold().str.strip()), set(tested["text"].str.casefold().str.strip())))
        return np.ones(len(tested))

    about: Any = SimpleNamespace(train=lambda rows, *_, **__: rows, correct=correct)
    choose(about, table, "", DEFAULTS, seed=0, folder=tmp_path, show=False)
    assert len(seen) >= 9 and all(learnt.isdisjoint(tested) and tested for learnt, tested in seen)


def test_auto_leaves_its_reason_in_the_card(tiny_encoder: Path, tmp_path: Path) -> None:
    rows = [(f"{word} {a}{b}", label) for label, word in {"x": "card lost", "y": "refund"}.items()
            for a in "abc" for b in "kl"]  # fmt: skip
    table = pd.DataFrame(rows, columns=["text", "label"])
    done = fieldtune.finetune(
        "text-classification", table, model=str(tiny_encoder), method="auto", out=tmp_path / "m",
        settings={"max_steps": 2}, progress=False,
    )  # fmt: skip
    card = json.loads((tmp_path / "m" / "fieldtune.json").read_text())
    means = {name: one["mean"] for name, one in card["choice"]["candidates"].items()}
    assert set(means) == {"linear", "head", "fewshot"}
    assert done.method == card["method"] == card["choice"]["method"]
    assert means[done.method] == max(means.values())
    model = fieldtune.load(tmp_path / "m")
    assert model.probabilities(["card lost"]).shape == (1, 2)
    again = fieldtune.finetune(
        "text-classification", table, model=str(tiny_encoder), method="auto", out=tmp_path / "m",
        settings={"max_steps": 2}, progress=False,
    )  # fmt: skip
    assert again.method == done.method


def test_one_row_of_each_of_many_classes_trains_without_a_remark_of_a_library(
    tiny_encoder: Path, tmp_path: Path
) -> None:
    table = pd.DataFrame(
        {"text": [f"card {a}{b}" for a in "abcd" for b in "xyz"], "label": [f"c{n}" for n in range(12)]}
    )
    common: dict[str, Any] = {"seed": 0, "folder": tmp_path / "run", "show": False}
    for method in ("linear", "head", "fewshot", "selftrain"):
        settings = DEFAULTS.updated({"max_steps": 1})
        model = train(table, method, str(tiny_encoder), settings, unlabelled=["card lost"], **common)
        assert model.logits(["card ax"]).shape == (1, 12)
