"""The page on a real store: it draws, in both languages, and what is clicked becomes feedback."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from random import Random
from zoneinfo import ZoneInfo

import pytest
from markdown_it import MarkdownIt

from fieldtune import feedback, registry
from fieldtune.ui.plain import plain
from fieldtune_monitor import history, views, wire
from fieldtune_monitor.config import read_config
from fieldtune_monitor.wording_ui import problem

pytest.importorskip("streamlit")
from streamlit.testing.v1 import AppTest

PAGE = Path(wire.__file__).with_name("ui.py")


@pytest.fixture
def page(place, home, monkeypatch):
    """The page over a replayed store."""
    return opened(place, monkeypatch)


def opened(place, monkeypatch):
    """Replay the stories of a folder into its store, and open the page on it."""
    settings = read_config(place / "monitor.toml")
    with wire.replay_store(place / "monitor") as engine:
        made = wire.setup(settings, engine, {"r": False})
        history.replay(made, place / "stories.jsonl", datetime(2026, 6, 1, tzinfo=UTC))
    monkeypatch.setenv("FIELDTUNE_MONITOR_CONFIG", str(place / "monitor.toml"))
    monkeypatch.setenv("FIELDTUNE_MONITOR_STORE", "")
    return AppTest.from_file(str(PAGE), default_timeout=300)


def said():
    with registry.open_home().begin() as connection:
        return {row.kind: row for row in feedback.rows(connection, "monitor")}


def test_it_shows_the_alert_and_keeps_what_is_said(page):
    page.run()
    assert not page.exception
    assert page.title[0].value == "Opinion monitor"
    assert "ferries" in page.expander[0].label
    assert any("by chance, over all topics, about once in" in caption.value for caption in page.caption)
    page.button[1].click().run()
    assert set(said()) == {"dismissed"}
    page.button[0].click().run()
    assert set(said()) == {"confirmed"}
    assert "Confirmed." in {caption.value for caption in page.caption}
    page.selectbox[1].select("neutral").run()
    assert not page.exception
    assert said()["tone"].payload["sentiment"] == "neutral"


def test_a_topic_is_described_in_plain_text(place, home, monkeypatch):
    text = (place / "monitor.toml").read_text()
    (place / "monitor.toml").write_text(
        text.replace('name = "ferries"', 'name = "ferries"\ndescription = "Ships *only*"')
    )
    page = opened(place, monkeypatch).run()
    assert not page.exception
    assert [c.value for c in page.caption if "Ships" in c.value] == [plain("Ships *only*")]


def test_stories_of_two_sources_with_one_id_are_two(place, rows, home, monkeypatch, write):
    write(place / "stories.jsonl", [{**row, "id": f"r{int(str(row['id'])[1:]) // 5}"} for row in rows])
    page = opened(place, monkeypatch).run()
    assert not page.exception
    (alert, *_) = views.incidents(wire.open_monitor_store(place / "monitor"))
    assert len(set(alert["line"]["evidence"])) < len(alert["line"]["evidence"])
    assert len({story["identity"] for story in alert["stories"]}) == len(alert["line"]["evidence"])
    same = [story for story in alert["stories"] if alert["line"]["evidence"].count(story["id"]) > 1][:2]
    for story, tone in zip(same, ("neutral", "positive"), strict=True):
        views.correct_tone(story, tone, "reader", "", datetime(2026, 6, 1, tzinfo=UTC))
    with registry.open_home().begin() as connection:
        kept = {row.payload["title"]: row.payload["sentiment"] for row in feedback.rows(connection, "monitor")}
    assert kept == {same[0]["title"]: "neutral", same[1]["title"]: "positive"}


def test_headlines_are_never_mark_up(place, rows, home, monkeypatch, write):
    picture = "![x](http://t/x.png)"
    evil = [
        {**row, "title": f"{row['title']} {picture}", "source": picture, "url": f"{row['url']}) {picture}"}
        for row in rows
    ]
    write(place / "stories.jsonl", evil)
    page = opened(place, monkeypatch).run()
    assert not page.exception
    shown = [MarkdownIt().render(element.value) for element in page.markdown]
    assert any("x.png" in text for text in shown)
    assert not any("<img" in text for text in shown)


def test_what_a_story_lacks_leaves_no_mark(place, rows, home, monkeypatch, write):
    write(place / "stories.jsonl", [{**row, "source": ""} for row in rows])
    page = opened(place, monkeypatch).run()
    below = [element.value.partition(":gray[")[2] for element in page.markdown if ":gray[" in element.value]
    assert below
    assert all(text.startswith("probability of negative") for text in below)
    assert any("· sources: 1 ·" in caption.value for caption in page.caption)


@pytest.mark.parametrize("zone", ["Asia/Shanghai", "America/New_York", "Africa/Cairo", "UTC"])
def test_a_daily_bucket_is_drawn_on_its_own_day(zone, place, rows, home, monkeypatch, write):
    """New York and Cairo change their clocks within these days, Cairo at midnight."""
    local, days = ZoneInfo(zone), [date(2026, 3, 1) + timedelta(days=n) for n in range(65)]
    noon = [datetime(day.year, day.month, day.day, 12, tzinfo=local).astimezone(UTC).isoformat() for day in days]
    stories = [
        {
            **row,
            "time": moment,
            "first_seen": moment,
            "title": f"ferry {''.join(Random(n).choices('abcdefghij', k=50))}",
        }
        for n, (row, moment) in enumerate(zip(rows, noon, strict=False))
    ]
    write(place / "stories.jsonl", stories)
    text = (place / "monitor.toml").read_text().replace('"1h"', '"1d"').replace('"UTC"', f'"{zone}"')
    (place / "monitor.toml").write_text(text)
    page = opened(place, monkeypatch).run()
    assert not page.exception
    table = views.trend(wire.open_monitor_store(place / "monitor"), "ferries", 200, 24, local, 86_400)
    assert [moment.date() for moment in table["time"].dt.tz_convert(local)] == days
    assert table["documents"].tolist() == [1] * len(days)
    table = views.trend(wire.open_monitor_store(place / "monitor"), "ferries", 200, 6, local, 86_400)
    assert [moment.date() for moment in table["time"].dt.tz_convert(local)] == days


def test_steps_of_a_trend_are_whole_and_without_gaps(place, rows, home, write):
    """From 07:00 of the first day to 20:00 of the last; the source is silent for some days."""
    kept = [
        row for row in rows
        if "2026-01-05T07" <= str(row["first_seen"]) < "2026-01-28T20" and not "2026-01-16" < str(row["first_seen"]) < "2026-01-20"
    ]  # fmt: skip
    write(place / "stories.jsonl", kept)
    made = wire.setup(read_config(place / "monitor.toml"), wire.open_monitor_store("sqlite://"), {"r": False})
    history.replay(made, place / "stories.jsonl", datetime(2026, 6, 1, tzinfo=UTC))
    table = views.trend(made.engine, "banks", 200, 24)
    assert [moment.date() for moment in table["time"]] == [date(2026, 1, 6) + timedelta(days=n) for n in range(23)]
    assert table["whole"].tolist() == [True] * 22 + [False]
    silent = table[table["time"].between("2026-01-17", "2026-01-19")]
    assert silent[["negatives", "documents", "copies"]].to_numpy().sum() == 0
    assert not table.isna().any(axis=None)
    per_day = [str(row["first_seen"])[:10] for row in kept if str(row["title"]).startswith("bank")]
    assert table["documents"].tolist() == [per_day.count(f"{moment:%Y-%m-%d}") for moment in table["time"]]


def test_who_judged_an_alert_is_named_to_everybody(page):
    page.run()
    page.text_input[0].set_value("Wei *Lin*").run()
    page.button[1].click().run()
    page.text_input[0].set_value("Ana").run()
    assert f"Dismissed by {plain('Wei *Lin*')}." in {caption.value for caption in page.caption}
    page.radio[0].set_value("zh").run()
    assert page.text_input[0].value == "Ana"
    assert f"{plain('Wei *Lin*')} 已忽略。" in {caption.value for caption in page.caption}


def test_times_are_those_of_the_configured_zone(place, home, monkeypatch):
    text = (place / "monitor.toml").read_text()
    (place / "monitor.toml").write_text(text.replace('"UTC"', '"Asia/Shanghai"'))
    page = opened(place, monkeypatch).run()
    (alert, *_) = views.incidents(wire.open_monitor_store(place / "monitor"))
    hours = (datetime.fromisoformat(alert["opened"]) + timedelta(hours=8)).strftime("%Y-%m-%d %H:%M")
    assert hours in page.expander[0].label
    (story, *_) = views.latest(wire.open_monitor_store(place / "monitor"), "ferries")
    shown = page.dataframe[0].value.iloc[0]
    published = datetime.fromisoformat(story["published"]) + timedelta(hours=8)
    assert shown["published"] == published.strftime("%Y-%m-%d %H:%M")
    assert story["published"] != story["first_seen"]
    assert any("(Asia/Shanghai)" in caption.value for caption in page.caption)


def test_what_is_wrong_with_a_source_is_told_in_full_and_framed_in_both_languages(place, home, monkeypatch):
    with (place / "stories.jsonl").open("a") as file:
        file.write('{"title": "ferry", "time": "soon"}\n')
    page = opened(place, monkeypatch).run()
    told = "expected a time in ISO 8601, RFC 2822, epoch seconds or milliseconds, from 1990 to 2099; found 'soon' in 'time'"
    cells = page.table[0].value.to_numpy().ravel().tolist()
    assert any(plain(told) in cell for cell in cells)
    page.radio[0].set_value("zh").run()
    cells = page.table[0].value.to_numpy().ravel().tolist()
    assert any("行：应为：" in cell and plain("实为：time 列中的 'soon'") in cell for cell in cells)


@pytest.mark.parametrize(
    ("told", "chinese"),
    [
        ("s.csv line 3: no title", "s.csv 第 3 行：没有标题"),
        ("expected a file with stories; found nothing at x.csv; fix: check the path",
         "应为：a file with stories；实为：x.csv 处没有文件；修正：check the path"),
        ("a.jsonl line 2: dated in the future: '2099-01-01' in 'time'", "a.jsonl 第 2 行：日期在未来：'time' 为 '2099-01-01'"),
        ("something else", "something else"),
        ("", ""),
    ],
)  # fmt: skip
def test_frames_of_what_is_told_of_a_source(told, chinese):
    assert problem(told, "zh") == chinese
    assert problem(told, "en") == told


def test_a_story_with_an_address_is_a_link(page):
    page.run()
    assert any('<a href="https://example.org/' in MarkdownIt().render(element.value) for element in page.markdown)


def test_it_speaks_chinese(page):
    page.run()
    page.radio[0].set_value("zh").run()
    assert not page.exception
    assert page.title[0].value == "舆情监测"


def test_what_is_shown_stays_when_the_language_changes(page):
    page.run()
    page.selectbox[0].select("tea").run()
    page.select_slider[0].set_value(14).run()
    page.radio[0].set_value("zh").run()
    assert not page.exception
    assert (page.selectbox[0].value, page.select_slider[0].value) == ("tea", 14)


def test_an_empty_store_and_a_wrong_configuration_are_said(place, home, monkeypatch):
    monkeypatch.setenv("FIELDTUNE_MONITOR_CONFIG", str(place / "monitor.toml"))
    monkeypatch.setenv("FIELDTUNE_MONITOR_STORE", str(place / "empty"))
    page = AppTest.from_file(str(PAGE), default_timeout=300).run()
    assert not page.exception
    assert "empty" in page.info[0].value
    monkeypatch.setenv("FIELDTUNE_MONITOR_CONFIG", str(place / "none.toml"))
    page = AppTest.from_file(str(PAGE), default_timeout=300).run()
    assert "none.toml" in page.error[0].value
