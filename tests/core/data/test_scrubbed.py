"""Tables of any kind without personal data: turns, messages, words and JSON in cells, and spans that move with their text."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from fieldtune import read_table
from fieldtune.data.cells import cleaned
from fieldtune.data.scrub import scrub
from fieldtune.data.tagged import tagged_table

Cli = Callable[..., Any]
MAIL, PHONE, CARD = "bob@corp.example", "202-555-0147", "4111111111111111"
CHAT = [{"role": "user", "text": f"I am {MAIL}"}, {"role": "agent", "text": f"call {PHONE}", "at": 1700000000}]


def scrubbed(cli: Cli, table: pd.DataFrame, folder: Path, kind: str, *options: Any) -> Any:
    """What the command makes of a table written as `kind`; its complaint where it makes nothing."""
    given, out = folder / f"t{kind}", folder / f"o{kind}"
    if kind == ".parquet":
        table.to_parquet(given)
    elif kind == ".jsonl":
        table.to_json(given, orient="records", lines=True)
    else:
        cells = table.map(lambda cell: json.dumps(cell) if isinstance(cell, (list, dict)) else cell)
        cells.to_csv(given, index=False)
    ran = cli("data", "scrub", given, "--out", out, "--json", *options)
    assert ran.code == 0 or not out.exists()
    return read_table(out, every_row=True) if ran.code == 0 else ran.err


@pytest.mark.parametrize("kind", [".jsonl", ".csv", ".parquet"])
@pytest.mark.parametrize(("column", "field"), [("turns", "text"), ("messages", "content")])
def test_dialogues_are_scrubbed_and_stay_dialogues(
    cli: Cli, tmp_path: Path, kind: str, column: str, field: str
) -> None:
    chat = [{field if name == "text" else name: value for name, value in turn.items()} for turn in CHAT]
    for options in ((), ("--text", column)):
        table = scrubbed(cli, pd.DataFrame({column: [chat, chat[:1]], "id": [MAIL] * 2}), tmp_path, kind, *options)
        cell = table[column][0]
        turns = json.loads(cell) if isinstance(cell, str) else list(cell)
        assert [turn[field] for turn in turns] == ["I am [email]", "call [phone]"]
        assert [turn["role"] for turn in turns] == ["user", "agent"] and turns[1]["at"] == 1700000000
        assert MAIL not in str(table[column].tolist()) and table["id"].tolist() == [MAIL] * 2


@pytest.mark.parametrize("kind", [".jsonl", ".csv", ".parquet"])
def test_words_keep_their_tags_in_every_format(cli: Cli, tmp_path: Path, kind: str) -> None:
    words = ["call", "(202)", "555-0147", "or", MAIL, "New York"]
    rows = pd.DataFrame({"tokens": [words, ["fine"]], "tags": [["O"] * 6, ["O"]]})
    scrubbed(cli, rows, tmp_path, kind)
    told = tagged_table(tmp_path / f"o{kind}")
    assert told["tokens"].tolist() == [["call", "[phone]", "[phone]", "or", "[email]", "New York"], ["fine"]]
    assert told["tags"].tolist() == rows["tags"].tolist()


@pytest.mark.parametrize("kind", [".jsonl", ".csv", ".parquet"])
def test_spans_move_with_their_text(cli: Cli, tmp_path: Path, kind: str) -> None:
    text = f"write to {MAIL} or go to Oslo, says Ann Lee of Rome"
    wanted = {MAIL: "MAIL", "Oslo": "CITY", "Lee": "NAME", "Rome": "CITY"}
    spans = [
        {"start": text.index(one), "end": text.index(one) + len(one), "label": label, "text": one}
        for one, label in wanted.items()
    ]
    (tmp_path / "names").write_text("Ann Lee\n")
    rows = pd.DataFrame({"text": [text, "go to Oslo"], "spans": [spans, [{**spans[1], "start": 6, "end": 10}]]})
    table = scrubbed(cli, rows, tmp_path, kind, "--names", tmp_path / "names")
    assert table["text"].tolist() == ["write to [email] or go to Oslo, says [name] of Rome", "go to Oslo"]
    cells = [json.loads(cell) if isinstance(cell, str) else cell for cell in table["spans"]]
    for (said, found), names in zip(
        zip(table["text"], cells, strict=True), (["[email]", "Oslo", "[name]", "Rome"], ["Oslo"]), strict=True
    ):
        assert [said[span["start"] : span["end"]] for span in found] == names
        assert [span["text"] for span in found] == names
    tagged_table(tmp_path / f"o{kind}")  # and it is a table to train on


def test_spans_that_cannot_move_are_refused(cli: Cli, tmp_path: Path) -> None:
    text = f"{MAIL} left"
    halves = [{"start": 0, "end": 3, "label": "NAME"}, {"start": 4, "end": 8, "label": "FIRM"}]
    for cell, found in (
        (halves, "two spans"),
        ([{"start": 0, "end": 99, "label": "X"}], "inside the text"),
        ("x", "list"),
    ):
        ran = scrubbed(cli, pd.DataFrame({"text": [text], "spans": [cell]}), tmp_path, ".csv")
        assert found in ran and "in row 2 of" in ran and "fix:" in ran
    table = pd.DataFrame({"text": [text], "note": [text], "spans": [halves]})
    assert "which column the spans stand in" in scrubbed(cli, table, tmp_path, ".jsonl", "--text", "note")


@pytest.mark.parametrize(
    ("cells", "found"),
    [([5, 6], "int"), ([{"card": int(CARD)}] * 2, "reads as card"), ([{MAIL: "yes"}] * 2, "name of a field")],
)
def test_what_is_no_text_is_refused_with_its_row(cli: Cli, tmp_path: Path, cells: list[Any], found: str) -> None:
    ran = scrubbed(cli, pd.DataFrame({"note": cells, "id": ["x"] * 2}), tmp_path, ".jsonl", "--text", "note")
    assert found in ran and "row 1 of" in ran and "--text COLUMN" in ran


def test_a_cell_without_personal_data_is_as_it_came() -> None:
    for cell in ('{"a":  "b"}', "[email", "[1, 2]", "", None, float("nan"), ["x", 1, None], '["\\u00e9"]'):
        value, kinds = cleaned(cell)
        assert not kinds and (value is cell or value == cell)


def test_what_json_says_is_hidden_as_deep_as_it_stands_and_comes_back_as_json() -> None:
    cell = json.dumps({"user": {"password": "hunter2x9", "mails": [f"é {MAIL}", MAIL]}, "n": 3, "ok": True})
    value, kinds = cleaned(cell)
    assert json.loads(value) == {
        "user": {"password": "[secret]", "mails": ["é [email]", "[email]"]},
        "n": 3,
        "ok": True,
    }
    assert sorted(kinds) == ["email", "email", "secret"] and value.isascii()
    twice = f'{{"a": "{MAIL}", "a": "b"}}'  # JSON keeps the last alone
    assert cleaned(twice)[0] == scrub(twice).text == '{"a": "[email]", "a": "b"}'
