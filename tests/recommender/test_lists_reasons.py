"""Lists: order, diversity, a stated interest; reasons that name what really speaks for an item."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from fieldtune_recommender import affinity, interests, lexical, lists, reasons, snapshot
from fieldtune_recommender.lists import Method
from fieldtune_recommender.records import Catalogue, Log, Taste
from fieldtune_recommender.signals import World

TITLES = ("green tea", "black tea", "tea pot", "climbing rope", "hiking boot", "rain coat")
TOKENS = [title.split() for title in TITLES]
VECTORS = np.array([[1, 0], [0.96, 0.28], [0.9, 0.436], [0, 1], [0.1, 0.995], [0.2, 0.98]], np.float32)
CATALOGUE = Catalogue(tuple("abcdef"), TITLES, TITLES, ("en",) * 6, np.full(6, np.nan))


def encode(sentences: Sequence[str]) -> np.ndarray:
    return np.array([[1.0, 0.0] if "tea" in sentence else [0.0, 1.0] for sentence in sentences], np.float32)


@pytest.fixture
def world(log_of: Callable[..., Log]) -> World:
    log = log_of((0, 0, 1.0), (0, 1, 1.0), (1, 3, 1.0), (1, 4, 1.0), (2, 0, 1.0), (2, 1, 1.0))
    moment = snapshot.take(log, np.inf, 3, CATALOGUE.added)
    lexicon = lexical.index(TOKENS)
    return World(moment, VECTORS, lexicon, affinity.learn(log, lexicon.weights), encode, str.split)


@pytest.fixture
def tea_drinker(log_of: Callable[..., Log]) -> Taste:
    return interests.tastes(log_of((0, 0, 1.0)), np.array([0]), 1)[0]


def by(column: int) -> Method:
    """A method that orders by one feature."""
    return Method(
        "frozen_text", "frozen", lambda table: table[:, column], lambda scores: np.full(len(scores), 0.5, np.float32)
    )


def test_a_list_is_sorted_new_and_repeats_itself(world: World, tea_drinker: Taste) -> None:
    first, second = (lists.rank(tea_drinker, world, by(0)) for _ in range(2))
    assert 0 not in first.items
    assert (np.diff(first.scores) <= 0).all()
    assert np.array_equal(first.items, second.items)


def test_only_the_given_candidates_are_ranked(world: World, tea_drinker: Taste) -> None:
    assert set(lists.rank(tea_drinker, world, by(0), among=np.array([0, 3, 3, 5])).items.tolist()) == {3, 5}


def test_no_diversity_is_the_plain_order_and_the_dial_spreads(world: World, tea_drinker: Taste) -> None:
    scored = lists.Scored(np.arange(6), np.array([6, 5.9, 5.8, 5, 4, 3], np.float32), np.full(6, 0.5, np.float32), None)
    assert lists.choose(scored, VECTORS, 4, 1.0).tolist() == [0, 1, 2, 3]

    def alike(balance: float) -> float:
        chosen = VECTORS[scored.items[lists.choose(scored, VECTORS, 3, balance)]]
        return float((chosen @ chosen.T)[np.triu_indices(3, 1)].mean())

    spread = [alike(balance) for balance in (1.0, 0.6, 0.3)]
    assert spread[0] > spread[-1]
    assert spread == sorted(spread, reverse=True)


def test_a_stated_interest_leads(world: World, tea_drinker: Taste) -> None:
    found = lists.rank(tea_drinker._replace(interest="a rope for climbing"), world, by(0))
    assert found.items[0] == 3
    assert reasons.why(tea_drinker._replace(interest="climbing rope"), world, CATALOGUE, 3)[0].kind == "interest"


def test_reasons_name_the_item_that_speaks_for_it(world: World, tea_drinker: Taste) -> None:
    found = {reason.kind: reason for reason in reasons.why(tea_drinker, world, CATALOGUE, 1)}
    assert found["similar"].items == ("a",) and found["similar"].words == ("tea",)
    assert found["together"].items == ("a",)
    without = tea_drinker._replace(
        items=tea_drinker.items[:0], weights=tea_drinker.weights[:0], ages=tea_drinker.ages[:0]
    )
    assert not {"similar", "together"} & {reason.kind for reason in reasons.why(without, world, CATALOGUE, 1)}


def test_there_is_always_a_reason(world: World) -> None:
    none, empty = np.zeros(0, np.int32), np.zeros(0, np.float32)
    assert all(reasons.why(Taste(none, empty, empty, none, none), world, CATALOGUE, item) for item in range(6))
