"""`detect`, `backtest` and the configuration, through the command line where it is the contract."""

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from typer.testing import CliRunner

from fieldtune.errors import ConfigError, InputError
from fieldtune_monitor import backtest, counts, history, runner, scoring
from fieldtune_monitor.commands import app
from fieldtune_monitor.config import ALERTS, detector_settings, read_config, seconds

START = datetime(2026, 1, 5, tzinfo=UTC)


def table(weeks=4, topics=("a", "b"), rate=3.0, seed=0, surge=None):
    rng = np.random.default_rng(seed)
    rows = []
    for hour in range(weeks * 168):
        for topic in topics:
            n = rng.poisson(rate)
            x = rng.binomial(n, 0.2)
            extra = rng.poisson(5) if surge and topic == topics[0] and 0 <= hour - surge < 12 else 0
            time = (START + timedelta(hours=hour)).isoformat()
            rows.append((time, topic, n + extra, x + extra))
    return pd.DataFrame(rows, columns=["time", "topic", "documents", "negative"])


def detect(folder, frame, *options):
    frame.to_csv(folder / "counts.csv", index=False)
    command = [
        "detect",
        "--counts",
        str(folder / "counts.csv"),
        "--alerts",
        str(folder / "out.jsonl"),
        "--json",
        *options,
    ]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.output
    lines = [json.loads(line) for line in (folder / "out.jsonl").read_text().splitlines()]
    return json.loads(result.stdout), lines


def test_a_surge_in_a_table_of_counts_is_one_incident_dated_like_its_rows(tmp_path):
    surge = 3 * 168 + 10
    summary, lines = detect(tmp_path, table(surge=surge), "--budget", "0.8")
    assert [(line["topic"], line["state"]) for line in lines] == [("a", "firing"), ("a", "resolved")]
    fired = datetime.fromisoformat(lines[0]["time"])
    assert START + timedelta(hours=surge) <= fired <= START + timedelta(hours=surge + 5)
    assert summary["signals"] == 2
    assert summary["bucket_seconds"] == 3600
    assert summary["weeks_between_false_alarms_per_signal"] == pytest.approx(5.0)


def test_missing_zero_rows_change_nothing(tmp_path):
    whole = table(rate=0.8, surge=3 * 168 + 10)
    _, one = detect(tmp_path, whole)
    sparse = whole[(whole["documents"] > 0) | (whole.index % 2 == 0)]
    _, other = detect(tmp_path, sparse.sample(frac=1, random_state=0))
    assert one == other


def test_hours_missing_for_all_topics_are_no_data_not_zero():
    frame = table(rate=5.0, topics=("a",))
    gap = frame[~frame.index.isin(range(400, 430))]
    times = [int(datetime.fromisoformat(time).timestamp()) for time in gap["time"]]
    grid = counts.grid(
        times, gap["topic"].tolist(), gap["documents"].to_numpy(float), gap["negative"].to_numpy(float), gap.index
    )
    assert len(grid.times) == len(frame) - 30
    assert not counts.detect(grid, detector_settings(3600, 0.1), ALERTS)


def test_without_negatives_the_documents_are_counted(tmp_path):
    frame = table(surge=3 * 168 + 10).drop(columns="negative")
    summary, lines = detect(tmp_path, frame)
    assert summary["signals"] == 1
    assert lines[0]["topic"] == "a"
    assert lines[0]["signal"] == "count"


def test_a_second_detection_is_the_same_byte_for_byte(tmp_path):
    frame = table(surge=3 * 168 + 10)
    detect(tmp_path, frame)
    first = (tmp_path / "out.jsonl").read_bytes()
    detect(tmp_path, frame)
    assert (tmp_path / "out.jsonl").read_bytes() == first


