"""The core's commands from the outside: the contract of names, columns and exit codes, and every kind of bad input."""

import gc
import json
import os
import pickle
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from safetensors.numpy import load_file, save_file
from sklearn.metrics import accuracy_score, f1_score, log_loss

import fieldtune
from fieldtune.cli_kit import parse_map
from tests.conftest import Ran
from tests.processes import FIELDTUNE, begin

Cli = Callable[..., Ran]
QUESTIONS = {
    "lost": [
        "my card is lost",
        "i lost my card",
        "the card is lost",
        "lost card",
        "card lost how to",
        "is my card lost",
    ],
    "refund": ["refund to my account", "how to refund", "refund order", "is the refund", "the refund", "my refund is"],
    "cancel": ["cancel my order", "cancel the order", "how to cancel", "order cancel", "cancel order is", "my cancel"],
}


@pytest.fixture
def table(tmp_path: Path) -> Path:
    rows = [
        {"id": f"00{n}", "text": text, "label": label}
        for label, texts in QUESTIONS.items()
        for n, text in enumerate(texts * 2)
    ]
    path = tmp_path / "train.csv"
    pd.DataFrame(rows).to_csv(path, index=False)
    return path


def training(table: Path, out: Path, *more: object) -> tuple[object, ...]:
    """The words of the quickest training."""
    return ("train", "--task", "text-classification", "--train", table, "--method", "linear", "--out", out, *more)


@pytest.fixture
def model(cli: Cli, table: Path, tmp_path: Path) -> Path:
    ran = cli("train", "--task", "text-classification", "--train", table, "--valid", table, "--method", "linear",
              "--out", tmp_path / "model", "--json")  # fmt: skip
    assert ran.code == 0, ran.err
    assert ran.json["accuracy"] == 1.0
    return tmp_path / "model"


def test_train_full_shows_the_plain_model_and_the_frozen_encoder_beside_it(
    cli: Cli, table: Path, tiny_encoder: Path, tmp_path: Path
) -> None:
    command = ("train", "--task", "text-classification", "--train", table, "--model", tiny_encoder, "--out", tmp_path / "m",
               "--set", "epochs=2", "--json")  # fmt: skip
    ran = cli(*command)
    assert ran.code == 0, ran.err
    assert {"accuracy", "macro_f1", "weighted_f1", "ece", "log_loss", "n", "rivals", "seconds"} <= ran.json.keys()
    assert set(ran.json["rivals"]) == {"linear", "head"}
    again = cli(*command, "--resume")
    assert "already trained" in again.err
    assert again.json["accuracy"] == ran.json["accuracy"]


def test_training_and_measuring_say_what_a_figure_is_not_worth(cli: Cli, tmp_path: Path) -> None:
    rows = [
        (f"the {word} {number}", label) for label, word in (("up", "rise"), ("down", "fall")) for number in range(40)
    ]
    pd.DataFrame(rows, columns=["text", "label"]).to_csv(tmp_path / "few.csv", index=False)
    few = cli(*training(tmp_path / "few.csv", tmp_path / "few"))
    assert "measured on 8 rows, which is too few" in few.err
    apart = pd.DataFrame([("the rise 1", "up"), ("the fall 2", "sideways")], columns=["text", "label"])
    apart.to_csv(tmp_path / "apart.csv", index=False)
    ran = cli("evaluate", "--model", tmp_path / "few", "--data", tmp_path / "apart.csv", "--json")
    assert "labels the model does not know: sideways (it knows down, up)" in ran.err
    assert ran.json["accuracy"] == 0.5


def test_a_rival_that_did_better_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    from fieldtune.commands.training import remark

    remark(
        "full",
        {"accuracy": 0.7, "n": 100, "rivals": {"linear": {"accuracy": 0.8}, "head": {"accuracy": 0.6}}},
        "accuracy",
    )
    assert (
        "linear did better, accuracy 0.800 against 0.700: consider --method linear, or --method auto"
        in capsys.readouterr().err
    )
    remark("full", {"ndcg@10": 0.8, "n": 100, "rivals": {"linear": {"ndcg@10": 0.8}}}, "ndcg@10")
    assert capsys.readouterr().err == ""


def test_a_trained_encoder_loads_with_plain_libraries(
    cli: Cli, table: Path, tiny_encoder: Path, tmp_path: Path
) -> None:
    from sentence_transformers import SentenceTransformer
    from transformers import AutoModel

    pairs = pd.DataFrame(
        {
            "query": [f"card {a}{b}" for a in "abcd" for b in "efgh"],
            "positive": [f"order {a}{b}" for a in "abcd" for b in "efgh"],
        }
    )
    pairs.to_json(tmp_path / "pairs.jsonl", orient="records", lines=True)
    out = tmp_path / "encoder"
    ran = cli("train", "--task", "embedding", "--train", tmp_path / "pairs.jsonl", "--model", tiny_encoder, "--out", out,
              "--set", "batch_rows=4", "--json")  # fmt: skip
    assert ran.code == 0, ran.err
    assert {"ndcg@10", "mrr@10", "recall@1", "recall@5", "recall@10"} <= ran.json.keys()
    encoded = cli("encode", "--model", out, "--data", table, "--out", tmp_path / "v.npy", "--json")
    assert encoded.code == 0, encoded.err
    vectors = np.load(tmp_path / "v.npy", allow_pickle=False)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    texts = pd.read_csv(table)["text"].tolist()
    theirs = SentenceTransformer(str(out), device="cpu").encode(texts, normalize_embeddings=True)
    np.testing.assert_allclose(vectors, theirs, atol=1e-5)
    assert AutoModel.from_pretrained(out).config.hidden_size == vectors.shape[1]


