"""What a head sees of texts is the same whatever the method: none, one, or something that is no text."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import fieldtune
from fieldtune.errors import InputError


@pytest.fixture(params=["linear", "head"])
def model(request: pytest.FixtureRequest, tiny_encoder: Path, tmp_path: Path) -> fieldtune.Classifier:
    rows = [(f"{text} {number}", text) for text in ("card", "refund", "order") for number in range(12)]
    table = pd.DataFrame(rows, columns=["text", "label"])
    done = fieldtune.finetune("text-classification", table, method=request.param, model=str(tiny_encoder),
                              out=tmp_path / "model", progress=False)  # fmt: skip
    return fieldtune.load(done.path)  # type: ignore[return-value]


def test_no_text_gives_no_row_and_one_text_is_a_batch_of_one(model: fieldtune.Classifier) -> None:
    assert model.probabilities([]).shape == (0, 3)
    assert model.in_scope([])[0].shape == (0,)
    both = model.probabilities(["my card", "a refund"])
    np.testing.assert_allclose(model.probabilities(["my card"])[0], both[0], atol=1e-6)
    np.testing.assert_allclose(model.probabilities(pd.Series(["my card", "a refund"])), both, atol=1e-6)


@pytest.mark.parametrize("texts", ["my card", ["my card", None], [3], ["my card", float("nan")]])
def test_what_is_no_list_of_texts_is_refused_in_the_same_words(model: fieldtune.Classifier, texts: object) -> None:
    with pytest.raises(InputError, match=r"expected (a list of )?texts"):
        model.probabilities(texts)  # type: ignore[arg-type]


def test_a_table_that_is_none_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="a dict of columns or a path; found list"):
        fieldtune.finetune("text-classification", [("a", "b")], method="linear", out=tmp_path / "m")  # type: ignore[arg-type]
