"""Tables that other programs write: cells that are no plain text, names that stand elsewhere, quotes that run on."""

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from PIL import Image
from pyarrow import parquet

import fieldtune
from fieldtune.data.boxes import box_table
from fieldtune.data.dialogues import agent_turns, asked
from fieldtune.data.halves import mended
from fieldtune.data.hiding import hidden
from fieldtune.data.labels import check_numbers, numbers
from fieldtune.data.raw import once
from fieldtune.data.read import read_table
from fieldtune.data.scrubbed import scrubbed
from fieldtune.data.tables import task_columns, training_table
from fieldtune.data.tagged import tagged_table, word_table
from fieldtune.data.write import write_table
from fieldtune.errors import InputError
from fieldtune.tasks import task_module
from tests.conftest import Ran

MAIL = "mail anna@example.com"
TURNS = [{"role": "user", "text": "a"}, {"role": "agent", "text": "b"}]


@pytest.mark.parametrize("clean", [hidden, lambda table: scrubbed(table, ["text"])])
def test_a_column_of_categories_holds_what_is_written_instead(clean: Any) -> None:
    table = pd.DataFrame({"text": pd.Categorical([MAIL, "plain", MAIL])})
    assert clean(table)[0]["text"].tolist() == ["mail [email]", "plain", "mail [email]"]


def test_lists_of_parquet_are_whole_in_csv(tmp_path: Path) -> None:
    tags, nested = [f"w{at}" for at in range(1500)], {"at": np.arange(3), "of": [np.int64(7)]}
    table = pd.DataFrame({"tags": [np.array(tags)], "more": [nested]})
    write_table(table, tmp_path / "t.csv")
    row = next(csv.DictReader(io.StringIO((tmp_path / "t.csv").read_text())))
    assert json.loads(row["tags"]) == tags and json.loads(row["more"]) == {"at": [0, 1, 2], "of": [7]}


@pytest.mark.parametrize("text", ["hi there", "", None])
def test_spans_beside_clean_texts_are_cleaned_too(text: str | None) -> None:
    spans = [{"start": 0, "end": 2, "label": "X", "note": MAIL}] if text else []
    table, found = scrubbed(pd.DataFrame({"text": [text, MAIL], "spans": [spans, []]}), ["text"])
    assert "anna" not in json.dumps(table["spans"].tolist()) and found["email"] == (2 if text else 1)


def test_bad_spans_beside_a_clean_text_are_named() -> None:
    with pytest.raises(InputError, match="not inside the text"):
        scrubbed(pd.DataFrame({"text": ["hi"], "spans": [[{"start": 0, "end": 9, "label": "X"}]]}), ["text"])


@pytest.mark.parametrize("cell", ["[" * 900 + '"a@b.com"' + "]" * 900, '[1e400, "a@b.com"]'])
def test_json_that_would_not_come_back_is_a_text(cell: str) -> None:
    clean = scrubbed(pd.DataFrame({"text": [cell]}), ["text"])[0]["text"][0]
    assert clean == cell.replace("a@b.com", "[email]")


@pytest.mark.parametrize(
    ("read", "columns", "rename"),
    [
        (agent_turns, {"turns": [[{"role": "user", "text": "a"}, {"role": "agent", "text": "b"}]]}, {"turns": "conv"}),
        (word_table, {"text": ["a card"]}, {"tokens": "wrods"}),
        (tagged_table, {"text": ["a"], "spans": [[]]}, {"spans": "snaps"}),
    ],
)
def test_a_column_named_wrongly_is_not_passed_over(read: Any, columns: dict[str, Any], rename: dict[str, str]) -> None:
    with pytest.raises(InputError, match="columns"):
        read(pd.DataFrame(columns), rename=rename)


def test_a_name_that_is_there_already_gives_way() -> None:
    span = [{"start": 0, "end": 4, "label": "X"}]
    table = pd.DataFrame({"text": ["Anna left"], "spans": [None], "ents": [span]})
    assert tagged_table(table, rename={"spans": "ents"})["tags"][0] == ["B-X", "O"]
    table = pd.DataFrame({"tokens": [["no"]], "words": [["Anna", "left"]], "tags": [["B-X", "O"]]})
    assert tagged_table(table, rename={"tokens": "words"})["tokens"][0] == ["Anna", "left"]


