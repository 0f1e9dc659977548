"""The shop: counts and order, who chose what and why, and that interests show in the text but not in the category."""

import csv
import json
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pandas import Series, crosstab
from scipy.stats import chi2_contingency
from sklearn.feature_extraction.text import TfidfVectorizer

from fieldtune.errors import InputError
from fieldtune_sample import shop, shop_pool, shop_world

SMALL = {"items": 600, "users": 500, "events": 20_000}


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("shop")
    shop.generate(out, 3, **SMALL)
    return out


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def truth(company: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((company / "truth.json").read_text(encoding="utf-8"))
    return found


def test_same_seed_same_bytes_other_seed_other_shop(company: Path, tmp_path: Path) -> None:
    shop.generate(tmp_path / "again", 3, **SMALL)
    shop.generate(tmp_path / "other", 4, **SMALL)
    assert sorted(path.name for path in company.iterdir()) == ["events.csv", "items.csv", "truth.json"]
    for path in company.iterdir():
        assert (tmp_path / "again" / path.name).read_bytes() == path.read_bytes()
        assert (tmp_path / "other" / path.name).read_bytes() != path.read_bytes()


def test_counts_columns_and_order(company: Path) -> None:
    items, events = rows(company / "items.csv"), rows(company / "events.csv")
    assert list(items[0]) == ["item", "title", "description", "tags", "category", "time", "language"]
    assert list(events[0]) == ["user", "item", "type", "time"]
    assert len(events) == SMALL["events"] and len({row["item"] for row in items}) == len(items) == SMALL["items"]
    assert len({row["user"] for row in events}) == SMALL["users"]
    assert [row["time"] for row in events] == sorted(row["time"] for row in events)
    born = {row["item"]: row["time"] for row in items}
    assert all(row["time"] > born[row["item"]] for row in events)
    assert all(row["title"] for row in items)
    assert 0.70 < np.mean([row["language"] == "en" for row in items]) < 0.80


def test_what_follows_a_view_is_rarer_and_comes_after_it(company: Path) -> None:
    events = rows(company / "events.csv")
    kinds = Counter(row["type"] for row in events)
    assert set(kinds) == {"view", "click", "comment", "share", "buy"}
    assert kinds["view"] > 1.5 * kinds["click"] > 3 * kinds["buy"] > 3 * kinds["share"]
    seen: set[tuple[str, str, str]] = set()
    before = {"click": "view", "comment": "click", "share": "click", "buy": "click"}
    for row in events:
        assert row["type"] == "view" or (row["user"], row["item"], before[row["type"]]) in seen
        seen.add((row["user"], row["item"], row["type"]))


def test_new_items_and_users_keep_arriving(company: Path) -> None:
    items, events = rows(company / "items.csv"), rows(company / "events.csv")
    late = "2026-04-14T00:00:00Z"  # 72 of 90 days after the first of February
    assert np.mean([row["time"] >= late for row in items]) == pytest.approx(0.15, abs=0.01)
    first: dict[str, str] = {}
    for row in events:
        first.setdefault(row["user"], row["time"])
    assert np.mean([time >= late for time in first.values()]) == pytest.approx(0.10, abs=0.02)
    new = {row["item"] for row in items if row["time"] >= late}
    assert len(new & {row["item"] for row in events}) > 0.8 * len(new)


def test_popularity_is_heavy_tailed_and_moves(company: Path) -> None:
    events = rows(company / "events.csv")
    counts = np.array(sorted(Counter(row["item"] for row in events).values(), reverse=True))
    assert counts[: len(counts) // 10].sum() > 0.3 * counts.sum() and counts[0] > 6 * np.median(counts)
    half = len(events) // 2
    early, late = (Counter(row["item"] for row in part).most_common(30) for part in (events[:half], events[half:]))
    assert len({item for item, _ in early} & {item for item, _ in late}) < 20


def test_users_choose_what_they_like_more_often_than_chance(company: Path, truth: dict[str, Any]) -> None:
    events = rows(company / "events.csv")
    share: dict[str, float] = {}
    for kind in ("view", "buy"):
        chosen = [(row["user"], row["item"]) for row in events if row["type"] == kind]
        hits = [bool(truth["users"][user][0].keys() & truth["items"][item].keys()) for user, item in chosen]
        share[kind] = float(np.mean(hits))
    rng = np.random.default_rng(0)
    items = list(truth["items"])
    chance = np.mean([
        bool(epochs[0].keys() & truth["items"][items[int(rng.integers(len(items)))]].keys())
        for epochs in truth["users"].values() for _ in range(5)
    ])  # fmt: skip
    assert share["view"] > 2 * chance and share["buy"] > share["view"] + 0.05


def test_interests_drift(truth: dict[str, Any]) -> None:
    assert all(1 <= len(epoch) <= 3 for epochs in truth["users"].values() for epoch in epochs)
    changed = np.mean([epochs[0].keys() != epochs[-1].keys() for epochs in truth["users"].values()])
    assert 0.35 < changed < 0.65  # two turns at .3 each


def test_the_text_tells_the_interest_and_the_category_does_not(company: Path, truth: dict[str, Any]) -> None:
    items = [row for row in rows(company / "items.csv") if row["language"] == "en"]
    matrix = TfidfVectorizer(sublinear_tf=True).fit_transform(
        " ".join((row["title"], row["description"], row["tags"])) for row in items
    )
    near = (matrix @ matrix.T).toarray()
    np.fill_diagonal(near, -1)
    themes = [truth["items"][row["item"]].keys() for row in items]
    agree = np.mean([bool(themes[index] & themes[int(best)]) for index, best in enumerate(near.argmax(axis=1))])
    chance = np.mean([bool(one & other) for one, other in pairwise(themes)])
    assert agree > 0.6 > 3 * chance
    main = [max(truth["items"][row["item"]], key=truth["items"][row["item"]].get) for row in items]
    table = crosstab(Series([row["category"] for row in items]), Series(main))
    assert chi2_contingency(table).pvalue > 0.01


def test_no_item_names_its_interest() -> None:
    shelves = shop_pool.load()
    assert len(shelves.themes) == 20
    for name, words in shelves.themes.items():
        for language in shop_pool.LANGUAGES:
            assert set(words[language]) == {"phrases", "sentences", "tags"}
            assert all(name not in text for texts in words[language].values() for text in texts)


def test_demand_starts_with_arrival_and_falls_with_age() -> None:
    items = shop_world.make_items(200, 5, 30, 0.15, 0.25, np.random.default_rng(1))
    for day in (0, 10, 29):
        wanted = shop_world.demand(items, day)
        assert np.array_equal(wanted > 0, items.day < day)
    steady = np.flatnonzero((items.bursts == 1).all(axis=1) & (items.day < 0))
    assert (shop_world.demand(items, 29)[steady] < shop_world.demand(items, 1)[steady]).all()


def test_impossible_parameters_are_refused(tmp_path: Path) -> None:
    for wrong in ({"start": "soon"}, {"items": 5}, {"days": 3}, {"events": 10}, {"interest": -1.0},
                  {"interest": 0.0, "popularity": 0.0, "chance": 0.0}):  # fmt: skip
        with pytest.raises(InputError):
            shop.generate(tmp_path / "never", 1, **wrong)  # type: ignore[arg-type]
    assert not (tmp_path / "never").exists()
