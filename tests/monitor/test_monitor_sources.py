"""File sources and sinks: growing files, broken lines, torn last lines, keys written once."""

import gzip
import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fieldtune import outbox
from fieldtune.data.read import read_table
from fieldtune.errors import InputError
from fieldtune_monitor import sinks, sources, wire
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


@pytest.mark.parametrize("first", ["", "sep=;\r\n"])
@pytest.mark.parametrize("limit", [1, 100])
def test_a_table_of_excel_is_read_as_elsewhere(tmp_path, first, limit):
    path = tmp_path / "s.csv"
    text = f"\ufeff{first}title;time\r\nbanks, again;2026-03-01\r\n" + '"a ""b""";2026-03-02\r\n;\r\n'
    path.write_bytes(text.encode())
    rows, problems, cursor = read_everything(path, limit)
    assert rows == read_table(path, every_row=True).to_dict("records")
    assert not problems
    with path.open("a", encoding="utf-8") as file:
        file.write("later;2026-03-03\n")
    assert titles_of(read_file(path, cursor, 9, final=True)) == ["later"]


def test_the_mark_between_cells_is_the_same_at_every_look(tmp_path):
    path, rows = tmp_path / "s.csv", 'fall;"first\nsecond";1,5\nrise;x;2,5\n'
    path.write_text("title;summary;price, EUR\n")
    early = read_file(path, Cursor(), 100, final=False)
    path.write_text(f"title;summary;price, EUR\n{rows}")
    later = read_file(path, early.cursor, 100, final=True)
    assert [row.values["title"] for row in (*early.rows, *later.rows)] == ["fall", "rise"]
    whole = read_file(path, Cursor(), 100, final=True)
    assert ([row.values for row in whole.rows], whole.problems) == ([row.values for row in later.rows], ())
    path.write_text("title,scores (neg;neu;pos)\nfall,0.7;0.2;0.1\n")
    (row,) = read_file(path, Cursor(), 100, final=True).rows
    assert row.values == {"title": "fall", "scores (neg;neu;pos)": "0.7;0.2;0.1"}
    path.write_text("title;prices, low, high\nfall;1,50\n")
    (row,) = read_file(path, Cursor(), 100, final=True).rows
    assert row.values == {"title": "fall", "prices, low, high": "1,50"}


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


def titles_of(reading):
    return [row.values["title"] for row in reading.rows]


@pytest.mark.parametrize("name", ["s.jsonl", "s.csv", "s.csv.gz"])
@pytest.mark.parametrize("replaced", [True, False], ids=["by rename", "in place"])
def test_a_longer_export_under_the_same_name_is_read_from_its_beginning(tmp_path, name, replaced):
    """The second export begins like the first, as one with a long preamble does."""
    path = tmp_path / name
    same = [f"the same {n} {'x' * 400}" for n in range(20)]
    export(path, [*same, *(f"monday {n}" for n in range(20))])
    _, _, cursor = read_everything(path, 7)
    new = [*same, *(f"tuesday {n}" for n in range(40))]
    export(tmp_path / f"new-{name}" if replaced else path, new)
    if replaced:
        (tmp_path / f"new-{name}").replace(path)
    assert titles_of(read_file(path, cursor, 1000, final=False)) == new


@pytest.mark.parametrize("name", ["s.jsonl", "s.csv"])
def test_a_copy_of_the_growing_file_is_read_on(tmp_path, name):
    path = tmp_path / name
    export(path, ["a", "b"])
    _, _, cursor = read_everything(path, 10)
    export(tmp_path / f"copy-{name}", ["a", "b", "c"])
    (tmp_path / f"copy-{name}").replace(path)  # another inode, as after rsync
    assert titles_of(read_file(path, cursor, 10, final=False)) == ["c"]


def export(path: Path, titles: list[str]) -> None:
    lines = [json.dumps({"title": title}) for title in titles] if "jsonl" in path.name else ["title", *titles]
    raw = "".join(f"{line}\n" for line in lines).encode()
    path.write_bytes(gzip.compress(raw) if path.suffix == ".gz" else raw)


def test_a_stray_quote_costs_its_own_line_only(tmp_path):
    path = tmp_path / "s.csv"
    lines = [f"{n},story {n}" for n in range(1000)]
    lines[10] = '10,"never closed'
    lines[500] = '500,a 12" record, sold'
    lines[501] = '501,a 7" record'
    lines[700] = '700,"closed'
    lines[703] = '703,"by another"'
    path.write_text("id,title\n" + "\n".join(lines) + "\n")
    for final in (True, False):
        for limit in (3, 10_000):
            rows, problems, cursor = read_everything(path, limit, final)
            assert [row["id"] for row in rows] == [str(n) for n in range(1000) if n not in (10, 500, 700)]
            assert rows[500 - 1]["title"] == 'a 7" record'
            assert [problem.split(":")[0] for problem in problems] == [f"s.csv line {n}" for n in (12, 502, 702)]
            assert (cursor.offset, cursor.line) == (path.stat().st_size, 1001)


