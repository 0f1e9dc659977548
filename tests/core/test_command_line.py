"""The core's commands from the outside: the contract of names, columns and exit codes, and every kind of bad input."""

import json
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import accuracy_score, f1_score, log_loss

from tests.conftest import Ran

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
    first = cli("models", "publish", model, "--into", "intents", "--data", table, "--json")
    assert first.code == 0, first.err
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
    second = cli("models", "publish", tmp_path / "bad", "--into", "intents", "--data", table, "--json")
    assert second.code == 1
    assert second.json["promoted"] is False
    listed = cli("models", "list", "--json").json["versions"]
    assert len(listed) == 1
    assert cli("models", "show", listed[0]["id"], "--json").json["serving"] is True
    assert cli("models", "rollback", "intents").code == 1


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
    for name, change in {
        "code": {"auto_map": {"AutoModel": "evil.Model"}},
        "type": {"model_type": "lightglue"},
    }.items():
        folder = tmp_path / name
        shutil.copytree(tiny_encoder, folder)
        config = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps({**config, **change}))
        command = ("train", "--task", "text-classification", "--train", table, "--method", "head", "--model", folder)
        check_refused(cli(*command, "--out", tmp_path / "out"), "encoder types")


def test_help_explains_every_command_and_wrong_usage_exits_2(cli: Cli) -> None:
    root = cli("--help")
    assert root.code == 0
    for name in ("train", "evaluate", "predict", "encode", "models", "feedback", "data", "doctor"):
        assert name in root.out
        assert cli(name, "--help").code == 0
    for later in ("explain", "search", "label", "serve"):
        ran = cli(later, "--model", "x")
        assert ran.code == 1
        assert "planned" in ran.err
    assert cli("train", "--nonsense").code == 2
    assert cli("nonsense").code == 2


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


def test_feedback_commands(cli: Cli, tmp_path: Path) -> None:
    from datetime import UTC, datetime

    from fieldtune import feedback, registry

    check_refused(cli("feedback", "export", "--out", tmp_path / "f.csv"), "feedback to export")
    check_refused(cli("feedback", "retrain", "monitor"), "feedback about")
    check_refused(cli("feedback", "retrain", "weather"), "weather")
    with registry.open_home().begin() as connection:
        row = feedback.Feedback(
            "monitor", "story-1", "tone", "ann", payload={"text": "loss widened", "label": "negative"}
        )
        feedback.record(connection, row, datetime(2026, 1, 1, tzinfo=UTC))
    assert cli("feedback", "list", "--json").json["feedback"][0]["payload"]["label"] == "negative"
    assert cli("feedback", "export", "--out", tmp_path / "f.csv", "--json").json["rows"] == 1
    assert cli("feedback", "erase", "--user", "ann", "--json").json["erased"] == 1


def test_a_folder_with_files_of_the_user_is_refused_before_training(cli: Cli, table: Path, tmp_path: Path) -> None:
    out = tmp_path / "home of my thesis"
    out.mkdir()
    (out / "thesis.txt").write_text("years of work")
    check_refused(cli(*training(table, out)), "thesis.txt")
    assert [entry.name for entry in out.iterdir()] == ["thesis.txt"]
