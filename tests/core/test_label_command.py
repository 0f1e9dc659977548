"""`fieldtune label` with a real model: a queue that loses nothing when killed and never asks twice."""

import io
import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import cohen_kappa_score

import fieldtune
from fieldtune.data.queue import Queue
from fieldtune.errors import ArtefactError, InputError
from fieldtune.evaluate.calibration import softmax

WORDS = {"card": "card lost", "refund": "refund order", "transfer": "transfer account"}


@pytest.fixture(params=["head", "linear"])
def setting(request: Any, tiny_encoder: Path, tmp_path: Path, cli: Callable[..., Any]) -> list[Any]:
    rows = [(f"{word} {a}{b}", label) for label, word in WORDS.items() for a in "abcdef" for b in "klmnop"]
    table = pd.DataFrame(rows, columns=["text", "label"])
    table.to_csv(tmp_path / "all.csv", index=False)
    table.groupby("label").head(5).to_csv(tmp_path / "train.csv", index=False)
    pool = table.sample(frac=1, random_state=0).rename(columns={"text": "words"})[["words"]]
    pool = pd.concat([pd.DataFrame({"words": [" "]}), pool]).assign(id=7)
    pool.to_csv(tmp_path / "pool.csv", index=False)
    train(cli, tiny_encoder, tmp_path / "train.csv", tmp_path / "m", request.param)
    return ["label", "--model", tmp_path / "m", "--pool", tmp_path / "pool.csv", "--text", "words"]


def train(cli: Callable[..., Any], encoder: Path, table: Path, out: Path, method: str) -> None:
    ran = cli("train", "--task", "text-classification", "--train", table, "--model", encoder, "--method", method,
              "--out", out)  # fmt: skip
    assert ran.code == 0, ran.err


def test_rows_wait_until_labelled_and_never_come_again(
    setting: list[Any], tmp_path: Path, cli: Callable[..., Any]
) -> None:
    right = dict(pd.read_csv(tmp_path / "all.csv").to_numpy().tolist())
    file = pd.read_csv(tmp_path / "pool.csv")["words"]
    first = cli(*setting, "-n", 6, "--json").json
    assert [file[row["row"] - 2] for row in first["rows"]] == [row["text"] for row in first["rows"]]
    assert (len({row["text"] for row in first["rows"]}), first["waiting"], first["labelled"]) == (6, 6, 0)
    assert cli(*setting, "-n", 6, "--json").json["rows"] == first["rows"]  # not labelled yet
    told = [row["text"] for row in first["rows"][:4]]
    pd.DataFrame({"words": told, "label": [right[text] for text in told]}).to_csv(tmp_path / "answers.csv", index=False)
    second = cli(*setting, "-n", 6, "--answers", tmp_path / "answers.csv", "--out", tmp_path / "out.csv", "--json").json
    assert (second["labelled"], second["waiting"]) == (4, 6)
    assert [row["text"] for row in second["rows"]][:2] == [row["text"] for row in first["rows"]][4:]
    assert not {row["text"] for row in second["rows"]} & set(told)
    assert pd.read_csv(tmp_path / "out.csv").to_numpy().tolist() == [[text, right[text]] for text in told]
    everything = cli(*setting, "-n", 500, "--json").json["rows"]
    assert {row["text"] for row in everything} == set(right) - set(told)
    pd.read_csv(tmp_path / "train.csv").rename(columns={"text": "words"}).to_csv(tmp_path / "known.csv", index=False)
    apart = cli(*setting, "--train", tmp_path / "known.csv", "--queue", tmp_path / "q", "-n", 500, "--json").json
    assert apart["waiting"] == len(right) - 15


def test_successive_models_that_agree_are_enough(
    setting: list[Any], tiny_encoder: Path, tmp_path: Path, cli: Callable[..., Any]
) -> None:
    assert cli(*setting, "--json").json["agreements"] == []
    table = pd.read_csv(tmp_path / "all.csv").sample(frac=1, random_state=0)
    turns, found = 0, {"agreements": []}
    for rows in (40, 42, 60, 90):  # a model of 15 labels came first; two more of 40 are no turn
        table.head(rows).to_csv(tmp_path / f"more-{rows}.csv", index=False)
        train(cli, tiny_encoder, tmp_path / f"more-{rows}.csv", tmp_path / f"m{rows}", "linear")
        setting[2], turns = tmp_path / f"m{rows}", turns + (rows != 42)
        found = cli(*setting, "--json").json
        assert cli(*setting, "--json").json["agreements"] == found["agreements"]  # the same model again is no turn
        assert len(found["agreements"]) == turns
    assert found["enough"] == (sum(found["agreements"]) / 3 >= 0.99)


