"""The loop on a small stream: same alerts however it arrives, however often it is killed."""

import json
import os
import random
import threading
import time
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from sqlalchemy import text
from typer.testing import CliRunner

from fieldtune import outbox
from fieldtune.errors import ConfigError, InputError, RefusedError
from fieldtune_monitor import config, engine, history, runner, sinks, snapshot, store, views, wire
from fieldtune_monitor.commands import app
from fieldtune_monitor.config import read_config
from fieldtune_monitor.monitor import restore
from tests.processes import begin, run

NOW = datetime(2026, 6, 1, tzinfo=UTC)


def replayed(folder, name="stories.jsonl"):
    settings = read_config(folder / "monitor.toml")
    made = wire.setup(settings, wire.open_monitor_store("sqlite://"), {"replay": False})
    lines, summary = history.replay(made, folder / name, NOW)
    return lines, summary, made.engine


def test_the_planted_surge_is_found_and_nothing_else(place):
    lines, summary, engine = replayed(place)
    assert [(line["topic"], line["state"]) for line in lines] == [("ferries", "firing"), ("ferries", "resolved")]
    assert "2026-01-23T09" < lines[0]["time"] < "2026-01-23T16"
    assert list(json.loads(sinks.line_of(lines[0]))) == [
        "incident", "key", "topic", "signal", "state", "time", "observed", "expected", "low", "high",
        "weeks_between_false_alarms", "evidence", "sources", "copies",
    ]  # fmt: skip
    with engine.begin() as connection:
        for identity in lines[0]["evidence"]:
            row = connection.execute(
                text("SELECT tone, topics, negative, counted FROM documents WHERE id = :id"), {"id": identity}
            ).one()
            assert (row.tone, json.loads(row.topics), row.negative, row.counted) == ("negative", ["ferries"], 1, 1)
        chart = connection.execute(
            text("SELECT SUM(negatives) FROM buckets WHERE topic = 'ferries' AND time >= :first AND time < :last"),
            {"first": _hours(lines[0]["time"], -6), "last": lines[0]["time"]},
        ).scalar()
    assert chart == lines[0]["observed"]
    assert lines[0]["observed"] > lines[0]["high"]
    assert summary["alerts"] == 1


def _hours(time_text, hours):
    moment = datetime.fromisoformat(time_text).timestamp() + hours * 3600
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def test_order_batches_and_repeats_change_nothing(place, rows, write):
    lines, _, engine = replayed(place)
    shuffled = rows + rows[::7] + rows[:50]
    random.Random(3).shuffle(shuffled)
    write(place / "again.jsonl", shuffled)
    settings = read_config(place / "monitor.toml")
    made = wire.setup(settings, wire.open_monitor_store("sqlite://"), {"replay": False})
    monitor = restore(made, NOW)
    runner.read_all(monitor, place / "again.jsonl", NOW, live=False, final=True, batch=97)
    runner.close_due(monitor, NOW, finish=True)
    with made.engine.begin() as connection:
        assert [message.payload for message in outbox.pending(connection)] == lines
        again = store.read_state(connection)
    with engine.begin() as connection:
        assert store.read_state(connection) == again


def test_the_counts_of_a_replay_add_up(place, rows):
    (place / "s.jsonl").write_text(
        "".join(json.dumps(row) + "\n" for row in [*rows[:40], *rows[:7], {"title": ""}]) + "broken\n"
    )
    summary = replayed(place, "s.jsonl")[1]
    assert [summary[name] for name in ("rows", "documents", "repeated", "broken")] == [49, 40, 7, 2]


