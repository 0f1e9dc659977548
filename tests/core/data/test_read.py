"""Tables in and out: rows are never shifted, nulls never become words, files appear whole or not at all."""

import gzip
import json
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fieldtune
from fieldtune.data.labelled_images import unlabelled_images
from fieldtune.data.pictured_texts import unlabelled_image_texts
from fieldtune.data.read import read_table, read_toml
from fieldtune.data.tables import text_column, training_table
from fieldtune.data.tagged import word_table
from fieldtune.data.write import write_pieces, write_table
from fieldtune.errors import InputError
from tests.conftest import Ran


def put(path: Path, content: str) -> Path:
    path.write_text(content, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ("text,label\nlost, my card,lost\nb,x\n", 2),
        ("text,label\na,x,\nb,y,\n", 2),
        ("text,label\na,x\nb,y,z\n", 3),
        ('text,label\n"a\nb",x\n\n"c",y\nd,e,f\n', 6),
        ("text,label\na,x,1\n" + "b,y,2\n" * 100, 2),
    ],
)
def test_a_row_longer_than_the_header_is_refused_with_its_line(tmp_path: Path, content: str, line: int) -> None:
    with pytest.raises(InputError, match=rf"3 cells in line {line}, 2 in the header"):
        read_table(put(tmp_path / "t.csv", content))
    with pytest.raises(InputError, match=rf"line {line},"):
        read_table(put(tmp_path / "t.tsv", content.replace(",", "\t")))


def test_a_trailing_comma_in_the_header_too_is_a_column_of_its_own(tmp_path: Path) -> None:
    frame = read_table(put(tmp_path / "t.csv", "text,label,\na,007,\nb,y,\n"))
    assert frame["text"].tolist() == ["a", "b"]
    assert frame["label"].tolist() == ["007", "y"]


def test_nulls_of_text_columns_are_empty_and_numbers_stay(tmp_path: Path) -> None:
    lines = '{"text": "a", "label": "x", "size": 1.5}\n{"text": null, "label": "y", "size": null}\n{"label": null, "size": 2}\n'
    from_json = read_table(put(tmp_path / "t.jsonl", lines))
    given = pd.DataFrame({"text": ["a", None, None], "label": ["x", "y", None], "size": [1.5, None, 2]})
    given.to_parquet(tmp_path / "t.parquet")
    given.astype({"label": "category"}).to_parquet(tmp_path / "c.parquet")
    for frame in (from_json, *(read_table(tmp_path / name) for name in ("t.parquet", "c.parquet"))):
        assert frame["text"].tolist() == ["a", "", ""]
        assert frame["label"].tolist() == ["x", "y", ""]
        assert frame["size"].isna().tolist() == [False, True, False]


@pytest.mark.parametrize("kind", [".jsonl", ".parquet"])
def test_answers_stand_beside_the_cells_as_they_were(cli: Callable[..., Ran], tmp_path: Path, kind: str) -> None:
    learnt = pd.DataFrame({"text": ["my card", "a refund"] * 2, "label": ["card", "refund"] * 2})
    fieldtune.finetune("text-classification", learnt, method="linear", out=tmp_path / "m", progress=False)
    given = {"text": ["card", None, ""], "note": [None, "", "x"], "id": [None, 2**64 - 1, 3], "none": [None] * 3}
    table = pd.DataFrame({name: pd.Series(cells, dtype=object) for name, cells in given.items()})
    if kind == ".jsonl":
        put(tmp_path / "t.jsonl", "".join(json.dumps(row) + "\n" for row in table.to_dict("records")))
    else:
        table.astype({"id": "UInt64"}).set_index("note").to_parquet(tmp_path / "t.parquet")
    ran = cli("predict", "--model", tmp_path / "m", "--data", tmp_path / f"t{kind}", "--out", tmp_path / f"o{kind}")
    assert ran.code == 0, ran.err
    if kind == ".jsonl":
        found = [json.loads(line) for line in (tmp_path / "o.jsonl").read_text().splitlines()]
    else:
        found = pq.read_table(tmp_path / "o.parquet").to_pylist()
    assert [{name: row[name] for name in given} for row in found] == table.to_dict("records")


