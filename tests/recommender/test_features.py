"""Time travel: what happens later cannot change an earlier number."""

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from fieldtune_recommender import (
    affinity,
    candidates,
    features,
    interests,
    lexical,
    lists,
    methods,
    signals,
    snapshot,
    timecut,
)
from fieldtune_recommender.reading import Dataset
from fieldtune_recommender.records import Catalogue, Log

USERS, ITEMS = 6, 12
VECTORS = np.linalg.qr(np.random.default_rng(0).normal(size=(ITEMS, ITEMS)))[0].astype(np.float32)
LEXICON = lexical.index([["w", f"t{number % 4}"] for number in range(ITEMS)])
events = st.lists(
    st.tuples(st.integers(0, USERS - 1), st.integers(0, ITEMS - 1), st.sampled_from([1.0, 0.4, -0.6])),
    min_size=1,
    max_size=40,
)


def as_log(rows: list[tuple[int, int, float]], start: float = 0.0) -> Log:
    users, items, weights = (np.array(column) for column in zip(*rows, strict=True))
    times = start + np.arange(len(rows), dtype=np.float64)
    return Log(users.astype(np.int32), items.astype(np.int32), weights.astype(np.float32), weights > 0, times)


def together(one: Log, two: Log) -> Log:
    return Log(*(np.concatenate([getattr(one, name), getattr(two, name)]) for name in Log.__dataclass_fields__))


def world_at(log: Log, moment: snapshot.Snapshot) -> signals.World:
    learnt = affinity.learn(timecut.before(log, moment.t), LEXICON.weights)
    return signals.World(moment, VECTORS, LEXICON, learnt)


def everything(log: Log, t: float, text: bool) -> list[np.ndarray]:
    """All features of all users at `t`."""
    added = np.full(ITEMS, np.nan)
    moment = snapshot.take(log, t, USERS, added)
    world = world_at(log, moment)
    tables = []
    for taste in interests.tastes(timecut.before(log, t), np.arange(USERS), USERS):
        found = signals.signals(taste, world, text)
        items = candidates.gather(taste, moment, found)
        tables += [items, features.build(taste, moment, found, items, text)]
    return tables


@settings(deadline=None, max_examples=40)
@given(events, events, st.booleans())
def test_later_events_change_no_earlier_feature(
    early: list[tuple[int, int, float]], late: list[tuple[int, int, float]], text: bool
) -> None:
    t = float(len(early))
    past = as_log(early)
    longer = together(past, as_log(late, start=t))
    for one, two in zip(everything(past, t, text), everything(longer, t, text), strict=True):
        assert np.array_equal(one, two)


GROWN = ITEMS + 8
CHOOSE = np.random.default_rng(1)  # all different: where scores are equal, rounding would decide a rank
WORDS = [" ".join(f"t{CHOOSE.integers(9)}" for _ in range(4 + number)) for number in range(GROWN)]
MEANINGS = CHOOSE.normal(size=(GROWN, 16)).astype(np.float32)
MEANINGS /= np.linalg.norm(MEANINGS, axis=1, keepdims=True)


def catalogue(size: int, added: list[float]) -> Catalogue:
    ids = tuple(map(str, range(size)))
    return Catalogue(ids, ids, tuple(WORDS[:size]), ("en",) * size, np.array(added[:size]))


def lists_and_features(log: Log, items: Catalogue, t: float) -> list[np.ndarray]:
    """What two methods would list for every user at `t`, by item, with scores and features.

    By item, because sums over a longer catalogue round differently in the last bit, which may swap equal scores.
    """
    vectors = MEANINGS[: len(items)]
    data = Dataset(log, items, tuple(map(str, range(USERS))), True, {})
    world = methods.worlds(data, t, {"frozen": vectors}).any
    popular = lists.Method("recent_popularity", None, None, lambda scores: scores)
    trees = lists.Method("frozen_text", "frozen", lambda table: table @ np.arange(1, table.shape[1] + 1), lambda s: s)
    found = []
    for taste in interests.tastes(timecut.before(log, t), np.arange(USERS), USERS):
        for asked, method in ((taste, popular), (taste, trees), (taste._replace(interest="t2 t5"), trees)):
            scored = lists.rank(asked, world, method)
            order = np.argsort(scored.items)
            found += [scored.items[order], scored.scores[order]]
            found += [] if scored.features is None else [scored.features[order]]
    return found