def test_evaluate_agrees_with_scikit_learn_and_predict_keeps_the_rows(
    cli: Cli, model: Path, table: Path, tmp_path: Path
) -> None:
    frame = pd.read_csv(table, dtype=str)
    frame.loc[3, "text"] = ""
    frame.loc[:4, "label"] = "refund"  # some wrong labels, so that no figure is trivially one
    frame = frame.iloc[::-1]
    frame.to_parquet(tmp_path / "odd.parquet")
    ran = cli("predict", "--model", model, "--data", tmp_path / "odd.parquet", "--out", tmp_path / "p.csv", "--json")
    assert ran.code == 0, ran.err
    predicted = pd.read_csv(tmp_path / "p.csv", dtype=str, keep_default_na=False)
    assert list(predicted.columns) == [
        "id", "text", "label", "predicted", "probability", "in_scope", "in_scope_score", "p_cancel", "p_lost", "p_refund",
    ]  # fmt: skip
    assert predicted["id"].tolist() == frame["id"].tolist()
    assert set(predicted["in_scope"]) <= {"true", "false"}
    kept = predicted[predicted["text"] != ""]
    kept.to_csv(tmp_path / "kept.csv", index=False)
    evaluated = (
        "evaluate",
        "--model",
        model,
        "--data",
        tmp_path / "kept.csv",
        "--report",
        tmp_path / "report",
        "--json",
    )
    found = cli(*evaluated).json
    page = Path(found["report"]).read_text()
    assert page.count("data:image/png") == 3
    assert "my card is lost" in page
    columns = ["p_cancel", "p_lost", "p_refund"]
    probabilities = kept[columns].astype(float).to_numpy().clip(1e-7)  # fieldtune's own floor
    assert found["n"] == len(kept)
    assert found["accuracy"] == pytest.approx(accuracy_score(kept["label"], kept["predicted"]))
    assert found["macro_f1"] == pytest.approx(f1_score(kept["label"], kept["predicted"], average="macro"))
    assert found["log_loss"] == pytest.approx(
        log_loss(kept["label"], probabilities / probabilities.sum(1, keepdims=True)), abs=1e-4
    )


def test_publish_refuses_a_worse_model_and_rollback_restores(
    cli: Cli, model: Path, table: Path, tmp_path: Path
) -> None:
    held_out = other_rows(table, tmp_path)
    first = cli("models", "publish", model, "--into", "intents", "--data", held_out, "--json")
    assert first.code == 0, first.err
    assert first.json["compared"] is False and "compared with nothing" in first.json["reason"]
    assert "warning: put into service unopposed" in first.err
    frame = pd.read_csv(table)
    frame["label"] = np.random.default_rng(0).permutation(frame["label"])
    frame.to_csv(tmp_path / "noise.csv", index=False)
    cli(
        "train",
        "--task",
        "text-classification",
        "--train",
        tmp_path / "noise.csv",
        "--method",
        "linear",
        "--out",
        tmp_path / "bad",
    )
    second = cli("models", "publish", tmp_path / "bad", "--into", "intents", "--data", held_out, "--json")
    assert second.code == 1
    assert second.json["promoted"] is False and second.json["compared"] is True
    assert "unopposed" not in second.err
    listed = cli("models", "list", "--json").json["versions"]
    assert len(listed) == 1
    assert cli("models", "show", listed[0]["id"], "--json").json["serving"] is True
    assert cli("models", "rollback", "intents").code == 1


@pytest.mark.parametrize("into", ["../../zz", "a/../b", "", "a/b/c", ".hidden", "a b", "x" * 65, "/etc"])
def test_names_of_what_is_published_are_plain_words(into: str, cli: Cli, model: Path, table: Path, home: Path) -> None:
    check_refused(cli("models", "publish", model, "--into", into, "--data", table), "NAME/SLOT of letters")
    assert not (home / "published").exists() and not (home / "versions").exists()


def test_a_candidate_is_not_judged_on_its_training_rows(cli: Cli, model: Path, table: Path, tmp_path: Path) -> None:
    publish = ("models", "publish", model, "--into", "billing/v1.2", "--json", "--data")
    check_refused(cli(*publish, table), "rows that the candidate did not learn from")
    other = other_rows(table, tmp_path)
    ran = cli(*publish, other)
    assert (ran.code, "trained on" in ran.err) == (0, False), ran.err
    train = ("train", "--task", "text-classification", "--method", "linear")
    assert cli(*train, "--train", other, "--out", tmp_path / "next").code == 0
    assert "what serves now was trained on" in cli("models", "publish", tmp_path / "next", *publish[3:], table).err


def other_rows(table: Path, folder: Path) -> Path:
    """A table that is not the very one a model learnt from."""
    pd.read_csv(table, dtype=str).iloc[1:].to_csv(folder / "other.csv", index=False)
    return folder / "other.csv"