@pytest.mark.parametrize(
    ("frame", "words"),
    [
        (pd.DataFrame({"time": ["x"], "topic": ["a"], "documents": [1]}), "ISO 8601"),
        (pd.DataFrame({"time": ["2026-01-01"], "documents": [1]}), "topic"),
        (pd.DataFrame({"time": ["2026-01-01"] * 2, "topic": ["a", "b"], "documents": [1, 2]}), "two different times"),
        (pd.DataFrame({"time": ["2026-01-01", "2026-01-02"], "topic": ["a", "b"], "documents": [1, -2]}), "row 3: -2"),
        (
            pd.DataFrame({"time": ["2026-01-01", "2026-01-02"], "topic": ["a", "b"], "documents": ["1", "many"]}),
            "numbers",
        ),
        (
            pd.DataFrame({"time": ["2026-01-01", "2026-01-02"], "topic": "a", "documents": [3, 3], "negative": [3, 4]}),
            "4 of 3 in row 3",
        ),
    ],
)
def test_bad_tables_are_one_clear_error(tmp_path, frame, words):
    frame.to_csv(tmp_path / "counts.csv", index=False)
    with pytest.raises(InputError, match=words):
        CliRunner().invoke(app, ["detect", "--counts", str(tmp_path / "counts.csv"), "--alerts", str(tmp_path / "o")],
                           catch_exceptions=False)  # fmt: skip
    assert not (tmp_path / "o").exists()


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (["--zone", "-1"], 2, "--zone"),
        (["--zone", "nan"], 2, "--zone"),
        (["--zone", "2.5"], 1, "--zone from 1.0 to below 2.5; found 2.5"),
        (["--budget", "nan"], 2, "--budget"),
        (["--budget", "inf"], 1, "finite --budget"),
        (["--budget", "-1"], 2, "--budget"),
    ],
)
def test_options_that_cannot_be_are_refused(tmp_path, cli, options, code, words):
    table().to_csv(tmp_path / "counts.csv", index=False)
    ran = cli("monitor", "detect", "--counts", tmp_path / "counts.csv", "--alerts", tmp_path / "o", *options)
    assert ran.code == code
    assert words in ran.err
    assert not (tmp_path / "o").exists()


def test_outputs_that_cannot_be_are_refused_before_the_work(tmp_path, cli):
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "m.toml").write_text(CONFIGURATION)
    # Nothing else named here, or in the configuration, exists: whoever looked at it first would name that instead.
    for command in (
        ("detect", "--counts", "nowhere.csv", "--alerts"),
        ("replay", "--config", str(tmp_path / "m.toml"), "--input", "nowhere.jsonl", "--alerts"),
        ("score", "--model", "nowhere", "--data", "nowhere.csv", "--out"),
    ):
        ran = cli("monitor", *command, tmp_path / "folder.csv")
        assert ran.code == 1
        assert f"found the folder {tmp_path / 'folder.csv'}" in ran.err
    ran = cli("monitor", "backtest", "--alerts", "nowhere", "--events", "nowhere", "--placebo", "1")
    assert "--config and --input for a placebo" in ran.err
    ran = cli("monitor", "replay", "--config", "c", "--input", "i", "--alerts", "a", "--store", "postgresql://u@h/db")
    assert (ran.code, "expected a folder; found a URL, postgresql://..." in ran.err) == (1, True)


def test_lines_that_cannot_be_written_leave_nothing(tmp_path):
    with pytest.raises(TypeError):
        history.write_lines(tmp_path / "a.jsonl", [{"time": 1}, {"time": object()}])
    assert not list(tmp_path.iterdir())


def test_a_negative_number_of_placebos_is_refused(tmp_path, cli):
    ran = cli("monitor", "backtest", "--alerts", tmp_path / "a", "--events", tmp_path / "e", "--placebo", "-1")
    assert ran.code == 2
    assert "--placebo" in ran.err


def test_match_tells_found_from_outside():
    events = [backtest.Event("a", 1000, 2000), backtest.Event("b", 5000, 6000)]
    alerts = [
        backtest.Alert("a", 1500), backtest.Alert("a", 900, 950), backtest.Alert("c", 1500),
        backtest.Alert("b", 4000, 5500), backtest.Alert("a", 2500),
    ]  # fmt: skip
    outcomes, outside = backtest.match(alerts, events, early=0, late=100)
    assert [outcome.delay for outcome in outcomes] == [500, 0]
    assert outside == [alerts[1], alerts[2], alerts[4]]


def test_an_alert_that_never_closed_is_open_when_an_event_starts():
    event, still, later = backtest.Event("a", 1000, 2000), backtest.Alert("a", 900), backtest.Alert("a", 2500)
    outcomes, outside = backtest.match([still, later], [event], early=0, late=100)
    assert ([outcome.delay for outcome in outcomes], outside) == ([0], [later])


def test_intervals_agree_with_scipy():
    low, high = backtest.wilson(7, 10)
    want = stats.binomtest(7, 10).proportion_ci(method="wilson")
    assert (low, high) == (pytest.approx(want.low, abs=1e-3), pytest.approx(want.high, abs=1e-3))
    assert backtest.poisson_interval(4) == (
        pytest.approx(stats.chi2.ppf(0.025, 8) / 2),
        pytest.approx(stats.chi2.ppf(0.975, 10) / 2),
    )
    assert backtest.poisson_interval(0)[0] == 0.0


def test_the_placebo_keeps_weekdays_and_loses_no_day():
    days = [date(2026, 1, 1) + timedelta(days=n) for n in range(60)]
    moved = backtest.placebo_days(days, np.random.default_rng(0))
    assert sorted(moved.values()) == days
    assert all(day.weekday() == to.weekday() for day, to in moved.items())
    assert any(day != to for day, to in moved.items())


