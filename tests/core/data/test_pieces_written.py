"""A table that is written in pieces against pandas, which writes it at once."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import parquet

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
    for kind, mark in ((".csv", ","), (".tsv", "\t")):
        write.write_table(ODD, tmp_path / f"t{kind}")
        assert (tmp_path / f"t{kind}").read_bytes() == ODD.to_csv(index=False, sep=mark).encode()
    write.write_table(ODD, tmp_path / "t.jsonl")
    told = [json.loads(line) for line in (tmp_path / "t.jsonl").read_text().splitlines()]
    shares = [None if np.isnan(share) else float(str(share)) for share in ODD["share"].to_numpy()]
    assert told == [{**row, "share": share} for row, share in zip(ODD.to_dict("records"), shares, strict=True)]
    write.write_table(ODD.drop(columns="mixed"), tmp_path / "t.parquet")
    pd.testing.assert_frame_equal(
        pd.read_parquet(tmp_path / "t.parquet"), ODD.drop(columns="mixed").reset_index(drop=True)
    )


def test_times_are_written_in_one_form(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(write, "ROWS", 1)
    timed = pd.DataFrame({"time": pd.to_datetime(["2020-01-01 00:00", "2020-01-01 12:00"])})
    write.write_table(timed, tmp_path / "t.csv")
    assert (tmp_path / "t.csv").read_text() == timed.to_csv(index=False)


def test_json_lines_hold_numbers_in_full_and_times_as_they_are(tmp_path: Path) -> None:
    moment = pd.Timestamp("2024-01-02 03:04:05.123456")
    table = pd.DataFrame(
        {
            "tiny": [1.5e-12, float("inf")],
            "pi": [np.pi, np.nan],
            "nested": [{"x": 0.12345678901234567, "none": np.nan}, [np.float32(0.1), np.int64(2**60)]],
            "time": [moment, pd.NaT],
            "zoned": [moment.tz_localize("Asia/Shanghai")] * 2,
            "day": [moment.date(), None],
            "whole": pd.array([2**60 + 1, None], dtype="Int64"),
            "array": [np.asarray([1e-11, np.nan]), np.asarray([1, 2])],
        }
    )
    write.write_table(table, tmp_path / "t.jsonl")
    first, second = [json.loads(line) for line in (tmp_path / "t.jsonl").read_text().splitlines()]
    assert first == {
        "tiny": 1.5e-12,
        "pi": np.pi,
        "nested": {"x": 0.12345678901234567, "none": None},
        "time": "2024-01-02T03:04:05.123456",
        "zoned": "2024-01-02T03:04:05.123456+08:00",
        "day": "2024-01-02",
        "whole": 2**60 + 1,
        "array": [1e-11, None],
    }
    assert (second["tiny"], second["pi"], second["time"], second["day"], second["whole"]) == (None,) * 5
    assert second["nested"] == [pytest.approx(0.1), 2**60] and second["array"] == [1, 2]


@pytest.mark.parametrize("out", [".csv", ".tsv", ".jsonl", ".parquet"])
@pytest.mark.parametrize("source", ["null.jsonl", "missing.jsonl", "t.parquet"])
def test_long_ids_beside_none_stay_apart(tmp_path: Path, source: str, out: str) -> None:
    ids = [1234567890123456789, 1234567890123456790, None, 12]
    rows = [{"id": one, "text": f"row {place}"} for place, one in enumerate(ids)]
    if source == "missing.jsonl":
        del rows[2]["id"]
    if source.endswith("parquet"):
        columns = {"id": pa.array(ids, pa.int64()), "text": [row["text"] for row in rows]}
        parquet.write_table(pa.table(columns), tmp_path / source)
    else:
        (tmp_path / source).write_text("\n".join(map(json.dumps, rows)))
    write.write_table(read.read_table(tmp_path / source), tmp_path / f"out{out}")
    again = read.read_table(tmp_path / f"out{out}")["id"]
    assert ["" if pd.isna(one) else str(one) for one in again] == [str(one) if one else "" for one in ids]


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
