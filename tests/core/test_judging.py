"""A pool judged in pieces against each text alone."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import fieldtune
from fieldtune import labelling

TEXTS = ["my card is lost", "refund", "the order to the account", "how", "cancel my account", "transfer the card", "to"]


@pytest.mark.parametrize(("task", "method"), [
    ("text-classification", "head"), ("text-classification", "linear"), ("token-classification", "linear")
])  # fmt: skip
def test_pieces_of_a_pool_are_judged_as_each_text_alone(
    task: str, method: str, tiny_encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    labelled = pd.DataFrame({"text": TEXTS * 6, "label": ["a", "b", "c", "a", "b", "c", "a"] * 6})
    words = [text.split() for text in TEXTS * 6]
    tagged = pd.DataFrame({"tokens": words, "tags": [["B-x", *["O"] * (len(one) - 1)] for one in words]})
    table = labelled if task == "text-classification" else tagged
    fieldtune.finetune(task, table, model=str(tiny_encoder), method=method, out=tmp_path / "m", progress=False)
    model: Any = fieldtune.load(tmp_path / "m")
    monkeypatch.setattr(labelling, "_PIECE", 3)
    found, vectors = labelling.judge(model, TEXTS), labelling.vectors_of(model, TEXTS)
    for place, text in enumerate(TEXTS):
        alone = labelling.judge(model, [text])
        assert found.guesses[place] == alone.guesses[0]
        np.testing.assert_allclose(
            [found.sure[place], found.doubts[place]], [alone.sure[0], alone.doubts[0]], atol=1e-5
        )
        np.testing.assert_allclose(vectors[place], labelling.vectors_of(model, [text])[0], atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert labelling.judge(model, []).guesses == []
