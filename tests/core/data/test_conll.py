"""CoNLL files in every scheme against seqeval's reading of them, tables of tokens, spans, and odd files."""

import gzip
import json
import random
from pathlib import Path

import pandas as pd
import pytest
from seqeval.scheme import IOB1, IOBES, Entities

from fieldtune.data.conll import iob2, read_conll
from fieldtune.data.tagged import tagged_table, word_table
from fieldtune.errors import InputError
from fieldtune.evaluate.sequence import entities

Spans = list[tuple[int, int, str]]


def drawn(rng: random.Random) -> tuple[int, Spans]:
    """A sentence's length and some entities in it, often side by side."""
    place, found = 0, []
    while place < 12:
        size = rng.randint(1, 3)
        if rng.random() < 0.6:
            found.append((place, place + size, rng.choice(["PER", "LOC"])))
        place += size
    return place, found


def bioes(length: int, spans: Spans) -> list[str]:
    tags = ["O"] * length
    for start, end, name in spans:
        tags[start:end] = [f"I-{name}"] * (end - start)
        tags[start] = f"{'S' if end - start == 1 else 'B'}-{name}"
        if end - start > 1:
            tags[end - 1] = f"E-{name}"
    return tags


def iob1(length: int, spans: Spans) -> list[str]:
    tags = ["O"] * length
    for start, end, name in spans:
        touches = start > 0 and tags[start - 1][2:] == name
        tags[start:end] = [f"I-{name}"] * (end - start)
        tags[start] = f"{'B' if touches else 'I'}-{name}"
    return tags


@pytest.mark.parametrize(("write", "scheme"), [(bioes, IOBES), (iob1, IOB1)])
def test_every_scheme_is_read_as_seqeval_reads_it(write: object, scheme: type) -> None:
    rng = random.Random(0)
    rows = [write(*drawn(rng)) for _ in range(200)]  # type: ignore[operator]
    theirs = [[(one.start, one.end, one.tag) for one in some] for some in Entities(rows, scheme).entities]
    mine = iob2(rows, lambda row, place: f"{row}:{place}", "the rows")
    assert [entities(tags) for tags in mine] == theirs
    assert iob2(mine, lambda row, place: "", "") == mine  # IOB2 stays what it is


def test_bilou_and_bmes_are_other_names_for_bioes() -> None:
    wanted = [["B-A", "I-A", "I-A", "B-A"]]
    for tags in (["B-A", "I-A", "L-A", "U-A"], ["B-A", "M-A", "E-A", "S-A"], ["B-A", "M-A", "E-A", "W-A"]):
        assert iob2([tags], lambda row, place: "", "") == wanted


FILE = "-DOCSTART- -X- O O\r\n\r\nEU NNP I-NP I-ORG\r\nrejects VBZ I-VP O\r\nGerman JJ I-NP I-MISC\r\n\r\n\r\nPeter NNP I-NP I-PER\r\n"


def test_documents_blank_lines_and_line_ends(tmp_path: Path) -> None:
    (tmp_path / "eng.train.gz").write_bytes(gzip.compress(FILE.encode()))
    found = read_conll(tmp_path / "eng.train.gz")
    assert [(one.words, one.tags, one.lines) for one in found] == [
        (["EU", "rejects", "German"], ["B-ORG", "O", "B-MISC"], [3, 4, 5]),
        (["Peter"], ["B-PER"], [8]),
    ]
    (tmp_path / "tabs").write_text("New York\tB-LOC\n\u00a0x\tO")
    assert read_conll(tmp_path / "tabs")[0].words == ["New York", "x"]


