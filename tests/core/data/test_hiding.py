"""Personal data in tables to train on: hidden by default, counted, words keep their tags."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fieldtune import finetune, load, read_table
from fieldtune.data.hiding import hidden, in_words
from fieldtune.data.scrub import scrub
from fieldtune.serve.rows import Row
from fieldtune.serve.served import Served
from fieldtune.tasks import task_module

TOLD = "personal data hidden before training: 16 email"


def test_texts_are_hidden_labels_and_ids_are_not() -> None:
    table = pd.DataFrame(
        {"text": ["jo@post.example", "fine", None], "label": ["a@b.example", "b", "b"], "id": ["1"] * 3}
    )
    clean, found = hidden(table)
    assert clean["text"].tolist()[:2] == ["[email]", "fine"]
    assert clean[["label", "id"]].equals(table[["label", "id"]])
    assert found == Counter(email=1)
    assert hidden(clean) == (clean, Counter())


def test_a_number_over_several_words_is_hidden_in_each_and_every_word_keeps_its_tag() -> None:
    words = ["Call", "(202)", "555-0147", ",", "Ann", "or", "jo@post.example", "."]
    clean, found = hidden(pd.DataFrame({"tokens": [words, ["fine"]], "tags": [["O"] * 8, ["O"]]}))
    assert clean["tokens"].tolist() == [["Call", "[phone]", "[phone]", ",", "Ann", "or", "[email]", "."], ["fine"]]
    assert found == Counter(phone=1, email=1)


@pytest.mark.parametrize(
    ("words", "left"),
    [
        ("ssn 123-45-6789 4111 1111 1111 1111", "ssn [ssn] [card] [card] [card] [card]"),
        ("call +44 20 7946 0018 1.2.3.4", "call [phone] [phone] [phone] [phone] [ip]"),
        ("[card] [ssn] fine", "[card] [ssn] fine"),
        ("联系 13800138000 金额 1234567890 元", "联系 [phone] 金额 1234567890 元"),
        ("phone 1234567890", "phone [phone]"),
        ("[Phone] 1234567890", "[Phone] [phone]"),
    ],
)
def test_what_is_found_only_beside_what_was_hidden_is_hidden_in_words_too(words: str, left: str) -> None:
    clean, _ = hidden(pd.DataFrame({"tokens": [words.split()]}))
    assert " ".join(clean["tokens"][0]) == left


@given(st.lists(st.text(alphabet="0123456789+-.@abc:/[]x", min_size=1, max_size=12), max_size=12))
def test_words_of_which_nothing_more_is_found_as_in_the_text_they_are(words: list[str]) -> None:
    kept, kinds = in_words(words, ["abc", "card"])
    assert len(kept) == len(words)
    assert in_words(kept, ["abc", "card"]) == (kept, ())
    assert bool(kinds) == (kept != words) == bool(scrub(" ".join(words), names=["abc", "card"]).kinds)
    assert list(in_words(np.array(words, dtype=object), ["abc", "card"])[0]) == kept


def test_train_hides_by_default_says_so_and_leaves_it_on_request(cli: Callable[..., Any], tmp_path: Path) -> None:
    rows = [f"{word} {n}, write to qx{n}@vmail.example" for n in range(4) for word in ("refund money", "parcel lost")]
    pd.DataFrame({"text": rows, "label": ["refund", "parcel"] * 4}).to_csv(tmp_path / "t.csv", index=False)
    asked = ["train", "--task", "text-classification", "--method", "linear", "--train", tmp_path / "t.csv"]
    asked += ["--valid", tmp_path / "t.csv"]
    hiding = cli(*asked, "--out", tmp_path / "hidden")
    leaving = cli(*asked, "--out", tmp_path / "left", "--set", "scrub=false")
    assert (hiding.code, leaving.code) == (0, 0)
    assert TOLD in hiding.err  # training and validation rows
    assert "personal data" not in leaving.err
    known = [(tmp_path / name / "vocabulary.json").read_text() for name in ("hidden", "left")]
    assert ["vmai" in grams for grams in known] == [False, True]


def test_answers_read_what_training_read(cli: Callable[..., Any], tmp_path: Path) -> None:
    rows = [f"{word} {n}, write to qx{n}@vmail.example" for n in range(4) for word in ("refund money", "parcel lost")]
    table = pd.DataFrame({"text": rows, "label": ["refund", "parcel"] * 4})
    asked = "lost refund, write to parcel@lost.example"
    pd.DataFrame({"text": [asked, "lost refund, write to [email]"]}).to_csv(tmp_path / "t.csv", index=False)
    for hides in (True, False):
        out = tmp_path / f"{hides}"
        finetune("text-classification", table, valid=table, method="linear", out=out, settings={"scrub": hides})
        ran = cli("predict", "--model", out, "--data", tmp_path / "t.csv", "--out", tmp_path / "p.csv")
        assert ran.code == 0, ran.err
        told = read_table(tmp_path / "p.csv")
        assert told["text"][0] == asked
        assert (told["p_parcel"][0] == told["p_parcel"][1]) == hides
        (served,) = Served(out).compute([Row("predict", (asked,))])
        assert served["probabilities"]["parcel"] == pytest.approx(float(told["p_parcel"][0]), rel=1e-5)
        answers = task_module("text-classification").predict(load(out), pd.DataFrame({"text": [asked]}))
        assert answers["p_parcel"][0] == pytest.approx(float(told["p_parcel"][0]), rel=1e-5)


def test_entities_stand_where_the_text_as_it_was_given_has_them(tmp_path: Path) -> None:
    words = [["Ann", "of", city, "wrote", "from", f"q{n}@v.example"] for n in range(8) for city in ("Oslo", "Rome")]
    table = pd.DataFrame({"tokens": words, "tags": [["O", "O", "B-CITY", "O", "O", "B-MAIL"]] * len(words)})
    about = task_module("token-classification")
    finetune("token-classification", table, valid=table, method="linear", out=tmp_path / "m", progress=False)
    asked = "Ann of Oslo wrote from somebody.else@post.example"
    (spans,) = about.predict(load(tmp_path / "m"), pd.DataFrame({"text": [asked]}))["spans"]
    assert spans[0]["text"] == "Oslo"
    assert all(asked[span["start"] : span["end"]] == span["text"] for span in spans)
    assert about.metrics(load(tmp_path / "m"), about.read(table))["entity_f1"] == 1.0


def test_names_of_a_list_are_hidden_in_a_table(cli: Callable[..., Any], tmp_path: Path) -> None:
    rows = {"note": ["Ann Lee paid 3.5", "mark it, Mark", "write to jo@post.example", ""], "who": ["Ann Lee"] * 4}
    pd.DataFrame(rows).to_csv(tmp_path / "t.csv", index=False)
    (tmp_path / "names.txt").write_text("ann lee\n\nMark\n", encoding="utf-8")
    asked = (
        "data",
        "scrub",
        tmp_path / "t.csv",
        "--names",
        tmp_path / "names.txt",
        "--out",
        tmp_path / "o.csv",
        "--json",
    )
    assert "--text COLUMN" in cli(*asked).err
    ran = cli(*asked, "--text", "note")
    assert ran.code == 0, ran.err
    assert ran.json["hidden"] == {"name": 2, "email": 1}
    told = read_table(tmp_path / "o.csv", every_row=True)
    assert told["note"].tolist() == ["[name] paid 3.5", "mark it, [name]", "write to [email]", ""]
    assert told["who"].tolist() == rows["who"]
    assert "Mark" in read_table(tmp_path / "t.csv", every_row=True)["note"][1]
