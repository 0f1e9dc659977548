"""Lists: order, diversity, a stated interest; reasons that name what really speaks for an item."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest
from scipy import sparse

from fieldtune_recommender import affinity, interests, lexical, lists, reasons, signals, snapshot
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
    asking = tea_drinker._replace(interest="a rope for climbing")
    found = lists.rank(asking, world, by(0))
    assert found.items[0] == 3
    first = reasons.why(asking, world, CATALOGUE, 3, found.asked)[0]
    assert first.kind == "interest" and set(first.words) == {"rope", "climbing"}
    assert first.text == "You asked for: climbing, rope"


def test_a_word_of_half_the_shop_is_still_what_was_asked_for(world: World, tea_drinker: Taste) -> None:
    """Three of six titles say tea: too many to explain a likeness, but it is all that the sentence says."""
    shop = replace(world, lexicon=lexical.index([*TOKENS, *[title.split() for title in TITLES]]))
    assert lexical.telling(shop.lexicon, ["tea"]) == ()
    asking = tea_drinker._replace(interest="tea")
    first = reasons.why(asking, shop, CATALOGUE, 1, signals.Asked(*words_of(shop, "tea")))[0]
    assert first.text == "You asked for: tea"


def words_of(world: World, sentence: str) -> tuple[sparse.csr_matrix, np.ndarray, np.ndarray]:
    """The sentence's row, with nothing close in meaning."""
    row = lexical.sentence(world.lexicon, sentence.split())
    return row, np.zeros(6, bool), np.ones(6, np.float32)


def test_what_is_found_by_meaning_alone_says_so(world: World, tea_drinker: Taste) -> None:
    asking = tea_drinker._replace(interest="teapots")
    found = lists.rank(asking, replace(world, chance=lambda: 0.5), by(0))
    assert found.items[0] == 1
    assert reasons.why(asking, world, CATALOGUE, 1, found.asked)[0].kind == "meaning"
    assert "meaning" not in {reason.kind for reason in reasons.why(asking, world, CATALOGUE, 3, found.asked)}


def test_a_sentence_that_fits_nothing_leaves_the_usual_order(world: World, tea_drinker: Taste) -> None:
    """Neither a shared word nor more likeness than random letters have: not the order of the catalogue, as zeros give."""
    deaf = replace(world, encode=lambda sentences: np.full((len(sentences), 2), 0.1, np.float32), chance=lambda: 0.2)
    usual = lists.rank(tea_drinker, world, by(0))
    found = lists.rank(tea_drinker._replace(interest="zxqv"), deaf, by(0))
    assert found.asked is None
    assert found.items.tolist() == usual.items.tolist() and found.scores.tolist() == usual.scores.tolist()


def test_chance_is_what_random_letters_reach() -> None:
    """An oracle of its own: every tenth string lies nearer than the rest."""
    likeness = np.where(np.arange(signals.PLACEBOS) % 8, 0.2, 0.6)
    assert signals.chance(np.ones((3, 1), np.float32), lambda strings: likeness[: len(strings), None]) == pytest.approx(
        0.6
    )
    likeness = np.where(np.arange(signals.PLACEBOS) % 16, 0.2, 0.6)
    assert signals.chance(np.ones((3, 1), np.float32), lambda strings: likeness[: len(strings), None]) == pytest.approx(
        0.2
    )


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


def test_popular_is_what_many_liked_lately_not_what_one_click_lifted(log_of: Callable[..., Log]) -> None:
    """In a log of sixty events the last tenth is six: one like puts an item among the first, and says nothing."""
    none, empty = np.zeros(0, np.int32), np.zeros(0, np.float32)
    stranger = Taste(none, empty, empty, none, none)

    def kinds(recent: list[int], item: int) -> list[str]:
        rows = [(number, number % 6, 1.0) for number in range(60 - len(recent))]
        log = log_of(*rows, *((60 + number, item, 1.0) for number, item in enumerate(recent)))
        world = World(snapshot.take(log, np.inf, 80, CATALOGUE.added))
        return [reason.kind for reason in reasons.why(stranger, world, CATALOGUE, item)]

    assert kinds([2, 2, 2, 2, 2, 4], 2) == ["popular"]
    assert kinds([2, 2, 2, 2, 2, 4], 4) == ["other"]
    assert kinds([0, 1, 2, 2, 3, 4], 2) == ["other"]


def test_an_item_without_a_time_that_nobody_touched_is_not_called_new(log_of: Callable[..., Log]) -> None:
    none, empty = np.zeros(0, np.int32), np.zeros(0, np.float32)
    stranger = Taste(none, empty, empty, none, none)
    log = log_of(*((number, number % 4, 1.0) for number in range(60)))
    dated = replace(CATALOGUE, added=np.array([np.nan] * 5 + [59.0]))
    world = World(snapshot.take(log, np.inf, 80, dated.added))
    assert [reason.kind for reason in reasons.why(stranger, world, dated, 4)] == ["other"]
    assert [reason.kind for reason in reasons.why(stranger, world, dated, 5)] == ["new"]


def test_only_what_is_unusually_alike_is_said_to_read_alike(world: World, log_of: Callable[..., Log]) -> None:
    """Whole catalogues lie close together in an encoder's space: what counts is to be closer than nearly all others."""
    rng = np.random.default_rng(0)
    vectors = rng.normal(0, 1, (60, 16)).astype(np.float32) + 4  # any two are alike by .9
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    catalogue = Catalogue(tuple(map(str, range(60))), ("",) * 60, ("",) * 60, ("en",) * 60, np.full(60, np.nan))
    log = log_of(*((0, item, 1.0) for item in range(3)))
    taste = interests.tastes(log, np.array([0]), 1)[0]
    moment = snapshot.take(log, np.inf, 60, catalogue.added)
    likeness = vectors @ vectors.T
    for item in range(3, 60):
        nearest = set(np.argsort(-likeness[item])[:5].tolist())  # the item itself and a little more than a twentieth
        cited = [reason.items for reason in reasons.why(taste, World(moment, vectors), catalogue, item)
                 if reason.kind == "similar"]  # fmt: skip
        assert {int(one) for items in cited for one in items} <= nearest