def test_comments_before_a_sentence_are_no_words(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = "# sent_id = 1\n# text = # 5 won\n# NN B-NP O\n5 CD I-NP O\nwon VBD B-VP O\n\n# id a\tdomain=en\n#1 CD B-NP B-X\n"
    (tmp_path / "c.conll").write_text(text)
    found = read_conll(tmp_path / "c.conll")
    assert [(one.words, one.lines) for one in found] == [(["#", "5", "won"], [3, 4, 5]), (["#1"], [8])]
    assert "3 lines of comments (#) left out" in capsys.readouterr().err
    for odd in (b"#happy NN\nday NN\n\nAda NNP\n", b"#happy\t\nday\t\n\nAda\t\n", b"# NN\n\n#day NN\n\nAda NNP\n"):
        (tmp_path / "c.conll").write_bytes(odd)
        words = [[line.split()[0] for line in part.splitlines()] for part in odd.decode().split("\n\n")]
        assert [one.words for one in read_conll(tmp_path / "c.conll", words_only=True)] == words
    (tmp_path / "c.conll").write_text("#happy\tO \nday\tO\n\n# id = 1\n#Bob\tB-PER\n\n# id = 2\nEve\tB-PER\n")
    assert [one.words for one in read_conll(tmp_path / "c.conll")] == [["#happy", "day"], ["#Bob"], ["Eve"]]
    (tmp_path / "c.conll").write_text("a O\n\n#happy PER\n")
    with pytest.raises(InputError, match="'PER' in line 3"):
        read_conll(tmp_path / "c.conll")
    (tmp_path / "c.conll").write_text("# a\n#\n#tag\nword\n")
    assert [one.words for one in read_conll(tmp_path / "c.conll", words_only=True)] == [["#", "#tag", "word"]]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", "found none in"),
        (b"-DOCSTART- O\n\n", "found none in"),
        (b"a NN O\nb O\n", "as in line 1; found 2 in line 2"),
        (b"a\nb\n", "found one column"),
        (b"a\tO\n\tO\n", "no word in line 2"),
        (b"a O\n\nb B_PER\n", "'B_PER' in line 3"),
        (b"a I-X\nb O\nc B-X\n", "I-X in line 1 begins an entity, as in IOB1; B-X in line 3"),
        (b"a B-X\nb O\nc S-X\n", "B-X in line 1 is not the end of its entity"),
        (b"a S-X\nb I-X\n", "I-X in line 2 begins no entity"),
        (b"a O\nM\xfcnchen B-LOC\n", "another encoding at line 2"),
    ],
)
def test_an_odd_file_is_refused_with_its_line(tmp_path: Path, text: bytes, message: str) -> None:
    (tmp_path / "odd.txt").write_bytes(text)
    with pytest.raises(InputError, match=message):
        tagged_table(tmp_path / "odd.txt")


def test_tables_of_tokens_and_of_spans_are_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [{"tokens": ["EU", "rejects"], "tags": ["I-ORG", "O"]}, {"tokens": [], "tags": []}]
    spans = [{"text": "EU rejects", "spans": [{"start": 0, "end": 2, "label": "ORG"}]}, {"text": " ", "spans": []}]
    for name, some in (("tokens", rows), ("spans", spans)):
        (tmp_path / f"{name}.jsonl").write_text("\n".join(map(json.dumps, some)))
        frame = pd.DataFrame(some)
        frame.to_parquet(tmp_path / f"{name}.parquet")
        frame.map(lambda cell: cell if isinstance(cell, str) else json.dumps(cell)).to_csv(tmp_path / f"{name}.csv")
        for data in (*(tmp_path / f"{name}.{kind}" for kind in ("jsonl", "parquet", "csv")), frame):
            assert tagged_table(data).to_numpy().tolist() == [[["EU", "rejects"], ["B-ORG", "O"]]]  # type: ignore[arg-type]
            assert "1 of 2 rows without a word left out" in capsys.readouterr().err


def test_a_span_inside_a_word_is_widened_and_counted(capsys: pytest.CaptureFixture[str]) -> None:
    table = pd.DataFrame({"text": ["in Sino-Japanese hands"], "spans": [[{"start": 8, "end": 16, "label": "MISC"}]]})
    assert tagged_table(table)["tags"].tolist() == [["O", "B-MISC", "O"]]
    assert "1 spans begin or end inside a word" in capsys.readouterr().err


