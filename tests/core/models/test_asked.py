"""What a model is asked about: every public method of every model refuses what Python would read as something else."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import fieldtune
from fieldtune.errors import InputError
from fieldtune.models import asked
from tests.core.test_odd_input import table_of, trained

METHODS = {
    "text-classification": ("probabilities", "in_scope", "logits"),
    "multi-label-classification": ("probabilities",),
    "regression": ("values",),
    "text-pair": ("probabilities", "in_scope"),
    "token-classification": ("tag", "logits"),
    "embedding": ("encode",),
    "reranking": ("score",),
    "seq2seq": ("generate",),
    "image-classification": ("probabilities",),
    "image-text": ("probabilities",),
    "object-detection": ("detect",),
}
PAIRS = ("text-pair", "reranking", "image-text")


def wrong(task: str) -> list[Any]:
    """What no model of this task can answer about."""
    no_list = [
        "ab",
        b"ab",
        Path("ab"),
        None,
        3,
        {"ab": 1},
        {"ab"},
        pd.DataFrame({"a": ["x"], "b": ["y"]}),
        iter(["ab"]),
    ]
    inside = {"token-classification": [["ab"], [["a", 1]], [None]], "image-classification": [["ab"], [None]]}
    pairs = [["ab"], [("a",)], [("a", "b", "c")], [("a", 1)], ["ab", "cd"]]
    return no_list + inside.get(task, pairs if task in PAIRS else [["ab", None], [1], [("a", "b")]])


@pytest.mark.parametrize("task", METHODS)
def test_what_is_no_list_of_its_items_is_refused(task: str, tiny_encoder: Path, tmp_path: Path) -> None:
    model = fieldtune.load(trained(task, table_of(task), tiny_encoder, tmp_path / "model", progress=False))
    for method in METHODS[task]:
        answer: Callable[[Any], Any] = getattr(model, method)
        for items in wrong(task):
            with pytest.raises(InputError, match=r"expected .*; found .*; fix: "):
                answer(items)
        answer([])


def test_any_sequence_is_one_list() -> None:
    column = pd.Series(["a", "b"], index=[7, 3])
    for items in (["a", "b"], ("a", "b"), np.array(["a", "b"]), np.array(["a", "b"], dtype=object), column):
        assert asked.texts(items) == ["a", "b"]
    assert asked.pairs([["a", "b"], ("c", "d"), np.array(["e", "f"])]) == [("a", "b"), ("c", "d"), ("e", "f")]
    assert asked.sentences([("my", "card"), []]) == [("my", "card"), []]
