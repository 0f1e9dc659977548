"""Personal data is hidden from a model that was trained without it, by whatever way a text reaches it."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import fieldtune
from fieldtune.data.scrub import scrub, traced
from fieldtune.explain.attribution import explain
from fieldtune.labelling import judge, vectors_of
from fieldtune.models.trained import embedder_of
from fieldtune.runtime import generator
from fieldtune.serve.rows import Row
from fieldtune.serve.served import Served

ASKED = "call me back at 202-555-0147 about the card"
READ = "call me back at [phone] about the card"
WORDS = ["card", "lost", "refund", "order", "my", "account"]


def pairs(count: int = 24) -> list[tuple[str, str]]:
    """Every fourth tells a number, which training hides."""
    calls = [" call me back at 202-555-0147" if row % 4 == 0 else "" for row in range(count)]
    return [
        (f"{WORDS[row % 6]} the {WORDS[row * 5 % 6]} {row}{call}", f"{WORDS[row % 6]} is {row % 7}")
        for row, call in enumerate(calls)
    ]


def table(task: str) -> dict[str, Any]:
    """Rows to learn a task from."""
    both = pairs()
    texts, others = [one for one, _ in both], [other for _, other in both]
    labels = [("a", "b")[row % 2] for row in range(len(both))]
    rows: dict[str, dict[str, Any]] = {
        "text-classification": {"text": texts, "label": labels},
        "multi-label-classification": {"text": texts, "label": [json.dumps([label]) for label in labels]},
        "regression": {"text": texts, "label": [float(row % 5) for row in range(len(both))]},
        "text-pair": {"text_a": texts, "text_b": others, "label": labels},
        "token-classification": {
            "tokens": [text.split() for text in texts], "tags": [["B-X", *["O"] * (len(text.split()) - 1)] for text in texts],
        },
        "embedding": {"query": texts, "positive": others},
        "reranking": {"query": texts, "document": others},
        "dialogue": {
            "source": [*texts, "202-555-0147", "202 the 555 the 0147"], "target": [*others, "we call you", "what is this"],
        },
    }  # fmt: skip
    return rows[task]


def asks(model: Any, text: str) -> list[Any]:
    """What the public methods of a model that read texts say to this one."""
    two, words = [(text, "my card")], [text.split()]
    said = {
        "logits": [words] if hasattr(model, "tag") else [two] if "pair" in model.card["task"] else [[text]],
        "probabilities": [two] if "pair" in model.card["task"] else [[text]],
        "values": [[text]], "encode": [[text]], "score": [two], "generate": [[text]],
    }  # fmt: skip
    return [getattr(model, name)(*given) for name, given in said.items() if hasattr(model, name)]


MODELS = [
    ("text-classification", "head"), ("text-classification", "linear"), ("multi-label-classification", "linear"),
        ("regression", "head"), ("text-pair", "head"), ("text-pair", "linear"), ("text-pair", "full"),
        ("token-classification", "head"), ("token-classification", "linear"), ("embedding", "head"),
        ("reranking", "head"), ("dialogue", "copy"), ("dialogue", "full"),
]  # fmt: skip


@pytest.mark.parametrize(("task", "method"), MODELS)
def test_a_loaded_model_reads_a_number_as_its_training_rows_had_it(
    task: str, method: str, tiny_encoder: Path, tmp_path: Path
) -> None:
    steps = {"max_steps": 1} if method == "full" else {}
    done = fieldtune.finetune(
        task, table(task), method=method, model=str(tiny_encoder), out=tmp_path / "m", progress=False, settings=steps
    )
    model = fieldtune.load(done.path)
    asked, read = (
        ("202-555-0147", "[phone]") if task == "dialogue" else (ASKED, READ)
    )  # one of its rows, and a near one
    found = asks(model, asked)
    assert found
    for mine, told in zip(found, asks(model, read), strict=True):
        np.testing.assert_array_equal(mine, told)
    shown(model)  # and it can tell numbers apart where nothing is hidden; a writer says one thing to all after one step
    assert (task, method) == ("dialogue", "full") or any(
        not np.array_equal(*two) for two in zip(asks(model, asked), asks(model, read), strict=True)
    )


def shown(model: Any) -> None:
    """Let it read everything as it stands."""
    reader = getattr(model, "features", model)
    while reader is not None:
        assert reader.hides
        reader.hides, reader = False, getattr(reader, "features", None)


@pytest.fixture(scope="module")
def classifier(tiny_encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("classifier") / "m"
    fieldtune.finetune(
        "text-classification",
        table("text-classification"),
        method="head",
        model=str(tiny_encoder),
        out=out,
        progress=False,
    )
    return out


def test_every_way_to_ask_reads_alike(classifier: Path, cli: Callable[..., Any], tmp_path: Path) -> None:
    model = fieldtune.load(classifier)
    (mine, read), embedder = judge(model, [ASKED, READ]).sure, embedder_of(model)
    assert mine == read and embedder is not None
    for vectors in (vectors_of(model, [ASKED, READ]), embedder.encode([ASKED, READ]), model.features([ASKED, READ])):
        np.testing.assert_array_equal(vectors[0], vectors[1])
    for verb in ("predict", "encode"):
        first, second = Served(classifier).compute([Row(verb, (ASKED,)), Row(verb, (READ,))])
        assert first == second
    pd.DataFrame({"text": [ASKED, READ]}).to_csv(tmp_path / "t.csv", index=False)
    ran = cli("encode", "--model", classifier, "--data", tmp_path / "t.csv", "--out", tmp_path / "v.npy")
    assert ran.code == 0, ran.err
    np.testing.assert_array_equal(*np.load(tmp_path / "v.npy"))


@pytest.mark.parametrize("method", ["gradients", "occlusion"])
def test_an_explanation_is_of_what_was_read_and_shows_what_was_written(classifier: Path, method: str) -> None:
    model = fieldtune.load(classifier)
    mine, read = (explain(model, text, rng=generator(0), method=method) for text in (ASKED, READ))
    assert mine.score == read.score
    # Batches of other sizes add up in another order.
    assert (*mine.weights[:4], *mine.weights[5:]) == pytest.approx((*read.weights[:4], *read.weights[7:]), abs=1e-6)
    if method == "gradients":  # what was typed as [phone] is three words, the number that stands for it one
        assert mine.weights[4] == pytest.approx(sum(read.weights[4:7]))
    assert mine.text == ASKED
    assert mine.words == "call me back at 202-555-0147 about the card".split()


def test_every_character_knows_where_it_comes_from() -> None:
    text = "Ann, jo@post.example or (202) 555-0147, card 4111 1111 1111 1111."
    hidden, places = traced(text)
    assert hidden == scrub(text).text == "Ann, [email] or [phone], card [card]."
    assert len(places) == len(hidden)
    for sign, (start, end) in zip(hidden, places, strict=True):
        assert text[start:end] == sign or text[start:end] in (
            "jo@post.example",
            "(202) 555-0147",
            "4111 1111 1111 1111",
        )


LONG, HALF = (" ".join(WORDS[place * 5 % 6] for place in range(count)) for count in (100, 20))


@pytest.mark.parametrize(("task", "method"), [*MODELS, ("reranking", "full"), ("text-classification", "continual")])
def test_whoever_asks_is_told_which_texts_are_not_read_to_their_end(
    task: str, method: str, tiny_encoder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    steps = {"max_steps": 1} if method == "full" else {}
    length = {} if method == "linear" else {"max_length": 32}
    done = fieldtune.finetune(
        task, table(task), method=method, model=str(tiny_encoder), out=tmp_path / "m", progress=False,
        settings={**steps, **length},
    )  # fmt: skip
    served, verb = Served(done.path), "encode" if task == "embedding" else "predict"
    stops = method != "linear" and task != "token-classification"  # it reads in windows
    pair, joined = len(served.inputs) == 2, len(served.inputs) == 2 and method == "full"
    rows = [(HALF, "my card"), (HALF, HALF), (LONG, "my card")] if pair else [(HALF,), (LONG,)]
    told = [answer["truncated"] for answer in served.compute([Row(verb, row) for row in rows])]
    assert told == ([False, joined, stops] if pair else [False, stops])
    if task != "dialogue":  # what is not read changes no answer; a writer says one thing to all
        shown(served.model)
        for (text, *rest), cut in zip(rows, told, strict=True):
            ends = [ask(served.model, (end, *rest)) for end in (f"{text} lost", f"{text} refund")]
            assert np.array_equal(*ends) == cut
    capsys.readouterr()
    if task != "embedding":
        fieldtune.predict(done.path, pd.DataFrame(rows, columns=list(served.inputs)))
        note = re.search(
            r"note: (\d+)% of the (.+) are longer than the 32 tokens that are read", capsys.readouterr().err
        )
        wanted = (f"{np.mean(told):.0%}"[:-1], "pairs of texts" if joined else "texts") if stops else None
        assert (note and note.groups()) == wanted


def ask(model: Any, row: tuple[str, ...]) -> Any:
    """What a model says to one row, in numbers."""
    if hasattr(model, "tag"):
        return model.logits([row[0].split()])
    name = next(name for name in ("logits", "values", "probabilities", "encode", "score") if hasattr(model, name))
    return getattr(model, name)([row if len(row) > 1 else row[0]])


@pytest.mark.parametrize("task", ["seq2seq", "dialogue"])
def test_targets_longer_than_are_written_are_told(
    task: str, tiny_encoder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = table("dialogue")
    rows["target"] = ["my card is", "my card is lost"] * (len(rows["target"]) // 2)
    done = fieldtune.finetune(
        task, rows, valid=rows, model=str(tiny_encoder), out=tmp_path / "m", settings={"max_steps": 1, "max_target": 4}
    )
    note = "note: 50% of the targets are longer than the 4 tokens that are written at most"
    assert note in capsys.readouterr().err
    fieldtune.measure(done.path, rows)
    assert note in capsys.readouterr().err
