"""Time, identity, topics and intake: the odd rows of the wild, each with the answer it must get."""

from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fieldtune.errors import ConfigError
from fieldtune_monitor import intake, lags, windows
from fieldtune_monitor.identity import canonical_url, document_identity
from fieldtune_monitor.intake import document
from fieldtune_monitor.records import Document, RawRow
from fieldtune_monitor.topics import matcher

UTC, SHANGHAI = ZoneInfo("UTC"), ZoneInfo("Asia/Shanghai")
NOON = 1_767_614_400  # 2026-01-05T12:00:00Z


@pytest.mark.parametrize(
    ("value", "want"),
    [
        ("2026-01-05T12:00:00Z", NOON),
        ("2026-01-05T20:00:00+08:00", NOON),
        ("20260105T120000Z", NOON),
        ("Mon, 05 Jan 2026 12:00:00 GMT", NOON),
        ("5 Jan 2026 20:00 +0800", NOON),
        ("Mon, 05 Jan 2026 07:00:00 EST", NOON),
        ("Mon, 05 Jan 2026 12:00:00 -0000", NOON),
        (NOON, NOON),
        (str(NOON), NOON),
        (f"{NOON}.5", NOON),
        (NOON * 1000, NOON),
        (str(NOON * 1000), NOON),
        ("1612010101010", 1_612_010_101),  # milliseconds, though it looks like 1 January 1612, 10:10
        (NOON * 10**6, None),
        ("2026-01-05", NOON - 12 * 3600),
        ("20260105", NOON - 12 * 3600),
        ("05/01/2026", None),  # 5 January, or 1 May?
        ("13/01/2026", None),
        ("5.1.2026 12:00", None),
        ("2026/1/5 12:00:00", None),
        ("5 January 2026 12:00", None),
        ("Mon, 05 Jan 2026 12:00:00", None),  # in which zone?
        ("Mon, 05 Jan 2026 12:00:00 CET", None),
        ("31 Feb 2026 12:00 GMT", None),
        ("1513-06-01T00:00:00Z", None),
        ("yesterday", None),
        ("31.02.2026 25:00", None),
        ("今天上午", None),
        ("12:30", None),
        ("", None),
        (None, None),
        (float("nan"), None),
        (True, None),
    ],
)
def test_times_as_promised_and_no_others(value, want):
    assert windows.parse_time(value, UTC) == want


def test_a_time_without_offset_is_local():
    assert windows.parse_time("2026-01-05 20:00", SHANGHAI) == NOON


@given(st.text(max_size=30))
def test_any_text_is_a_time_or_none(value):
    found = windows.parse_time(value, UTC)
    assert found is None or 0 < found < 5_000_000_000


def test_the_three_clocks_and_the_late_rules():
    assert windows.clocks(None, NOON) == windows.Clocks(NOON, NOON, ("undated",))
    assert windows.clocks(NOON + 3 * 86_400, NOON) == windows.Clocks(NOON, NOON, ("future",))
    assert windows.clocks(NOON - 7 * 3600, NOON).flags == ("late",)
    assert windows.clocks(NOON - 3600, NOON) == windows.Clocks(NOON - 3600, NOON)


@given(st.integers(1_600_000_000, 1_900_000_000), st.sampled_from([300, 900, 3600, 86_400]))
def test_every_second_lies_in_its_bucket(seconds, size):
    index = windows.bucket_of(seconds, size, SHANGHAI)
    assert windows.bucket_start(index, size, SHANGHAI) <= seconds < windows.bucket_start(index + 1, size, SHANGHAI)


def test_slots_follow_the_local_week():
    monday_eight = windows.bucket_of(NOON, 3600, SHANGHAI)  # 20:00 in Shanghai
    assert windows.season_slot(monday_eight, 3600, SHANGHAI) == 20
    assert windows.season_slot(windows.bucket_of(NOON, 86_400, SHANGHAI), 86_400, SHANGHAI) == 0


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("https://www.Example.org/a/?utm_source=x#top", "http://example.org/a"),
        ("https://example.org/a?b=2&a=1", "https://example.org/a?a=1&b=2"),
        ("https://example.org:443/a", "https://example.org/a"),
    ],
)
def test_one_spelling_per_page(one, other):
    assert canonical_url(one) == canonical_url(other) != ""


@pytest.mark.parametrize("url", ["", "https://example.org/", "no url", "ftp://example.org/a", "https://[bad/x"])
def test_what_names_no_page_is_no_identity(url):
    assert canonical_url(url) == ""


def test_identity_is_page_then_id_then_title_and_day():
    page = document_identity("https://example.org/a", "1", "s", "t", "2026-01-05")
    assert page == document_identity("https://example.org/a?utm_medium=m", "2", "r", "u", "2026-01-06")
    given_id = document_identity("", "1", "s", "t", "2026-01-05")
    assert given_id == document_identity("", "1", "s", "changed", "2026-02-05")
    title = document_identity("", "", "s", "Markets at noon!", "2026-01-05")
    assert title == document_identity("", "", "s", "markets  at noon", "2026-01-05")
    assert title != document_identity("", "", "s", "Markets at noon!", "2026-01-06")


def made(**values):
    return document(RawRow(values, "f line 1"), NOON, UTC, arrival=None)


def test_html_is_stripped_and_pages_are_refused():
    found = made(title="<p><b>Bank &amp; ferry</b>&nbsp;up</p>", time="2026-01-05T12:00:00Z", text="<div>x</div>")
    assert isinstance(found, Document)
    assert (found.title, found.text, found.language) == ("Bank & ferry up", "x", "en")
    assert "web page" in str(made(title="<!DOCTYPE html><html><title>503</title>", time="2026-01-05"))
    assert "no title" in str(made(title=" ", time="2026-01-05"))
    assert "no time" in str(made(title="x", time=" "))