def test_alerts_outside_are_told_on_the_scale_of_the_budget_and_per_topic():
    week = 7 * 86400.0
    alerts = [backtest.Alert(topic, hour * 3600) for topic, hour in (("a", 1), ("a", 400), ("b", 600))]
    figures = backtest.rates(alerts, [], topics=4, span=6 * week, early=0, late=0)
    assert figures["alerts_outside_events"] == 3
    assert figures["alerts_outside_per_week"] == pytest.approx(0.5)
    assert figures["alerts_outside_per_topic_week"] == pytest.approx(0.125)
    assert figures["outside_low"] == pytest.approx(stats.chi2.ppf(0.025, 6) / 2 / 24)
    assert figures["outside_high"] == pytest.approx(stats.chi2.ppf(0.975, 8) / 2 / 24)


def test_backtest_on_files(tmp_path):
    _, _ = detect(tmp_path, table(surge=3 * 168 + 10))
    start = (START + timedelta(hours=3 * 168 + 9)).isoformat()
    (tmp_path / "events.csv").write_text(f"topic,time\na,{start}\nb,{start}\n")
    result = CliRunner().invoke(
        app, ["backtest", "--alerts", str(tmp_path / "out.jsonl"), "--events", str(tmp_path / "events.csv"), "--json"]
    )
    figures = json.loads(result.stdout)
    assert (figures["events"], figures["found"], figures["alerts_outside_events"]) == (2, 1, 0)


def test_events_that_a_backtest_leaves_out_are_counted_with_the_reason(tmp_path, capsys):
    (tmp_path / "a.jsonl").write_text("")
    times = ("2026-01-05", "2026-02-05")
    (tmp_path / "n.csv").write_text("title,time\n" + "".join(f"a {day},2026-01-{day:02}\n" for day in range(2, 30)))
    events = [("a", times[0]), ("a", times[1]), ("b", times[0]), ("c", times[1]), ("b", times[1])]
    (tmp_path / "events.csv").write_text("topic,time\n" + "".join(f"{topic},{time}\n" for topic, time in events))
    (tmp_path / "monitor.toml").write_text(f'warmup = "1d"\n{CONFIGURATION}')
    files = [tmp_path / name for name in ("a.jsonl", "events.csv", "monitor.toml")]
    figures = scoring.backtest_files(*files, tmp_path / "n.csv", 0, datetime(2026, 6, 1, tzinfo=UTC), runner.silent)
    assert figures["events"] == 1
    told = capsys.readouterr().err.splitlines()
    assert told[0] == "note: 3 events left out, of topics that are not watched: b, c"
    assert told[1].startswith(
        "note: 1 events left out, outside the time that was watched, 2026-01-03T00:00:00Z to 2026-01-29"
    )
    assert len(told) == 2
    scoring.backtest_files(*files[:2], None, None, 0, datetime(2026, 6, 1, tzinfo=UTC), runner.silent)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(("bucket", "hours"), [("1h", 0.0), ("1d", 24.0)])
def test_the_delay_of_an_alert_lasts_until_its_bucket_is_over(tmp_path, bucket, hours):
    """A daily alert is dated by its day, which nobody can judge before it ends."""
    alert = {"incident": "i", "topic": "a", "state": "firing", "time": "2026-01-05T00:00:00Z"}
    (tmp_path / "a.jsonl").write_text(json.dumps(alert) + "\n")
    (tmp_path / "events.csv").write_text("topic,time\na,2026-01-05\n")
    (tmp_path / "monitor.toml").write_text(f'bucket = "{bucket}"\n{CONFIGURATION}')
    files = (tmp_path / name for name in ("a.jsonl", "events.csv", "monitor.toml"))
    figures = scoring.backtest_files(*files, None, 0, datetime(2026, 6, 1, tzinfo=UTC), runner.silent)
    assert (figures["found"], figures["median_delay_hours"]) == (1, hours)


@pytest.mark.parametrize(
    ("name", "content", "row"),
    [
        ("e.csv", "topic,time\na,2026-01-05\na,soon\n", 3),
        ("e.csv", "topic,time\n,\n\na,2026-01-05\na,soon\n", 5),
        ("e.jsonl", '{"topic": "a", "time": "2026-01-05"}\n{"topic": "a", "time": "soon"}\n', 2),
    ],
)
def test_an_unusable_event_is_named_by_the_row_that_the_file_shows(tmp_path, name, content, row):
    (tmp_path / name).write_text(content)
    with pytest.raises(InputError, match=f"'soon', '' in row {row} of"):
        history.read_events(tmp_path / name)


def test_an_alerts_file_of_someone_else_is_refused(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"x": 1}\n')
    with pytest.raises(InputError, match="line 1"):
        history.read_alerts(tmp_path / "a.jsonl")