def test_publish_reads_the_columns_and_labels_that_the_model_was_trained_on(
    cli: Cli, model: Path, table: Path, tmp_path: Path
) -> None:
    frame = pd.read_csv(table)
    numbers = {name: str(place) for place, name in enumerate(sorted(set(frame["label"])))}
    frame = pd.DataFrame({"title": frame["text"], "kind": frame["label"].map(numbers)})
    frame.iloc[1:].to_csv(tmp_path / "own.csv", index=False)
    mapping = ",".join(f"{number}={name}" for name, number in numbers.items())
    publish = ("models", "publish", model, "--into", "intents", "--data", tmp_path / "own.csv")
    ran = cli(*publish, "--text", "title", "--label", "kind", "--map", mapping, "--json")
    assert ran.code == 0, ran.err
    assert ran.json["promoted"] is True
    assert "found title, kind in" in cli(*publish).err
    assert "fix: rename a column to 'text', or name it with --text COLUMN" in cli(*publish).err


def test_scrub_says_in_which_case_names_are_hidden(cli: Cli, tmp_path: Path) -> None:
    told = " ".join(re.sub("[│╭╮╰╯─]", " ", cli("data", "scrub", "--help").out).split())
    assert "A single word is hidden as it is written there or in capitals" in told
    (tmp_path / "names.txt").write_text("Mark\nmark\n")
    (tmp_path / "t.csv").write_text("text\nMark and mark and MARK\n")
    clean = tmp_path / "clean.csv"
    assert cli("data", "scrub", tmp_path / "t.csv", "--out", clean, "--names", tmp_path / "names.txt").code == 0
    assert clean.read_text() == "text\n[name] and [name] and [name]\n"


def test_verify_names_the_damaged_file(cli: Cli, model: Path) -> None:
    assert cli("models", "verify", model, "--json").json["intact"] is True
    raw = bytearray((model / "head.safetensors").read_bytes())
    raw[-1] ^= 1
    (model / "head.safetensors").write_bytes(raw)
    ran = cli("models", "verify", model)
    assert ran.code == 1
    assert "head.safetensors" in ran.err


def bad_tables(folder: Path) -> dict[str, tuple[str, bytes, str]]:
    """Name -> file name, content, what the error must mention."""
    return {
        "empty file": ("empty.csv", b"", "empty file"),
        "header only": ("header.csv", b"text,label\n", "at least one row"),
        "missing column": ("columns.csv", b"body,label\na,b\n", "--text"),
        "wrong encoding": ("gb.csv", "text,label\n卡丢了,lost\n".encode("gb18030"), "line 2"),
        "UTF-16 that was cut": ("wide.csv", "text,label\na,b\n".encode("utf-16")[:-1], "iconv -f utf-16"),
        "UTF-16 without a mark": ("bare.csv", "text,label\na,b\n".encode("utf-16-le"), "iconv -f utf-16"),
        "one class and rows of none": ("oos.csv", b"text,label\na,x\nb,x\nc,oos\nd,oos\n", "class"),
        "one class": ("one.csv", b"text,label\na,x\nb,x\nc,x\n", "class"),
        "NaN label": ("nan.jsonl", b'{"text": "a", "label": NaN}\n{"text": "b", "label": "x"}\n', "label on every row"),
        "ragged line": ("ragged.csv", b"text,label\na,b\nc,d,e,f\n", "line 3"),
        "broken JSON": ("broken.jsonl", b'{"text": "a", "label": "x"}\n{"text": \n', "line 2"),
        "no object": ("list.jsonl", b"[1, 2]\n", "line 1"),
        "no parquet": ("fake.parquet", b"not parquet", "Parquet"),
        "damaged gzip": ("cut.csv.gz", b"\x1f\x8b\x08\x00rubbish", "readable"),
        "unknown extension": ("table.xlsx", b"x", ".csv"),
        "only empty text": ("blank.csv", b"text,label\n,x\n  ,y\n", "only empty cells"),
    }


@pytest.mark.parametrize("name", bad_tables(Path()))
def test_a_bad_table_is_one_clear_line_and_nothing_is_written(cli: Cli, tmp_path: Path, name: str) -> None:
    file, content, mention = bad_tables(tmp_path)[name]
    (tmp_path / file).write_bytes(content)
    out = tmp_path / "out"
    ran = cli("train", "--task", "text-classification", "--train", tmp_path / file, "--method", "linear", "--out", out)
    check_refused(ran, mention)
    assert not out.exists()


