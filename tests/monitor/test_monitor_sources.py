"""File sources and sinks: growing files, broken lines, torn last lines, keys written once."""

import gzip
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fieldtune import outbox
from fieldtune.errors import InputError
from fieldtune_monitor import sinks, wire
from fieldtune_monitor.sources import Cursor, read_file

NOW = datetime(2026, 1, 5, tzinfo=UTC)


def read_everything(path: Path, limit: int, final: bool = True):
    cursor, rows, problems = Cursor(), [], []
    while True:
        reading = read_file(path, cursor, limit, final=final)
        rows += [dict(row.values) for row in reading.rows]
        problems += reading.problems
        if reading.cursor == cursor or reading.at_end:
            return rows, problems, reading.cursor
        cursor = reading.cursor


@settings(max_examples=25, deadline=None)
@given(st.lists(st.text(max_size=12), min_size=1, max_size=12), st.integers(1, 5))
def test_csv_read_in_pieces_equals_csv_read_whole(tmp_path_factory, titles, limit):
    import csv

    path = tmp_path_factory.mktemp("csv") / "s.csv"
    titles = ["".join(c for c in title if c not in "\r\x00" and ord(c) < 0xD800) for title in titles]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "title"])
        writer.writerows(enumerate(titles))
    rows, problems, _ = read_everything(path, limit)
    assert [row["title"] for row in rows] == titles
    assert not problems


def test_broken_json_lines_are_counted_not_fatal(tmp_path):
    path = tmp_path / "s.jsonl"
    path.write_bytes(b'{"title": "a"}\nnot json\n\n[1]\n{"title": "\xff"}\n{"title": "b"}\n')
    rows, problems, _ = read_everything(path, 2)
    assert [row["title"] for row in rows] == ["a", "b"]
    assert len(problems) == 3
    assert problems[0].startswith("s.jsonl line 2")


def test_an_unfinished_last_line_waits_for_its_end(tmp_path):
    path = tmp_path / "s.jsonl"
    path.write_text('{"title": "a"}\n{"title": "b')
    rows, _, cursor = read_everything(path, 10, final=False)
    assert len(rows) == 1
    with path.open("a") as file:
        file.write('b"}\n')
    later = read_file(path, cursor, 10, final=False)
    assert [row.values["title"] for row in later.rows] == ["bb"]


def test_a_file_that_starts_anew_is_read_from_its_beginning(tmp_path):
    path = tmp_path / "s.jsonl"
    path.write_text('{"title": "a"}\n{"title": "b"}\n')
    _, _, cursor = read_everything(path, 10)
    path.write_text('{"title": "c"}\n')
    assert [row.values["title"] for row in read_file(path, cursor, 10, final=True).rows] == ["c"]


def test_gz_and_wrong_cells(tmp_path):
    path = tmp_path / "s.csv.gz"
    path.write_bytes(gzip.compress(b"title,time\na,1\nb\nc,2\n"))
    rows, problems, _ = read_everything(path, 10)
    assert [row["title"] for row in rows] == ["a", "c"]
    assert len(problems) == 1


@pytest.mark.parametrize("name", ["none.csv", "folder.xlsx"])
def test_a_missing_or_foreign_file_is_one_clear_error(tmp_path, name):
    with pytest.raises(InputError):
        read_file(tmp_path / name, Cursor(), 10, final=True)


def test_a_table_without_titles_is_refused(tmp_path):
    (tmp_path / "s.csv").write_text("headline,time\na,1\n")
    with pytest.raises(InputError, match="title"):
        read_file(tmp_path / "s.csv", Cursor(), 10, final=True)


def test_a_file_sink_writes_each_key_once_even_after_a_torn_line(tmp_path):
    path = tmp_path / "alerts.jsonl"
    sinks.jsonl_sink(path)({"key": "a", "observed": 1})
    with path.open("ab") as file:
        file.write(b'{"key": "b", "n"')  # killed in mid-write
    send = sinks.jsonl_sink(path)
    for key in ("a", "b", "b"):
        send({"key": key, "observed": 2})
    assert [json.loads(line)["key"] for line in path.read_text().splitlines()] == ["a", "b"]


def test_a_failing_sink_keeps_its_messages_and_the_other_gets_its_own():
    engine = wire.open_monitor_store("sqlite://")
    with engine.begin() as connection:
        for sink in ("bad", "good"):
            outbox.enqueue(connection, f"{sink}:k", sink, {"key": "k"}, NOW)
    taken = []

    def bad(payload):
        raise OSError("disk full")

    assert sinks.deliver(engine, {"bad": bad, "good": taken.append}, NOW) == 1
    assert sinks.deliver(engine, {"bad": taken.append, "good": taken.append}, NOW) == 1
    assert sinks.deliver(engine, {"bad": taken.append, "good": taken.append}, NOW) == 0
    assert taken == [{"key": "k"}, {"key": "k"}]
