"""Tables in: spellings, repairs counted, refusals with a reason."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fieldtune.errors import ConfigError, InputError
from fieldtune_recommender import reading
from fieldtune_recommender.reading import Schema

ITEMS = "item,title,tags\na,Tea pot,tea|clay\nb,Tent,\nc,茶壶,茶\n"


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    (tmp_path / "items.csv").write_text(ITEMS)
    return tmp_path / "events.csv", tmp_path / "items.csv"


def test_events_are_sorted_stably_and_weighed(files: tuple[Path, Path]) -> None:
    files[0].write_text(
        "user,item,type,time\n2,a,view,2026-01-02T00:00:00Z\n1,b,buy,2026-01-01T00:00:00Z\n1,a,not_interested,2026-01-02T00:00:00Z\n"
    )
    data = reading.read(*files, Schema())
    assert data.users == ("1", "2") and data.has_time
    assert data.log.items.tolist() == [1, 0, 0]
    assert np.allclose(data.log.weights, [1.0, 0.2, -0.6])
    assert data.log.positive.tolist() == [True, True, False]
    assert data.repairs == {}


def test_every_repair_is_counted(files: tuple[Path, Path]) -> None:
    files[0].write_text(
        "user,item,type,time\n007,a,view,100\n007,a,view,100\n,b,view,100\n1,,view,100\n1,b,wave,100000000000000\n1,z,view,never\n1,z,buy,200\n"
    )
    data = reading.read(*files, Schema())
    assert data.users == ("007", "1")
    assert data.catalogue.ids[-1] == "z"
    assert data.log.times.tolist() == [100.0, 200.0, 100000000000.0]  # milliseconds are recognised
    assert data.repairs == {
        "events_of_a_type_of_your_own": 1,
        "events_without_user_or_item": 2,
        "events_with_unreadable_time": 1,
        "repeated_events": 1,
        "items_without_metadata": 1,
    }


def test_row_order_stands_for_a_missing_time(files: tuple[Path, Path]) -> None:
    files[0].write_text("u,i,rating\n1,a,5\n1,b,3\n2,c,1\n2,a,4\n")
    schema = Schema({"user": "u", "item": "i"}, {"item": "item"}, "rating>=4")
    data = reading.read(*files, schema)
    assert not data.has_time
    assert data.log.times.tolist() == [0, 1, 2, 3]
    assert data.log.positive.tolist() == [True, False, False, True]
    assert np.allclose(data.log.weights, [1.0, 0.0, -0.4, 0.8])


def test_ratings_nobody_can_read_are_counted_and_no_successes(files: tuple[Path, Path]) -> None:
    files[0].write_text('user,item,rating\n1,a,x\n1,b,"4,5"\n2,c,\n2,a,3\n3,b,"1,000"\n3,c,inf\n')
    data = reading.read(*files, Schema())
    assert data.log.positive.tolist() == [False, True, True, True, False, False]  # without a rating it is an event too
    assert data.log.weights.tolist() == [0, 1, 1, 1, 0, 0]
    assert data.repairs == {"events_with_unreadable_rating": 3}
    for rule in ("rating>=4", "rating>=3,5"):
        data = reading.read(*files, Schema(positive=rule))
        assert data.log.positive.tolist() == [False, True, False, False, False, False]
        assert data.repairs == {"events_with_unreadable_value": 4}
    files[0].write_text("user,item,rating\n1,a,good\n1,b,\n2,c,bad\n")
    with pytest.raises(InputError, match=r"none in the column 'rating', e\.g\. 'good'.*--positive 'rating=good"):
        reading.read(*files, Schema())
    assert reading.read(*files, Schema(positive="rating=good")).log.positive.tolist() == [True, False, False]


def test_a_name_given_for_the_events_holds_for_the_items_where_they_have_it(files: tuple[Path, Path]) -> None:
    files[0].write_text("Kunde;Artikel\n1;a\n2;b\n")
    columns = {"user": "Kunde", "item": "Artikel"}
    plain = reading.read(*files, Schema(columns)).catalogue.texts
    files[1].write_text(ITEMS.replace("item,", "Artikel,"))
    for schema in (Schema(columns), Schema(columns, {"item": "Artikel"})):
        assert reading.read(*files, schema).catalogue.texts == plain
    files[1].write_text(ITEMS.replace("item,", "Ware,"))
    with pytest.raises(InputError, match="rename a column to 'item', or name it with --item-columns"):
        reading.read(*files, Schema(columns))
    assert reading.read(*files, Schema(columns, {"item": "Ware"})).catalogue.texts == plain
    with pytest.raises(InputError, match=r"rename a column to 'user', or name it with --columns"):
        reading.read(*files, Schema({"item": "Artikel"}))
    with pytest.raises(InputError, match=r"'Titel' for 'title'.*goes to --item-columns"):
        reading.read(*files, Schema({**columns, "title": "Titel"}))


@pytest.mark.parametrize(("strays", "kept"), [(1, False), (3, True)])
def test_an_event_far_beyond_the_rest_is_left_out(files: tuple[Path, Path], strays: int, kept: bool) -> None:
    days = pd.date_range("2026-01-01", periods=200 - strays, freq="D", tz="UTC")
    rows = [f"u,a,{day.isoformat()}" for day in days] + [f"u,b,2099-01-0{n + 1}" for n in range(strays)]
    files[0].write_text("user,item,time\n" + "\n".join(rows) + "\n")
    data = reading.read(*files, Schema())
    assert len(data.log) == 200 - strays * (not kept)
    assert data.repairs == ({} if kept else {"events_dated_far_beyond_the_rest": strays})


def test_a_quiet_year_is_no_stray_event(files: tuple[Path, Path]) -> None:
    days = list(pd.date_range("2026-01-01", periods=199, freq="D", tz="UTC"))
    days.append(days[-1] + pd.Timedelta(days=364))
    files[0].write_text("user,item,time\n" + "".join(f"u,a,{day.isoformat()}\n" for day in days))
    data = reading.read(*files, Schema())
    assert (len(data.log), data.repairs) == (200, {})


def test_a_rule_may_name_types(files: tuple[Path, Path]) -> None:
    files[0].write_text("user,item,type\n1,a,view\n1,b,buy\n")
    assert reading.read(*files, Schema(positive="type=buy,share")).log.positive.tolist() == [False, True]


@pytest.mark.parametrize(
    ("text", "schema", "error"),
    [
        ("", Schema(), InputError),
        ("user,thing\n1,a\n", Schema(), InputError),
        ("user,item\n,\n", Schema(), InputError),
        ("user,item\n1,a\n", Schema({"time": "when"}), InputError),
        ("user,item\n1,a\n", Schema(positive="rating>=4"), InputError),
        ("user,item,rating\n1,a,2\n", Schema(positive="rating>=4"), InputError),
        ("user,item,rating\n1,a,2\n", Schema(positive="rating>=high"), ConfigError),
        ("user,item,rating\n1,a,2\n", Schema(positive="good ones"), ConfigError),
    ],
)
def test_unusable_tables_and_rules_are_refused(
    files: tuple[Path, Path], text: str, schema: Schema, error: type[Exception]
) -> None:
    files[0].write_text(text)
    with pytest.raises(error, match=r"expected .*; found .*; fix: "):
        reading.read(*files, schema)


@pytest.mark.parametrize("value", ["a|b", '["a", "b"]', ["a", "b"], np.array(["a", "b"])])
def test_tags_in_any_spelling(value: object) -> None:
    assert reading.plain(value) == "a, b"


def test_texts_lose_mark_up_and_keep_their_script() -> None:
    assert reading.plain("<p>茶 <b>pot</b></p>\n") == "茶 pot"
    assert reading.plain(None) == reading.plain(float("nan")) == ""


def test_days_without_dashes_are_days_and_counters_stay_numbers() -> None:
    found = reading.times(pd.Series(["20240105", "2024-01-06", 20240107]))
    assert np.diff(found).tolist() == [86400.0, 86400.0]
    assert found[0] == datetime(2024, 1, 5, tzinfo=UTC).timestamp()
    counters = pd.Series([20_240_198, 20_240_199, 20_240_200])  # no such days
    assert reading.times(counters).tolist() == counters.tolist()


def test_times_in_one_unit() -> None:
    column = pd.Series(["1970-01-01T00:01:00Z", "1970-01-01 00:02:00+00:00", "180", "200000000000", "soon", ""])
    found = reading.times(column)
    assert found[:4].tolist() == [60, 120, 180, 200000000]
    assert np.isnan(found[4:]).all()


def test_later_events_keep_known_numbers(files: tuple[Path, Path]) -> None:
    files[0].write_text("user,item,time\n1,a,10\n2,b,20\n")
    data = reading.read(*files, Schema())
    files[0].write_text("user,item,time\n3,b,40\n2,a,30\n1,new,50\n")
    log, repairs = reading.further_events(files[0], Schema(), data)
    assert log.users.tolist() == [1, 2] and log.items.tolist() == [0, 1]
    assert repairs == {"events_with_an_unknown_item": 1}
    files[0].write_text("user,item\n3,b\n")
    with pytest.raises(InputError, match="times"):
        reading.further_events(files[0], Schema(), data)


def test_items_without_a_readable_time_are_counted(files: tuple[Path, Path]) -> None:
    files[0].write_text("user,item,time\n1,a,10\n2,b,20\n")
    files[1].write_text("item,title,time\na,x,5\nb,y,soon\nc,z,\n")
    data = reading.read(*files, Schema())
    assert data.repairs == {"items_without_readable_time": 2}
    assert np.isnan(data.catalogue.added).tolist() == [False, True, True]
