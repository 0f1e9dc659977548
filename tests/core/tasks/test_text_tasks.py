"""The text tasks from the outside: from a table to a folder and back, on the command line and in memory; odd tables."""

import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.metrics import f1_score

import fieldtune
from fieldtune.data.checks import check_table
from fieldtune.errors import ConfigError, FieldtuneError, InputError
from fieldtune.models.encoder import load_encoder_folder
from fieldtune.models.folder import staged
from fieldtune.models.pair_features import Together
from fieldtune.tasks import task_module
from fieldtune.tasks.reranking import with_negatives
from tests.conftest import Ran

Cli = Callable[..., Ran]
THINGS = ("card", "refund", "order", "account")


def table_of(task: str) -> pd.DataFrame:
    """Rows that are easy to learn."""
    rows = [(f"my {thing} number {n}", thing, n) for n in range(15) for thing in THINGS]
    match task:
        case "multi-label-classification":
            both = [(f"{text} and {THINGS[n % 4]}", "|".join({thing, THINGS[n % 4]})) for text, thing, n in rows]
            return pd.DataFrame([*both, ("hello", ""), ("good day", "")], columns=["text", "label"])
        case "regression":
            return pd.DataFrame([(text, 100.0 + 3 * len(thing)) for text, thing, _ in rows], columns=["text", "label"])
        case "text-pair":
            pairs = [(text, f"the {other} {n}", str(thing == other)) for text, thing, n in rows for other in THINGS[:2]]
            return pd.DataFrame(pairs, columns=["text_a", "text_b", "label"])
        case "reranking":
            found = [
                (f"{thing} {n}", f"about the {other} {n}", int(thing == other))
                for _, thing, n in rows
                for other in THINGS
            ]
            return pd.DataFrame(found, columns=["query", "document", "label"]).drop_duplicates()
    return pd.DataFrame([row[:2] for row in rows], columns=["text", "label"])


ADDED = {
    "multi-label-classification": ["predicted", *(f"p_{name}" for name in sorted(THINGS))],
    "regression": ["predicted", "low", "high"],
    "text-pair": ["predicted", "probability", "in_scope", "in_scope_score", "p_False", "p_True"],
    "reranking": ["score"],
}
FIGURES = {
    "multi-label-classification": {"micro_f1", "macro_f1", "weighted_f1", "subset_accuracy", "per_class"},
    "regression": {"mae", "rmse", "r2", "pearson", "spearman", "in_interval", "interval_width"},
    "text-pair": {"accuracy", "macro_f1", "weighted_f1", "ece", "log_loss", "per_class", "in_scope"},
    "reranking": {"ndcg@10", "mrr@10", "recall@1", "recall@5", "recall@10", "first_stage", "candidates"},
}


@pytest.mark.parametrize("task", ADDED)
def test_train_evaluate_and_predict_from_the_command_line(
    cli: Cli, tiny_encoder: Path, tmp_path: Path, task: str
) -> None:
    table = table_of(task)
    table.assign(id=[f"00{row}" for row in range(len(table))]).to_csv(tmp_path / "t.csv", index=False)
    out, about = tmp_path / "model", task_module(task)
    named = ("text-classification", "--set", "multi_label=true") if task.startswith("multi") else (task,)
    ran = cli("train", "--task", *named, "--train", tmp_path / "t.csv", "--method", "linear", "--out", out, "--json",
              "--model", tiny_encoder)  # fmt: skip
    assert ran.code == 0, ran.err
    assert ran.json[about.FIGURE] > 0.8
    found = cli("evaluate", "--model", out, "--data", tmp_path / "t.csv", "--json")
    assert found.code == 0, found.err
    assert FIGURES[task] | {"n"} <= found.json.keys()
    assert "does not know" not in found.err
    told = cli("predict", "--model", out, "--data", tmp_path / "t.csv", "--out", tmp_path / "p.csv")
    assert told.code == 0, told.err
    predicted = fieldtune.read_table(tmp_path / "p.csv")
    assert predicted.columns.tolist() == [*table.columns, "id", *ADDED[task]]
    assert predicted["id"].tolist() == [f"00{row}" for row in range(len(table))]
    assert cli("data", "check", tmp_path / "t.csv", "--task", task).code == 0


