"""Rows kept apart for measuring are trained on in the end; calibration and figures stay those of before."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.svm import LinearSVC

import fieldtune
from fieldtune.models.features import NgramFeatures

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