def of_lee(mark: str) -> dict[str, object]:
    """Two people of one text with nothing but a mark between."""
    spans = [{"start": 0, "end": 7, "label": "PER"}, {"start": 8, "end": 13, "label": "LOC"}]
    return {"text": f"Ann Lee{mark}Leeds", "spans": spans}


def test_a_colon_between_letters_parts_two_entities() -> None:
    table = pd.DataFrame([of_lee(":")])
    read = tagged_table(table)
    assert read["tags"].tolist() == [["B-PER", "I-PER", "O", "B-LOC"]]
    assert word_table(table[["text"]])[1]["tokens"].tolist() == read["tokens"].tolist()  # as it is asked about


def test_all_rows_whose_spans_share_a_word_are_told_at_once() -> None:
    table = pd.DataFrame([of_lee(mark) for mark in " /: -/&_@"])
    with pytest.raises(InputError) as told:
        tagged_table(table)
    assert "the word 'Lee/Leeds' (8-13) in row 1 of the table" in str(told.value)
    assert "and 6 such rows in all (1, 4, 5, 6, 7 and 1 more)" in str(told.value)
    assert "put a space" in told.value.fix
    with pytest.raises(InputError, match=r"'Lee/Leeds' \(8-13\) in row 0 of the table; fix"):
        tagged_table(table.iloc[1:2])


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"tokens": ["a", "b"], "tags": ["O"]}, "2 tokens and 1 tags in row 0"),
        ({"tokens": ["a", 3], "tags": ["O", "O"]}, "in a cell of text as JSON; found .* in row 0"),
        ({"tokens": "a b", "tags": ["O", "O"]}, "column 'tokens'"),
        ({"tokens": ["a"], "tags": ["X"]}, r"'X' in row 0 of the table \(tag 1\)"),
        ({"tokens": ["a"]}, "the columns tokens, tags"),
        ({"text": "a b", "spans": [{"start": 0, "end": 9, "label": "X"}]}, "inside the text of 3 characters"),
        ({"text": "a  b", "spans": [{"start": 1, "end": 2, "label": "X"}]}, "a span of no word"),
        (
            {"text": "a b", "spans": [{"start": 0, "end": 3, "label": "X"}, {"start": 2, "end": 3, "label": "Y"}]},
            "share",
        ),
        ({"text": "a b", "spans": [{"from": 0}]}, "a list of objects with start, end and label"),
        ({"text": "a b", "spans": 7}, "a list of objects with start, end and label"),
    ],
)
def test_an_odd_row_is_refused_with_its_number(row: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        tagged_table(pd.DataFrame([row]))


def test_types_are_renamed_or_refused() -> None:
    table = pd.DataFrame({"tokens": [["a", "b"]], "tags": [["B-PER", "I-PER"]]})
    assert tagged_table(table, labels={"PER": "person"})["tags"].tolist() == [["B-person", "I-person"]]
    with pytest.raises(InputError, match="'PER' in the table"):
        tagged_table(table, labels={"LOC": "place"})


def test_words_to_predict_on_keep_their_places(tmp_path: Path) -> None:
    rows = [{"text": "New  York's fine", "tokens": ["New", "York", "'s", "fine"]}, {"text": "", "tokens": []}]
    (tmp_path / "both.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (tmp_path / "text.jsonl").write_text(json.dumps({"body": "New  York's fine"}))
    for name, column in (("both", "text"), ("text", "body")):
        _, inputs = word_table(tmp_path / f"{name}.jsonl", {"text": column})
        assert inputs["places"][0] == [(0, 3), (5, 9), (9, 11), (12, 16)]
    (tmp_path / "some.conll").write_text("New\nYork\n\n\nfine\n")
    table, inputs = word_table(tmp_path / "some.conll")
    assert table["text"].tolist() == ["New York", "fine"]
    assert inputs["places"].tolist() == [[(0, 3), (4, 8)], [(0, 4)]]
    rows[0]["tokens"] = ["York", "New"]
    (tmp_path / "both.jsonl").write_text("\n".join(map(json.dumps, rows)))
    with pytest.raises(InputError, match="'New' does not in row 1"):
        word_table(tmp_path / "both.jsonl")
