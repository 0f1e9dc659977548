"""Token classification from file to file: loss scale, every method, reload, the command line's columns."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from seqeval.metrics import f1_score
from seqeval.scheme import IOB2

import fieldtune
from fieldtune.errors import InputError
from fieldtune.models.tagger import Reading
from fieldtune.tasks import token_classification as task
from fieldtune.train.fit import fit
from fieldtune.train.settings import Settings
from fieldtune.train.tuning import trainable
from tests.conftest import Ran

Cli = Callable[..., Ran]
ROWS = [
    (["my", "Card", "is", "lost"], ["O", "B-THING", "O", "O"]),
    (["the", "ORDER", "to", "account"], ["O", "B-THING", "O", "B-THING"]),
    (["how", "to", "refund", "the", "Order"], ["O", "O", "B-DEED", "I-DEED", "I-DEED"]),
    (["cancel", "my", "transfer"], ["B-DEED", "O", "B-THING"]),
    (["the", "the", "card"], ["O", "O", "B-THING"]),
    (["is", "to"], ["O", "O"]),
] * 4


@pytest.fixture
def table() -> pd.DataFrame:
    return pd.DataFrame(ROWS, columns=["tokens", "tags"])


def trained(folder: Path, plan: list[list[int]], accumulate: int, out: Path) -> list[torch.Tensor]:
    """A few steps of plain SGD, in which a wrong loss scale shows in the weights."""
    encoder = trainable(folder, "full", Settings(dropout=0.0))
    module = task.TokenClassifier(encoder, 5, 0.0, seed=0)
    sentences = [words for words, _ in ROWS]
    labels = ["O", "B-DEED", "I-DEED", "B-THING", "I-THING"]
    targets = np.array([labels.index(tag) for _, tags in ROWS for tag in tags])
    reading = Reading(encoder, sentences, 6)  # some sentences are longer than a window
    assert len(reading.windows) > len(ROWS)
    problem = task.problem(reading, [len(words) for words in sentences], targets, 0.1)
    everything = problem.collate(list(range(len(reading.windows))))
    assert problem.items(everything) == len(targets)  # every word once, however many windows hold it
    settings = Settings(accumulate=accumulate, warmup=0.0, weight_decay=0.0)
    start = [value.detach().clone() for value in module.parameters()]
    fit(
        module, problem, plan, settings, folder=out, optimizer=torch.optim.SGD(module.parameters(), lr=0.5), seed=0,
        dtype=torch.float32, description="", show=False,
    )  # fmt: skip
    assert max((a - b).abs().max() for a, b in zip(start, module.parameters(), strict=True)) > 1e-3  # it did train
    return list(module.parameters())


@pytest.mark.parametrize("cuts", [[(0, 9), (9, 12)], [(0, 1), (1, 5), (5, 7), (7, 12)]])
def test_k_micro_batches_equal_one_batch(tiny_encoder: Path, tmp_path: Path, cuts: list[tuple[int, int]]) -> None:
    whole = [list(range(12)), list(range(12, 24))]
    parts = [batch[start:end] for batch in whole for start, end in cuts]
    one = trained(tiny_encoder, whole, 1, tmp_path / "one")
    many = trained(tiny_encoder, parts, len(cuts), tmp_path / "many")
    assert max((a - b).abs().max() for a, b in zip(one, many, strict=True)) <= 1e-6


@pytest.mark.parametrize("method", task.METHODS)
def test_every_method_learns_and_reloads_to_the_same_spans(
    table: pd.DataFrame, tiny_encoder: Path, tmp_path: Path, method: str
) -> None:
    steps = {"epochs": 30, "learning_rate": 3e-3, "head_learning_rate": 1e-2, "dropout": 0.0}
    done = fieldtune.finetune(
        "token-classification", table, valid=table, model=str(tiny_encoder), method=method, out=tmp_path / "model",
        settings={} if method in ("linear", "head") else steps, progress=False,
    )  # fmt: skip
    model = fieldtune.load(done.path)
    tags, sure = model.tag(table["tokens"].tolist())
    assert done.metrics["entity_f1"] == pytest.approx(
        f1_score(table["tags"].tolist(), tags, mode="strict", scheme=IOB2)
    )
    assert done.metrics["entity_f1"] > (0.9 if method in ("linear", "full") else 0.5)
    assert done.metrics | task.metrics(model, table) == done.metrics
    assert task.correct(model, table).mean() == pytest.approx(1.0, abs=0.6)
    assert all(0 < value <= 1 for row in sure for value in row)
    again, same = fieldtune.load(done.path).tag(table["tokens"].tolist())
    assert again == tags
    assert all(np.array_equal(one, other) for one, other in zip(sure, same, strict=True))


def test_spans_may_have_another_name(tmp_path: Path) -> None:
    rows = [(f"{name} lives in Paris", [{"start": 0, "end": len(name), "label": "PER"}]) for name in ("Anna", "Bob")]
    table = pd.DataFrame(rows * 6, columns=["text", "entities"])
    given: dict[str, Any] = {"rename": {"spans": "entities"}}
    done = fieldtune.finetune(
        "token-classification", table, method="linear", out=tmp_path / "m", progress=False, **given
    )
    assert fieldtune.measure(done.path, table, **given)["entity_f1"] == 1.0


def test_casing_reaches_an_encoder_that_lowers_every_letter(tiny_encoder: Path, tmp_path: Path) -> None:
    rows = [(["the", word], ["O", tag]) for word, tag in (("Order", "B-NAME"), ("order", "O"), ("ORDER", "B-CODE"))] * 8
    table = pd.DataFrame(rows, columns=["tokens", "tags"])
    done = fieldtune.finetune(
        "token-classification", table, valid=table, model=str(tiny_encoder), out=tmp_path / "model",
        settings={"epochs": 20, "learning_rate": 3e-3, "head_learning_rate": 1e-2}, progress=False,
    )  # fmt: skip
    assert done.metrics["entity_f1"] == 1.0


def write(table: pd.DataFrame, path: Path) -> Path:
    lines = [[f"{word} NN {tag}" for word, tag in zip(*row, strict=True)] for row in table.to_numpy()]
    path.write_text("\n\n".join("\n".join(some) for some in lines) + "\n")
    return path


def test_the_command_line_from_conll_to_spans(cli: Cli, table: pd.DataFrame, tmp_path: Path) -> None:
    data = write(table, tmp_path / "eng.train")
    ran = cli("train", "--task", "token-classification", "--train", data, "--valid", write(table, tmp_path / "eng.testa"),
              "--method", "linear", "--out", tmp_path / "m", "--json")  # fmt: skip
    assert ran.code == 0, ran.err
    found = cli("evaluate", "--model", tmp_path / "m", "--data", data, "--json")
    assert {"precision", "recall", "f1", "per_type"} <= found.json["entity"].keys()
    assert {"micro", "macro", "per_tag"} <= found.json["token"].keys()
    assert found.json["entity_f1"] == ran.json["entity_f1"] == 1.0
    (tmp_path / "in.csv").write_text('id,body\n007,"how to  refund the Order, please"\n008,\n')
    for name in ("out.csv", "out.jsonl", "out.parquet"):
        ran = cli(
            "predict",
            "--model",
            tmp_path / "m",
            "--data",
            tmp_path / "in.csv",
            "--text",
            "body",
            "--out",
            tmp_path / name,
        )
        assert ran.code == 0, ran.err
    out = pd.read_csv(tmp_path / "out.csv", dtype=str, keep_default_na=False)
    assert out["id"].tolist() == ["007", "008"]
    spans = [json.loads(cell) for cell in out["spans"]]
    assert [{**span, "score": 0} for span in spans[0]] == [
        {"start": 8, "end": 24, "text": "refund the Order", "label": "DEED", "score": 0}
    ]
    assert spans[1] == []
    lines = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert lines[0]["spans"][0]["text"] == "refund the Order"
    ran = cli("predict", "--model", tmp_path / "m", "--data", data, "--out", tmp_path / "c.jsonl", "--json")
    assert ran.json["rows"] == len(table)
    first = json.loads((tmp_path / "c.jsonl").read_text().splitlines()[0])
    assert (first["text"], first["spans"][0]["start"], first["spans"][0]["end"]) == ("my Card is lost", 3, 7)


@pytest.mark.parametrize("text", ["a O\n\nb O\n", "a NN O\nb\n", ""])
def test_what_cannot_be_learnt_is_refused_in_one_line(cli: Cli, tmp_path: Path, text: str) -> None:
    (tmp_path / "odd").write_text(text)
    ran = cli(
        "train",
        "--task",
        "token-classification",
        "--train",
        tmp_path / "odd",
        "--method",
        "linear",
        "--out",
        tmp_path / "m",
    )
    assert (ran.code, ran.out, ran.err.count("\n")) == (1, "", 1)
    assert not (tmp_path / "m").exists()


@pytest.mark.parametrize("method", task.METHODS)
def test_a_table_of_one_tag_is_learnt(tiny_encoder: Path, tmp_path: Path, method: str) -> None:
    table = pd.DataFrame({"tokens": [["card"], ["order"]], "tags": [["B-THING"], ["B-THING"]]})
    done = fieldtune.finetune(
        "token-classification", table, valid=table, model=str(tiny_encoder), method=method, out=tmp_path / "model",
        settings={} if method in ("linear", "head") else {"learning_rate": 1e-2}, progress=False,
    )  # fmt: skip
    assert fieldtune.load(done.path).tag([["card", "refund"]])[0] == [["B-THING", "B-THING"]]


def test_findings(table: pd.DataFrame) -> None:
    rows = [(["my", "card"], ["O", "B-RARE"]), (["my", "card"], ["O", "O"])]
    again = table.astype(str).duplicated()
    assert [one.rows for one in task.check(table) if one.kind == "duplicate"] == [tuple(np.flatnonzero(again))]
    table = table[~again]
    found = task.check(pd.concat([table, pd.DataFrame(rows, columns=["tokens", "tags"])], ignore_index=True))
    last = (len(table), len(table) + 1)
    assert [(one.kind, one.rows) for one in found] == [("single-entity-type", last[:1]), ("conflicting-tags", last)]


def test_equal_sentences_stay_on_one_side(table: pd.DataFrame) -> None:
    rows, held_out = task.split(table, 0)
    assert len(held_out) and not {tuple(one) for one in rows["tokens"]} & {tuple(one) for one in held_out["tokens"]}


def test_one_sentence_is_no_list_of_sentences(table: pd.DataFrame, tmp_path: Path) -> None:
    model = fieldtune.load(
        fieldtune.finetune(
            "token-classification", table, valid=table, method="linear", out=tmp_path / "m", progress=False
        ).path
    )
    with pytest.raises(InputError, match="a list of sentences"):
        model.tag(["my", "card"])
    assert task.predict(model, pd.DataFrame({"text": ["", "my card!"]}))["spans"].map(len).tolist() == [0, 1]
    assert model.tag([[], ["card"]])[0][0] == []
    assert model.tag([]) == ([], [])
