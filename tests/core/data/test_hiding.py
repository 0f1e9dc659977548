"""Personal data in tables to train on: hidden by default, counted, words keep their tags."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

from fieldtune.data.hiding import hidden

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
