"""A table that is written in pieces against pandas, which writes it at once."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import fieldtune
from fieldtune.data import read, write

ODD = pd.DataFrame(
    {
        "text": ['a,"b"', "two\nlines", "", "tab\there", "退款", " x ", "007", "NA"],
        "count": range(8),
        "share": np.asarray([0.1, 1 / 3, np.nan, 1, 0, -1, 1e-9, 2], np.float32),
        "mixed": [1, 1.5, True, None, "a", "b", 2, 3],
        "said": [True, False] * 4,
        "kind": pd.Categorical(["u", "v"] * 4),
    },
    index=range(5, 13),
)


@pytest.mark.parametrize("rows", [1, 3, 8, 20])
def test_pieces_give_the_bytes_of_the_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows: int) -> None:
    monkeypatch.setattr(write, "ROWS", rows)
    wide = ODD.assign(share=ODD["share"].astype(float))
    for kind, mark in ((".csv", ","), (".tsv", "\t")):
        write.write_table(ODD, tmp_path / f"t{kind}")
        assert (tmp_path / f"t{kind}").read_bytes() == wide.to_csv(index=False, sep=mark).encode()
    write.write_table(ODD, tmp_path / "t.jsonl")
    lines = ODD.to_json(orient="records", lines=True, force_ascii=False)
    assert (tmp_path / "t.jsonl").read_bytes() == lines.encode()
    write.write_table(ODD.drop(columns="mixed"), tmp_path / "t.parquet")
    pd.testing.assert_frame_equal(
        pd.read_parquet(tmp_path / "t.parquet"), ODD.drop(columns="mixed").reset_index(drop=True)
    )


def test_times_are_written_in_one_form(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(write, "ROWS", 1)
    timed = pd.DataFrame({"time": pd.to_datetime(["2020-01-01 00:00", "2020-01-01 12:00"])})
    write.write_table(timed, tmp_path / "t.csv")
    assert (tmp_path / "t.csv").read_text() == timed.to_csv(index=False)


def test_a_piece_that_fails_leaves_no_file(tmp_path: Path) -> None:
    def pieces() -> Any:
        yield ODD
        raise RuntimeError("no more")

    with pytest.raises(RuntimeError):
        write.write_pieces(pieces(), tmp_path / "t.csv")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", [".csv", ".jsonl"])
def test_predictions_in_pieces_are_those_of_the_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cli: Callable[..., Any], kind: str
) -> None:
    rows = pd.DataFrame(
        [(f"{word} {a}", word) for word in ("card", "refund") for a in "abcdefgh"], columns=["text", "label"]
    )
    fieldtune.finetune("text-classification", rows, method="linear", out=tmp_path / "m", progress=False)
    asked = pd.DataFrame({"text": [*rows["text"], "", 'a,"b"', "two\nlines"], "id": [f"00{n}" for n in range(19)]})
    write.write_table(asked, tmp_path / f"in{kind}")
    written = {}
    for size in (4, 20_000):
        monkeypatch.setattr(write, "ROWS", size)
        out = tmp_path / f"out-{size}{kind}"
        ran = cli("predict", "--model", tmp_path / "m", "--data", tmp_path / f"in{kind}", "--out", out, "--json")
        assert ran.code == 0, ran.err
        written[size] = (out.read_bytes(), ran.json["rows"], ran.json["in_scope"])
    assert written[4] == written[20_000]
    assert written[4][1] == 19
    assert read.read_table(out)["id"].tolist() == asked["id"].tolist()