def test_a_null_label_is_a_missing_one(tmp_path: Path) -> None:
    file = put(tmp_path / "t.jsonl", '{"text": "a", "label": "x"}\n{"text": "b", "label": null}\n')
    with pytest.raises(InputError, match=r"label on every row.*rows 2"):
        training_table(file, "text-classification")


def test_a_missing_column_names_those_there_and_only_options_that_exist(tmp_path: Path) -> None:
    file = put(tmp_path / "t.csv", "frage,answer\na,b\n")
    with pytest.raises(InputError) as plain:
        read_table(file, ["question", "answer"])
    assert str(plain.value).endswith(f"found frage, answer in {file}; fix: rename a column to 'question'")
    with pytest.raises(InputError, match=r"where \| stands between the cells, write the line sep=\| above the header"):
        training_table(put(tmp_path / "p.csv", "text|label\na|x\n"), "text-classification")
    assert list(read_table(put(tmp_path / "p.csv", "sep=|\ntext|label\na|x\n"))) == ["text", "label"]
    with pytest.raises(InputError, match=r"rename a column to 'text', or name it with --text COLUMN$"):
        read_table(file, ["text"], hint="name it with --text COLUMN")
    with pytest.raises(InputError, match=r"rename a column to 'query', or name it with --column NAME=COLUMN"):
        training_table(file, "embedding")
    with pytest.raises(InputError, match=r"rename a column to 'body', or name it with --text COLUMN or --label COLUMN"):
        training_table(file, "text-classification", rename={"text": "body"})


@pytest.mark.parametrize("mark", [",", ";", "\t"])
def test_a_csv_file_of_any_spreadsheet_is_read(tmp_path: Path, mark: str) -> None:
    import csv

    with (tmp_path / "t.csv").open("w", encoding="utf-8-sig", newline="") as handle:
        csv.writer(handle, delimiter=mark).writerows([["text", "label"], ["one; two, three\tfour", "x"], ["a", "y"]])
    assert read_table(tmp_path / "t.csv", ["text", "label"])["text"].tolist() == ["one; two, three\tfour", "a"]


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("text;label;price, EUR\na;x;1,50\nb;y;2,50\n", ["text", "label", "price, EUR"]),
        ("text;label;price, EUR;note, x\na;x;1,50;fine\nb, c;y;2,50;n\n", ["text", "label", "price, EUR", "note, x"]),
        ("text,label,from;to\na,x,1;2\nb,y,\n", ["text", "label", "from;to"]),
        ("text,label;kind\na,x\n", ["text", "label;kind"]),
        ('text\tlabel\tprice, EUR\n"a\nb, c"\tx\t1,5\n', ["text", "label", "price, EUR"]),
        ("text,box (x;y;w;h)\na,1;2;3;4\nb,5;6;7;8\n", ["text", "box (x;y;w;h)"]),
        ("text;label,scores [neg;neu;pos]\na,0.7;0.2;0.1\nb,0.1;0.1;0.8\n", ["text;label", "scores [neg;neu;pos]"]),
        ('"text","neg;neu;pos"\n"a","0.7;0.2;0.1"\n"b","0.1;0.1;0.8"\n', ["text", "neg;neu;pos"]),
        ('"text; as written",label\na,x\nb\n', ["text; as written", "label"]),
        ("text; as written,label\na,x\n", ["text; as written", "label"]),
        ("text;label;price, EUR\na;x;1,50\n \nb;y;2,50\n", ["text", "label", "price, EUR"]),
        ("text;label;price, EUR\na;x;1,50\nb;y\n", ["text", "label", "price, EUR"]),
        ('text,low;high\n"a" phone,1;2\nb,3;4\n', ["text", "low;high"]),
    ],
)
def test_of_two_marks_in_a_header_the_one_that_parts_all_rows_alike_is_taken(
    tmp_path: Path, text: str, columns: list[str]
) -> None:
    found = read_table(put(tmp_path / "t.csv", text))
    assert list(found) == columns
    assert found[columns[0]].iloc[-1] in ("b", "b, c", "a", "a\nb, c")