def test_what_is_in_the_interval_lies_between_low_and_high(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"text": [f"card {n}" for n in range(200)], "label": rng.normal(size=200)})
    done = fieldtune.finetune("regression", table[:100], method="linear", out=tmp_path / "m", progress=False)
    answers = fieldtune.predict(done.path, table[100:])
    inside = (answers["low"] <= answers["label"]) & (answers["label"] <= answers["high"])
    assert 0 < inside.mean() < 1
    assert fieldtune.measure(done.path, table[100:])["in_interval"] == pytest.approx(inside.mean())


@pytest.mark.parametrize("method", ["head", "full"])
@pytest.mark.parametrize("task", ADDED)
def test_a_model_loads_as_it_was_saved(tiny_encoder: Path, tmp_path: Path, task: str, method: str) -> None:
    about = task_module(task)
    table = about.read(table_of(task))
    settings = about.DEFAULTS.updated({"max_steps": 2, "hard_negatives": 1})
    rows, held_out = about.split(table, 0)
    model = about.train(rows, method, str(tiny_encoder), settings, seed=0, folder=tmp_path / "run", show=False)
    figures = about.finish(model, held_out)
    assert np.isfinite(figures[about.FIGURE])
    model.card = {"task": task, "method": method, "max_length": settings.max_length}
    with staged(tmp_path / "out") as temporary:
        model.save(temporary)
    again = fieldtune.load(tmp_path / "out")
    inputs = table[list(about.INPUTS)]
    np.testing.assert_array_equal(model.weight, again.weight)
    saved, loaded = (one.features.encoder.body.state_dict() for one in (model, again))
    assert all(torch.equal(saved[name], loaded[name]) for name in saved)
    # Vectors kept from training were computed in other batches: the last bit may differ.
    pd.testing.assert_frame_equal(about.predict(model, inputs), about.predict(again, inputs), rtol=1e-5, atol=1e-6)
    scores = about.correct(again, table)
    assert np.isfinite(scores).all()
    assert len(scores) == (table["query"].nunique() if task == "reranking" else len(table))
    other = about.train(rows, "linear", "", settings, seed=0, folder=tmp_path / "run", show=False)
    about.adopt(other, again)
    assert not [file for file in (tmp_path / "out").iterdir() if file.suffix not in (".json", ".safetensors", ".txt")]


def test_six_lines_and_refit(tiny_encoder: Path, tmp_path: Path) -> None:
    table = table_of("regression")
    done = fieldtune.finetune(
        "regression", table, model=str(tiny_encoder), method="head", out=tmp_path / "m", progress=False
    )
    model = fieldtune.load(done.path)
    assert model.card["rows"] == len(table)
    assert done.task == "regression"
    wide = model.values(["my card number 3"])[0]
    assert abs(wide - 112) < 5


# several labels


def test_several_labels_are_asked_for_and_never_guessed(tmp_path: Path) -> None:
    table = table_of("multi-label-classification").replace("", "none")
    one = fieldtune.finetune("text-classification", table, method="linear", out=tmp_path / "one", progress=False)
    assert any("|" in label for label in fieldtune.load(one.path).labels)
    with pytest.raises(ConfigError, match="multi_label"):
        fieldtune.finetune("regression", table, method="linear", out=tmp_path / "no", settings={"multi_label": True})