def test_a_story_dated_in_the_future_moves_nothing(place, rows, write):
    lines, summary, _ = replayed(place)
    settings = read_config(place / "monitor.toml")
    span = history.watched_span(place / "stories.jsonl", settings, NOW)
    write(place / "spoilt.jsonl", [*rows, {"title": "ferry of the next century", "time": "2099-01-01"}])
    again, told, _ = replayed(place, "spoilt.jsonl")
    assert again == lines
    assert (told["to"], told["broken"]) == (summary["to"], 1)
    assert "dated in the future: '2099-01-01' in 'time'" in told["problems"][0]
    assert history.watched_span(place / "spoilt.jsonl", settings, NOW) == span
    history.shuffled_days(place / "spoilt.jsonl", place / "days.jsonl", settings, NOW, np.random.default_rng(0))
    assert len((place / "days.jsonl").read_text().splitlines()) == len(rows)


def test_copies_of_one_bad_story_are_amplification_not_a_surge(place, rows, write):
    story = next(row for row in rows if row["title"].startswith("tea") and str(row["first_seen"]) > "2026-01-20T10")
    long_title = str(story["title"]) + " after a long night of talks in the harbour"
    copies = [
        {**story, "id": f"c{n}", "url": f"https://copy.example/{n}", "title": f"{long_title} - s{n}", "source": f"s{n}",
         "sentiment": "negative"}
        for n in range(25)
    ]  # fmt: skip
    write(place / "copied.jsonl", rows + copies)
    lines, summary, _ = replayed(place, "copied.jsonl")
    assert {line["topic"] for line in lines} == {"ferries"}
    assert summary["copies"] >= 24


def test_a_week_of_old_stories_in_one_dump_never_alerts(place, rows, write):
    dump = [
        {
            **row,
            "id": f"d{n}",
            "url": f"https://dump.example/{n}",
            "first_seen": "2026-01-20T10:00:00Z",
            "sentiment": "negative",
        }
        for n, row in enumerate(rows)
        if "2026-01-13" < str(row["time"]) < "2026-01-20"
    ]
    write(place / "dump.jsonl", rows + dump)
    lines, summary, _ = replayed(place, "dump.jsonl")
    assert {line["topic"] for line in lines} == {"ferries"}
    assert summary["late"] > 0.9 * len(dump) - summary["copies"]