def test_a_line_separator_in_a_title_does_not_cut_an_alert(tmp_path):
    alert = {"incident": "i", "topic": "a", "state": "firing", "time": "2026-01-05T00:00:00Z", "title": "up\u2028down"}
    (tmp_path / "a.jsonl").write_text(json.dumps(alert, ensure_ascii=False) + "\n", encoding="utf-8")
    assert [found.topic for found in history.read_alerts(tmp_path / "a.jsonl")] == ["a"]


CONFIGURATION = '[[topics]]\nname = "a"\nkeywords = ["a"]\n'


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("bugdet = 1\n" + CONFIGURATION, "did you mean 'budget'"),
        (CONFIGURATION + 'keyword = ["b"]\n', "did you mean 'keywords'"),
        ("budget = 0\n" + CONFIGURATION, "budget"),
        ("budget = inf\n" + CONFIGURATION, "budget"),
        ("zone = nan\n" + CONFIGURATION, "zone"),
        ("bucket = inf\n" + CONFIGURATION, "duration"),
        ('bucket = "7m"\n' + CONFIGURATION, "divides the day"),
        ('bucket = "soon"\n' + CONFIGURATION, "duration"),
        ('timezone = "Mars/Base"\n' + CONFIGURATION, "time zone"),
        (CONFIGURATION + CONFIGURATION, "there twice"),
        ("budget = 1\n", "topics"),
        ("budget = = 1\n", "TOML"),
        ('folder = "/tmp"\n' + CONFIGURATION, "known keys in m.toml; found 'folder'"),
        (CONFIGURATION + '[[sources]]\nkind = "rss"\nurl = "http://x"\n', r"kind file \(others come .*sources.0.kind"),
        (CONFIGURATION + '[[sinks]]\nkind = "webhook"\n', r"kind jsonl or file or stdout \(others .*sinks.0.kind"),
        (CONFIGURATION + '[[sources]]\nkind = "file"\npath = "x"\nurl = "y"\n', "use one of every, kind, path"),
        ("budget = -1\n" + CONFIGURATION, r"^expected a number above 0 at 'budget' of m\.toml; found -1;"),
        ("zone = 3\n" + CONFIGURATION, r"^expected a number below 2\.5 at 'zone'"),
        (
            '[[topics]]\nnam = "a"\n',
            r"^expected the key 'name' in 'topics\.0' of m\.toml; found 'nam'; fix: rename 'nam'",
        ),
        ("[[topics]]\n", "^expected the key 'name' .* found an empty table; fix: add it"),
        ("model = 3\n" + CONFIGURATION, "^expected a text at 'model' .* found 3;"),
        ("topics = []\n", "^expected at least one entry at 'topics' .* found an empty list;"),
    ],
)
def test_a_wrong_configuration_names_the_key(tmp_path, text, words):
    (tmp_path / "m.toml").write_text(text)
    with pytest.raises(ConfigError, match=words):
        read_config(tmp_path / "m.toml")


def test_paths_are_relative_to_the_folder_of_the_file(tmp_path):
    (tmp_path / "m.toml").write_text(CONFIGURATION)
    config = read_config(tmp_path / "m.toml")
    assert config.place("stories.csv") == tmp_path / "stories.csv"
    assert config.model_copy(update={"budget": 2.0}).place("/else/where") == Path("/else/where")


@pytest.mark.parametrize("sink", ["news.jsonl", "./news.jsonl", "x/../news.jsonl", "link.jsonl", "{here}/news.jsonl"])
def test_a_sink_is_no_source_however_it_is_written(tmp_path, sink):
    (tmp_path / "link.jsonl").symlink_to("news.jsonl")
    tables = '[[sources]]\nkind = "file"\npath = "news.jsonl"\n[[sinks]]\nkind = "jsonl"\npath = '
    (tmp_path / "m.toml").write_text(f'{CONFIGURATION}{tables}"{sink.format(here=tmp_path)}"\n')
    with pytest.raises(ConfigError, match=r"a sink that is no source; found .*which is the source 'news.jsonl'"):
        read_config(tmp_path / "m.toml")
    (tmp_path / "m.toml").write_text(f'{CONFIGURATION}{tables}"other.jsonl"\n[[sinks]]\nkind = "stdout"\n')
    assert len(read_config(tmp_path / "m.toml").sinks) == 2


def test_durations():
    assert [seconds(text) for text in ("15m", "1h", "1 d", "56d", 90)] == [900, 3600, 86_400, 56 * 86_400, 90]


def test_planned_commands_say_which_release_brings_them():
    result = CliRunner().invoke(app, ["--help"])
    for name in ("train", "score", "run", "replay", "detect", "backtest", "ui", "test-fire", "silence", "ack", "serve"):
        assert name in result.output
    assert CliRunner().invoke(app, ["silence", "tea", "--for", "2h"]).exit_code == 1