@settings(deadline=None, max_examples=40)
@given(
    events,
    st.lists(st.tuples(st.integers(0, USERS - 1), st.integers(0, GROWN - 1), st.just(1.0)), min_size=1, max_size=40),
    st.lists(st.sampled_from([np.nan, 0.0, 2.0]), min_size=ITEMS, max_size=ITEMS),
    st.lists(st.sampled_from([np.nan, 40.0, 60.0]), min_size=GROWN - ITEMS, max_size=GROWN - ITEMS),
)
def test_later_items_and_events_change_no_earlier_list(
    early: list[tuple[int, int, float]], late: list[tuple[int, int, float]], came: list[float], comes: list[float]
) -> None:
    t = float(len(early))
    past = as_log(early)
    before = lists_and_features(past, catalogue(ITEMS, came), t)
    after = lists_and_features(together(past, as_log(late, start=t)), catalogue(GROWN, came + comes), t)
    for one, two in zip(before, after, strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-5, atol=1e-6)


def test_an_event_at_the_very_moment_is_the_future() -> None:
    past = as_log([(0, 1, 1.0), (1, 1, 1.0), (0, 2, 1.0)])
    same = together(past, as_log([(0, 3, 1.0)], start=3.0))
    for one, two in zip(everything(past, 3.0, True), everything(same, 3.0, True), strict=True):
        assert np.array_equal(one, two)


@given(events, st.integers(2, 4))
def test_popularity_is_free_of_scale(rows: list[tuple[int, int, float]], times: int) -> None:
    """The same shares in a log `times` as long give the same standing."""
    one = as_log(rows)
    many = as_log([row for row in rows for _ in range(times)])
    added = np.full(ITEMS, np.nan)
    first, second = (snapshot.take(log, np.inf, USERS, added).standing[-1] for log in (one, many))
    assert np.allclose(first, second)


def test_names_match_the_columns_and_the_twin_sees_no_text() -> None:
    log = as_log([(0, 1, 1.0), (1, 2, 1.0), (0, 3, 1.0)])
    moment = snapshot.take(log, np.inf, USERS, np.full(ITEMS, np.nan))
    taste = interests.tastes(log, np.array([0]), USERS)[0]
    for text in (False, True):
        found = signals.signals(taste, world_at(log, moment), text)
        table = features.build(taste, moment, found, np.array([4, 5]), text)
        assert table.shape == (2, len(features.names(text)))
    assert not {name.removesuffix("_standing") for name in features.names(False)} & {
        *signals.SEMANTIC,
        *signals.TEXTUAL,
    }


def test_items_that_come_later_are_not_known_yet() -> None:
    log = as_log([(0, 1, 1.0), (1, 2, 1.0)])
    added = np.full(ITEMS, np.nan)
    added[[5, 6]] = [1.0, 7.0]
    known = snapshot.take(log, 2.0, USERS, added).known
    assert np.flatnonzero(known).tolist() == [1, 2, 5]  # without a time an item comes with its first event
    assert np.flatnonzero(snapshot.take(log, 1.0, USERS, added).known).tolist() == [1]
    assert snapshot.take(log, np.inf, USERS, added).known.all()
    assert np.flatnonzero(~snapshot.take(log, np.inf, USERS, added, today=3.0).known).tolist() == [6]


def test_candidates_are_new_known_and_without_repeats() -> None:
    log = as_log([(user, item, 1.0) for user in range(3) for item in range(user + 4)])
    moment = snapshot.take(log, np.inf, USERS, np.full(ITEMS, np.nan))
    moment = replace(moment, known=np.arange(ITEMS) != 9)
    taste = interests.tastes(log, np.array([0]), USERS)[0]
    items = candidates.gather(taste, moment, signals.signals(taste, world_at(log, moment)))
    assert len(set(items.tolist())) == len(items)
    assert not set(items.tolist()) & {0, 1, 2, 3, 9}


@given(st.lists(st.integers(0, 5), min_size=1, max_size=30), st.integers(0, 12))
def test_top_is_a_stable_sort(values: list[int], count: int) -> None:
    scores = np.array(values, np.float32)
    allowed = np.arange(len(values)) % 3 != 1
    expected = [i for i in sorted(range(len(values)), key=lambda i: (-values[i], i)) if allowed[i]][:count]
    assert candidates.top(scores, count, allowed).tolist() == expected


def test_age_counts_from_arrival_where_it_is_known() -> None:
    log = as_log([(0, 1, 1.0), (1, 2, 1.0), (0, 3, 1.0), (1, 3, 1.0)])
    added = np.full(ITEMS, np.nan)
    added[[3, 4, 5]] = [1.0, 2.0, 99.0]
    age = snapshot.take(log, 4.0, USERS, added).age
    assert age[[1, 2, 3, 4, 5, 6]].tolist() == [1.0, 0.75, 0.75, 0.5, 0.0, 0.0]