def test_calls_of_programs_are_passed_over_and_parquet_is_read(tmp_path: Path) -> None:
    chat = [
        {"role": "user", "content": "where is it?"},
        {"role": "assistant", "content": None, "tool_calls": [{"name": "find"}]},
        {"role": "tool", "content": "Berlin"},
        {"role": "assistant", "content": "in Berlin"},
    ]
    assert agent_turns(pd.DataFrame({"messages": [chat]})).to_dict("records") == [
        {"source": "where is it?", "target": "in Berlin"}
    ]
    pd.DataFrame({"messages": [chat]}).to_parquet(tmp_path / "c.parquet")
    assert agent_turns(tmp_path / "c.parquet")["target"].tolist() == ["in Berlin"]


def test_lists_where_texts_should_be_are_named_by_the_check_too() -> None:
    table = pd.DataFrame({"text": [np.array(["a"]), "b"], "label": ["x", "y"]})
    for read in (task_columns, training_table):
        with pytest.raises(InputError, match="a text in every cell of column 'text'"):
            read(table, "text-classification")


def test_odd_cells_are_predicted(tmp_path: Path) -> None:
    rows = pd.DataFrame({"text": ["my card", "an order"] * 4, "label": ["card", "order"] * 4})
    model = fieldtune.load(
        fieldtune.finetune("text-classification", rows, method="linear", out=tmp_path / "m", progress=False).path
    )
    assert len(fieldtune.predict(model, pd.DataFrame({"text": pd.array([1, None, 3], dtype="Int64")}))) == 3
    assert len(fieldtune.predict(model, {"text": ["\ud800 card", "order"]})) == 2


def test_a_quotation_mark_that_runs_on_is_refused_with_its_line(tmp_path: Path) -> None:
    rows = [f"row {number},dog" for number in range(10)]
    (tmp_path / "t.csv").write_text(
        "\n".join(["text,label", "one,cat", '"unclosed,cat', *rows, '"another one,dog', "x,dog"])
    )
    with pytest.raises(InputError, match="line 3 that is closed on a later line"):
        read_table(tmp_path / "t.csv")


