"""A table and a trained model in Python: figures against scikit-learn's, every row kept, rows that were learnt are told."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from sklearn.metrics import accuracy_score
from sklearn.metrics import confusion_matrix as sklearn_confusion

import fieldtune
from fieldtune import errors
from fieldtune.errors import InputError
from fieldtune.evaluate import pictures
from tests.conftest import Ran
from tests.core.test_odd_input import table_of, trained

ADDED = {
    "multi-label-classification": "predicted",
    "seq2seq": "predicted",
    "dialogue": "predicted",
    "regression": "predicted",
    "text-pair": "predicted",
    "token-classification": "spans",
    "reranking": "score",
    "image-classification": "predicted",
    "object-detection": "boxes_found",
    "image-text": "predicted",
}
HELD_OUT = pd.DataFrame(
    [("about my card", "card"), ("the refund is late", "refund"), ("cancel the order", "account")],
    columns=["text", "label"],
)


@pytest.fixture
def folder(tmp_path: Path, tiny_encoder: Path) -> Path:
    rows = table_of("text-classification").assign(label=lambda table: table["label"] + " ")  # spaces are cut off
    return trained("text-classification", rows, tiny_encoder, tmp_path / "model", valid=HELD_OUT, progress=False)


def test_accuracy_is_scikit_learns_and_the_users_table_stays(folder: Path, tmp_path: Path) -> None:
    table = HELD_OUT.rename(columns={"text": "said"}).assign(ours=range(3)).set_index(np.array([7, 3, 7]))
    before = table.copy()
    answered = fieldtune.predict(folder, table, rename={"text": "said"})
    pd.testing.assert_frame_equal(table, before)
    pd.testing.assert_frame_equal(answered[["said", "label", "ours"]], before)
    kept = fieldtune.load(folder).in_scope(list(table["said"]))[0]
    assert answered["in_scope"].dtype == bool  # texts would all count as true
    assert answered["in_scope"].tolist() == kept.tolist()
    for act in (fieldtune.predict, fieldtune.measure):
        with pytest.raises(InputError, match="rename of 'said'"):
            act(folder, table, rename={"said": "text"})  # the wrong way round
    found = fieldtune.measure(str(folder), table, rename={"text": "said"})
    assert found["accuracy"] == accuracy_score(table["label"], answered["predicted"])
    table.to_csv(tmp_path / "held_out.csv", index=False)
    model = fieldtune.load(folder)
    assert fieldtune.measure(model, tmp_path / "held_out.csv", rename={"text": "said"})["n"] == found["n"] == 3
    blank = fieldtune.predict(model, pd.DataFrame({"text": ["my card", None, ""]}))
    assert blank["predicted"].isin(model.labels).all() and len(blank) == 3


def test_a_table_of_other_labels_is_refused(folder: Path, tiny_encoder: Path, tmp_path: Path) -> None:
    table = HELD_OUT.assign(label=["0", "1", "2"])
    with pytest.raises(InputError, match=r"knows \(account, .*found none of them, but 0, 1, 2; fix: .*--map OLD=NEW"):
        fieldtune.measure(folder, table)
    names = {"0": "card", "1": "refund", "2": "account"}
    assert fieldtune.measure(folder, table, labels=names)["accuracy"] == fieldtune.measure(folder, HELD_OUT)["accuracy"]
    assert fieldtune.measure(folder, HELD_OUT.assign(label=["card", "x", "y"]))["n"] == 3
    strange = fieldtune.measure(folder, HELD_OUT.assign(label=["x", "oos", "oos"]))  # what foreign rows are for
    assert strange["n"] == 1 and 0 <= strange["in_scope"]["auroc"] <= 1
    for task, other in (
        ("token-classification", {"tags": [["B-NO"]]}),
        ("multi-label-classification", {"label": ["n"]}),
    ):
        rows = table_of(task)
        model = fieldtune.load(trained(task, rows, tiny_encoder, tmp_path / task))
        odd = rows.head(1).assign(**{name: pd.Series(cells, index=rows.index[:1]) for name, cells in other.items()})
        odd = odd.assign(tokens=[["word"]]) if "tags" in odd else odd
        with pytest.raises(InputError, match="none of them, but"):
            fieldtune.measure(model, odd)


@pytest.mark.parametrize(("kind", "read"), [("csv", pd.read_csv), ("tsv", pd.read_table), ("parquet", pd.read_parquet)])
def test_a_file_without_rows_is_answered_with_one(
    kind: str, read: Any, folder: Path, tmp_path: Path, cli: Callable[..., Ran]
) -> None:
    file, out = tmp_path / "t.csv", tmp_path / f"o.{kind}"
    wanted = ["id", "text", "predicted", "probability", "in_scope", "in_scope_score"]
    for rows in ("1,my card\n", ""):
        file.write_text(f"id,text\n{rows}")
        assert cli("predict", "--model", folder, "--data", file, "--out", out, "--json").json["rows"] == bool(rows)
        assert (list(read(out).columns)[:6], len(read(out))) == (wanted, bool(rows))
    (tmp_path / "t.jsonl").write_text("")
    assert "at least one row" in cli("predict", "--model", folder, "--data", tmp_path / "t.jsonl", "--out", out).err


def test_a_model_that_labels_nothing_says_so_before_a_column_is_missed(tiny_encoder: Path, tmp_path: Path) -> None:
    model = trained("embedding", table_of("embedding"), tiny_encoder, tmp_path / "model", progress=False)
    with pytest.raises(InputError, match="fieldtune encode"):
        fieldtune.predict(model, pd.DataFrame({"text": ["a"]}))


@pytest.mark.parametrize(
    ("task", "column"), [("text-pair", "text_a"), ("dialogue", "source"), ("image-classification", "image")]
)
def test_a_column_that_is_missed_can_be_named(task: str, column: str, tiny_encoder: Path, tmp_path: Path) -> None:
    model = trained(task, table_of(task), tiny_encoder, tmp_path / "model", progress=False)
    for use in (fieldtune.predict, fieldtune.measure):
        with pytest.raises(InputError, match="--column NAME=COLUMN"):
            use(model, pd.DataFrame({"other": ["a"]}))


@pytest.mark.parametrize(("method", "rivals", "said"), [("linear", False, 1), ("linear", True, 0), ("head", False, 0)])
def test_an_encoder_that_nothing_reads_is_told(
    method: str, rivals: bool, said: int, tiny_encoder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows, given = table_of("text-classification"), {"method": method, "rivals": rivals, "valid": HELD_OUT}
    trained("text-classification", rows, tiny_encoder, tmp_path / "model", **given)
    assert capsys.readouterr().err.count(f"note: {tiny_encoder} is not used: --method linear") == said


def test_a_rival_that_reads_no_encoder_either_makes_no_use_of_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows, given = table_of("image-classification"), {"method": "linear", "rivals": True}
    fieldtune.finetune("image-classification", rows, model="some", out=tmp_path / "model", **given)
    assert "note: some is not used: --method linear" in capsys.readouterr().err


def test_a_dict_of_columns_is_the_table_of_them(folder: Path, tiny_encoder: Path, tmp_path: Path) -> None:
    shifted = HELD_OUT.set_index(np.array([2, 0, 5]))  # columns stand together by place
    columns = {"text": shifted["text"].to_numpy(), "label": tuple(HELD_OUT["label"])}
    pd.testing.assert_frame_equal(fieldtune.predict(folder, columns), fieldtune.predict(folder, HELD_OUT))
    mixed = {"text": shifted["text"], "label": list(HELD_OUT["label"])}
    figures = [fieldtune.measure(folder, one) for one in (mixed, HELD_OUT)]
    assert figures[0] | {"seconds": 0} == figures[1] | {"seconds": 0}
    rows = table_of("text-classification")
    given = {"train": rows.to_dict("list"), "valid": columns}
    made = fieldtune.finetune("text-classification", **given, method="linear", out=tmp_path / "d", progress=False)
    same = fieldtune.finetune(
        "text-classification", rows, valid=HELD_OUT, method="linear", out=tmp_path / "t", progress=False
    )
    assert (made.path / "fieldtune.json").read_bytes() == (same.path / "fieldtune.json").read_bytes()
    for given, found in (
        ({"text": ["a", "b"], "label": ["x"]}, "2 of 'text', 1 of 'label'"),
        ({"text": "a", "label": ["x"]}, "str for 'text'"),
        ({"text": iter("ab"), "label": ["x", "y"]}, "for 'text'"),
        ({"text": {0: "a"}, "label": ["x"]}, "dict for 'text'"),
        ({}, "none in the table"),
    ):
        for act in (fieldtune.measure, fieldtune.predict):
            with pytest.raises(InputError, match=found):
                act(folder, given)


def test_rows_that_were_learnt_are_told(
    folder: Path, tmp_path: Path, cli: Callable[..., Ran], capsys: pytest.CaptureFixture[str]
) -> None:
    learnt = table_of("text-classification")
    for rows, known, said in ((learnt, "train", "trained on"), (HELD_OUT, "valid", "calibrated on")):
        assert fieldtune.measure(folder, rows)["seen"] == known
        assert said in capsys.readouterr().err
    assert fieldtune.measure(folder, learnt.iloc[1:])["seen"] == "not known"
    assert "trained on" not in capsys.readouterr().err
    learnt.to_json(tmp_path / "rows.jsonl", orient="records", lines=True)
    ran = cli("evaluate", "--model", folder, "--data", tmp_path / "rows.jsonl", "--json")
    assert ran.json["seen"] == "train" and ran.err.count("trained on") == 1


def test_rows_in_another_order_are_known_again(folder: Path) -> None:
    assert fieldtune.measure(folder, table_of("text-classification").iloc[::-1])["seen"] == "train"
    changed = table_of("text-classification")
    changed.loc[0, "label"] = "refund"
    assert fieldtune.measure(folder, changed)["seen"] == "not known"


def test_rows_without_text_are_counted(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fieldtune.predict(folder, pd.DataFrame({"text": ["my card", None, " \u3000", "x"]}))
    assert "note: 2 rows have no text (the table)" in capsys.readouterr().err
    fieldtune.predict(folder, pd.DataFrame({"text": ["my card"]}))
    assert not capsys.readouterr().err


@pytest.mark.parametrize(("task", "name"), [("token-classification", "spans"), ("object-detection", "boxes")])
def test_a_labelled_table_is_answered(
    task: str, name: str, tiny_encoder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = trained(task, table_of(task), tiny_encoder, tmp_path / "model", progress=False)
    rows = table_of(task)
    if name == "spans":
        rows = pd.DataFrame({"text": [" ".join(one) for one in rows["tokens"]], "spans": "[]"})
    capsys.readouterr()
    pd.testing.assert_frame_equal(fieldtune.predict(folder, rows), fieldtune.predict(folder, rows.drop(columns=name)))
    assert f"the column {name} of the table is not copied" in capsys.readouterr().err


def test_rows_with_personal_data_are_known_again(tmp_path: Path, tiny_encoder: Path) -> None:
    rows = table_of("text-classification")
    rows["text"] += " write to ada@example.com"
    folder = trained("text-classification", rows, tiny_encoder, tmp_path / "model", progress=False)
    assert fieldtune.measure(folder, rows)["seen"] == "train"


@pytest.mark.parametrize("task", ADDED)
def test_every_task_reads_a_table_in_memory(task: str, tiny_encoder: Path, tmp_path: Path) -> None:
    table = table_of(task)
    folder = trained(task, table, tiny_encoder, tmp_path / "model", progress=False)
    assert fieldtune.measure(folder, table)["seen"] == "train"
    rows = table.rename(columns={"boxes": "drawn"}).iloc[::-1]
    answered = fieldtune.predict(folder, rows)
    added = ADDED[task].removesuffix("_found")
    assert answered.index.tolist() == rows.index.tolist() and added in answered
    pd.testing.assert_frame_equal(answered[list(rows.columns)], rows)
    nothing = fieldtune.predict(folder, rows.iloc[:0])
    assert (list(nothing.columns), len(nothing)) == (list(answered.columns), 0)


def test_what_cannot_be_is_refused(folder: Path, tiny_encoder: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="columns text; found said in the table"):
        fieldtune.predict(folder, pd.DataFrame({"said": ["my card"]}))
    with pytest.raises(InputError, match="predicted in the table"):
        fieldtune.predict(folder, HELD_OUT.assign(predicted="mine"))
    with pytest.raises(InputError, match="at least one row"):
        fieldtune.predict(folder, pd.DataFrame())
    with pytest.raises(InputError, match="at least one row"):
        fieldtune.measure(folder, HELD_OUT.iloc[:0])
    with pytest.raises(InputError, match=r"found 'text ', label in the table"):
        fieldtune.predict(folder, HELD_OUT.rename(columns={"text": "text "}))
    with pytest.raises(InputError, match="a dict of columns or a path; found list"):
        fieldtune.predict(folder, ["my card"])
    for wrong in (HELD_OUT, np.array([["a", "b"]]), "my card", {"a"}):
        with pytest.raises(InputError, match="a list of cells for every column"):
            fieldtune.predict(folder, {"text": wrong})
    number = trained("regression", table_of("regression"), tiny_encoder, tmp_path / "number", progress=False)
    with pytest.raises(InputError, match="a classifier for --report"):
        fieldtune.measure(number, table_of("regression"), report=tmp_path / "page")


def test_pairs_and_queries_that_lack_a_text_are_counted(
    tiny_encoder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pairs = trained("text-pair", table_of("text-pair"), tiny_encoder, tmp_path / "pairs", method="linear")
    capsys.readouterr()
    fieldtune.predict(pairs, pd.DataFrame({"text_a": ["my card", "", "x", None], "text_b": ["the card", "y", " ", ""]}))
    assert "note: 3 rows have no text in text_a or text_b (the table)" in capsys.readouterr().err


def test_texts_that_the_encoder_cannot_read_are_told_once(
    folder: Path, tiny_encoder: Path, tmp_path: Path, cli: Callable[..., Ran]
) -> None:
    file, head = tmp_path / "t.csv", tmp_path / "head"
    trained("text-classification", table_of("text-classification"), tiny_encoder, head, method="head", settings={})
    graph = tmp_path / "head-onnx"
    assert cli("models", "export", head, "--to", "onnx").code == 0
    table = pd.DataFrame({"text": [f"{chr(0x2600 + n)} \u2601" for n in range(12)], "label": ["card", "refund"] * 6})
    for rows, told in ((table, 1), (table.assign(text=[f"my card {n}" for n in range(12)]), 0)):
        rows.to_csv(file, index=False)
        for words in (
            ("predict", "--model", head, "--data", file, "--out", tmp_path / "p.csv"),
            ("predict", "--model", graph, "--data", file, "--out", tmp_path / "p.csv"),
            ("evaluate", "--model", head, "--data", file),
            ("encode", "--model", tiny_encoder, "--data", file, "--out", tmp_path / "v.npy"),
            ("encode", "--model", head, "--data", file, "--out", tmp_path / "v.npy"),
            ("data", "check", file, "--labels", "--model", tiny_encoder),
        ):
            ran = cli(*words)
            assert ran.code == 0, ran.err
            assert ran.err.count("the encoder cannot read 100% of the tokens") == told, words


@pytest.mark.parametrize("kind", ["jsonl", "parquet", "csv"])
def test_files_that_know_booleans_get_them(kind: str, folder: Path, tmp_path: Path, cli: Callable[..., Ran]) -> None:
    HELD_OUT.to_csv(tmp_path / "t.csv", index=False)
    out = tmp_path / f"p.{kind}"
    assert cli("predict", "--model", folder, "--data", tmp_path / "t.csv", "--out", out).code == 0
    kept = [bool(one) for one in fieldtune.load(folder).in_scope(list(HELD_OUT["text"]))[0]]
    match kind:
        case "jsonl":
            found = [json.loads(line)["in_scope"] for line in out.read_text().splitlines()]
        case "parquet":
            found = pq.read_table(out)["in_scope"].to_pylist()
        case _:
            found = [{"true": True, "false": False}[one] for one in pd.read_csv(out, dtype=str)["in_scope"]]
    assert all(type(one) is bool for one in found) and found == kept


def test_the_picture_of_confusions_adds_up_to_the_rows(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = pd.concat([HELD_OUT, pd.DataFrame({"text": ["my card", "a bill"], "label": ["invoice", "bill"]})])
    drawn: list[tuple[Any, list[str]]] = []
    draw = pictures.confusion

    def noting(counts: Any, classes: list[str]) -> Any:
        drawn.append((counts, classes))
        return draw(counts, classes)

    monkeypatch.setattr(pictures, "confusion", noting)
    model = fieldtune.load(folder)
    assert fieldtune.measure(model, table, report=tmp_path / "report")["n"] == 5
    ((counts, classes),) = drawn
    assert classes == [*model.labels, "bill", "invoice"]
    truth = sklearn_confusion(table["label"], fieldtune.predict(model, table)["predicted"], labels=classes)
    assert np.array_equal(counts, truth) and counts.sum() == 5
    told = (tmp_path / "report" / "report.md").read_text()
    assert f"5 rows, {len(model.labels)} classes and 2 that it does not know" in told


def test_errors_that_users_meet_are_public() -> None:
    for name in ("FieldtuneError", "InputError", "ConfigError", "ArtefactError", "RefusedError", "MissingExtraError"):
        assert name in fieldtune.__all__
        assert getattr(fieldtune, name) is getattr(errors, name)
    with pytest.raises(fieldtune.InputError) as told:
        fieldtune.predict("nowhere", {"text": ["a"]})
    assert told.value.expected and told.value.found and told.value.fix