def check_refused(ran: Ran, mention: str) -> None:
    assert ran.code == 1
    assert ran.out == ""
    lines = [line for line in ran.err.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1
    assert mention in lines[0]
    assert "fix: " in lines[0]
    assert "Traceback" not in ran.err


@pytest.mark.parametrize(
    ("options", "mention"),
    [
        (["--set", "epoch=3"], "'epochs'"),
        (["--set", "epochs=many"], "epochs as int"),
        (["--set", "epochs"], "key=value"),
        (["--set", "epochs=0"], "at least 1"),
        (["--set", "learning_rate=nan"], "learning_rate"),
        (["--seed", "-1"], "seed"),
        (["--method", "magic"], "linear, head, full"),
        (["--task", "poetry"], "text-classification"),
        (["--train", "nowhere.csv"], "nothing at"),
        (["--model", "no/such-model"], "no/such-model"),
        (["--map", "lost=x"], "--map"),
    ],
)
def test_a_bad_option_is_one_clear_line(
    cli: Cli, table: Path, tmp_path: Path, options: list[str], mention: str
) -> None:
    base = {
        "--task": "text-classification",
        "--train": str(table),
        "--method": "head" if "--model" in options else "linear",
    }
    given = dict(zip(options[::2], options[1::2], strict=True))
    words = [word for pair in {**base, **given}.items() for word in pair]
    check_refused(cli("train", *words, "--out", tmp_path / "out"), mention)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("damage", ["path", "foreign", "pickled", "cut", "card", "code"])
def test_a_bad_model_folder_is_refused(cli: Cli, model: Path, table: Path, tmp_path: Path, damage: str) -> None:
    folder = tmp_path / "bad"
    shutil.copytree(model, folder)
    match damage:
        case "path":
            folder, mention = tmp_path / "nowhere", "nothing at"
        case "foreign":
            (folder / "MANIFEST.json").unlink()
            mention = "MANIFEST.json"
        case "pickled":
            (folder / "head.pkl").write_bytes(pickle.dumps({"weight": 1}))
            mention = "run code"
        case "cut":
            (folder / "head.safetensors").write_bytes(b"")
            mention = "head.safetensors"
        case "card":
            (folder / "fieldtune.json").write_text(json.dumps({"task": "embedding"}))
            mention = "fieldtune.json"
        case _:
            (folder / "modeling.py").write_text("raise SystemExit")
            mention = "modeling.py"
    check_refused(cli("evaluate", "--model", folder, "--data", table), mention)


def test_remote_code_and_unknown_model_types_are_refused(
    cli: Cli, table: Path, tiny_encoder: Path, tmp_path: Path
) -> None:
    for change, mention in (
        ({"auto_map": {"AutoModel": "evil.Model"}}, "auto_map"),
        ({"model_type": "lightglue"}, "model types"),
    ):
        folder = tmp_path / mention
        shutil.copytree(tiny_encoder, folder)
        config = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps({**config, **change}))
        command = ("train", "--task", "text-classification", "--train", table, "--method", "head", "--model", folder)
        check_refused(cli(*command, "--out", tmp_path / "out"), mention)


def test_help_explains_every_command_and_wrong_usage_exits_2(cli: Cli) -> None:
    root = cli("--help")
    assert root.code == 0
    for name in ("train", "evaluate", "predict", "encode", "models", "feedback", "data", "doctor"):
        assert name in root.out
        assert cli(name, "--help").code == 0
    for words, found in (
        (("train", "--nonsense"), "--nonsense"),
        (("nonsense",), "'nonsense'"),
        (("train",), "'--task'"),
        (("models", "verify", "a", "b"), "(b)"),
        (("train", "--task", "regression", "--train", "t.csv", "--seed", "one"), "'--seed'"),
    ):
        ran = cli(*words)
        assert (ran.code, ran.out) == (2, "")
        group = " ".join(word for word in words[:2] if word in ("train", "models", "verify"))
        assert re.fullmatch(
            rf"error: expected .*`fieldtune {group}.*--help`.*; found .*{re.escape(found)}.*; fix: .*\n", ran.err
        )
    bare = cli("models")
    assert (bare.code, bare.err) == (2, "") and "rollback" in bare.out