def test_a_queue_of_an_older_version_keeps_its_labels(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "q")) as database, database:
        database.execute(
            "CREATE TABLE rows (key TEXT PRIMARY KEY, text TEXT NOT NULL, place INTEGER NOT NULL, label TEXT)"
        )
        database.execute("CREATE TABLE turns (model TEXT PRIMARY KEY, predicted TEXT NOT NULL, agreement REAL)")
        database.execute("INSERT INTO rows VALUES ('a', 'A', 0, 'card')")
    assert Queue(tmp_path / "q").turns() == [] and Queue(tmp_path / "q").labelled()["label"].tolist() == ["card"]


def test_models_are_compared_on_the_texts_that_both_pools_hold(
    setting: list[Any], tiny_encoder: Path, tmp_path: Path, cli: Callable[..., Any]
) -> None:
    assert cli(*setting, "--queue", tmp_path / "q", "--json").json["agreements"] == []
    train(cli, tiny_encoder, tmp_path / "all.csv", tmp_path / "m2", "linear")
    pool = pd.read_csv(tmp_path / "pool.csv")
    shrunk = pd.concat([pool.iloc[9:], pd.DataFrame({"words": ["a new one", "another new one"], "id": 7})])
    shrunk.sample(frac=1, random_state=1).to_csv(tmp_path / "pool.csv", index=False)
    setting[2] = tmp_path / "m2"
    (found,) = cli(*setting, "--queue", tmp_path / "q", "--json").json["agreements"]
    right = dict(pd.read_csv(tmp_path / "all.csv").to_numpy().tolist())
    both = [text for text in shrunk["words"] if text in right]
    guesses = [fieldtune.predict(tmp_path / name, pd.DataFrame({"text": both}))["predicted"] for name in ("m", "m2")]
    assert found == pytest.approx(cohen_kappa_score(*guesses))
    pd.DataFrame({"words": [f"nothing known {number}" for number in range(50)]}).to_csv(
        tmp_path / "pool.csv", index=False
    )
    pd.concat([pd.read_csv(tmp_path / "all.csv")] * 2).assign(
        text=lambda t: [f"{one} {n}" for n, one in enumerate(t["text"])]
    ).to_csv(tmp_path / "twice.csv", index=False)
    train(cli, tiny_encoder, tmp_path / "twice.csv", tmp_path / "m4", "linear")
    setting[2] = tmp_path / "m4"
    assert cli(*setting, "--queue", tmp_path / "q", "--json").json["agreements"] == []


def test_a_model_or_a_file_of_another_kind_is_refused(
    setting: list[Any], tiny_encoder: Path, tmp_path: Path, cli: Callable[..., Any]
) -> None:
    (tmp_path / "q").write_text("not a queue, but long enough to look like something " * 40)
    ran = cli(*setting, "--queue", tmp_path / "q")
    assert (ran.code, "a queue of labels" in ran.err) == (1, True)
    ran = cli(*setting, "--strategy", "entropy")
    assert (ran.code, "margin-kmeans" in ran.err) == (1, True)


