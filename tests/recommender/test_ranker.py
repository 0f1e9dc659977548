"""LambdaRank: finds the signal, keeps the promised directions, the same twice, calibrated, back from its text."""

import numpy as np
import pytest
from sklearn.isotonic import IsotonicRegression

from fieldtune.errors import ArtefactError, InputError
from fieldtune_recommender import features, ranker
from fieldtune_recommender.ranker import Examples


def users(count: int, seed: int) -> list[Examples]:
    rng = np.random.default_rng(seed)
    made = []
    for _ in range(count):
        table = rng.random((60, 3)).astype(np.float32)
        taken = rng.random(60) < 0.02 + 0.3 * (table[:, 0] > 0.8)
        made.append(Examples(table, taken))
    return made


@pytest.fixture(scope="module")
def trained() -> ranker.Ranker:
    return ranker.fit(users(120, 0), ["good", "noise", "other"], [1, 0, 0], seed=0, threads=1)


def test_the_signal_is_found(trained: ranker.Ranker) -> None:
    top = [one.taken[np.argsort(-trained.score(one.features))[:5]].mean() for one in users(100, 1)]
    assert np.mean(top) > 2 * np.mean([one.taken.mean() for one in users(100, 1)])


def test_more_evidence_never_lowers_a_score(trained: ranker.Ranker) -> None:
    table = np.random.default_rng(2).random((200, 3)).astype(np.float32)
    higher = table.copy()
    higher[:, 0] += 0.2
    assert (trained.score(higher) >= trained.score(table)).all()


def test_the_same_seed_gives_the_same_model(trained: ranker.Ranker) -> None:
    again = ranker.fit(users(120, 0), ["good", "noise", "other"], [1, 0, 0], seed=0, threads=1)
    assert again.model == trained.model and np.array_equal(again.knots, trained.knots)


def test_it_comes_back_from_its_text(trained: ranker.Ranker) -> None:
    table = users(1, 3)[0].features
    assert np.array_equal(ranker.load(trained.model, trained.knots).score(table), trained.score(table))
    with pytest.raises(ArtefactError):
        ranker.load("no model", trained.knots)


def test_probabilities_are_calibrated_on_new_users(trained: ranker.Ranker) -> None:
    fresh = users(300, 4)
    told = np.concatenate([trained.calibrate(trained.score(one.features)) for one in fresh])
    taken = np.concatenate([one.taken for one in fresh])
    assert ((told >= 0) & (told <= 1)).all()
    for low, high in ((0.0, 0.1), (0.1, 0.5)):
        bin_ = (told >= low) & (told < high)
        assert abs(told[bin_].mean() - taken[bin_].mean()) < 0.05


def test_thinning_keeps_what_was_taken_and_the_probabilities() -> None:
    full = users(300, 7)
    rng = np.random.default_rng(0)
    thin = [ranker.thinned(one, rng, 10) for one in full]
    assert all(one.taken.sum() == two.taken.sum() for one, two in zip(full, thin, strict=True))
    assert max(len(one.taken) - one.taken.sum() for one in thin) == 10
    knots = ranker.calibration([one.features[:, 0] for one in thin], thin)
    told = np.concatenate([ranker.between_knots(knots, one.features[:, 0]) for one in full])
    assert told.mean() == pytest.approx(np.concatenate([one.taken for one in full]).mean(), rel=0.1)


def test_knots_are_the_isotonic_fit() -> None:
    rng = np.random.default_rng(5)
    scores = rng.normal(size=500)
    taken = rng.random(500) < 1 / (1 + np.exp(-scores))
    knots = ranker.isotonic(scores, taken)
    expected = IsotonicRegression(out_of_bounds="clip").fit(scores, taken).predict(scores)
    assert np.abs(ranker.between_knots(knots, scores) - expected).max() < 0.02
    assert (np.diff(knots[1]) >= 0).all()


def test_too_few_users_are_refused() -> None:
    with pytest.raises(InputError, match="10 users"):
        ranker.fit(users(5, 6), ["good", "noise", "other"], [0, 0, 0], seed=0, threads=1)


@pytest.mark.parametrize("text", [False, True])
def test_every_column_has_a_direction(text: bool) -> None:
    directions = dict(zip(features.names(text), features.rising(text), strict=True))
    assert directions["popularity_0.03"] == directions["together"] == 1
    assert directions["age"] == directions["history"] == 0
    assert not text or (directions["learnt_standing"] == 1 and directions["near_disliked"] == 0)