@pytest.mark.parametrize("mark", [",", ";", "\t", "|"])
@pytest.mark.parametrize("name", ["t.csv", "t.tsv"])
def test_excels_line_on_the_separator_is_passed_over(tmp_path: Path, mark: str, name: str) -> None:
    file = tmp_path / name
    file.write_bytes("\r\n".join((f"\ufeffsep={mark}", f"text{mark}label", f"a{mark}x", f"b{mark}")).encode())
    assert read_table(file, ["text", "label"]).to_dict("list") == {"text": ["a", "b"], "label": ["x", ""]}
    with pytest.raises(InputError, match=r"1 without, in .*\(rows 4\)"):
        training_table(file, "text-classification")


@pytest.mark.parametrize("name", ["t.csv", "t.jsonl", "t.toml"])
def test_another_encoding_is_mended_where_such_a_file_is_written(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes("text = 怎么付款".encode("gb18030"))
    with pytest.raises(InputError, match=r"UTF-8 text in .* found another encoding at line 1.*iconv") as told:
        (read_toml if name.endswith("toml") else read_table)(tmp_path / name)
    assert ("in the spreadsheet" in str(told.value)) == name.endswith("csv")
    assert ("in the editor" in str(told.value)) != name.endswith("csv")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be"])
@pytest.mark.parametrize(("kind", "mark"), [("csv", ","), ("tsv", "\t"), ("csv", ";")])
def test_utf_16_is_read_where_its_mark_says_so(tmp_path: Path, kind: str, mark: str, encoding: str) -> None:
    text = "\ufeff" * (encoding != "utf-16") + mark.join(["text", "label"]) + f'\r\n"怎么\n付款"{mark}pay\r\n'
    (tmp_path / f"t.{kind}").write_bytes(text.encode(encoding))
    assert read_table(tmp_path / f"t.{kind}").to_dict("list") == {"text": ["怎么\n付款"], "label": ["pay"]}
    (tmp_path / "t.jsonl").write_bytes('\ufeff{"text": "付款"}\n'.encode("utf-16-le"))
    assert read_table(tmp_path / "t.jsonl")["text"].tolist() == ["付款"]
    for bad in ("utf-16-le", "utf-32"):  # without a mark, and with that of another
        (tmp_path / "t.csv").write_bytes("text\na\n".encode(bad))
        with pytest.raises(InputError, match="UTF-8 text in"):
            read_table(tmp_path / "t.csv")


@pytest.mark.parametrize(
    ("raw", "found"),
    [
        (bytes(range(256)) * 40, "no text"),
        (bytes(3) + bytes(range(256)) * 40, "no text"),
        ("text,label\n怎么付款,pay\n".encode("utf-16-le"), "iconv -f utf-16le"),
        ("text,label\n怎么付款,pay\n".encode("utf-16-be"), "iconv -f utf-16be"),
        ("text,label\na,pay\n".encode("utf-32"), "iconv -f utf-32"),
    ],
)
def test_bytes_are_called_utf_16_only_where_they_read_as_text(tmp_path: Path, raw: bytes, found: str) -> None:
    (tmp_path / "t.csv").write_bytes(raw)
    with pytest.raises(InputError, match="UTF-8 text in") as told:
        read_table(tmp_path / "t.csv")
    assert found in str(told.value)
    assert ("UTF-" in told.value.found) == ("iconv" in found)


def test_a_lone_carriage_return_does_not_end_a_row(tmp_path: Path) -> None:
    write_table(pd.DataFrame({"text": ["a\r=cmd", "b\r\nc"], "label": ["x", "y"]}), tmp_path / "t.csv")
    assert read_table(tmp_path / "t.csv")["text"].tolist() == ["a\r=cmd", "b\r\nc"]


def test_a_damaged_gzip_file_is_named(tmp_path: Path) -> None:
    whole = gzip.compress(b"text,label\n" + b"".join(b"%d,x\n" % n for n in range(5000)))
    for place in range(20, len(whole), 997):
        damaged = bytearray(whole)
        damaged[place : place + 8] = b"\xff" * 8
        (tmp_path / "t.csv.gz").write_bytes(damaged)
        with pytest.raises(InputError, match=r"t\.csv\.gz"):
            read_table(tmp_path / "t.csv.gz")
    (tmp_path / "t.csv.gz").write_bytes(whole[:-100])
    with pytest.raises(InputError, match="readable file"):
        read_table(tmp_path / "t.csv.gz")


def test_a_very_large_cell_is_read_whole(tmp_path: Path) -> None:
    cell = "word " * 60_000
    frame = read_table(put(tmp_path / "t.csv", f'text,label\n"{cell}",x\n'))
    assert frame["text"][0] == cell
    with pytest.raises(InputError, match="well-formed table"):
        read_table(put(tmp_path / "t.csv", f'text,label\n"{cell}",x\na,b,c\n'))


@pytest.mark.parametrize("name", ["t.csv", "t.tsv", "t.jsonl", "t.parquet"])
def test_a_written_table_reads_back_and_a_failure_leaves_the_old_one(tmp_path: Path, name: str) -> None:
    frame = pd.DataFrame({"text": ["a\tb", "卡"], "label": ["007", ""]})
    write_table(frame, tmp_path / name)
    assert read_table(tmp_path / name).astype(object).equals(frame.astype(object))

    def broken() -> Iterator[pd.DataFrame]:
        yield frame.iloc[:1]
        raise ValueError("halfway")

    with pytest.raises(ValueError, match="halfway"):
        write_pieces(broken(), tmp_path / name)
    assert len(read_table(tmp_path / name)) == 2
    assert [entry.name for entry in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize(
    "cells",
    [
        [2**64 - 1, None], [2**63 - 1, None, -1], [2**64 - 1, -1], [10**18 + 1, 0.5], [2**70, None], [1, True, "x"],
        [{}, {}], [[1], "x"], [1, 0.5, None],
    ],
)  # fmt: skip
def test_what_no_column_of_parquet_holds_is_text_there(
    tmp_path: Path, cells: list[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    write_table(pd.DataFrame({"x": pd.Series(cells, dtype=object)}), tmp_path / "t.parquet")
    found = pq.read_table(tmp_path / "t.parquet").column("x").to_pylist()
    assert all(theirs == ours or str(ours) == theirs for ours, theirs in zip(cells, found, strict=True))
    assert ("of x" in capsys.readouterr().err) is any(isinstance(cell, str) for cell in found)


@pytest.mark.parametrize("lines", ["a\n \nb\n", "\na\n\n\nb\n\t\n", "a\n\n", '\n\n""\n', "a\r\n\r\nb\r\n"])
@pytest.mark.parametrize("before", ["", "\n\n", "sep=;\n"])
def test_a_blank_line_of_a_single_column_is_an_empty_cell(tmp_path: Path, before: str, lines: str) -> None:
    file = put(tmp_path / "t.csv", f"{before}text\n{lines}".replace("\r\n", "\n"))
    file.write_bytes((before + "text\n" + lines).encode())
    frame = read_table(file, every_row=True, numbered=True)
    assert [cell.strip() for cell in frame["text"]] == [line.strip('\t "') for line in lines.splitlines()]
    first = before.count("\n") + 2
    assert frame.index.tolist() == list(range(first, first + len(frame)))
    write_table(frame, file)
    assert read_table(file, every_row=True)["text"].tolist() == frame["text"].tolist()


def test_a_first_line_of_blanks_is_no_header(tmp_path: Path) -> None:
    frame = read_table(put(tmp_path / "t.csv", "   \ntext,id\nhello,1\n\nworld,2\n"), every_row=True, numbered=True)
    assert frame.to_dict() == {"text": {3: "hello", 5: "world"}, "id": {3: "1", 5: "2"}}


def test_levels_of_an_index_with_one_name_are_no_columns(tmp_path: Path) -> None:
    index = pd.MultiIndex.from_tuples([(1, 2, 3)], names=["a", "b", "a"])
    pd.DataFrame({"text": ["x"]}, index=index).to_parquet(tmp_path / "t.parquet")
    assert sorted(read_table(tmp_path / "t.parquet")) == ["b", "text"]


@pytest.mark.parametrize("kind", ["string", "string[pyarrow]"])
def test_nulls_of_any_kind_of_text_are_nothing(tmp_path: Path, kind: str) -> None:
    pd.DataFrame({"tokens": pd.array(['["a","b"]', None], dtype=kind)}).to_parquet(tmp_path / "t.parquet")
    assert word_table(tmp_path / "t.parquet")[1]["tokens"].tolist() == [["a", "b"], []]


def test_where_no_table_can_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "file").write_text("x")
    frame = pd.DataFrame({"text": ["a"]})
    for path, mention in {"t.xlsx": "ending in", "folder.csv": "the folder", "file/t.csv": "the file"}.items():
        with pytest.raises(InputError, match=mention):
            write_table(frame, tmp_path / path)


def test_one_column_is_not_read_as_two(tmp_path: Path) -> None:
    table = pd.DataFrame({"text": ["a"], "label": ["b"]})
    with pytest.raises(InputError, match="'label' for text, 'label' for label"):
        training_table(table, "text-classification", rename={"text": "label", "label": "label"})


EMPTY_ROWS = {
    "t.csv": "text,label,size\na,x,1\n,,\nb,y,\n , \u3000,\n,,\n",
    "semicolons.csv": "text;label;size\na;x;1\n;;\nb;y;\n;\n;;\n",
    "t.tsv": "text\tlabel\tsize\na\tx\t1\n\t\t\nb\ty\t\n\t\t\n\t\t\n",
    "t.jsonl": '{"text": "a", "label": "x"}\n{"text": null, "label": ""}\n{"text": "b", "label": "y"}\n{}\n{"label": null}\n',
}


@pytest.mark.parametrize("name", [*EMPTY_ROWS, "t.parquet", "in memory"])
def test_rows_with_nothing_in_any_cell_are_left_out_and_counted(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cells = [["a", "x", "1"], [None] * 3, ["b", "y", None], [float("nan"), "", " "], [None] * 3]
    file: Path | pd.DataFrame = tmp_path / name
    match name:
        case "t.parquet":
            pd.DataFrame(cells, columns=["text", "label", "size"]).astype("string").to_parquet(tmp_path / name)
        case "in memory":  # as pandas reads a sheet: a table in memory
            file = pd.DataFrame(cells, columns=["text", "label", "size"])
        case _:
            put(tmp_path / name, EMPTY_ROWS[name])
    table = training_table(file, "text-classification")
    assert table["text"].tolist() == ["a", "b"]
    assert table["label"].tolist() == ["x", "y"]
    err = capsys.readouterr().err
    assert "note: 3 rows with nothing in any cell left out" in err
    assert err.count("\n") == 1
    read_table(file) if isinstance(file, Path) else None
    assert ("rows are numbered without them" in capsys.readouterr().err) == isinstance(file, Path)


@pytest.mark.parametrize(
    ("name", "content", "row"),
    [
        ("t.csv", 'text,label\n"a\nb",x\n,\n\n  \nb,\n', 6),  # a cell of two lines is one row of a spreadsheet
        ("t.csv", "\n\ntext,label\r\na,x\r\nb,\r\n\r\n", 5),
        ("t.csv", 'text,label\n"",x\n' + '"' + "a" * 200_000 + '",x\nb,\n', 4),
        ("t.tsv", "text\tlabel\na\tx\n\t\nb\t\n", 4),
        ("t.jsonl", '{"text": "a", "label": "x"}\n\n{}\n{"text": "b"}\n', 4),
    ],
)
def test_a_row_is_numbered_as_its_file_shows_it(name: str, content: str, row: int, tmp_path: Path) -> None:
    file = put(tmp_path / name, content)
    with pytest.raises(InputError, match=rf"1 without, in .*\(rows {row}\)"):
        training_table(file, "text-classification")


@pytest.mark.parametrize("read", [word_table, unlabelled_image_texts, unlabelled_images])
def test_what_is_to_be_answered_is_numbered_as_its_file_shows_it(
    read: Callable[..., Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    row = '{"text": "a b", "tokens": ["a", "c"], "image": "none.png"}'
    file = put(tmp_path / "t.jsonl", f"\n\n{row}\n")
    table = pd.DataFrame([json.loads(row)], index=[7])
    table.to_parquet(tmp_path / "t.parquet")
    for data, number, index in ((file, 3, 0), (table, 0, 7), (tmp_path / "t.parquet", 1, 7)):
        if read is word_table:
            with pytest.raises(InputError, match=rf"'c' does not in row {number} of "):
                read(data)
        else:
            assert read(data)[0].index.tolist() == [index]
            assert f": row {number}, nothing at " in capsys.readouterr().err


def test_whole_numbers_beside_an_empty_row_stay_whole(tmp_path: Path) -> None:
    frame = pd.DataFrame({"text": ["a", None, "b"], "label": [3, None, 10]})
    assert frame["label"].dtype == float
    assert training_table(frame, "text-classification")["label"].tolist() == ["3", "10"]
    file = put(tmp_path / "t.jsonl", '{"text": "a", "label": 3}\n{}\n{"text": "b", "label": 10}\n')
    assert training_table(file, "text-classification")["label"].tolist() == ["3", "10"]
    file = put(tmp_path / "t.csv", "text,label\na,1.0\nb,2.0\n")
    assert training_table(file, "text-classification")["label"].tolist() == ["1.0", "2.0"]  # as it is written
    halves = pd.DataFrame({"text": ["a", "b"], "label": [3, 1.5]})
    assert training_table(halves, "text-classification")["label"].tolist() == ["3", "1.5"]  # whatever stands beside it
    foreign = pd.DataFrame({"text": ["a", "b"], "label": [3.0, "oos"]})
    assert training_table(foreign, "text-classification")["label"].tolist() == ["3", "oos"]


@pytest.mark.parametrize("kind", ["memory", "parquet"])
def test_classes_that_pandas_made_floats_are_whole_numbers(tmp_path: Path, kind: str) -> None:
    frame = pd.DataFrame({"text": list("abc"), "text_a": list("abc"), "text_b": list("def"), "label": [0, None, 1]})
    frame = frame.dropna()
    assert frame["label"].dtype == float
    frame.to_parquet(tmp_path / "t.parquet")
    data = frame if kind == "memory" else tmp_path / "t.parquet"
    for task in ("text-classification", "text-pair", "multi-label-classification"):
        assert training_table(data, task)["label"].tolist() == ["0", "1"]
    mapped = training_table(data, "text-classification", labels={"0": "no", "1": "yes"})
    assert mapped["label"].tolist() == ["no", "yes"]
    assert training_table(data, "regression")["label"].tolist() == [0.0, 1.0]


def test_lists_of_labels_come_back_from_the_csv_they_were_written_to(tmp_path: Path) -> None:
    frame = pd.DataFrame({"text": list("abcd"), "label": [["quality", "delivery"], ["quality"], [], ["[odd"]]})
    write_table(frame, tmp_path / "t.csv")
    assert read_table(tmp_path / "t.csv")["label"].tolist() == [
        '["quality", "delivery"]',
        '["quality"]',
        "[]",
        '["[odd"]',
    ]
    wanted = ["delivery|quality", "quality", "", "[odd"]
    for data in (frame, tmp_path / "t.csv"):
        assert training_table(data, "multi-label-classification")["label"].tolist() == wanted
    texts = pd.DataFrame({"text": list("abcd"), "label": ["[odd", "[1, 2]", '["a", 1]', "['a', 'b']"]})
    found = training_table(texts, "multi-label-classification")["label"].tolist()
    assert found == ["[odd", "1|2", "1|a", "a|b"]
    texts["label"] = ["[ 'a',\n 'b' ]", '["a", ""]', "[URGENT]", '[""]']
    assert training_table(texts, "multi-label-classification")["label"].tolist() == ["a|b", "a", "[URGENT]", ""]
    texts["label"] = ["('b', 'a')", '{"b", "a"}', "set()", "()"]
    assert [set(cell.split("|")) for cell in training_table(texts, "multi-label-classification")["label"]] == [
        {"a", "b"}, {"a", "b"}, {""}, {""},
    ]  # fmt: skip
    texts["label"] = ["(urgent)", "{x}", '{"a": 1}', "(1)"]
    assert training_table(texts, "multi-label-classification")["label"].tolist() == texts["label"].tolist()
    for cell in (
        "['a' 'b']",
        "[u'a']",
        '["a", null]',
        ["a", None],
        '["a|b"]',
        ["a|b", "c"],
        [["a"]],
        '["a", {}]',
        '["a"',
    ):
        texts = pd.DataFrame({"text": list("ab"), "label": pd.Series(["a|b", cell], dtype=object)})
        with pytest.raises(InputError, match=r"row 1 of the table"):
            training_table(texts, "multi-label-classification")
    assert training_table(tmp_path / "t.csv", "text-classification")["label"].iloc[1] == '["quality"]'


def test_lists_are_several_labels() -> None:
    frame = pd.DataFrame({"text": list("abcd"), "label": [["y", "x"], ("x",), [], "y|x"]})
    assert training_table(frame, "multi-label-classification")["label"].tolist() == ["x|y", "x", "", "x|y"]
    with pytest.raises(InputError, match=r"list in row 0 .*multi_label=true"):
        training_table(frame, "text-classification")


def test_whatever_holds_several_is_several_labels_and_no_text() -> None:
    long = pd.DataFrame({"text": list("aab"), "label": ["x", "y", "x"]})
    several = [*long.groupby("text")["label"].unique(), frozenset("xy"), pd.Series(["x", "y"]), pd.Categorical(["x"])]
    frame = pd.DataFrame({"text": list("abcde"), "label": pd.Series(several, dtype=object)})
    wanted = ["x|y", "x", "x|y", "x|y", "x"]
    assert training_table(frame, "multi-label-classification")["label"].tolist() == wanted
    for cell in (*several, iter("xy"), b"x", {"x": 1}):
        odd = pd.DataFrame({"text": ["a", "b"], "label": ["x", "y"]}).astype(object)
        for name, task in (("text", "text-classification"), ("label", "text-classification"), ("source", "seq2seq")):
            told = odd.rename(columns={"text": "source", "label": "target"}) if task == "seq2seq" else odd
            with pytest.raises(InputError, match="a text in every cell"):
                training_table(told.assign(**{name: pd.Series(["a", cell], dtype=object)}), task)


@pytest.mark.parametrize(
    ("task", "rename", "told"),
    [
        ("text-classification", {"label": "text"}, "'text' for text, 'text' for label"),
        ("text-classification", {"text": "label"}, "'label' for text, 'label' for label"),
        ("text-pair", {"text_b": "text_a"}, "'text_a' for text_a, 'text_a' for text_b"),
        ("embedding", {"positive": "query"}, "'query' for query, 'query' for positive"),
    ],
)
def test_one_column_is_not_taken_for_two(task: str, rename: dict[str, str], told: str) -> None:
    columns = {"text": "a", "label": "x", "text_a": "a", "text_b": "b", "query": "q", "positive": "p"}
    table = pd.DataFrame({name: [cell] * 2 for name, cell in columns.items()})
    with pytest.raises(InputError, match=f"a column of its own for each; found {told}"):
        training_table(table, task, rename=rename)


def test_columns_of_several_levels_are_read_where_their_first_name_is_enough() -> None:
    table = pd.DataFrame([["a", "x"]], columns=pd.MultiIndex.from_tuples([("text", ""), ("label", "b")]))
    with pytest.raises(InputError, match="the columns text, label"):
        training_table(table, "text-classification")
    assert text_column(table)["text"].tolist() == ["a"]


@given(st.lists(st.text(alphabet="ab'\" ,()", min_size=1).filter(lambda one: one.strip()), max_size=4))
def test_lists_tuples_and_sets_are_read_as_python_writes_them(labels: list[str]) -> None:
    cells = ["z", *map(str, (labels, tuple(labels), set(labels)))]
    _, *found = training_table(pd.DataFrame({"text": list("abcd"), "label": cells}), "multi-label-classification")[
        "label"
    ]
    assert all(set(one.split("|")) - {""} == {label.strip() for label in labels} for one in found)


def test_empty_rows_at_the_end_change_no_number(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = put(tmp_path / "t.csv", "text,label\na,x\nb,\n" + ",\n" * 2000)
    with pytest.raises(InputError, match=r"1 without, in .*rows 3"):
        training_table(file, "text-classification")
    err = capsys.readouterr().err
    assert "2000 rows with nothing in any cell left out" in err
    assert "numbered" not in err


def test_a_table_of_empty_rows_alone_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="only empty ones in"):
        read_table(put(tmp_path / "t.csv", "text,label\n,\n,\n"))
    with pytest.raises(InputError, match="only empty ones in the table"):
        training_table(pd.DataFrame({"text": [None], "label": [None]}), "text-classification")


def test_answers_stand_beside_every_row(cli: Callable[..., Ran], tmp_path: Path) -> None:
    learnt = put(tmp_path / "t.csv", "text,label\n" + "my card,card\na refund,refund\n" * 2 + ",\n")
    ran = cli(
        "train", "--task", "text-classification", "--train", learnt, "--method", "linear", "--out", tmp_path / "m"
    )
    assert ran.code == 0, ran.err
    assert "1 rows with nothing in any cell left out" in ran.err
    asked = put(tmp_path / "asked.csv", "text,id\nmy card,1\n,\na refund,3\n,\n")
    ran = cli("predict", "--model", tmp_path / "m", "--data", asked, "--out", tmp_path / "p.csv")
    assert ran.code == 0, ran.err
    answers = pd.read_csv(tmp_path / "p.csv", dtype=str, keep_default_na=False)
    assert answers["id"].tolist() == ["1", "", "3", ""]


@pytest.mark.parametrize("name", ["t.xlsx", "t.csv", "t.jsonl"])
def test_a_workbook_is_to_be_saved_as_csv(name: str, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / name, "w") as archive:
        archive.writestr("xl/workbook.xml", "<w/>" * 50)
    with pytest.raises(InputError, match=r"workbook.*save it as CSV UTF-8"):
        read_table(tmp_path / name)


@pytest.mark.parametrize("name", ["t.json", "t.jsonl"])
def test_a_json_list_is_to_be_written_as_lines(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text('[{"text": "a", "label": "b"}]')
    with pytest.raises(InputError, match=r"an object a line|objects of the list one a line"):
        read_table(tmp_path / name)


@pytest.mark.parametrize(
    ("content", "line"), [('text,label\n"open,x\nhello,y\n', 2), ('text,label\n"a\nb",x\n"open,y\n', 4)]
)
@pytest.mark.parametrize("mark", [",", ";", "\t"])
def test_a_quote_that_is_not_closed_is_named_with_its_line(content: str, line: int, mark: str, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(content.replace(",", mark))
    with pytest.raises(InputError, match=f"quotation mark in line {line} that is not closed"):
        read_table(tmp_path / "t.csv")