@pytest.mark.parametrize("after", [1, 40])
def test_killed_while_labels_come_in_all_that_were_taken_are_there(tmp_path: Path, after: int) -> None:
    code = (
        "import sys; from pathlib import Path; from fieldtune.data.queue import Queue\n"
        "queue = Queue(Path(sys.argv[1])); queue.ask([(n, f'text {n}') for n in range(9999)])\n"
        "for n in range(9999):\n"
        "    queue.answer([(f'text {n}', f'label {n}')]); print(n, flush=True)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "q")], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    taken = [int(process.stdout.readline()) for _ in range(after)]
    os.kill(process.pid, signal.SIGKILL)  # wherever it is by now
    taken += [int(line) for line in process.stdout if line.endswith("\n")]
    assert process.wait() == -signal.SIGKILL
    process.stdout.close()
    labelled = Queue(tmp_path / "q").labelled()
    assert labelled["label"].tolist()[: len(taken)] == [f"label {n}" for n in taken]
    assert len(labelled) <= len(taken) + 1


def test_labels_typed_in_are_on_disk_before_the_next_row_is_shown(
    tiny_encoder: Path, tmp_path: Path, cli: Callable[..., Any], home: Path
) -> None:
    rows = pd.DataFrame(
        [(f"{word} {a}", name) for name, word in WORDS.items() for a in "abcdefgh"], columns=["text", "label"]
    )
    rows.to_csv(tmp_path / "t.csv", index=False)
    train(cli, tiny_encoder, tmp_path / "t.csv", tmp_path / "m", "linear")
    pd.DataFrame({"text": [f"my {word} {b}" for word in WORDS.values() for b in "xyz"]}).to_csv(
        tmp_path / "p.csv", index=False
    )
    command = [sys.executable, "-c", "from fieldtune.cli import main; main()", "label", "--model", tmp_path / "m",
               "--pool", tmp_path / "p.csv", "-n", "4", "--ask", "--json"]  # fmt: skip
    process = subprocess.Popen(
        [*map(str, command)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdin and process.stderr and process.stdout
    process.stdin.write("card\n\nrefund\n")  # the second is skipped
    process.stdin.flush()
    file = tmp_path / "p.labels.sqlite"
    until = time.monotonic() + 60
    while time.monotonic() < until and not (file.is_file() and count(file) == 2):
        time.sleep(0.05)
    process.kill()
    process.communicate()
    assert count(file) == 2
    ran = cli("label", "--model", tmp_path / "m", "--pool", tmp_path / "p.csv", "-n", "4", "--json")
    assert (ran.json["labelled"], ran.json["waiting"], len(ran.json["rows"])) == (2, 4, 4)
    assert json.dumps(ran.json)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("stdin", "given"),
    [
        (Terminal("crad\ncard\n"), ["card"]),
        (Terminal("crad\n\n"), ["crad"]),
        (Terminal("crad\n"), []),  # ended before it was answered
        (Terminal("new\n\nnew\n"), ["new", "new"]),
        (io.StringIO("crad\ncard\n"), ["crad", "card"]),  # lines of a file are the rows' own
    ],
)
def test_a_label_that_nobody_knows_is_told_and_asked_for_once_more(
    stdin: io.StringIO, given: list[str], tiny_encoder: Path, tmp_path: Path, cli: Callable[..., Any], monkeypatch: Any
) -> None:
    rows = [(f"{word} {a}", name) for name, word in WORDS.items() for a in "abcdefgh"]
    pd.DataFrame(rows, columns=["text", "label"]).to_csv(tmp_path / "t.csv", index=False)
    train(cli, tiny_encoder, tmp_path / "t.csv", tmp_path / "m", "linear")
    pd.DataFrame({"text": ["my card x", "my order y"]}).to_csv(tmp_path / "p.csv", index=False)
    monkeypatch.setattr("sys.stdin", stdin)
    ran = cli("label", "--model", tmp_path / "m", "--pool", tmp_path / "p.csv", "-n", 2, "--ask")
    assert ran.code == 0, ran.err
    assert Queue(tmp_path / "p.labels.sqlite").labelled()["label"].tolist() == given
    assert ran.err.count("(known: 'card', 'refund', 'transfer')") == 1
    assert ran.err.count("Enter keeps it") == stdin.isatty()


def count(file: Path) -> int:
    try:
        return len(Queue(file).labelled())
    except (ArtefactError, sqlite3.Error):
        return 0


def test_of_words_the_least_sure_one_decides(tiny_encoder: Path, tmp_path: Path, cli: Callable[..., Any]) -> None:
    names = ["ann", "bob", "cid", "dan"]
    lines = [f"my O\ncard O\n{name} B-PER\nis O\nlost O\n" for name in names * 5]
    (tmp_path / "train.conll").write_text("\n".join(lines))
    ran = cli("train", "--task", "token-classification", "--train", tmp_path / "train.conll", "--method", "linear",
              "--model", tiny_encoder, "--out", tmp_path / "m")  # fmt: skip
    assert ran.code == 0, ran.err
    texts = ["my card ann is lost", "my card bob is lost", "order refund to the account how"]
    pd.DataFrame({"text": texts}).to_csv(tmp_path / "pool.csv", index=False)
    ran = cli(
        "label", "--model", tmp_path / "m", "--pool", tmp_path / "pool.csv", "--strategy", "margin", "-n", 3, "--json"
    )
    assert ran.code == 0, ran.err
    model: Any = fieldtune.load(tmp_path / "m")
    for row in ran.json["rows"]:
        tags, sure = model.tag([row["text"].split()])
        assert row["predicted"] == " ".join(tags[0])
        assert row["probability"] == pytest.approx(float(sure[0].min()), abs=1e-5)
    probabilities = [softmax(model.logits([text.split()]), model.temperature) for text in texts]
    least = [min(np.sort(words, axis=1)[:, -1] - np.sort(words, axis=1)[:, -2]) for words in probabilities]
    assert [row["text"] for row in ran.json["rows"]] == [texts[place] for place in np.argsort(least, kind="stable")]


def test_answers_that_are_odd_are_told_and_kept(setting: list[Any], tmp_path: Path, cli: Callable[..., Any]) -> None:
    text = pd.read_csv(tmp_path / "pool.csv")["words"].iloc[1]
    rows = [(text, "card"), ("nowhere in it", "tpyo")]
    pd.DataFrame(rows, columns=["words", "label"]).to_csv(tmp_path / "answers.csv", index=False)
    ran = cli(*setting, "--answers", tmp_path / "answers.csv", "--json")
    assert ran.json["labelled"] == 2
    assert "1 answers to texts that are not in the pool, kept too: 'nowhere in it'" in ran.err
    assert "labels that the model does not know yet: 'tpyo'" in ran.err


def test_tags_of_words_are_not_put_among_labels_of_texts(tmp_path: Path) -> None:
    Queue(tmp_path / "q", "texts").answer([("a b", "card")])
    with pytest.raises(InputError, match="a queue of labels of words; found one of texts"):
        Queue(tmp_path / "q", "words")
    assert Queue(tmp_path / "q", "texts").labelled().to_numpy().tolist() == [["a b", "card"]]


@pytest.mark.parametrize("option", ["--pool", "--train", "--answers", "--queue"])
def test_no_input_is_overwritten(setting: list[Any], tmp_path: Path, cli: Callable[..., Any], option: str) -> None:
    rows = pd.read_csv(tmp_path / "train.csv").rename(columns={"text": "words"})
    for name in ("known.csv", "answers.csv"):
        rows.to_csv(tmp_path / name, index=False)
    names = {"--train": "known.csv", "--answers": "answers.csv", "--queue": "queue.csv"}  # this one is not there yet
    given = [part for one, name in names.items() for part in (one, tmp_path / name)]
    before = {file: file.read_bytes() for file in tmp_path.glob("*.csv")}
    (tmp_path / "link.csv").symlink_to(tmp_path / names.get(option, "pool.csv"))
    for out in ((tmp_path / "link.csv").readlink(), tmp_path / "link.csv"):
        ran = cli(*setting, *given, "--out", out)
        assert (ran.code, "an output that is no input" in ran.err) == (1, True), ran.err
        assert {file: file.read_bytes() for file in before} == before


NAMES = ["ann", "bob", "cid", "dan"]
EVE = "O O O B-PER I-PER O O O O O"


@pytest.fixture
def words(tmp_path: Path, cli: Callable[..., Any]) -> list[Any]:
    """A model of names in texts, and a pool of three."""
    (tmp_path / "train.conll").write_text("\n".join(f"my O\ncard O\n{one} B-PER\nis O\nlost O\n" for one in NAMES * 5))
    tagger(cli, tmp_path / "train.conll", tmp_path / "m")
    texts = ["My card, Eve Ott's, is lost.", "don't refund tom", "order of kim"]
    pd.DataFrame({"text": texts}).to_csv(tmp_path / "pool.csv", index=False)
    return ["label", "--model", tmp_path / "m", "--pool", tmp_path / "pool.csv", "-n", 3]


def tagger(cli: Callable[..., Any], table: Path, out: Path) -> None:
    ran = cli("train", "--task", "token-classification", "--train", table, "--method", "linear", "--out", out)
    assert ran.code == 0, ran.err


@pytest.mark.parametrize("kind", ["csv", "tsv", "jsonl", "parquet"])
def test_words_that_were_labelled_are_trained_on_and_never_asked_for_again(
    words: list[Any], tmp_path: Path, cli: Callable[..., Any], kind: str
) -> None:
    more = [(f"my card {name} is lost", "O O B-PER O O") for name in NAMES]
    rows = [("My card, Eve Ott's, is lost.", EVE), ("Order of kim!", "O O  B-first name O"), *more]
    pd.DataFrame(rows, columns=["text", "label"]).to_csv(tmp_path / "answers.csv", index=False)
    assert cli(*words, "--json").json["waiting"] == 3
    out = tmp_path / f"labelled.{kind}"
    ran = cli(*words, "--answers", tmp_path / "answers.csv", "--out", out, "--json")
    assert (ran.json["labelled"], ran.json["waiting"]) == (6, 1), ran.err
    tagger(cli, out, tmp_path / "m2")
    assert {"O", "B-PER", "I-PER", "B-first name"} <= set(fieldtune.load(tmp_path / "m2").labels)
    words[2] = tmp_path / "m2"
    ran = cli(*words, "--train", out, "--queue", tmp_path / "another", "--json")
    assert {row["text"] for row in ran.json["rows"]} == {"order of kim", "don't refund tom"}, ran.err  # kim! is another
    if kind == "jsonl":
        told = {one.pop("text"): one for one in map(json.loads, out.read_text().splitlines())}
        eve = ["My", "card", ",", "Eve", "Ott", "'s", ",", "is", "lost", "."]
        assert told["My card, Eve Ott's, is lost."] == {"tokens": eve, "tags": EVE.split()}
        kim = {"tokens": ["Order", "of", "kim", "!"], "tags": ["O", "O", "B-first name", "O"]}
        assert told["Order of kim!"] == kim


def test_words_of_a_training_table_are_never_asked_for_however_it_parts_them(
    words: list[Any], tmp_path: Path, cli: Callable[..., Any]
) -> None:
    (tmp_path / "known.conll").write_text("do O\nn't O\nrefund O\ntom B-PER\n\nan O\norder O\n")
    ran = cli(*words, "--train", tmp_path / "known.conll", "--json")
    assert {row["text"] for row in ran.json["rows"]} == {"My card, Eve Ott's, is lost.", "order of kim"}, ran.err
    spans = {"text": "order of kim", "spans": [{"start": 9, "end": 12, "label": "PER"}]}
    (tmp_path / "known.jsonl").write_text(json.dumps(spans) + "\n")
    ran = cli(*words, "--queue", tmp_path / "another", "--train", tmp_path / "known.jsonl", "--json")
    assert {row["text"] for row in ran.json["rows"]} == {"My card, Eve Ott's, is lost.", "don't refund tom"}, ran.err


def test_the_name_of_the_pools_column_is_asked_of_no_table_of_words(
    words: list[Any], tmp_path: Path, cli: Callable[..., Any]
) -> None:
    pd.DataFrame({"title": ["order of kim", "another of tom"]}).to_csv(tmp_path / "pool.csv", index=False)
    tokens = {"tokens": ["order", "of", "kim"], "tags": ["O", "O", "B-PER"]}
    (tmp_path / "known.jsonl").write_text(json.dumps(tokens) + "\n")
    ran = cli(*words, "--text", "title", "--train", tmp_path / "known.jsonl", "--json")
    assert [row["text"] for row in ran.json["rows"]] == ["another of tom"], ran.err


FAULTS = {
    "O O": "3 tags, one for each of these words: order of kim; found 2",
    "O O B-PER O": "3 tags, one for each of these words: order of kim; found 4",
    "O O PER": "tags of IOB2.*found 'O PER', the tag 2",
    "O O I-PER": "tags of IOB2.*found 'I-PER', the tag 3",
    "O B-PER I-LOC": "tags of IOB2.*found 'I-LOC', the tag 3",
    "o O B-PER": "tags of IOB2.*found 'o', the tag 1",
    "O O B-": "tags of IOB2.*found 'B-', the tag 3",
}


def test_answers_that_are_not_the_tags_of_the_words_are_refused(
    words: list[Any], tmp_path: Path, cli: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    kept, good = tmp_path / "pool.labels.sqlite", ("don't refund tom", "O O O B-PER")
    for answer, fault in FAULTS.items():
        rows = [good, ("order of kim", answer)]
        pd.DataFrame(rows, columns=["text", "label"]).to_csv(tmp_path / "answers.csv", index=False)
        ran = cli(*words, "--answers", tmp_path / "answers.csv", "--out", tmp_path / "out.csv")
        assert ran.code == 1 and re.search(f"{fault}.* in row 3 of .*answers.csv", ran.err), ran.err
        assert Queue(kept, "words").labelled().empty and not (tmp_path / "out.csv").exists()
    asked = [row["text"] for row in cli(*words, "--json").json["rows"]]
    right = {"My card, Eve Ott's, is lost.": EVE, "order of kim": "O O B-PER", good[0]: good[1]}
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{right[asked[0]]}\nO\n{right[asked[2]]}\n"))
    ran = cli(*words, "--ask")
    assert ran.code == 1 and f"found 1 in the answer to {asked[1]!r}" in ran.err
    assert Queue(kept, "words").labelled()["text"].tolist() == asked[:1]
    monkeypatch.setattr("sys.stdin", Terminal(f"O\n{right[asked[1]]}\nO\n\n"))
    ran = cli(*words, "--ask")
    assert ran.code == 0 and ran.err.count("one for each of these words") == 2, ran.err
    assert Queue(kept, "words").labelled()["text"].tolist() == asked[:2]