def test_doctor_and_data(cli: Cli, table: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    found: dict[str, Any] = cli("doctor", "--json").json
    assert {"versions", "threads", "device", "dtype", "missing", "warnings"} <= found.keys()
    checked = cli("data", "check", table, "--json").json
    assert any("repeat" in finding["message"] for finding in checked["findings"])
    shelf = tmp_path / "shelf"
    (shelf / "goodbooks").mkdir(parents=True)
    (shelf / "goodbooks" / "books.csv").write_text("a\n")
    monkeypatch.setenv("FIELDTUNE_DATA", str(shelf))
    assert cli("data", "get", "goodbooks", "--out", tmp_path / "d").code == 0
    assert (tmp_path / "d" / "goodbooks" / "books.csv").is_file()
    listed = {entry["name"]: entry["here"] for entry in cli("data", "list", "--json").json["sets"]}
    assert (listed["goodbooks"], listed["squad"]) == (True, False)
    monkeypatch.delenv("FIELDTUNE_DATA")
    check_refused(cli("data", "get", "goodbooks"), "FIELDTUNE_DATA")
    check_refused(cli("data", "get", "nothing"), "data list")


def test_doctor_names_the_extra_of_whatever_is_missing(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    from fieldtune.commands import doctor

    told = cli("doctor", "--json").json
    assert told["back_end"]["models"].startswith("torch on ")
    there = doctor._version
    absent = {"peft": "adapters", "optuna": "search", "onnx": "onnx", "tensorboard": "track", "starlette": "serve",
              "bm25s": "chatbot", "streamlit": "ui", "psycopg": "postgres"}  # fmt: skip
    monkeypatch.setattr(doctor, "_version", lambda name: None if name in absent else there(name))
    missing = {one["package"]: one["install"] for one in cli("doctor", "--json").json["missing"]}
    assert {name: missing.get(name) for name in absent} == {
        name: f"pip install 'fieldtune[{extra}]'" for name, extra in absent.items()
    }


def test_doctor_answers_where_only_the_sources_are(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    from importlib import metadata

    found = metadata.Distribution.from_name

    def without(name: str) -> metadata.Distribution:
        if name == "fieldtune":
            raise metadata.PackageNotFoundError(name)
        return found(name)

    monkeypatch.setattr(metadata.Distribution, "from_name", without)
    told = cli("doctor", "--json").json
    assert "fieldtune" not in told["versions"] and told["missing"] == []
    assert any("not installed" in one for one in told["warnings"])


def test_feedback_commands(cli: Cli, tmp_path: Path) -> None:
    from datetime import UTC, datetime

    from fieldtune import feedback, registry

    check_refused(cli("feedback", "export", "--out", tmp_path / "f.csv"), "feedback to export")
    check_refused(cli("feedback", "retrain", "monitor"), "feedback about")
    for command in (
        ("retrain", "weather"),
        ("list", "--app", "weather"),
        ("export", "--app", "weather", "--out", "f.csv"),
    ):
        check_refused(cli("feedback", *command), "an application out of chatbot, monitor, recommender; found 'weather'")
    assert cli("feedback", "list", "--app", "recommender", "--json").json == {"feedback": []}
    with registry.open_home().begin() as connection:
        row = feedback.Feedback(
            "monitor", "=HYPERLINK(1)", "tone", "ann", payload={"text": "loss widened", "label": "negative"}
        )
        feedback.record(connection, row, datetime(2026, 1, 1, tzinfo=UTC))
    assert cli("feedback", "list", "--json").json["feedback"][0]["payload"]["label"] == "negative"
    assert cli("feedback", "export", "--out", tmp_path / "f.csv", "--json").json["rows"] == 1
    assert "'=HYPERLINK" in (tmp_path / "f.csv").read_text()  # a spreadsheet shows it and does not run it
    assert cli("feedback", "export", "--out", tmp_path / "f.jsonl", "--json").json["rows"] == 1
    assert "'=" not in (tmp_path / "f.jsonl").read_text()
    check_refused(
        cli("feedback", "erase", "--user", "ann", "--store", tmp_path), "fieldtune.db"
    )  # nothing is half done
    assert cli("feedback", "erase", "--user", "ann", "--json").json["erased"] == 1


def test_a_folder_with_files_of_the_user_is_refused_before_training(cli: Cli, table: Path, tmp_path: Path) -> None:
    out = tmp_path / "home of my thesis"
    out.mkdir()
    (out / "thesis.txt").write_text("years of work")
    check_refused(cli(*training(table, out)), "thesis.txt")
    assert [entry.name for entry in out.iterdir()] == ["thesis.txt"]


def test_the_folder_one_stands_in_is_refused_before_training(
    cli: Cli, table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here" / "sub").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setattr("fieldtune.job.Job.train", None)
    for out in (".", "sub/.."):
        check_refused(cli(*training(table, Path(out))), "a folder by its name")
    assert [entry.name for entry in Path().iterdir()] == ["sub"]


@pytest.mark.parametrize("method", ["linear", "head"])
def test_the_cheaper_methods_show_the_others_beside_them(
    cli: Cli, table: Path, tiny_encoder: Path, tmp_path: Path, method: str
) -> None:
    ran = cli(*training(table, tmp_path / "m", "--method", method, "--model", tiny_encoder, "--json"))
    assert ran.code == 0, ran.err
    assert set(ran.json["rivals"]) == {"linear", "head"} - {method}
    assert not (tmp_path / "m" / "checkpoints").exists()


def test_an_encoder_without_safe_weights_is_refused(cli: Cli, table: Path, tiny_encoder: Path, tmp_path: Path) -> None:
    folder = tmp_path / "encoder"
    shutil.copytree(tiny_encoder, folder)
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    for method in ("head", "full"):
        ran = cli(*training(table, tmp_path / "out", "--method", method, "--model", folder))
        check_refused(ran, "weights as safetensors")
    check_refused(cli(*training(table, tmp_path / "out", "--method", "head", "--model", tmp_path)), "config.json")
    assert not (tmp_path / "out").exists()


def test_a_text_longer_than_the_encoder_reads_is_refused_or_cut(
    cli: Cli, table: Path, tiny_encoder: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "short"
    shutil.copytree(tiny_encoder, folder)
    config = json.loads((folder / "config.json").read_text())
    tensors = load_file(folder / "model.safetensors")
    name = "embeddings.position_embeddings.weight"
    save_file({**tensors, name: tensors[name][:32].copy()}, folder / "model.safetensors", {"format": "pt"})
    (folder / "config.json").write_text(json.dumps({**config, "max_position_embeddings": 32}))
    ran = cli(*training(table, tmp_path / "out", "--method", "full", "--model", folder, "--set", "max_length=33"))
    check_refused(ran, "at most 32")
    assert not (tmp_path / "out").exists()
    pd.DataFrame({"text": ["my card " * 50]}).to_csv(tmp_path / "long.csv", index=False)
    encoded = cli("encode", "--model", folder, "--data", tmp_path / "long.csv", "--out", tmp_path / "v.npy")
    assert encoded.code == 0, encoded.err


def test_a_start_that_failed_stops_no_other(cli: Cli, table: Path, tiny_encoder: Path, tmp_path: Path) -> None:
    words = training(table, tmp_path / "out", "--method", "full", "--model", tiny_encoder, "--json")
    ran = cli(*words, "--set", "learning_rate=1e38")
    check_refused(ran, "finite loss")
    assert not (tmp_path / "out").exists()
    assert cli(*words, "--set", "epochs=1").code == 0


def test_encode_refuses_what_was_not_verified_and_what_has_no_encoder(
    cli: Cli, model: Path, table: Path, tiny_encoder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "v.npy"
    check_refused(cli("encode", "--model", model, "--data", table, "--out", out), "n-grams")
    head = tmp_path / "head"
    assert cli(*training(table, head, "--method", "head", "--model", tiny_encoder)).code == 0
    assert cli("encode", "--model", head, "--data", table, "--out", out).code == 0
    (head / "MANIFEST.json").unlink()
    out.unlink()
    check_refused(cli("encode", "--model", head, "--data", table, "--out", out), "MANIFEST.json")
    assert not out.exists()


def test_an_output_that_cannot_be_is_refused_before_the_work(
    cli: Cli, model: Path, table: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "folder.npy").mkdir()
    before = sorted(tmp_path.rglob("*"))
    for out, mention in {"file": "the file", "file/deep/m": "the file"}.items():
        check_refused(cli(*training(table, tmp_path / out)), mention)
    # A model that does not exist: whoever looked at it first would name that instead.
    for out, mention in {"file/p.csv": "the file", "folder.csv": "the folder", "p.xlsx": ".csv"}.items():
        check_refused(cli("predict", "--model", "nowhere", "--data", table, "--out", tmp_path / out), mention)
    for out, mention in {"file/v.npy": "the file", "folder.npy": "the folder", "v.csv": ".npy"}.items():
        check_refused(cli("encode", "--model", "nowhere", "--data", table, "--out", tmp_path / out), mention)
    ran = cli("evaluate", "--model", "nowhere", "--data", table, "--report", tmp_path / "file")
    check_refused(ran, "the file")
    assert sorted(tmp_path.rglob("*")) == before


def test_predict_overwrites_no_column(cli: Cli, model: Path, table: Path, tmp_path: Path) -> None:
    frame = pd.read_csv(table).assign(predicted="mine", p_lost="mine too")
    frame.to_csv(tmp_path / "taken.csv", index=False)
    ran = cli("predict", "--model", model, "--data", tmp_path / "taken.csv", "--out", tmp_path / "p.csv")
    check_refused(ran, "predicted, p_lost")
    assert not (tmp_path / "p.csv").exists()


def test_data_check_numbers_rows_as_the_file_does_and_sees_empty_ones(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("text,label\na card,x\n,y\nA card!,x\nb,\n")
    found = {row["kind"]: row for row in cli("data", "check", tmp_path / "t.csv", "--json").json["findings"]}
    assert found["empty-text"]["rows"] == [3]
    assert found["duplicate"]["rows"] == [4]
    assert "(4)" in found["duplicate"]["message"]
    assert found["missing-label"]["rows"] == [5]
    assert cli("data", "check", tmp_path / "t.csv").code == 1  # it could not be trained on
    (tmp_path / "t.jsonl").write_text('{"text": "a", "label": "x"}\n{"text": null, "label": "y"}\n')
    found = {row["kind"]: row for row in cli("data", "check", tmp_path / "t.jsonl", "--json").json["findings"]}
    assert found["empty-text"]["rows"] == [2]
    check_refused(cli("data", "check", tmp_path / "t.csv", "--task", "foo"), "text-classification")


@pytest.mark.parametrize(
    ("name", "task", "content", "kind", "rows"),
    [
        (
            "t.conll", "token-classification", "\nmy O\ncard B-X\n\n\nother O\n\nmy O\ncard O\n", "conflicting-tags", [2, 8]
        ),
        (
            "t.jsonl", "token-classification",
            '{}\n{"tokens": ["a"], "tags": ["B-X"]}\n\n{"tokens": [], "tags": []}\n{"tokens": ["a"], "tags": ["O"]}\n',
            "conflicting-tags", [2, 5],
        ),
        (
            "t.jsonl", "dialogue",
            "{}\n" + "\n".join(
                f'{{"turns": [{{"role": "user", "text": "why"}}, {{"role": "bot", "text": "{reply}"}}]}}\n'
                for reply in ("so", "no", "so")
            ),
            "duplicate", [6],
        ),
        ("t.csv", "dialogue", "source,target\n,\nwhy,so\n\nwhy,so\n", "duplicate", [5]),
        ("t.csv", "seq2seq", "source,target\n,\nwhy,so\n\nwhy,so\n", "duplicate", [5]),
    ],
)  # fmt: skip
def test_data_check_numbers_words_and_dialogues_as_the_file_does(
    cli: Cli, tmp_path: Path, name: str, task: str, content: str, kind: str, rows: list[int]
) -> None:
    (tmp_path / name).write_text(content)
    found = cli("data", "check", tmp_path / name, "--task", task, "--json").json["findings"]
    assert {row["kind"]: row["rows"] for row in found}[kind] == rows
    shown = ", ".join(map(str, rows))
    assert f"({shown})" in next(row["message"] for row in found if row["kind"] == kind)


def test_data_check_tells_people_the_first_rows_and_how_many(cli: Cli, tmp_path: Path) -> None:
    frame = pd.DataFrame({"text": ["my card"] * 3000, "label": ["a", "b"] * 1500})
    frame.to_csv(tmp_path / "t.csv", index=False)
    ran = cli("data", "check", tmp_path / "t.csv")
    assert "rows repeat an earlier one: 2998 rows (4, 5, 6, 7, 8 and 2993 more)" in ran.out
    assert len(ran.out.splitlines()) < 20
    rows = {row["kind"]: row["rows"] for row in cli("data", "check", tmp_path / "t.csv", "--json").json["findings"]}
    assert len(rows["duplicate"]) == 2998  # programs get all of them


@pytest.mark.parametrize(("encoding", "more"), [("latin-1", ()), ("ascii", ("--json",)), ("utf-8", ())])
def test_an_output_that_cannot_hold_chinese_shows_escapes(encoding: str, more: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("text,label\na card,退款\na refund,😀é\n", encoding="utf-8")
    ran = subprocess.run([sys.executable, *FIELDTUNE, "data", "check", tmp_path / "t.csv", *more], capture_output=True,
                         env={**os.environ, "PYTHONIOENCODING": encoding})  # fmt: skip
    assert ran.returncode == 0 and not ran.stderr
    told = ran.stdout.decode(encoding)
    if more:
        assert "('退款', '😀é')" in str(json.loads(told)["findings"])
    else:
        assert ("'退款', '😀é'" if encoding == "utf-8" else r"'\u9000\u6b3e', '\U0001f600é'") in told


READ_ONLY = """
import os, sys
from fieldtune.cli import main
assert not os.access(os.environ["FIELDTUNE_HOME"], os.W_OK)
sys.argv = ["fieldtune", "models", "list", "--json"]
main()
"""


def test_models_are_listed_from_a_folder_that_cannot_be_written(
    cli: Cli, model: Path, table: Path, home: Path, tmp_path: Path
) -> None:
    assert cli("models", "publish", model, "--into", "tickets", "--data", other_rows(table, tmp_path)).code == 0
    want = cli("models", "list", "--json").json
    assert len(want["versions"]) == 1
    fixed = 'mount --bind "$0" "$0" && mount -o remount,ro,bind "$0"'
    alone = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c"]
    if subprocess.run([*alone, fixed, home], capture_output=True).returncode:
        pytest.skip("this system lets nobody mount a folder to read alone")
    for place in (home, home / "none" / "yet"):
        environment = {**os.environ, "FIELDTUNE_HOME": str(place)}
        command = [*alone, f'{fixed} && exec "$1" -c "$2"', str(home), sys.executable, READ_ONLY]
        ran = subprocess.run(command, capture_output=True, text=True, env=environment)
        assert ran.returncode == 0, ran.stderr
        assert json.loads(ran.stdout) == (want if place == home else {"versions": []})
    assert not (home / "none").exists()


def test_surroundings_that_cannot_be_are_one_line(
    cli: Cli, table: Path, tiny_encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FIELDTUNE_THREADS", "abc")
    check_refused(cli("doctor"), "FIELDTUNE_THREADS")
    monkeypatch.delenv("FIELDTUNE_THREADS")
    (tmp_path / "no-home").write_text("a file")
    monkeypatch.setenv("FIELDTUNE_HOME", str(tmp_path / "no-home"))
    check_refused(cli("models", "list"), "no-home")
    monkeypatch.delenv("FIELDTUNE_DTYPE")  # the probe runs, and has nowhere to keep its answer
    ran = cli("encode", "--model", tiny_encoder, "--data", table, "--out", tmp_path / "v.npy")
    assert ran.code == 0, ran.err


def test_ctrl_c_is_one_line_and_130(table: Path, tiny_encoder: Path, tmp_path: Path) -> None:
    words = training(table, tmp_path / "out", "--method", "full", "--model", tiny_encoder, "--set", "epochs=100000")
    # tests started in the background ignore Ctrl-C, and so would their children
    code = f"import signal; signal.signal(signal.SIGINT, signal.default_int_handler); {FIELDTUNE[1]}"
    ours, its = os.pipe()
    process = begin("-c", code, *words, err=its)
    os.close(its)
    try:
        deadline = time.monotonic() + 60
        while not (tmp_path / "out" / "checkpoints").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        os.kill(process.pid or 0, signal.SIGINT)
        process.join(60)
        with os.fdopen(ours) as said:
            told = said.read() if process.exitcode is not None else ""
    finally:
        process.kill()
    assert process.exitcode == 130
    assert [line for line in told.splitlines() if line.startswith("error")] == [
        "error: interrupted; the same command again goes on from the last checkpoint, if one was written"
    ]
    assert "Traceback" not in told
    assert not (tmp_path / "out").exists()


def test_a_label_with_a_comma_can_be_renamed(cli: Cli, tmp_path: Path) -> None:
    labels = ["lost, stolen", 'say "hi"', "a=b"] * 4
    frame = pd.DataFrame({"text": [f"text number {row}" for row in range(12)], "label": labels})
    frame.to_csv(tmp_path / "t.csv", index=False)
    command = ("data", "check", tmp_path / "t.csv", "--json", "--map")
    renaming = ('"lost, stolen"=lost', '"say ""hi"""="greeting, kind","a=b"=same')
    ran = cli(*command, renaming[0], "--map", renaming[1])
    assert ran.code == 0, ran.err
    assert parse_map(list(renaming)) == {"lost, stolen": "lost", 'say "hi"': "greeting, kind", "a=b": "same"}
    check_refused(cli(*command, renaming[0]), "'a=b'")
    for wrong in ("lost", "lost=", "=lost", "a=b=c", '"lost, stolen=lost', "a=b,"):
        check_refused(cli(*command, wrong), "--map OLD=NEW")
    assert parse_map(["a=b,a=b", "a=b"]) == {"a": "b"}
    check_refused(cli(*command, "0=a,1=c", "--map", "0=b"), "0=a and 0=b")


def test_text_is_refused_where_no_one_column_of_texts_is_read(cli: Cli, tmp_path: Path) -> None:
    for number in range(8):
        Image.new("RGB", (8, 8), (30 * number, 0, 0)).save(tmp_path / f"{number}.png")
    pictures = pd.DataFrame({"image": [f"{number}.png" for number in range(8)], "label": ["a", "b"] * 4})
    pictures.to_csv(tmp_path / "t.csv", index=False)
    made = cli("train", "--task", "image-classification", "--train", tmp_path / "t.csv", "--method", "linear",
               "--out", tmp_path / "m")  # fmt: skip
    assert made.code == 0, made.err
    command = ("predict", "--model", tmp_path / "m", "--data", tmp_path / "t.csv", "--out", tmp_path / "p.csv")
    check_refused(cli(*command, "--text", "label"), "a column that image-classification reads: image")
    assert not (tmp_path / "p.csv").exists()
    assert cli(*command).code == 0


def test_listing_models_writes_nothing(cli: Cli, model: Path, table: Path, home: Path, tmp_path: Path) -> None:
    def there() -> dict[Path, bytes]:
        return {file: file.read_bytes() for file in home.rglob("*") if file.is_file()}

    before = there()
    assert cli("models", "list", "--json").json == {"versions": []}
    assert there() == before
    assert not (home / "fieldtune.db").exists()
    assert cli("models", "publish", model, "--into", "tickets", "--data", other_rows(table, tmp_path)).code == 0
    gc.collect()  # what published closes its connections
    before = there()
    assert len(cli("models", "list", "--json").json["versions"]) == 1
    assert there() == {file: raw for file, raw in before.items() if file in there()}
    assert (home / "fieldtune.db").is_file()


def test_small_helps(cli: Cli, model: Path, table: Path) -> None:
    assert cli("--version").out == f"fieldtune {version('fieldtune')}\n"
    assert "Did you mean 'train'?" in cli("trian").err
    ran = cli("label", "--model", model, "--pool", table, "-n", 0)
    assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)
    assert "'-n'" in ran.err


def test_columns_of_any_task_go_by_the_users_names(cli: Callable[..., Ran], tmp_path: Path) -> None:
    rows = [(f"{word} {n}", f"{other} {n}", "same" if word == other else "other", n)
            for n in range(12) for word in ("card", "refund") for other in ("card", "refund")]  # fmt: skip
    pd.DataFrame(rows, columns=["s1", "s2", "gold", "id"]).to_csv(tmp_path / "p.csv", index=False)
    named = ["--column", "text_a=s1", "--column", "text_b=s2"]
    base = ["--task", "text-pair", "--train", tmp_path / "p.csv", "--method", "linear", "--out", tmp_path / "m"]
    ran = cli("train", *base)
    assert (ran.code, "--column NAME=COLUMN" in ran.err) == (1, True)
    table = ["data", "check", tmp_path / "p.csv", "--task", "text-pair"]
    tried = ["search", *base[:4], "--trials", 1, "--out", tmp_path / "s"]
    for command in (["train", *base], table, tried):
        ran = cli(*command, "--text", "s1")
        assert (ran.code, "a column that text-pair reads" in ran.err, "--text" in ran.err) == (1, True, True)
    assert cli(*table, *named, "--label", "gold", "--json").json["rows"] == len(rows)
    ran = cli("train", *base, *named, "--label", "gold")
    assert ran.code == 0, ran.err
    assert (
        cli(
            "predict", "--model", tmp_path / "m", "--data", tmp_path / "p.csv", "--out", tmp_path / "o.csv", *named
        ).code
        == 0
    )
    assert list(pd.read_csv(tmp_path / "o.csv").columns[:4]) == ["s1", "s2", "gold", "id"]
    ran = cli(
        "evaluate", "--model", tmp_path / "m", "--data", tmp_path / "p.csv", *named, "--column", "label=gold", "--json"
    )
    assert ran.json["n"] == len(rows)
    for command in (["export", tmp_path / "m"], ["publish", tmp_path / "m", "--into", "pairs"]):
        ran = cli("models", *command, "--data", tmp_path / "p.csv", "--text", "s1")
        assert (ran.code, "a column that text-pair reads" in ran.err) == (1, True)
    held_out = ("--data", other_rows(tmp_path / "p.csv", tmp_path))
    ran = cli("models", "publish", tmp_path / "m", "--into", "pairs", *held_out, *named, "--label", "gold")
    assert ran.code == 0, ran.err


def test_the_package_runs_and_names_what_it_holds() -> None:
    ran = subprocess.run([sys.executable, "-m", "fieldtune", "--version"], capture_output=True, text=True, check=True)
    assert ran.stdout.strip()
    assert {"finetune", "load", "predict"} <= set(dir(fieldtune))


def test_a_model_without_an_encoder_cannot_be_gone_on_from(cli: Callable[..., Ran], tmp_path: Path) -> None:
    rows = pd.DataFrame({"text": ["lost card", "refund order"] * 9, "label": ["card", "refund"] * 9})
    rows.to_csv(tmp_path / "t.csv", index=False)
    base = ["train", "--task", "text-classification", "--train", tmp_path / "t.csv"]
    assert cli(*base, "--method", "linear", "--out", tmp_path / "a").code == 0
    ran = cli(*base, "--method", "full", "--model", tmp_path / "a", "--out", tmp_path / "b")
    assert (ran.code, "a model of fieldtune without one" in ran.err) == (1, True)


@pytest.mark.parametrize("method", ["head", "linear"])
def test_that_texts_are_not_read_to_their_end_is_told(
    cli: Callable[..., Ran], tiny_encoder: Path, tmp_path: Path, method: str
) -> None:
    rows = [("how is my order " * 9 + word, word) for word in ("card", "refund") for _ in range(6)]
    pd.DataFrame(rows, columns=["text", "label"]).to_csv(tmp_path / "t.csv", index=False)
    ran = cli("train", "--task", "text-classification", "--train", tmp_path / "t.csv", "--method", method, "--model",
              tiny_encoder, "--out", tmp_path / "m", *(["--set", "max_length=16"] if method == "head" else []))  # fmt: skip
    assert ran.code == 0, ran.err
    assert ("100% of the texts are longer than the 16 tokens that are read" in ran.err) == (method == "head")