def test_quotation_marks_that_say_what_they_mean_are_read(tmp_path: Path) -> None:
    cells = ['5" pipe', 'said "yes", and\nleft', "a\r\nb", '""', "plain"]
    with (tmp_path / "t.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["text", "label"], *([cell, "x"] for cell in cells)])
        file.write('in a "cell,x\r\n"with a blank behind" ,x\r\n')
    assert read_table(tmp_path / "t.csv")["text"].tolist() == [*cells, 'in a "cell', "with a blank behind "]


def test_a_cell_of_any_length_hides_no_quotation_mark_that_runs_on(tmp_path: Path) -> None:
    lines = ["text,label", f"{'long ' * 30_000},cat", '"unclosed,cat', "swallowed,dog", '"another,dog', "x,dog"]
    (tmp_path / "t.csv").write_text("\n".join(lines))
    with pytest.raises(InputError, match="line 3 that is closed on a later line"):
        read_table(tmp_path / "t.csv")
    (tmp_path / "t.csv").write_text(lines[0] + '\n"' + "a\n" * 100_000 + '",cat\n' + "\n".join(lines[1:]))
    with pytest.raises(InputError, match="line 100004 that is closed on a later line"):
        read_table(tmp_path / "t.csv")


@pytest.mark.parametrize("mark", [",", "\t", ";"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_what_follows_a_closing_mark_is_judged_by_its_own_cell(mark: str, end: str, tmp_path: Path) -> None:
    for row, cells in {
        f'"multi{end}line"{mark}"a" b': [f"multi{end}line", "a b"],
        f'"multi{end}line" {mark}c': [f"multi{end}line ", "c"],
        f'c{mark}"multi{end}line"  ': ["c", f"multi{end}line  "],
        f'"a ""b""" c{mark}"multi{end}""line"""': ['a "b" c', f'multi{end}"line"'],
    }.items():
        (tmp_path / "t.csv").write_bytes(f"text{mark}label{end}{row}{end}foo{mark}c{end}".encode())
        assert read_table(tmp_path / "t.csv").to_numpy().tolist() == [cells, ["foo", "c"]]
    for row, line in {f'a{mark}"b{end}c" d': 2, f'"a{end}"b{mark}c': 2, f'"a{end}b"{mark}"c{end}d"e': 3}.items():
        (tmp_path / "t.csv").write_bytes(f"text{mark}label{end}{row}{end}foo{mark}c{end}".encode())
        with pytest.raises(InputError, match=f"line {line} that is closed"):
            read_table(tmp_path / "t.csv")


def test_a_label_with_a_nul_is_refused() -> None:
    table = pd.DataFrame({"text": ["a", "b", "c"], "label": ["cat", "dog", "cat\0"]})
    with pytest.raises(InputError, match="NUL character in that of rows 2"):
        training_table(table, "text-classification")


def test_a_field_twice_on_a_line_is_refused(tmp_path: Path) -> None:
    (tmp_path / "t.jsonl").write_text('{"text": "a", "label": "x"}\n{"text": "one", "text": "two", "label": "y"}\n')
    with pytest.raises(InputError, match="line 2: the field 'text' twice"):
        read_table(tmp_path / "t.jsonl")


def test_many_fields_are_looked_at_once() -> None:
    class Name(str):
        compared = 0

        def __eq__(self, other: object) -> bool:
            Name.compared += 1
            return str.__eq__(self, other)

        __hash__ = str.__hash__

    fields = [(Name(f"field {place}"), place) for place in range(1000)]
    with pytest.raises(ValueError, match="the field 'field 999' twice"):
        once([*fields, (Name("field 999"), 0)])
    assert Name.compared < 1000


def test_python_s_way_to_write_numbers_is_no_label() -> None:
    with pytest.raises(InputError, match="1_0"):
        numbers(pd.Series(["1_0", "2"]), "t")


@pytest.mark.parametrize("span", [(0.9, 4, "X"), (True, 4, "X"), (0, 4, {"a": 1}), (0, "4.0", "X")])
def test_spans_that_are_no_places_are_refused(span: tuple[Any, Any, Any]) -> None:
    cell = [dict(zip(("start", "end", "label"), span, strict=True))]
    with pytest.raises(InputError, match="start, end and label"):
        tagged_table(pd.DataFrame({"text": ["Anna left"], "spans": [cell]}))


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("text,label\n你好，世界,是\n", "gb18030"),
        ("text,label\nA股 iPhone手机 好,是\n", "gb18030"),
        ("text,label\nT恤 L码,a\nU盘 32G,b\nK线,a\n", "gb18030"),
        ("text,label\ncafé naïve,x\n", "cp1252"),
        ("text,label\nfür Größe,x\n", "cp1252"),
        ("text,label\na sister-city or a sisterðcity,x\n", "cp1252"),
    ],
)
def test_the_likeliest_encoding_is_named(text: str, encoding: str, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(text.encode(encoding))
    with pytest.raises(InputError, match=f"iconv -f {encoding}"):
        read_table(tmp_path / "t.csv")


def test_extensions_are_read_in_any_case(tmp_path: Path) -> None:
    (tmp_path / "NER.CSV").write_text('tokens,tags\n"[""Anna"", ""left""]","[""B-X"", ""O""]"\n')
    assert tagged_table(tmp_path / "NER.CSV")["tokens"][0] == ["Anna", "left"]
    assert word_table(tmp_path / "NER.CSV")[1]["tokens"][0] == ["Anna", "left"]


@pytest.mark.parametrize(
    ("read", "columns", "rename"),
    [
        (agent_turns, {"turns": [TURNS]}, {"source": "conv"}),
        (asked, {"turns": [TURNS]}, {"source": "conv"}),
        (word_table, {"tokens": [["ab"]]}, {"text": "conv"}),
        (tagged_table, {"tokens": [["ab"]], "tags": [["O"]]}, {"text": "conv"}),
        (task_module("embedding").read, {"query": ["a"], "positive": ["b"], "negative": ["c"]}, {"negative": "conv"}),
    ],
)
def test_neither_is_one_that_could_be_done_without(read: Any, columns: dict[str, Any], rename: dict[str, str]) -> None:
    with pytest.raises(InputError, match="the columns conv"):
        read(pd.DataFrame(columns), rename=rename)


def test_a_column_under_its_own_name_may_be_missing() -> None:
    own = {name: name for name in ("text", "tokens")}
    assert word_table(pd.DataFrame({"text": ["a card"]}), own)[1]["tokens"].tolist() == [["a", "card"]]


@pytest.mark.parametrize("text", ["hi there", "", MAIL])
@pytest.mark.parametrize("span", [{"start": 0.5, "end": 2}, {"start": False, "end": 2}, {"start": 0, "end": "2_"}])
def test_scrub_reads_places_as_training_does(text: str, span: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="spans that are no list of objects with start and end"):
        scrubbed(pd.DataFrame({"text": [text], "spans": [[{**span, "label": "X"}]]}), ["text"])


def test_a_number_with_more_digits_than_a_float_stays_as_it_is_written() -> None:
    cells = ['[0.12345678901234567890, "a@b.com"]', '[1e-999999999999999999999, "a@b.com"]', '[1.50, "a@b.com"]']
    found = scrubbed(pd.DataFrame({"text": cells}), ["text"])[0]["text"].tolist()
    assert found == [*(cell.replace("a@b.com", "[email]") for cell in cells[:2]), '[1.5, "[email]"]']


def test_lists_inside_each_other_without_end_are_refused_with_their_row() -> None:
    cell = json.loads("[" * 400 + '"a@b.com"' + "]" * 400)
    with pytest.raises(InputError, match="inside each other in row 0 of"):
        scrubbed(pd.DataFrame({"text": [cell]}), ["text"])


def test_a_tag_with_a_nul_is_refused() -> None:
    with pytest.raises(InputError, match="NUL character in that of rows 1 of"):
        tagged_table(pd.DataFrame({"tokens": [["a"], ["b"]], "tags": [["B-X"], ["B-X\0"]]}))


@pytest.mark.parametrize("kind", ["csv", "tsv"])
def test_cells_and_headers_come_out_as_they_went_in(tmp_path: Path, kind: str) -> None:
    rows = [["id", "text", "", "note", ""], ["007", "a\rb", "NA", 'x "q"', ""], ["1", "a\r\nb", "", "=1+1", "\n"]]
    mark = "," if kind == "csv" else "\t"
    with (tmp_path / f"t.{kind}").open("w", newline="") as file:
        csv.writer(file, delimiter=mark, quoting=csv.QUOTE_ALL).writerows(rows)
    table = read_table(tmp_path / f"t.{kind}", every_row=True)
    write_table(table, tmp_path / f"o.{kind}")
    with (tmp_path / f"o.{kind}").open(newline="") as file:
        assert list(csv.reader(file, delimiter=mark)) == rows
    assert read_table(tmp_path / f"o.{kind}", every_row=True).equals(table)


def test_predict_keeps_cells_and_headers(cli: Callable[..., Ran], tmp_path: Path) -> None:
    rows = pd.DataFrame({"text": ["my card", "an order"] * 4, "label": ["card", "order"] * 4})
    model = fieldtune.finetune("text-classification", rows, method="linear", out=tmp_path / "m", progress=False).path
    (tmp_path / "t.csv").write_text('text,,size\n"a\rb",x,1\n"a\r\nb",,2\n', newline="")
    ran = cli("predict", "--model", model, "--data", tmp_path / "t.csv", "--out", tmp_path / "o.csv")
    assert ran.code == 0
    with (tmp_path / "o.csv").open(newline="") as file:
        found = [row[:3] for row in csv.reader(file)]
    assert found == [["text", "", "size"], ["a\rb", "x", "1"], ["a\r\nb", "", "2"]]


@pytest.mark.parametrize("cells", [["a" * 20] * 8_000_000, ["long " * 200_000] * 200])
def test_a_small_parquet_that_unpacks_to_very_much_is_refused(tmp_path: Path, cells: list[str]) -> None:
    pd.DataFrame({"text": cells}).to_parquet(tmp_path / "b.parquet")
    with pytest.raises(InputError, match="whose cells take at most 134,217,728 bytes"):
        read_table(tmp_path / "b.parquet")


def test_a_large_parquet_of_few_bytes_is_read(tmp_path: Path) -> None:
    table = pa.table({"id": np.arange(2_000_000), "label": np.repeat(["a", "b"], 1_000_000)})
    packing = {"use_dictionary": ["label"], "column_encoding": {"id": "DELTA_BINARY_PACKED"}}
    parquet.write_table(table, tmp_path / "t.parquet", compression="zstd", **packing)
    assert (tmp_path / "t.parquet").stat().st_size < 200_000
    assert len(read_table(tmp_path / "t.parquet")) == 2_000_000


def test_a_large_parquet_of_texts_is_read_with_what_pandas_put_into_it(tmp_path: Path) -> None:
    table = pd.DataFrame({"text": [f"row {n} of many" for n in range(200_000)], "label": "a"}, index=range(7, 200_007))
    table.to_parquet(tmp_path / "b.parquet")
    assert read_table(tmp_path / "b.parquet")["text"].tolist() == table["text"].tolist()


def test_categories_of_parquet_are_read_as_other_cells(tmp_path: Path) -> None:
    pd.DataFrame({"text": pd.Categorical(["card", None])}).to_parquet(tmp_path / "c.parquet")
    assert read_table(tmp_path / "c.parquet", every_row=True)["text"].dtype == object


@pytest.mark.parametrize("read", [word_table, lambda table: asked(table, {"source": "text"})])
@pytest.mark.parametrize("cells", [pd.Categorical(["5", None]), pd.array([5, None], "Int64")])
def test_texts_of_any_kind_of_column_are_answered(read: Any, cells: Any) -> None:
    assert read(pd.DataFrame({"text": cells}))[1].iloc[:, 0].tolist() == ["5", ""]


def test_lists_where_texts_should_be_are_not_answered(tmp_path: Path) -> None:
    rows = pd.DataFrame({"text": ["my card", "an order"] * 4, "label": ["card", "order"] * 4})
    model = fieldtune.finetune("text-classification", rows, method="linear", out=tmp_path / "m", progress=False).path
    with pytest.raises(InputError, match="list in row 1 of the table"):
        fieldtune.predict(model, {"text": ["a", ["b", "c"]]})


def test_boxes_are_read_of_parquet_and_by_the_name_they_are_given(tmp_path: Path) -> None:
    Image.new("RGB", (40, 40)).save(tmp_path / "p.png")
    boxes = [{"label": "a", "box": [1.0, 1.0, 20.0, 20.0]}, {"label": "b", "box": [2.0, 2.0, 9.0, 9.0]}]
    table = pd.DataFrame({"image": ["p.png"], "boxes": [boxes[:1]], "mine": [boxes]})
    table.to_parquet(tmp_path / "b.parquet")
    assert box_table(tmp_path / "b.parquet", rename={"boxes": "mine"})["boxes"].tolist() == [boxes]
    with pytest.raises(InputError, match="the columns yours"):
        box_table(tmp_path / "b.parquet", rename={"boxes": "yours"})


def test_a_span_that_says_other_words_than_its_own_is_scrubbed() -> None:
    spans = [{"start": 0, "end": 2, "label": "X", "text": MAIL}]
    table, found = scrubbed(pd.DataFrame({"text": ["hi there"], "spans": [spans]}), ["text"])
    assert table["spans"][0] == [{**spans[0], "text": "hi"}] and found["email"] == 1


def test_half_a_character_that_json_escapes_stays_so() -> None:
    cell = '["é \\ud800 a@b.com"]'
    assert scrubbed(pd.DataFrame({"text": [cell]}), ["text"])[0]["text"][0] == cell.replace("a@b.com", "[email]")
    spans = '[{"start": 0, "end": 2, "label": "X", "note": "a@b.com", "score": 1e400}]'
    with pytest.raises(InputError, match="JSON cannot hold in row 0 of"):
        scrubbed(pd.DataFrame({"text": ["hi"], "spans": [spans]}), ["text"])


def test_calls_of_the_older_name_are_passed_over() -> None:
    chat = [*TURNS, {"role": "assistant", "content": None, "function_call": {"name": "find"}}]
    assert agent_turns(pd.DataFrame({"messages": [chat]}))["target"].tolist() == ["b"]


def test_numbers_that_are_none_are_null_in_the_lists_of_csv(tmp_path: Path) -> None:
    cells = [[1.0, float("nan")], np.array([np.inf, 2]), {"a": [np.float32("nan")], "b": np.array([None, 3])}]
    write_table(pd.DataFrame({"v": cells}), tmp_path / "t.csv")

    def refused(name: str) -> None:
        raise ValueError(name)

    with (tmp_path / "t.csv").open(newline="") as file:
        read = [json.loads(cell, parse_constant=refused) for (cell,) in list(csv.reader(file))[1:]]
    assert read == [[1.0, None], [None, 2.0], {"a": [None], "b": [None, 3]}]


@pytest.mark.parametrize("end", [".csv", ".tsv", ".jsonl", ".parquet"])
def test_halves_of_characters_are_replaced_in_what_is_written(
    end: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole, half = {"a": ["b"]}, {"a": ["x\ud800"]}
    table = pd.DataFrame({"v": [half, whole], "t": pd.Series(["\udfff", "fine"], dtype=object), "n": [1, 2]})
    write_table(table, tmp_path / f"t{end}")
    assert "2 cells with halves of characters" in capsys.readouterr().err
    assert table["v"][0] is half  # what was given is as it was
    read = read_table(tmp_path / f"t{end}")
    cells = [json.loads(cell) if isinstance(cell, str) else cell for cell in read["v"]]
    assert [list(cell["a"]) for cell in cells] == [["x\ufffd"], ["b"]]
    assert (read["t"].tolist(), [int(n) for n in read["n"]]) == (["\ufffd", "fine"], [1, 2])
    write_table(table[1:], tmp_path / f"t{end}")
    write_table(pd.DataFrame({"v": [np.array(["x", "\ud800"], dtype=object)]}), tmp_path / f"t{end}")
    assert capsys.readouterr().err.count("halves of") == 1


def test_personal_data_in_the_label_of_a_span_is_refused() -> None:
    for label, names in (("anna@example.com", ()), ("ANNA", ("Anna",))):
        table = pd.DataFrame({"text": ["She left"], "spans": [[{"start": 0, "end": 3, "label": label}]]})
        with pytest.raises(InputError, match=r"a span with \w+ in its label in row 0"):
            scrubbed(table, ["text"], names)


def test_arrays_inside_each_other_are_counted_like_lists() -> None:
    deep: Any = MAIL
    for _ in range(1200):
        deep = np.array([deep, None], dtype=object)
    with pytest.raises(InputError, match="more than 50 lists"):
        scrubbed(pd.DataFrame({"text": [deep]}), ["text"])
    cell = np.array([np.array([MAIL, 1], dtype=object), np.ones(3)], dtype=object)
    assert scrubbed(pd.DataFrame({"text": [cell]}), ["text"])[0]["text"][0][0] == ["mail [email]", 1]


def test_arrays_of_any_shape_are_looked_at_for_halves() -> None:
    square = np.array([["a", "b"], ["c", "d"]], dtype=object)
    cells = [np.array("a", dtype=object), square, np.array([["a", "b\ud800"]], dtype=object)]
    found, count = mended(cells)
    assert count == 1 and found[0] is cells[0] and found[1] is square
    assert found[2] == [["a", "b\ufffd"]]


def test_dialogues_of_both_forms_in_one_file_are_read_row_by_row(tmp_path: Path) -> None:
    turns = {"turns": [{"role": "customer", "text": "a"}, {"role": "agent", "text": "b"}]}
    chat = {"messages": [{"role": "user", "content": "c"}, {"role": "assistant", "content": "d"}]}
    file = tmp_path / "mixed.jsonl"
    file.write_text("\n".join(map(json.dumps, [turns, chat, {**turns, "messages": None}])))
    for data in (file, read_table(file)):
        assert agent_turns(data)[["source", "target"]].to_numpy().tolist() == [["a", "b"], ["c", "d"], ["a", "b"]]
        table, inputs = asked(data)
        assert inputs["source"].tolist() == ["a", "c", "a"]
        assert sorted(table.columns) == ["messages", "turns"]
        with pytest.raises(InputError, match="found nothing in row"):  # a column that is named is the only one
            agent_turns(data, rename={"turns": "messages"})


@pytest.mark.parametrize(
    ("cells", "cause"),
    [
        (["1,0", "2,5", "3", "-4,25"], "a decimal comma"),
        (["1,000", "12,500", "3"], "if they part thousands"),
        (["1,0", "high", "low"], "correct or leave out"),
        (["1,2,3", "1", "2"], "correct or leave out"),
    ],
)
def test_why_most_labels_are_no_numbers_is_told(cells: list[str], cause: str) -> None:
    with pytest.raises(InputError) as told:
        numbers(pd.Series(cells), "here")
    assert cause in told.value.fix
    (found,) = check_numbers(pd.Series(cells))
    assert (cause in found.message) == (cause != "correct or leave out")
