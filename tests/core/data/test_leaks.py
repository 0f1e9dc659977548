"""Rows seen in training: found word for word and nearly, against all pairs compared; in metrics, on the card, by evaluate."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import fieldtune
from fieldtune.data.images import key
from fieldtune.data.leaks import NEAR, SHOWN, leaked
from fieldtune.data.tagged import tagged_table
from fieldtune.models.card import NOT_UNSEEN
from fieldtune.tasks import TASKS
from fieldtune.text.duplicates import nearly, repeats
from fieldtune.text.normalise import equality_key
from tests.conftest import Ran

WORDS = "when will my new card arrive at home and how do I follow a lost parcel that was sent to me last week".split()


def asked(count: int, seed: int) -> list[str]:
    rng = np.random.default_rng(seed)
    return [" ".join(rng.choice(WORDS, 12)) + f" {rng.integers(1000, 9999)}" for _ in range(count)]


def shingles(text: str) -> set[str]:
    key = equality_key(text)
    return {key[place : place + 5] for place in range(max(len(key) - 4, 1))}


def test_texts_that_are_nearly_the_same_are_those_of_all_pairs_compared() -> None:
    rng, others = np.random.default_rng(0), asked(150, 0)
    rows = []
    for text in asked(100, 1) + others[:100]:
        words = text.split()
        for _ in range(rng.integers(0, 5)):
            words[rng.integers(len(words))] = str(rng.choice(WORDS))
        rows.append(" ".join(words))
    pairs = [
        [(len(shingles(one) & shingles(other)), shingles(one) | shingles(other)) for other in others] for one in rows
    ]
    best = np.array([max(common / len(either) for common, either in own) for own in pairs])
    found = nearly([rows], [others], equal=([0] * len(rows), [0] * len(others)), threshold=NEAR)
    assert (best > NEAR + 0.1).sum() > 20 and found[best > NEAR + 0.1].all()
    assert ((best > 0.5) & (best < NEAR - 0.1)).sum() > 20 and not found[best < NEAR - 0.1].any()


def test_a_table_of_one_pattern_is_found_whole() -> None:
    rows = [
        f"the parcel with the number {number} was sent to you yesterday at noon by the carrier of your choice"
        for number in range(5000, 5600)
    ]
    assert nearly([rows[:100]], [rows[100:]], equal=([0] * 100, [0] * 500), threshold=NEAR).all()
    assert not nearly([rows[:100]], [rows[100:]], equal=([0] * 100, [1] * 500), threshold=NEAR).any()


def test_rows_that_nearly_repeat_an_earlier_one_are_those_of_all_pairs_compared() -> None:
    rng, rows = np.random.default_rng(3), asked(150, 2)
    for text in rows[:100]:
        words = text.split()
        for _ in range(rng.integers(0, 5)):
            words[rng.integers(len(words))] = str(rng.choice(WORDS))
        rows.append(" ".join(words))
    sets = [shingles(text) for text in rows]
    best = np.array(
        [max([0.0, *(len(own & one) / len(own | one) for one in sets[:row])]) for row, own in enumerate(sets)]
    )
    found = repeats([rows], equal=[0] * len(rows), threshold=NEAR)
    assert (best > NEAR + 0.1).sum() > 10 and found[best > NEAR + 0.1].all()
    assert ((best > 0.5) & (best < NEAR - 0.1)).sum() > 10 and not found[best < NEAR - 0.1].any()
    assert not repeats([rows], equal=list(range(len(rows))), threshold=NEAR).any()
    assert not repeats([["", "!"]], equal=[0, 0], threshold=NEAR).any()


def test_near_repeats_of_a_table_are_told_beside_those_to_the_letter(tmp_path: Path, cli: Callable[..., Ran]) -> None:
    table = pd.DataFrame({"text": asked(6, 0), "label": ["a", "b"] * 3})
    table.loc[6] = [f"{table['text'][1]} now", "b"]
    table.loc[7] = [f"{table['text'][2]} now", "b"]  # of another label
    table.loc[8] = [table["text"][3].upper(), "b"]
    table.to_csv(tmp_path / "rows.csv", index=False)
    found = cli("data", "check", tmp_path / "rows.csv", "--json").json["findings"]
    assert {one["kind"]: one["rows"] for one in found} == {"duplicate": [10], "near-duplicate": [8]}


def test_the_same_texts_and_one_word_more() -> None:
    train = pd.DataFrame(
        {"text": ["Lost card?", "卡丢了", "When will my new card arrive, I wait since June"], "label": ["a", "b", "c"]}
    )
    texts = ["lost  CARD", "other", "", "卡丟了。", "when will my new card arrive, I wait since June please", "!!"]
    for label, near in (("c", (4,)), ("a", ())):  # of another label it teaches nothing
        found = leaked(train, pd.DataFrame({"text": texts, "label": [label] * 6}), "text-classification")
        assert found == ((0, 3), near)
    assert [finding.kind for finding in found.findings()] == ["leakage"]


def test_every_task_is_looked_at() -> None:
    assert set(SHOWN) == set(TASKS)


@pytest.mark.parametrize("task", ["text-pair", "embedding", "reranking", "seq2seq", "dialogue"])
def test_of_two_columns_both_must_be_nearly_the_same(task: str) -> None:
    first, second = SHOWN[task]
    train = pd.DataFrame({first: asked(6, 0), second: asked(6, 1)})
    changed = pd.DataFrame({first: train[first] + "s", second: train[second]})
    changed.loc[1, second] = changed.loc[2, second]
    changed.loc[3] = train.loc[3]
    assert leaked(train, changed, task) == ((3,), (0, 2, 4, 5))


def test_pairs_are_the_same_either_way_round() -> None:
    one, two = asked(6, 0), asked(6, 1)
    train = pd.DataFrame({"text_a": one, "text_b": two, "label": "same"})
    held = pd.DataFrame({"text_a": two, "text_b": one, "label": "same"})
    held.loc[1, "text_a"] += "s"
    held.loc[2, "text_a"] = one[2]
    assert leaked(train, held, "text-pair") == ((0, 3, 4, 5), (1,))
    turned = held.rename(columns={"text_a": "query", "text_b": "document"})
    asked_for = train.rename(columns={"text_a": "query", "text_b": "document"})
    assert SHOWN["reranking"] == ("query", "document")
    assert leaked(asked_for, turned, "reranking") == ((), ())


def test_a_file_is_read_once_until_it_changes(tmp_path: Path) -> None:
    file = tmp_path / "a.png"
    file.write_bytes(b"one")
    first, state = key(file), file.stat()
    file.write_bytes(b"two")
    os.utime(file, ns=(state.st_atime_ns, state.st_mtime_ns))
    assert key(file) == first == key(b"one")  # nothing tells that it changed
    os.utime(file, ns=(state.st_atime_ns, state.st_mtime_ns + 10**9))
    assert key(str(file)) == key(b"two")


def test_tagged_rows_and_pictures_with_texts() -> None:
    words = [text.split() for text in asked(3, 0)]
    train = tagged_table(pd.DataFrame({"tokens": words, "tags": [["O"] * len(own) for own in words]}))
    held = tagged_table(
        pd.DataFrame({"tokens": [[*words[0], "!"], words[1][1:], ["new"]], "tags": [["O"] * 14, ["O"] * 12, ["O"]]})
    )
    assert leaked(train, held, "token-classification") == ((0,), (1,))
    one, other = np.zeros((4, 4), np.uint8), np.ones((4, 4), np.uint8)
    text = asked(1, 0)[0]
    train = pd.DataFrame({"image": [one], "text": [text], "label": ["a"]})
    held = pd.DataFrame(
        {"image": [one, one, other, None], "text": [text, text + "s", text + "s", text], "label": ["a"] * 4}
    )
    assert leaked(train, held, "image-text") == ((0,), (1,))
    assert leaked(train, held, "image-classification") == ((0, 1), ())


def table(count: int, seed: int) -> pd.DataFrame:
    texts = asked(count, seed)
    return pd.DataFrame({"text": texts, "label": ["card" if text.count("card") else "parcel" for text in texts]})


def test_metrics_card_and_evaluate_say_what_was_seen(tmp_path: Path, cli: Callable[..., Ran]) -> None:
    train, valid = table(80, 0), table(40, 1)
    both: Any = pd.concat([valid, train[:3], train[3:8].assign(text=train["text"][3:8] + " to")], ignore_index=True)
    pages = {}
    for name, rows in (("clean", valid), ("leaky", both)):
        done = fieldtune.finetune(
            "text-classification", train, valid=rows, method="linear", out=tmp_path / name, progress=False
        )
        assert done.metrics["leaked"] == ({"exact": 3, "near": 5} if name == "leaky" else {"exact": 0, "near": 0})
        assert json.loads((done.path / "fieldtune.json").read_text())["metrics"]["leaked"] == done.metrics["leaked"]
        pages[name] = (done.path / "README.md").read_text()
    assert "kept apart from those it learnt from" in pages["clean"] and NOT_UNSEEN not in pages["clean"]
    told = f"3 of these rows also stand among the training rows, 5 more nearly do: {NOT_UNSEEN}"
    assert "kept apart" not in pages["leaky"] and told in pages["leaky"]
    assert "`leaked." not in pages["leaky"]
    for name, rows in (("train", train), ("clean", valid), ("leaky", both)):
        rows.to_csv(tmp_path / f"{name}.csv", index=False)
    seen = {
        (model, data): cli("evaluate", "--model", tmp_path / model, "--data", tmp_path / f"{data}.csv", "--json").err
        for model, data in (("leaky", "leaky"), ("leaky", "train"), ("clean", "clean"))
    }
    assert told in seen["leaky", "leaky"] and NOT_UNSEEN in seen["leaky", "train"]
    assert NOT_UNSEEN not in seen["clean", "clean"]
    checked = cli("data", "check", tmp_path / "leaky.csv", "--against", tmp_path / "train.csv", "--json").json
    rows = {found["kind"]: found["rows"] for found in checked["findings"]}
    assert rows["leakage"] == [42, 43, 44] and rows["near-leakage"] == [45, 46, 47, 48, 49]


def test_rows_split_off_here_are_counted_and_no_leak(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = pd.DataFrame(
        {"text": [f"the parcel with the number {n} was sent to you yesterday at noon" for n in range(5000, 5060)]}
    )
    rows["label"] = ["a", "b"] * 30
    done = fieldtune.finetune("text-classification", rows, method="linear", out=tmp_path / "m")
    assert done.metrics["leaked"] == {"exact": 0, "near": 6} and "flatter" not in capsys.readouterr().err
    page = (done.path / "README.md").read_text()
    assert NOT_UNSEEN not in page and "kept apart from those it learnt from; 6 of them are nearly one of those" in page


def test_rows_that_differ_in_what_training_hides_are_the_same(tmp_path: Path, cli: Callable[..., Any]) -> None:
    for name, host in (("train", "one"), ("held", "two")):
        rows = [(f"{word} u{n}@{host}.com", word) for word in ("card", "refund") for n in range(3)]
        pd.DataFrame(rows, columns=["text", "label"]).to_csv(tmp_path / f"{name}.csv", index=False)
    checked = cli("data", "check", tmp_path / "held.csv", "--against", tmp_path / "train.csv", "--json").json
    rows_of = {row["kind"]: len(row["rows"]) for row in checked["findings"]}
    assert rows_of["leakage"] == 6 and rows_of["duplicate"] > 0