def test_what_predict_writes_is_what_train_reads(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    about = task_module("multi-label-classification")
    told = pd.DataFrame({"text": list("abcdef"), "label": ["x | y", "y|x|x", "", "oos", "y", "X"]})
    table = about.read(told, labels={"x": "q", "y": "y", "X": "X", "oos": "oos"})
    assert table["label"].tolist() == ["q|y", "q|y", "", "", "y", "X"]
    assert "2 of 6 rows have no label" in capsys.readouterr().err
    assert about.read(table)["label"].tolist() == table["label"].tolist()
    assert {finding.kind for finding in about.check(about.read(told))} >= {"label-spelling", "single-row-class"}


def test_a_threshold_per_label_of_rows_not_trained_on(tmp_path: Path) -> None:
    about = task_module("multi-label-classification")
    table = about.read(table_of("multi-label-classification"))
    rows, held_out = about.split(table, 1)
    model = about.train(rows, "linear", "", about.DEFAULTS, seed=0, folder=tmp_path, show=False)
    before = about.metrics(model, held_out)["macro_f1"]
    figures = about.finish(model, held_out)
    truth = np.asarray([[name in cell.split("|") for name in model.labels] for cell in held_out["label"]])
    predicted = about.predict(model, held_out)
    given = np.asarray([[name in cell.split("|") for name in model.labels] for cell in predicted["predicted"]])
    assert figures["macro_f1"] == pytest.approx(f1_score(truth, given, average="macro", zero_division=0))
    assert figures["macro_f1"] >= before
    stranger = pd.DataFrame({"text": ["my card", "my card"], "label": ["card|unheard", "unheard"]})
    assert about.metrics(model, stranger)["per_class"]["unheard"]["recall"] == 0.0


def test_a_label_that_every_row_has_is_learnt_as_such(tmp_path: Path) -> None:
    about = task_module("multi-label-classification")
    table = pd.DataFrame({"text": ["red one", "blue one", "red two", "blue two"], "label": ["a|r", "a", "a|r", "a"]})
    model = about.train(table, "linear", "", about.DEFAULTS, seed=0, folder=tmp_path, show=False)
    assert list(about.predict(model, table)["predicted"]) == ["a|r", "a", "a|r", "a"]


# numbers


@pytest.mark.parametrize(
    ("labels", "told"),
    [
        (["1", "2", "three"], "'three'"), (["1", "2", "inf"], "'inf'"), (["1", "2", "nan"], "'nan'"),
        (["1", "2", "1,5"], "'1,5'"), (["1", "2", ""], "a label on every row"), (["7", "7.0", "7"], "every label is 7"),
    ],
)  # fmt: skip
def test_labels_that_are_no_numbers_are_refused_by_row(cli: Cli, tmp_path: Path, labels: list[str], told: str) -> None:
    pd.DataFrame({"text": ["a", "b", "c"], "label": labels}).to_csv(tmp_path / "t.csv", index=False)
    ran = cli(
        "train", "--task", "regression", "--train", tmp_path / "t.csv", "--method", "linear", "--out", tmp_path / "m"
    )
    assert ran.code == 1
    assert told in ran.err.replace("\n", " ")
    assert told.startswith("every") or "(rows 4)" in ran.err.replace("\n", " ")
    assert not (tmp_path / "m").exists()
    assert cli("data", "check", tmp_path / "t.csv", "--task", "regression").code == 1


def test_any_unit_gives_the_same_model(tmp_path: Path) -> None:
    about, table = task_module("regression"), table_of("regression")
    table["label"] += np.arange(len(table)) % 5
    one, two = (
        about.train(
            table.assign(label=table["label"] * unit), "linear", "", about.DEFAULTS, seed=0, folder=tmp_path, show=False
        )
        for unit in (1.0, 1e6)
    )
    np.testing.assert_allclose(one.values(["my card"]) * 1e6, two.values(["my card"]), rtol=1e-4)
    assert about.predict(one, table)["low"].isna().all()  # not validated yet
    about.finish(one, table)
    inside = about.predict(one, table)
    assert ((inside["low"] <= table["label"]) & (table["label"] <= inside["high"])).mean() >= 0.9


# pairs


def test_both_texts_are_read_together_as_transformers_does(tiny_encoder: Path) -> None:
    encoder = load_encoder_folder(tiny_encoder)
    pairs = [
        ("my card", "the account is lost"),
        ("refund", "my"),
        ("cancel the order " * 5, "how to"),
        ("refund", "my"),
    ]
    found = Together(encoder, 12)(pairs)
    for row, pair in enumerate(pairs):
        tokens = encoder.tokenizer(*pair, truncation="longest_first", max_length=12, return_tensors="pt")
        assert tokens["token_type_ids"].unique().tolist() == [0, 1]  # the second text survives the cut
        with torch.inference_mode():
            hidden = encoder.body(**tokens).last_hidden_state[0].mean(dim=0)
        np.testing.assert_allclose(found[row], torch.nn.functional.normalize(hidden, dim=0).numpy(), atol=1e-5)
    halves, plain = [("card \ud800", "\udfff lost")], [("card ?", "? lost")]
    np.testing.assert_array_equal(Together(encoder, 12)(halves), Together(encoder, 12)(plain))
    assert Together(encoder, 12)([]).shape == (0, encoder.dimensions)
    with pytest.raises(InputError, match="texts"):
        Together(encoder, 12)([("a", 3)])  # type: ignore[list-item]


def test_an_encoder_without_token_types(tmp_path: Path, tiny_encoder: Path) -> None:
    from transformers import AutoTokenizer, DistilBertConfig, DistilBertModel

    tokenizer = AutoTokenizer.from_pretrained(tiny_encoder)
    config = DistilBertConfig(vocab_size=len(tokenizer), dim=16, n_layers=1, n_heads=2, hidden_dim=16)
    DistilBertModel(config).save_pretrained(tmp_path / "e")
    tokenizer.save_pretrained(tmp_path / "e")
    about = task_module("text-pair")
    settings = about.DEFAULTS.updated({"max_steps": 1})
    table = about.read(table_of("text-pair"))
    model = about.train(table, "full", str(tmp_path / "e"), settings, seed=0, folder=tmp_path / "r", show=False)
    assert np.isfinite(model.logits([("my card", "the card")])).all()


def test_the_same_two_texts_stay_on_one_side() -> None:
    about = task_module("text-pair")
    pairs = [(f"a {n}", f"b {n}") for n in range(40)]
    table = pd.DataFrame([*pairs, *((b, a) for a, b in pairs)], columns=["text_a", "text_b"]).assign(
        label=["x", "y"] * 40
    )
    rows, held_out = about.split(table, 0)
    keys = [{frozenset(pair) for pair in zip(part["text_a"], part["text_b"], strict=True)} for part in (rows, held_out)]
    assert keys[1] and not keys[0] & keys[1]


# documents for a query


def test_wrong_documents_are_mined_where_only_right_ones_are_given(tmp_path: Path) -> None:
    about = task_module("reranking")
    found = [
        ("lost card", "what to do when a card is lost"),
        ("Lost card", "block the card"),
        ("card price", "a card costs 5"),
    ]
    table = about.read(pd.DataFrame(found, columns=["query", "document"]))
    mined = with_negatives(pd.concat([table, table.iloc[[0]].assign(document="Block the card!")]), 5)
    wrong = mined[mined["label"] == 0].groupby("query")["document"].agg(set)
    assert wrong["lost card"] == {"a card costs 5"}  # neither its own nor another spelling of them
    assert {"what to do when a card is lost", "a card costs 5"} == wrong["Lost card"]
    own = pd.DataFrame([("q", "d", 1.0), ("q", "e", 0.0)], columns=["query", "document", "label"])
    assert len(with_negatives(own, 5)) == 2  # it has wrong ones of its own


def test_right_documents_alone_are_measured_beside_rivals(tiny_encoder: Path, tmp_path: Path) -> None:
    table = pd.DataFrame([(f"repair {thing} {n}", f"{thing} {n}") for n in range(20) for thing in THINGS])
    done = fieldtune.finetune(
        "reranking", table.set_axis(["query", "document"], axis=1), method="head", model=str(tiny_encoder),
        out=tmp_path / "m", rivals=True, progress=False,
    )  # fmt: skip
    assert set(done.metrics["rivals"]) == {"linear"}


def test_a_row_that_stands_twice_counts_once() -> None:
    about, rows = task_module("reranking"), [("q", "yes", 1.0), ("q", "also", 1.0), ("q", "no", 0.0)]
    table = pd.DataFrame(rows * 2 + [("q", "yes", 1.0)] * 3, columns=["query", "document", "label"])
    best = SimpleNamespace(score=lambda pairs: np.array([{"yes": 3.0, "also": 2.0, "no": 1.0}[d] for _, d in pairs]))
    found = about.metrics(best, table)
    assert (found["ndcg@10"], found["recall@5"], found["recall@1"]) == (1.0, 1.0, 0.5)


def test_figures_are_those_of_the_order_of_the_scores(tmp_path: Path) -> None:
    class Fixed:
        def score(self, pairs: list[tuple[str, str]]) -> np.ndarray:
            return np.asarray([float(document.split()[1]) for _, document in pairs], dtype=np.float32)

    rows = [("q", f"d {n}", float(n == 2)) for n in range(4)] + [
        ("r", "d 9", 1.0),
        ("r", "d 1", 0.0),
        ("s", "d 1", 0.0),
    ]
    table = pd.DataFrame(rows, columns=["query", "document", "label"])
    about = task_module("reranking")
    found = about.metrics(Fixed(), table)
    assert found["n"] == 2
    assert found["mrr@10"] == pytest.approx((1 / 2 + 1) / 2)
    assert found["ndcg@10"] == pytest.approx((1 / np.log2(3) + 1) / 2)
    assert found["recall@1"] == pytest.approx(0.5)
    np.testing.assert_allclose(about.correct(Fixed(), table), [1 / np.log2(3), 1.0])


@pytest.mark.parametrize(("labels", "told"), [([0, 0], "no document is relevant"), (["yes", "no"], "a finite number")])
def test_tables_that_rank_nothing_are_refused(tmp_path: Path, labels: list[Any], told: str) -> None:
    table = pd.DataFrame({"query": ["a", "b"], "document": ["c", "d"], "label": labels})
    with pytest.raises(InputError, match=told):
        fieldtune.finetune("reranking", table, valid=table, method="linear", out=tmp_path / "m", progress=False)
    only = pd.DataFrame({"query": ["a", "b"], "document": ["c", "c"], "label": 1})
    with pytest.raises(InputError, match="only such as answer it"):
        fieldtune.finetune("reranking", only, valid=only, method="linear", out=tmp_path / "m", progress=False)


# odd tables


def test_a_hundred_thousand_classes_are_an_error_at_once(tmp_path: Path) -> None:
    table = pd.DataFrame(
        {"text": [f"text {n}" for n in range(100_000)], "label": [f"Label {n // 2} {n % 2}" for n in range(100_000)]}
    )
    started = time.process_time()
    with pytest.raises(InputError, match="100000 different labels"):
        fieldtune.finetune("text-classification", table, method="linear", out=tmp_path / "m", progress=False)
    assert time.process_time() - started < 120
    twins = pd.DataFrame({"text": "t", "label": [f"{name} {n}" for n in range(20_000) for name in ("A", "a")]})
    assert "label-spelling" in {finding.kind for finding in check_table(twins, "text-classification")}


@pytest.mark.parametrize("task", ["text-classification", *ADDED])
def test_texts_of_unknown_tokens_train_and_are_told(
    tiny_encoder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], task: str
) -> None:
    table, about = table_of(task), task_module(task)
    for name in about.INPUTS:
        table[name] = table[name].str.replace(r"[a-z0-9 ]+", "☃ ☂ ☁", regex=True) + [
            " ☃" * (row % 7) for row in range(len(table))
        ]
    try:
        done = fieldtune.finetune(task, table, model=str(tiny_encoder), method="head", out=tmp_path / "m")
    except FieldtuneError as error:
        assert "rows" in str(error) or "documents" in str(error)  # all rows say the same
    else:
        assert np.isfinite(done.metrics["n"])
        assert "cannot read" in capsys.readouterr().err


def test_labels_with_spaces_case_twins_and_one_row(cli: Cli, tmp_path: Path) -> None:
    rows = [(f"{word} {n}", label) for n in range(12) for word, label in (("card", "Lost card"), ("money", "refund "))]
    rows += [("pin", "lost  CARD"), ("sms", "alone")]
    pd.DataFrame(rows, columns=["text", "label"]).to_csv(tmp_path / "t.csv", index=False)
    ran = cli("train", "--task", "text-classification", "--train", tmp_path / "t.csv", "--method", "linear", "--out",
              tmp_path / "m", "--json")  # fmt: skip
    assert ran.code == 0, ran.err
    assert "differ in spelling only" in ran.err
    assert "one row only" in ran.err
    assert fieldtune.load(tmp_path / "m").labels == ("Lost card", "alone", "lost  CARD", "refund")