def test_a_stray_quote_near_the_end_of_a_growing_file_holds_stories_back_for_few_lines(tmp_path):
    path = tmp_path / "s.csv"
    path.write_text('title,n\n"never closed,0\n' + "".join(f"story,{n}\n" for n in range(sources.RECORD_LINES - 1)))
    rows, problems, cursor = read_everything(path, 10, final=False)
    assert not rows
    assert not problems
    with path.open("a") as file:
        file.write("story,last\n")
    assert len(read_file(path, cursor, 1000, final=False).rows) == sources.RECORD_LINES


def test_the_work_for_a_stray_quote_does_not_grow_with_the_file(tmp_path):
    """150,000 lines after a quote that nobody closes: read again with every line they would be 10^11 characters."""
    path = tmp_path / "s.csv"
    path.write_text('title,n\n"never closed,0\n' + "a story,1\n" * 150_000)
    reading = read_file(path, Cursor(), 10**9, final=True)
    assert (len(reading.rows), len(reading.problems)) == (150_000, 1)


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
    sinks.jsonl_sink(path)({"incident": "i", "key": "a", "observed": 1})
    before, line = path.read_bytes(), sinks.line_of({"incident": "i", "key": "b", "topic": "银行"}).encode()
    for torn in range(len(line) + 2):  # killed at any byte of the write
        path.write_bytes(before + (line + b"\n")[:torn])
        send = sinks.jsonl_sink(path)
        for key in ("a", "b", "b"):
            send({"incident": "i", "key": key, "topic": "银行"})
        assert [json.loads(found)["key"] for found in path.read_text().splitlines()] == ["a", "b"], torn


@pytest.mark.parametrize(
    "theirs", ['{"title": "Ferry sinks"}', '{"i": 1', "notes", '{"incident": "x"}', '["incident": "']
)
def test_a_line_of_somebody_else_is_neither_cut_nor_continued(tmp_path, theirs):
    path = tmp_path / "alerts.jsonl"
    path.write_text(theirs)
    send = sinks.jsonl_sink(path)
    assert path.read_text() == theirs
    for key in ("a", "b"):
        send({"incident": "i", "key": key})
    written = [sinks.line_of({"incident": "i", "key": key}) for key in ("a", "b")]
    assert path.read_text().splitlines() == [theirs, *written]


def test_a_full_disk_loses_and_tears_no_alert(tmp_path):
    """A file-size limit ends the write in mid-line, as a full disk does; the limit is lifted, and it is sent again."""
    code = """if True:
        import resource, signal, sys
        from datetime import UTC, datetime
        from pathlib import Path
        from fieldtune import outbox
        from fieldtune_monitor import sinks, wire
        engine, now = wire.open_monitor_store("sqlite://"), datetime(2026, 1, 5, tzinfo=UTC)
        with engine.begin() as connection:
            for key in "ab":
                outbox.enqueue(connection, key, "file", {"key": key, "note": key * 100}, now)
        send = {"file": sinks.jsonl_sink(Path(sys.argv[1]))}
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (150, resource.RLIM_INFINITY))
        print(sinks.deliver(engine, send, now), Path(sys.argv[1]).read_bytes().count(b"\\n"))
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        print(sinks.deliver(engine, send, now))
    """
    path = tmp_path / "alerts.jsonl"
    done = subprocess.run([sys.executable, "-c", code, str(path)], check=True, capture_output=True, text=True)
    assert done.stdout.split() == ["1", "1", "1"]
    assert "will try again" in done.stderr
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


def waiting(engine, sink=None):
    with engine.begin() as connection:
        return [message.payload["key"] for message in outbox.pending(connection, sink)]


def test_what_waits_for_a_sink_that_is_gone_goes_once_to_those_there_are(capsys):
    engine = wire.open_monitor_store("sqlite://")
    alerts = [{"key": key, "signal": signal} for key, signal in (("a", "tone"), ("b", "volume-driven"), ("c", "count"))]
    with engine.begin() as connection:
        for alert in alerts:
            sinks.enqueue(connection, "gone", alert, NOW)
        for alert in alerts[:2]:
            sinks.enqueue(connection, "all", alert, NOW)
    assert sinks.deliver(engine, {"all": lambda _: None}, NOW) == 2
    told = {"all": True, "serious": False}
    assert sinks.hand_over(engine, told, NOW) == 3
    assert (waiting(engine, "gone"), waiting(engine, "all"), waiting(engine, "serious")) == ([], ["c"], ["a", "c"])
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "not configured any more (gone): 3, handed over to all, serious" in err
    assert sinks.hand_over(engine, told, NOW) == 0
    assert waiting(engine) == ["a", "c", "c"]
    assert capsys.readouterr().err == ""