def test_run_continues_where_it_stopped_and_sends_what_replay_says(place, rows, home, write):
    lines, _, _ = replayed(place)
    settings = read_config(place / "monitor.toml")
    write(place / "stories.jsonl", rows[: len(rows) // 2])
    wire.run(settings, once=True, stop=threading.Event(), progress=runner.silent)
    write(place / "stories.jsonl", rows)
    wire.run(settings, once=True, stop=threading.Event(), progress=runner.silent)
    wire.run(settings, once=True, stop=threading.Event(), progress=runner.silent)
    sent = [json.loads(line) for line in (place / "alerts.jsonl").read_text().splitlines()]
    assert [line["key"] for line in sent] == [line["key"] for line in lines]


@pytest.fixture
def returning(place, rows, write):
    """A stream whose surge, after calm of eight hours, returns for seven: within the cooldown of the first."""
    again = [
        {**row, "id": f"b{n}-{m}", "url": f"https://back.example/{n}-{m}", "sentiment": "negative",
         "title": "ferry " + "".join(random.Random(f"{n}-{m}").choices("abcdefghijklmnop", k=50))}
        for n, row in enumerate(rows) for m in range(2)
        if "2026-01-24T05" <= str(row["first_seen"]) < "2026-01-24T12"
    ]  # fmt: skip
    stream = sorted([*rows, *again], key=lambda row: str(row["first_seen"]))
    write(place / "stories.jsonl", stream)
    return stream


def test_a_surge_that_returns_within_the_cooldown_is_open_on_the_page_and_told_with_its_end(place, returning, write):
    lines, _, engine = replayed(place)
    assert [line["state"] for line in lines] == ["firing", "resolved", "firing", "resolved"]
    assert len({line["incident"] for line in lines}) == 1
    assert len({line["key"] for line in lines}) == 4
    assert _hours(lines[1]["time"], 6) >= _hours(lines[2]["time"], -2)
    (place / "alerts.jsonl").write_text("".join(sinks.line_of(line) + "\n" for line in lines))
    (alert,) = history.read_alerts(place / "alerts.jsonl")
    assert datetime.fromtimestamp(alert.closed, UTC) == datetime.fromisoformat(lines[3]["time"])
    seen, at = [], _hours(lines[2]["time"], -2)  # fires again, not yet told
    for moment in (lines[1]["time"], at, lines[2]["time"], lines[3]["time"]):
        write(place / "stories.jsonl", [row for row in returning if str(row["first_seen"]) < moment])
        told, _, engine = replayed(place)
        (alert,) = views.incidents(engine)
        seen.append((alert["state"], len(told)))
    assert seen == [("resolved", 2), ("firing", 2), ("firing", 3), ("resolved", 4)]


def test_looks_from_cron_tell_a_return_as_a_replay_does(place, returning, write):
    lines, _, _ = replayed(place)
    until = datetime.fromisoformat(str(returning[-1]["first_seen"])) + timedelta(hours=1)
    _, engine = looked_at(place, until, timedelta(hours=11), write, returning)
    with engine.begin() as connection:
        assert [message.payload for message in outbox.pending(connection)] == lines


def looked_at(place, until, every, write, rows):
    """What one `--once` after the other, as cron starts them, closes and sends: last closed bucket and clock's bucket
    after each look, and the engine. Each knows only what was first seen by then."""
    made = wire.setup(read_config(place / "monitor.toml"), wire.open_monitor_store("sqlite://"), {"cron": False})
    now, seen = datetime.fromisoformat(str(rows[0]["first_seen"])), []
    while now < until:
        now += every
        write(place / "cron.jsonl", [row for row in rows if datetime.fromisoformat(str(row["first_seen"])) <= now])
        monitor = restore(made, now)
        runner.poll(monitor, [place / "cron.jsonl"], now, once=True)
        seen.append((monitor.last, int(now.timestamp()) // 3600))
    return seen, made.engine


def test_looks_from_cron_count_each_story_in_the_hour_in_which_it_was_seen(place, write):
    """A story every five minutes, a look every five minutes, a bucket of an hour."""
    start = datetime(2026, 5, 31, 10, tzinfo=UTC)
    moments = [start + timedelta(minutes=5 * n) for n in range(60)]
    titles = ["".join(random.Random(n).choices("abcdefghijklmnop", k=50)) for n in range(60)]
    rows = [
        {"title": f"ferry {title}", "time": moment.isoformat(), "first_seen": moment.isoformat()}
        for title, moment in zip(titles, moments, strict=True)
    ]
    seen, engine = looked_at(place, moments[-1], timedelta(minutes=5), write, rows)
    assert all(last is None or last < present for last, present in seen)
    assert [last is not None for last, _ in seen] == [present > seen[0][1] for _, present in seen]
    with engine.begin() as connection:
        found = connection.execute(
            text("SELECT time, documents FROM buckets WHERE topic = 'ferries' ORDER BY bucket")
        ).all()
    want = Counter(moment.strftime("%Y-%m-%dT%H:00:00Z") for moment in moments)
    assert dict(map(tuple, found)) == {hour: want[hour] for hour in sorted(want)[:-1]}  # the last hour is not over


def test_looks_from_cron_send_what_a_replay_says(place, rows, write):
    lines, _, _ = replayed(place)
    until = datetime.fromisoformat(str(rows[-1]["first_seen"])) + timedelta(hours=1)
    seen, engine = looked_at(place, until, timedelta(hours=7), write, rows)
    assert all(last < present for last, present in seen)
    with engine.begin() as connection:
        assert [message.payload for message in outbox.pending(connection)] == lines


def test_a_clock_that_goes_back_closes_nothing_twice(place, rows, write):
    made = wire.setup(read_config(place / "monitor.toml"), wire.open_monitor_store("sqlite://"), {})
    monitor, end = restore(made, NOW), datetime.fromisoformat(str(rows[-1]["first_seen"])) + timedelta(hours=2)
    runner.poll(monitor, [place / "stories.jsonl"], end)
    last, memory = monitor.last, snapshot.dump(monitor.memory)
    runner.poll(monitor, [place / "stories.jsonl"], end - timedelta(hours=3))
    assert (monitor.last, snapshot.dump(monitor.memory)) == (last, memory)


@pytest.mark.parametrize(
    ("name", "line", "broken", "at_once"),
    [
        ("s.jsonl", '{"title": "a ferry sinks"}', '{"title": "a ferry si', True),
        ("s.csv", "2026-05-31,a ferry sinks", "2026-05-31,a ferry si", False),
    ],
)
def test_one_look_reads_a_last_line_without_line_break_only_where_it_is_whole(place, name, line, broken, at_once):
    """Half a CSV record looks like a whole one, so it waits until nobody can be writing any more."""
    first = "time,title\n" if name.endswith("csv") else '{"title": "another one"}\n'
    path, now = place / name, datetime.now(UTC)
    config_text = read_config(place / "monitor.toml")
    for content, taken in ((broken, False), (line, at_once)):
        monitor = restore(wire.setup(config_text, wire.open_monitor_store("sqlite://"), {}), now)
        path.write_text(first + content)
        found = runner.poll(monitor, [path], now, once=True)
        assert (found.documents, found.broken) == (first.count("another") + taken, 0)
        assert [name in problem for problem in found.problems] == [True] * (not taken)
    old = now.timestamp() - 2 * runner.LIVE
    os.utime(path, (old, old))
    found = runner.poll(monitor, [path], now, once=True)
    assert (found.documents, found.broken) == (not at_once, 0)
    with monitor.setup.engine.begin() as connection:
        assert "a ferry sinks" in connection.execute(text("SELECT title FROM documents")).scalars().all()


def touched(folder):
    """When a file in it was last written."""
    return max((file.stat().st_mtime_ns for file in folder.glob("*")), default=0)


def test_killed_again_and_again_it_loses_and_doubles_nothing(place, home):
    lines, summary, _ = replayed(place)
    command = ("-m", "fieldtune_monitor", "run", "--config", place / "monitor.toml", "--once")
    for seconds in (0, 0.05, 0.1, 0.2, 0.3):  # after it first wrote into its store
        before, process = touched(place / "monitor"), begin(*command)
        while touched(place / "monitor") == before and process.is_alive():
            time.sleep(0.001)
        process.join(seconds)
        process.kill()
        process.join()
    done = run(*command)
    assert done.code == 0, done.err
    assert "documents:" in done.out
    sent = [json.loads(line) for line in (place / "alerts.jsonl").read_text().splitlines()]
    assert sent == lines
    engine = wire.open_monitor_store(wire.store_place(read_config(place / "monitor.toml")))
    with engine.begin() as connection:
        totals = store.totals(connection)
    assert {k: totals[k] for k in ("documents", "stories", "copies")} == {
        k: summary[k] for k in ("documents", "stories", "copies")
    }


def test_a_failed_replay_leaves_nothing(place, home):
    (place / "empty.jsonl").write_text("")
    command = ["replay", "--config", str(place / "monitor.toml"), "--input", str(place / "empty.jsonl"),
               "--alerts", str(place / "a.jsonl"), "--store", str(place / "kept")]  # fmt: skip
    before = sorted(file.name for file in place.iterdir())
    with pytest.raises(InputError, match="empty file"):
        CliRunner().invoke(app, command, catch_exceptions=False)
    assert sorted(file.name for file in place.iterdir()) == before


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "an empty file"),
        ("no json\n{broken\n", "2 broken lines"),
        ('{"headline": "no title"}\n', "1 broken lines"),
        (None, "nothing at"),
    ],
)
def test_one_look_at_a_source_without_stories_fails_every_time(place, home, content, words):
    (place / "stories.jsonl").unlink()
    if content is not None:
        (place / "stories.jsonl").write_text(content)
    settings = read_config(place / "monitor.toml")
    for _ in range(2):
        with pytest.raises(InputError, match=words):
            wire.run(settings, once=True, stop=threading.Event(), progress=runner.silent)


def test_one_look_says_that_the_only_line_waits_for_its_line_break(place, home):
    text_before = (place / "monitor.toml").read_text()
    (place / "monitor.toml").write_text(text_before.replace("stories.jsonl", "s.csv"))
    (place / "s.csv").write_text("title\na ferry sinks")
    with pytest.raises(InputError, match="a last line that waits for its line break; fix: end the line"):
        wire.run(read_config(place / "monitor.toml"), once=True, stop=threading.Event(), progress=runner.silent)


def old_news(rows):
    """The stream as an export that does not say when a story was first seen."""
    return [{name: value for name, value in row.items() if name != "first_seen"} for row in rows]


def test_a_first_look_at_a_history_stores_nothing_and_names_the_replay_that_does(place, rows, home, write):
    write(place / "stories.jsonl", old_news(rows))
    settings = read_config(place / "monitor.toml")
    with pytest.raises(InputError, match=f"found {len(rows)} of {len(rows)} rows .* from 2026-01-05T00") as refused:
        wire.run(settings, once=True, stop=threading.Event(), progress=runner.silent)
    assert not (place / "monitor").exists()
    words = str(refused.value).partition("`fieldtune monitor ")[2].partition("`")[0].split(" ... ")
    command = [
        *words[0].split(),
        str(place / "monitor.toml"),
        *words[1].split(),
        str(place / "a.jsonl"),
        *words[2].split(),
    ]
    assert CliRunner().invoke(app, command).exit_code == 0
    found = wire.run(settings, once=True, stop=threading.Event(), progress=runner.silent)
    assert (found["new"], found["documents"], found["late"]) == (0, len(rows), 0)


def test_a_history_that_comes_to_an_empty_store_is_refused_too(place, rows, home, write):
    (place / "stories.jsonl").write_text("")
    settings = read_config(place / "monitor.toml")
    with pytest.raises(InputError, match="an empty file"):
        wire.run(settings, once=True, stop=threading.Event(), progress=runner.silent)
    write(place / "stories.jsonl", old_news(rows[:50]))
    with pytest.raises(InputError, match=r"delete the empty store .*fieldtune\.db; read the history first"):
        wire.run(settings, once=True, stop=threading.Event(), progress=runner.silent)


def test_a_history_for_a_database_is_told_where_no_replay_can_fill_it(place, rows, home, write, capsys):
    write(place / "stories.jsonl", old_news(rows[:50]))
    settings = read_config(place / "monitor.toml").model_copy(update={"store": f"sqlite:///{place / 'own.db'}"})
    found = wire.run(settings, once=True, stop=threading.Event(), progress=runner.silent)
    assert found["documents"] == 50
    assert "warning: 50 of 50 rows in" in capsys.readouterr().err


def test_a_feed_with_some_old_news_is_one_of_the_present(place, rows, home, write):
    now = datetime.now(UTC)
    fresh = [{"title": f"ferry {n}", "time": (now - timedelta(hours=n)).isoformat()} for n in range(20)]
    write(place / "stories.jsonl", [*old_news(rows[:20]), *fresh])
    found = wire.run(read_config(place / "monitor.toml"), once=True, stop=threading.Event(), progress=runner.silent)
    assert found["documents"] == 40


def test_one_look_at_a_source_with_few_stories_among_broken_lines_is_fine(place, rows, home):
    lines = [json.dumps(row) for row in rows[:2]] + ["broken"] * 5
    (place / "stories.jsonl").write_text("\n".join(lines) + "\n")
    settings = read_config(place / "monitor.toml")
    for _ in range(2):
        found = wire.run(settings, once=True, stop=threading.Event(), progress=runner.silent)
        assert found["documents"] == 2


def test_a_writer_that_pauses_in_mid_line_loses_nothing(place, rows, write):
    made = wire.setup(read_config(place / "monitor.toml"), wire.open_monitor_store("sqlite://"), {})
    monitor, path = restore(made, NOW), place / "stories.jsonl"
    line = json.dumps(rows[1])
    write(path, rows[:1])
    with path.open("a") as file:
        file.write(line[:30])
    assert [runner.poll(monitor, [path], NOW).documents for _ in range(3)] == [1, 0, 0]
    with path.open("a") as file:
        file.write(line[30:] + "\n")
    found = runner.poll(monitor, [path], NOW)
    assert (found.documents, found.broken) == (1, 0)
    with path.open("a") as file:
        file.write(json.dumps(rows[2]))
    assert runner.poll(monitor, [path], NOW).documents == 0
    assert runner.poll(monitor, [path], NOW, once=True).documents == 1


@pytest.mark.parametrize(
    ("name", "bad", "good"),
    [("s.csv", "headline,time\na,b\n", "title,time\na,2026-05-31\n"), ("s.jsonl", None, '{"title": "a"}\n')],
)
def test_one_bad_source_does_not_stop_the_others(place, home, name, bad, good):
    """The bad one comes first; it is told as its own problem, and read once it is mended."""
    path = place / name
    if bad is not None:
        path.write_text(bad)
    files = [path, place / "stories.jsonl"]
    monitor = restore(wire.setup(read_config(place / "monitor.toml"), wire.open_monitor_store("sqlite://"), {}), NOW)
    found = runner.poll(monitor, files, NOW)
    assert found.documents > 1000
    assert name in found.problems[0]
    with monitor.setup.engine.begin() as connection:
        usable, broken, problem = store.source_counts(connection, str(path))
    assert (usable, broken) == (0, 0)
    assert str(path) in problem
    path.write_text(good)
    assert runner.poll(monitor, files, NOW).documents == 1


def test_one_look_tells_of_a_bad_source_after_it_took_in_the_others(place, home):
    other = '[[sources]]\nkind = "file"\npath = "none.csv"\n'
    text_before = (place / "monitor.toml").read_text()
    (place / "monitor.toml").write_text(text_before.replace("[[sources]]", f"{other}[[sources]]"))
    settings = read_config(place / "monitor.toml")
    with pytest.raises(InputError, match=r"nothing at .*none\.csv"):
        wire.run(settings, once=True, stop=threading.Event(), progress=runner.silent)
    states = [json.loads(line)["state"] for line in (place / "alerts.jsonl").read_text().splitlines()]
    assert states == ["firing", "resolved"]


def test_every_source_has_its_own_pause(place):
    (place / "monitor.toml").write_text(
        (place / "monitor.toml").read_text() + '[[sources]]\nkind = "file"\npath = "slow.csv"\nevery = "1h"\n'
    )
    often, seldom = place / "stories.jsonl", place / "slow.csv"
    pauses = wire.source_files(read_config(place / "monitor.toml"))
    assert pauses == {often: 60, seldom: 3600}
    schedule = runner.Schedule(pauses)
    assert schedule.take(1000.0) == [often, seldom]
    assert schedule.wait(1020.0) == 40.0
    assert schedule.take(1060.0) == [often]
    assert schedule.take(9000.0) == [often, seldom]  # late: once, not once per pause missed
    assert schedule.take(9059.0) == []
    assert schedule.wait(9070.0) == 0.0


def test_another_bucket_needs_another_store(place, home):
    settings = read_config(place / "monitor.toml")
    wire.run(settings, once=True, stop=threading.Event(), progress=runner.silent)
    with pytest.raises(ConfigError, match="bucket"):
        wire.run(
            settings.model_copy(update={"bucket": 1800}), once=True, stop=threading.Event(), progress=runner.silent
        )


def test_other_topics_keep_what_was_learned(place, home):
    settings = read_config(place / "monitor.toml")
    wire.run(settings, once=True, stop=threading.Event(), progress=runner.silent)
    before = restore(wire.setup(settings, wire.open_monitor_store(wire.store_place(settings)), {}), NOW).memory
    new = config.Topic(name="rail", keywords=("rail",))
    other = settings.model_copy(update={"topics": (settings.topics[2], new, settings.topics[0])})
    after = restore(wire.setup(other, wire.open_monitor_store(wire.store_place(other)), {}), NOW).memory
    assert after.detector.topics == ("tea", "rail", "ferries")
    old, now = before.detector.baseline, after.detector.baseline
    assert now.negative_mass.tolist() == [old.negative_mass[2], 0.0, old.negative_mass[0]]
    assert [topic.sequence for topic in after.alerts.topics] == [0, 0, before.alerts.topics[0].sequence]
    counts = np.array([2.0, 5.0, 2.0])
    last = before.detector.last
    moved, verdict, _ = engine.observe(after, last + 1, 0, counts, counts, settings.detector(), config.ALERTS)
    assert verdict.learning.tolist() == [False, True, False]
    assert snapshot.load(snapshot.dump(moved)).detector.topics == after.detector.topics


@pytest.mark.parametrize(
    ("change", "note"),
    [
        (lambda made: replace(made, topics=("banks", "tea")), "topic no longer watched"),
        (lambda made: replace(made, topics=("tea", "rail", "banks"), model="another"), "topic no longer watched"),
        (lambda made: replace(made, model="another"), "the model changed"),
    ],
    ids=["topics", "both", "model"],
)
def test_an_open_incident_ends_when_its_topic_or_its_model_goes(place, rows, write, change, note):
    fired = replayed(place)[0][0]
    write(place / "stories.jsonl", [row for row in rows if str(row["first_seen"]) <= fired["time"]])
    store_at = wire.open_monitor_store("sqlite://")
    made = wire.setup(read_config(place / "monitor.toml"), store_at, {"s": False})
    runner.poll(restore(made, NOW), [place / "stories.jsonl"], NOW, once=True)
    for _ in range(2):  # a second start tells nothing more
        restore(change(made), NOW)
        with store_at.begin() as connection:
            lines = [message.payload for message in outbox.pending(connection)]
            states = connection.execute(text("SELECT topic, state FROM incidents")).all()
        assert [line["state"] for line in lines] == ["firing", "resolved"]
        assert states == [("ferries", "resolved")]
        assert lines[1]["note"] == note
        same = ("incident", "topic", "signal", "observed", "expected", "low", "high", "evidence", "sources", "copies")
        assert {name: lines[0][name] for name in same} == {name: lines[1][name] for name in same}
        assert lines[1]["weeks_between_false_alarms"] == lines[0]["weeks_between_false_alarms"]


def test_another_model_learns_what_is_usual_anew(place, home):
    settings = read_config(place / "monitor.toml")
    wire.run(settings, once=True, stop=threading.Event(), progress=runner.silent)
    made = wire.setup(settings, wire.open_monitor_store(wire.store_place(settings)), {})
    before = restore(made, NOW).memory.detector
    memory = restore(replace(made, model="another"), NOW).memory
    volume = before.baseline.volume_mass / before.baseline.exposure
    assert memory.detector.baseline.volume_mass / memory.detector.baseline.exposure == pytest.approx(volume)
    rng = np.random.default_rng(0)
    for t in range(before.last + 1, before.last + 8 * 24):  # now most stories are negative
        counts = rng.poisson(1.2, 3).astype(float)
        slot = t % 168
        bad = rng.binomial(counts.astype(int), 0.6).astype(float)
        memory, verdict, happened = engine.observe(memory, t, slot, counts, bad, made.detector, made.rules)
        assert not happened
    assert not verdict.learning.any()
    assert verdict.mean == pytest.approx(0.72, rel=0.5)


def test_alerts_that_could_not_be_sent_follow_a_sink_to_its_new_path(place, home, capsys):
    lines, _, _ = replayed(place)
    (place / "alerts.jsonl").mkdir()  # nothing can be written there
    wire.run(read_config(place / "monitor.toml"), once=True, stop=threading.Event(), progress=runner.silent)
    assert "will try again" in capsys.readouterr().err
    (place / "monitor.toml").write_text((place / "monitor.toml").read_text().replace("alerts.jsonl", "new.jsonl"))
    for told in (True, False):
        wire.run(read_config(place / "monitor.toml"), once=True, stop=threading.Event(), progress=runner.silent)
        assert ("(jsonl:alerts.jsonl): 2, handed over to jsonl:new.jsonl" in capsys.readouterr().err) is told
        assert [json.loads(line) for line in (place / "new.jsonl").read_text().splitlines()] == lines


def test_a_run_that_goes_on_from_a_replay_sends_none_of_its_alerts(place, home):
    command = ["replay", "--config", str(place / "monitor.toml"), "--input", str(place / "stories.jsonl"),
               "--alerts", str(place / "a.jsonl"), "--store", str(place / "monitor")]  # fmt: skip
    assert CliRunner().invoke(app, command).exit_code == 0
    with wire.open_monitor_store(place / "monitor").begin() as connection:
        assert outbox.pending(connection) == []
    wire.run(read_config(place / "monitor.toml"), once=True, stop=threading.Event(), progress=runner.silent)
    assert len((place / "a.jsonl").read_text().splitlines()) == 2
    assert not (place / "alerts.jsonl").exists()


class Second(threading.Event):
    """A run that waits for its next look meets another run."""

    def __init__(self, settings):
        super().__init__()
        self.settings = settings

    def wait(self, timeout=None):
        with pytest.raises(RefusedError, match="to be free; found another fieldtune process writing to it"):
            wire.run(self.settings, once=True, stop=threading.Event(), progress=runner.silent)
        return True


@pytest.mark.parametrize("kind", ["folder", "link", "url"])
def test_one_process_per_store_however_it_is_named(place, home, kind):
    (place / "elsewhere").symlink_to(place / "monitor")
    url = f"sqlite:///{place / 'own.db'}"
    one, other = {"folder": ("", ""), "link": ("", "elsewhere"), "url": (url, f"{url}?timeout=9")}[kind]
    (place / "other").mkdir()
    for name in ("stories.jsonl", "monitor.toml"):
        (place / "other" / name).write_bytes((place / name).read_bytes())
    first = read_config(place / "monitor.toml").model_copy(update={"store": one})
    folder = place / "other" if kind == "url" else place
    second = read_config(folder / "monitor.toml").model_copy(update={"store": other})
    wire.run(first, once=False, stop=Second(second), progress=runner.silent)
    wire.run(second, once=True, stop=threading.Event(), progress=runner.silent)


def test_alerts_for_stdout_do_not_mix_with_the_json_object(place, home):
    settings = (place / "monitor.toml").read_text().replace('kind = "jsonl"\npath = "alerts.jsonl"', 'kind = "stdout"')
    (place / "monitor.toml").write_text(settings)
    found = run("-m", "fieldtune_monitor", "run", "--config", place / "monitor.toml", "--once", "--json")
    assert found.json["documents"] > 0
    alerts = [json.loads(line) for line in found.err.splitlines() if line.startswith("{")]
    assert [line["state"] for line in alerts] == ["firing", "resolved"]


def test_a_stopped_run_ends_by_itself(place, home):
    ours, its = os.pipe()
    process = begin("-m", "fieldtune_monitor", "run", "--config", place / "monitor.toml", "--json", out=its)
    os.close(its)
    store_file = place / "monitor" / "fieldtune.db"
    until = time.monotonic() + 20
    while not store_file.exists() and time.monotonic() < until:
        os.sched_yield()
    process.terminate()
    with os.fdopen(ours) as said:
        assert json.loads(said.read())["documents"] > 0
    process.join(30)
    assert process.exitcode == 0
