"""Rows kept apart for measuring are trained on in the end; calibration and figures stay those of before."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.svm import LinearSVC

import fieldtune
from fieldtune.models.features import NgramFeatures
from fieldtune.tasks import task_module

WORDS = {"card": ["card", "pin", "atm"], "refund": ["refund", "money back", "return"], "login": ["login", "sms", "app"]}


@pytest.fixture
def table() -> pd.DataFrame:
    rows = [(f"about my {word} case {number}", label) for label, words in WORDS.items() for word in words
            for number in range(30)]  # fmt: skip
    return pd.DataFrame(rows, columns=["text", "label"])


def model_of(table: pd.DataFrame, out: Path, **more: object) -> fieldtune.Classifier:
    done = fieldtune.finetune("text-classification", table, method="linear", out=out, progress=False, **more)  # type: ignore[arg-type]
    return fieldtune.load(done.path)  # type: ignore[return-value]


def test_the_model_knows_every_row_and_is_calibrated_on_rows_it_had_not_seen(
    table: pd.DataFrame, tmp_path: Path
) -> None:
    once = model_of(table, tmp_path / "once", settings={"refit": False})
    twice = model_of(table, tmp_path / "twice")
    machine = LinearSVC(C=0.5, random_state=0).fit(
        NgramFeatures.fit(table["text"].tolist())(table["text"].tolist()), table["label"]
    )
    np.testing.assert_array_equal(twice.weight, machine.coef_.astype(np.float32))
    assert (once.card["rows"], twice.card["rows"]) == (243, 270)
    assert (twice.temperature, twice.threshold) == (once.temperature, once.threshold)
    assert twice.card["metrics"] == once.card["metrics"]


def test_rows_that_the_user_kept_apart_stay_apart(table: pd.DataFrame, tmp_path: Path) -> None:
    apart = pd.DataFrame({"text": ["my card", "a refund", "the app"], "label": ["card", "refund", "login"]})
    model = model_of(table, tmp_path / "model", valid=apart)
    machine = LinearSVC(C=0.5, random_state=0).fit(
        NgramFeatures.fit(table["text"].tolist())(table["text"].tolist()), table["label"]
    )
    np.testing.assert_array_equal(model.weight, machine.coef_.astype(np.float32))


def pictures(rows: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Noise, and every fifth a little brighter at the top: uint8 ``[rows, 12, 12]``, labels ``[rows, 1]``."""
    rng = np.random.default_rng(seed)
    labels = (np.arange(rows) % 5 == 0).astype(int)
    found = rng.integers(0, 120, (rows, 12, 12)).astype(np.uint8)
    found[labels == 1, :6] += 14
    return found, labels[:, None]


@pytest.mark.parametrize(("method", "settings"), [("linear", {}), ("full", {"epochs": 4, "batch_rows": 32})])
def test_pictures_keep_the_cut_and_the_epochs_that_were_measured(
    tmp_path: Path, method: str, settings: dict[str, int]
) -> None:
    images, labels = pictures(240)
    table = pd.DataFrame({"image": pd.Series(list(images), dtype=object), "label": np.where(labels[:, 0], "yes", "no")})
    once, twice = (
        fieldtune.finetune(
            "image-classification", table, method=method, out=tmp_path / str(refit), progress=False,
            settings={**settings, "refit": refit},
        )
        for refit in (False, True)
    )  # fmt: skip
    measured, model = (fieldtune.load(done.path) for done in (once, twice))
    assert model.cut == measured.cut == twice.metrics["cut"] != 0.5
    assert (model.temperature, model.threshold) == (measured.temperature, measured.threshold)
    assert once.metrics == twice.metrics and model.card["rows"] == 240
    about, settled = task_module("image-classification"), model.card.get("settled", {})
    assert bool(settled) == (method == "full")
    chosen = about.DEFAULTS.updated({**settings, **settled})
    whole = about.train(table, method, "default", chosen, seed=0, folder=tmp_path / "whole", show=False)
    np.testing.assert_array_equal(model.logits(list(images)), whole.logits(list(images)))


def test_of_official_parts_each_is_told_as_what_it_was(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arrays = {}
    for number, (part, rows) in enumerate({"train": 60, "val": 24, "test": 30}.items()):
        arrays[f"{part}_images"], arrays[f"{part}_labels"] = pictures(rows, number)
    parts = {"all": ("train", "val", "test"), "two": ("train", "val"), "one": ("train",)}
    for name, chosen in parts.items():
        np.savez(tmp_path / f"{name}.npz", **{key: own for key, own in arrays.items() if key.startswith(chosen)})
    done = fieldtune.finetune(
        "image-classification", tmp_path / "all.npz", method="linear", out=tmp_path / "m", settings={"refit": True}
    )
    card = fieldtune.load(done.path).card
    assert "not trained again" in capsys.readouterr().err
    assert card["rows"] == 60 and "trained_again" not in card and done.metrics["n"] == 24
    seen = {name: fieldtune.measure(done.path, tmp_path / f"{name}.npz")["seen"] for name in parts}
    assert seen == {"all": "not known", "two": "valid", "one": "train"}


def test_rows_out_of_scope_are_not_counted_as_rows_of_a_label(table: pd.DataFrame, tmp_path: Path) -> None:
    more = pd.DataFrame({"text": [f"the sun {n}" for n in range(20)], "label": "oos"})
    model = model_of(pd.concat([table, more], ignore_index=True), tmp_path / "m")
    assert model.card["rows"] == len(table)
    several = fieldtune.finetune(
        "multi-label-classification", pd.concat([table, more], ignore_index=True), method="linear", out=tmp_path / "s",
        settings={"refit": True}, progress=False,
    )  # fmt: skip
    assert fieldtune.load(several.path).card["rows"] == len(table) + len(more)  # there they are rows without a label
