"""Columns that users name, and kinds of cells that only Parquet or pandas give: read as they are meant, or refused."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import fieldtune
from fieldtune.data.dialogues import agent_turns, asked
from fieldtune.data.given import given, tabled
from fieldtune.data.read import read_table
from fieldtune.data.tagged import tagged_table, word_table
from fieldtune.data.write import write_table
from fieldtune.errors import InputError
from fieldtune.tasks import task_module
from tests.conftest import Ran

TURNS = [{"role": "user", "text": "hi"}, {"role": "agent", "text": "hello"}]
SPAN = {"start": 0, "end": 2, "label": "A"}


@pytest.mark.parametrize(
    ("read", "columns", "rename"),
    [
        (agent_turns, {"turns": [TURNS]}, {"turns": "conv"}),
        (agent_turns, {"turns": [TURNS]}, {"source": "conv"}),
        (asked, {"turns": [TURNS]}, {"turns": "conv"}),
        (asked, {"turns": [TURNS]}, {"source": "conv"}),
        (word_table, {"text": ["ab cd"]}, {"tokens": "conv"}),
        (word_table, {"tokens": [["ab"]]}, {"text": "conv"}),
        (tagged_table, {"tokens": [["ab"]], "tags": [["O"]]}, {"text": "conv"}),
        (task_module("embedding").read, {"query": ["a"], "positive": ["b"], "negative": ["c"]}, {"negative": "conv"}),
    ],
)
def test_a_column_that_is_named_and_not_there_is_told(
    read: Callable[..., Any], columns: dict[str, Any], rename: dict[str, str]
) -> None:
    with pytest.raises(InputError, match="conv"):
        read(pd.DataFrame(columns), rename=rename)


@pytest.mark.parametrize(
    ("columns", "rename"),
    [
        ({"text": ["xx yy"], "spans": ["x"], "ents": [[SPAN]]}, {"spans": "ents"}),
        ({"tokens": [["a"]], "words": [["xx", "yy"]], "tags": [["B-A", "O"]]}, {"tokens": "words"}),
    ],
)
def test_a_column_that_is_pointed_to_wins_over_one_of_that_name(
    columns: dict[str, Any], rename: dict[str, str]
) -> None:
    found = tagged_table(pd.DataFrame(columns), rename=rename)
    assert found.to_dict("records") == [{"tokens": ["xx", "yy"], "tags": ["B-A", "O"]}]


def test_chats_with_tools_and_dialogues_in_parquet_are_read(tmp_path: Path) -> None:
    chat = [
        {"role": "user", "content": "where is it"},
        {"role": "assistant", "content": None, "tool_calls": [{"id": "1"}]},
        {"role": "tool", "content": "{}"},
        {"role": "assistant", "content": "on its way"},
    ]
    (tmp_path / "t.jsonl").write_text(json.dumps({"messages": chat}))
    pd.DataFrame({"messages": [chat]}).to_parquet(tmp_path / "t.parquet")
    for kind in ("jsonl", "parquet"):
        found = agent_turns(tmp_path / f"t.{kind}").to_dict("records")
        assert found == [{"source": "where is it", "target": "on its way"}]
    with pytest.raises(InputError, match="a turn with a role"):
        agent_turns(pd.DataFrame({"messages": [[*chat, {"role": "assistant", "said": "x"}]]}))


def test_lists_of_any_length_and_kind_are_json_in_csv(tmp_path: Path) -> None:
    words = [f"w{number}" for number in range(1500)]
    cells = {"tokens": [words], "inside": [[{"at": [1, 2], "ok": True}]]}
    pd.DataFrame(cells).to_parquet(tmp_path / "t.parquet")
    write_table(read_table(tmp_path / "t.parquet").assign(more=[{"n": np.int64(3)}]), tmp_path / "t.csv")
    row = pd.read_csv(tmp_path / "t.csv").iloc[0].map(json.loads)
    assert row["tokens"] == words and row["inside"] == cells["inside"][0] and row["more"] == {"n": 3}


@pytest.mark.parametrize("more", [(), ("--against",)])
def test_lists_where_texts_should_be_are_refused_with_their_row(
    cli: Callable[..., Ran], tmp_path: Path, more: tuple[str, ...]
) -> None:
    pd.DataFrame({"text": [["a b"], ["c"]], "label": ["x", "y"]}).to_parquet(tmp_path / "t.parquet")
    ran = cli("data", "check", tmp_path / "t.parquet", *more, *[tmp_path / "t.parquet"] * len(more))
    assert ran.code == 1 and "found ndarray in row 1" in ran.err and "fix:" in ran.err


def test_columns_of_every_kind_are_answered(tmp_path: Path) -> None:
    rows = {"text": ["card 5", "parcel"] * 8, "label": ["a", "b"] * 8}
    model = fieldtune.load(fieldtune.finetune("text-classification", rows, method="linear", out=tmp_path / "m").path)
    wanted = fieldtune.predict(model, {"text": ["5", ""]})["probability"].tolist()
    for column in (pd.array([5, None], dtype="Int64"), pd.Categorical(["5", None]), pd.Series([5, None], dtype=object)):
        assert fieldtune.predict(model, pd.DataFrame({"text": column}))["probability"].tolist() == wanted


def test_halves_of_characters_in_a_dict_are_mended_and_counted(capsys: pytest.CaptureFixture[str]) -> None:
    assert given(tabled({"text": ["a\ud800", "b"], "n": [1, 2]})).to_dict("list") == {
        "text": ["a\ufffd", "b"],
        "n": [1, 2],
    }  # type: ignore[arg-type]
    assert "1 cells with halves of characters" in capsys.readouterr().err
