"""Models of other tasks behind the service: what they answer is what the command line writes for the same texts."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from fieldtune import finetune
from fieldtune.errors import InputError
from fieldtune.models.readable import reads
from fieldtune.serve.rows import Row
from fieldtune.serve.served import Served, plain
from fieldtune.tasks import task_module

CITIES = ("Paris", "Rome", "Oslo", "Bonn")


def test_entities_of_texts(cli: Callable[..., Any], tmp_path: Path) -> None:
    words = [["We", "fly", "to", city, "on", day, "."] for city in CITIES for day in ("Monday", "Friday", "Sunday")]
    table = pd.DataFrame({"tokens": words, "tags": [["O", "O", "O", "B-LOC", "O", "O", "O"]] * len(words)})
    done = finetune("token-classification", table, method="linear", out=tmp_path / "m", progress=False)
    texts = ["We fly to Oslo on Sunday.", "", "Rome"]
    served = Served(done.path)
    served.warm()
    answers = served.compute([Row("predict", (text,)) for text in texts])
    pd.DataFrame({"text": texts}).to_csv(tmp_path / "in.csv", index=False)
    ran = cli("predict", "--model", done.path, "--data", tmp_path / "in.csv", "--out", tmp_path / "out.jsonl")
    assert ran.code == 0, ran.err
    written = [json.loads(line)["spans"] for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    wanted = [json.loads(spans) if isinstance(spans, str) else spans for spans in written]
    assert [answer["spans"] for answer in answers] == [
        [{**span, "score": pytest.approx(span["score"], abs=1e-6)} for span in spans] for spans in wanted
    ]
    assert wanted[0][0]["text"] == "Oslo"
    assert (served.inputs, served.encodes) == (("text",), False)
    (long,) = served.compute([Row("predict", ("We fly to Rome . " * 400,))])  # read in windows, to its end
    assert (long["truncated"], long["spans"][-1]["end"] > 6700) == (False, True)
    assert served.length(Row("predict", ("a" * 6000,))) > served.card["max_length"]
    json.dumps(answers, allow_nan=False)


def test_an_embedder_encodes_and_does_not_predict(tmp_path: Path) -> None:
    rows = [(f"where is order {n}", f"order {n} is on its way") for n in range(12)]
    table = pd.DataFrame(rows, columns=["query", "positive"])
    done = finetune("embedding", table, method="linear", out=tmp_path / "m", progress=False)
    served = Served(done.path)
    served.warm()
    assert (served.encodes, served.predicts) == (True, False)
    texts = ["order 3", "where"]
    found = served.compute([Row("encode", (text,)) for text in texts])
    for answer, vector in zip(found, served.model.encode(texts), strict=True):
        assert answer["vector"] == pytest.approx(vector.tolist(), abs=1e-6)


def test_a_model_that_reads_files_is_not_served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [(f"card {n}", "a") for n in range(12)] + [(f"order {n}", "b") for n in range(12)]
    table = pd.DataFrame(rows, columns=["text", "label"])
    done = finetune("text-classification", table, method="linear", out=tmp_path / "m", progress=False)
    assert not Served(done.path).encodes
    pictures = replace(task_module("text-classification"), INPUTS=("image",))
    monkeypatch.setattr("fieldtune.serve.served.task_module", lambda task: pictures)
    with pytest.raises(InputError, match="reads files"):
        Served(done.path)


@dataclass
class Cutting:
    """A model that reads so many tokens of its source."""

    tokenizer: Any
    max_source: int = 8


def test_a_row_is_cut_where_its_texts_have_more_tokens_than_the_model_reads(tiny_encoder: Path) -> None:
    from transformers import AutoTokenizer

    served = Served.__new__(Served)
    reading = reads(Cutting(AutoTokenizer.from_pretrained(tiny_encoder)))
    assert reading is not None
    served._reading = replace(reading, together=True)
    cases = {("my card is lost how to",): False, ("my card is lost how to cancel",): True, ("",): False,
             ("my card", "is lost how"): False, ("my card is", "lost how to"): True, ("失败" * 3,): False,
             ("失败" * 4,): True}  # fmt: skip
    for texts, wanted in cases.items():  # eight tokens are six words and two signs, for two texts five and three
        assert served._reading.cut([texts]).tolist() == [wanted], texts
        assert served.length(Row("predict", texts)) <= 8
    apart = {("my card is", "lost how to"): False, ("my card", "my card is lost how to cancel"): True}
    assert reading.cut([*apart]).tolist() == [*apart.values()]
    assert reads(object()) is None


def test_what_is_no_finite_number_is_null() -> None:
    import numpy as np

    told = plain({"a": np.float32("nan"), "b": [np.int64(2), float("inf")], 3: (np.bool_(True), np.array([1.5]))})
    assert told == {"a": None, "b": [2, None], "3": [True, [1.5]]}