@pytest.mark.parametrize("missing", [{}, {"time": ""}, {"time": None}, {"time": float("nan")}])
def test_a_missing_date_is_when_it_was_first_seen(missing):
    found = made(title="x", first_seen="2026-01-05T12:00:00Z", **missing)
    assert isinstance(found, Document)
    assert (found.published, found.flags) == (NOON, ("undated",))


@pytest.mark.parametrize("name", ["time", "first_seen"])
@pytest.mark.parametrize("value", ["05/01/2026", "13/01/2026", "yesterday", "1513-06-01T00:00:00Z"])
def test_a_date_that_cannot_be_read_is_told_and_not_guessed(name, value):
    reason = str(made(**{"title": "x", "time": "2026-01-05", "first_seen": "2026-01-05", name: value}))
    assert reason.startswith("f line 1: expected a time in ISO 8601, RFC 2822, epoch seconds or milliseconds")
    assert reason.endswith(f"found {value!r} in '{name}'")


def test_scripts_go_and_what_does_not_close_stays():
    assert intake.plain("<script>a<b</script>up <STYLE x>c</style >now", 99) == "up now"
    assert intake.plain("a <script> b <style>c</style> d", 99) == "a b d"
    assert intake.plain("x" * 99, 7) == "x" * 7
    assert intake.plain("a &#" + "1" * 5000 + "; b", 9000).split()[0] == "a"


@pytest.mark.parametrize(
    "hostile",
    ["<script " * 3_000_000, "<style>" * 3_000_000, "<" * 20_000_000, "</script" * 3_000_000, "&#1" * 5_000_000],
    ids=["script", "style", "tags", "closing", "numbers"],
)
@pytest.mark.parametrize("field", ["title", "text"])
def test_the_work_for_a_row_is_bounded(field, hostile):
    """Twenty million characters: with work that grows with the square this would take days."""
    found = made(**{"title": "x", "time": "2026-01-05", field: f"ship {hostile}"})
    assert isinstance(found, Document)
    assert len(found.title) <= intake.MAX_TITLE
    assert len(found.text) <= intake.MAX_TEXT


def test_without_the_cut_the_stripping_is_linear():
    """A third of a million opening tags; the work of their square would be 10^11 steps."""
    assert intake.plain("<script " * 300_000, 10_000_000).startswith("<script <script")


@pytest.mark.parametrize(("tag", "language"), [("zh-CN", "zh"), ("EN", "en"), ("", "en"), (None, "en")])
def test_a_sources_language_is_one_of_ours(tag, language):
    found = made(title="ferry sinks", time="2026-01-05", language=tag)
    assert isinstance(found, Document)
    assert found.language == language


def test_a_row_in_an_unknown_language_is_broken():
    assert "f line 1: expected a language out of en, zh, other; found 'Chinese'" in str(
        made(title="x", time="2026-01-05", language="Chinese")
    )


def test_a_live_row_of_a_clock_that_is_fast_was_first_seen_now():
    row = RawRow({"title": "x", "first_seen": "2026-01-06T12:00:00Z"}, "f")
    found = document(row, NOON, UTC, arrival=NOON)
    assert isinstance(found, Document)
    assert found.first_seen == NOON


@pytest.mark.parametrize("arrival", [NOON, None], ids=["run", "replay"])
@pytest.mark.parametrize(
    ("values", "wrong"),
    [
        ({"time": "2099-01-01"}, "'2099-01-01' in 'time'"),
        ({"time": "2026-01-06T12:00:01Z"}, "'2026-01-06T12:00:01Z' in 'time'"),
        ({"time": "2026-01-05", "first_seen": "2027-01-01"}, "'2027-01-01' in 'first_seen'"),
        ({"time": "2099-01-01", "first_seen": "2026-01-05"}, ""),  # first_seen says when it was; time is only flagged
    ],
)
def test_a_row_dated_in_the_future_is_broken(values, wrong, arrival):
    found = document(RawRow({"title": "x", **values}, "f line 1"), NOON, UTC, arrival=arrival)
    if wrong:
        assert found == f"f line 1: dated in the future: {wrong}"
    else:
        assert isinstance(found, Document)
        assert (found.published, found.first_seen, found.flags) == (NOON - 43_200, NOON - 43_200, ("future",))


def test_keywords_match_words_and_chinese_anywhere():
    topics = matcher({"ai": ["AI"], "bank": ["bank", "银行"], "oil": [r"/\boil\b|opec/"], "none": []})
    assert topics("Staff in training") == ()
    assert topics("AI helps banks") == ("ai", "bank")
    assert topics("中國銀行上调利率") == ("bank",)
    assert topics("OPEC cuts") == ("oil",)


def test_a_wrong_expression_names_the_topic():
    with pytest.raises(ConfigError, match="topic 'x'"):
        matcher({"x": ["/(/"]})


def test_one_dump_does_not_teach_that_hours_are_usual():
    usual = lags.learned({}, {"s": [60.0] * 50})
    for _ in range(200):
        usual = lags.learned(usual, {"s": [60.0, 30.0]})
    assert lags.limit(usual, "s", 900) == 3600
    assert lags.limit(lags.learned(usual, {"s": [40_000.0] * 500}), "s", 900) == 3600
    slow = usual
    for _ in range(300):
        slow = lags.learned(slow, {"s": [4 * 3600.0]})
    assert lags.limit(slow, "s", 900) == 6 * 3600
