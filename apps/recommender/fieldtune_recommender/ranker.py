"""LambdaRank with LightGBM: trees that order the candidates of one user, and a calibrated probability beside.

Saved as LightGBM's text format and a few numbers of JSON. Knows columns of numbers, not what they mean.
Source: Burges 2010, "From RankNet to LambdaRank to LambdaMART".
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fieldtune.errors import ArtefactError, InputError, MissingExtraError
from fieldtune_recommender.records import Floats

ROUNDS = 200
NEGATIVES = 100
HELD_BACK = 0.2
WHEN = "the part of the log that the ranking is learnt from"
SETTINGS: Mapping[str, Any] = {
    "objective": "lambdarank",
    "label_gain": [0, 1],
    "lambdarank_truncation_level": 30,
    "learning_rate": 0.05,
    "num_leaves": 15,
    "min_data_in_leaf": 100,
    "feature_fraction": 0.7,
    "bagging_fraction": 0.8,
    "bagging_freq": 1,
    "deterministic": True,
    "force_row_wise": True,
    "verbosity": -1,
}


@dataclass(frozen=True, slots=True)
class Examples:
    """Candidates of one user.

    Attributes:
        features: float32[c, features]. taken: bool[c], whether the user took it.
        share: of the candidates not taken that are among these.
    """

    features: Floats
    taken: np.ndarray
    share: float = 1.0

    @property
    def weights(self) -> np.ndarray:
        """float64[c]: how many candidates each row stands for."""
        return np.where(self.taken, 1.0, 1.0 / self.share)


def thinned(one: Examples, rng: np.random.Generator, most: int = NEGATIVES) -> Examples:
    """All that was taken and at most `most` of the rest, drawn at random: trees grow faster and not worse."""
    rest = np.flatnonzero(~one.taken)
    if len(rest) <= most:
        return one
    chosen = np.sort(np.concatenate([np.flatnonzero(one.taken), rng.choice(rest, most, replace=False)]))
    return Examples(one.features[chosen], one.taken[chosen], most / len(rest))


@dataclass(frozen=True, slots=True)
class Ranker:
    """A trained ranker.

    Attributes:
        model: LightGBM's text format; what is saved.
        knots: float64[2, m], scores (ascending) and the probabilities they mean.
        booster: the same model, loaded.
    """

    model: str
    knots: np.ndarray
    booster: Any

    def score(self, features: Floats) -> Floats:
        """float32[c, features] -> float32[c]; comparable within one user only."""
        if not len(features):
            return np.zeros(0, np.float32)
        return np.asarray(self.booster.predict(features, num_threads=1), np.float32)

    def calibrate(self, scores: Floats) -> Floats:
        """Scores -> probability in [0, 1]: float32[c]."""
        return between_knots(self.knots, scores)


def fit(
    examples: Sequence[Examples], names: Sequence[str], rising: Sequence[int], *, seed: int, threads: int
) -> Ranker:
    """Train on the candidates of many users.

    A fifth of the users is held back to calibrate trees grown on the others; the shipped trees are grown on all.
    Their number is fixed: with directions kept they do not overfit, and a choice on a few hundred users is noise.

    Args:
        names: of the columns. rising: per column 1 where a larger value can only raise the score, else 0.

    Raises:
        InputError: fewer than ten users have a candidate they took.
    """
    useful = [one for one in examples if one.taken.any() and not one.taken.all()]
    if len(useful) < 10:
        raise InputError(
            f"at least 10 users who took something new in {WHEN}",
            f"{len(useful)}",
            "give a longer log, or a wider rule with --positive",
        )
    order = np.random.default_rng(seed).permutation(len(useful))
    back = max(int(len(useful) * HELD_BACK), 2)
    held, kept = [useful[i] for i in order[:back]], [useful[i] for i in order[back:]]
    settings = {**SETTINGS, "seed": seed, "num_threads": threads, "monotone_constraints": list(rising)}
    trial = Ranker("", np.zeros((2, 1)), _grow(kept, names, settings))
    knots = calibration([trial.score(one.features) for one in held], held)
    return load(_grow(useful, names, settings).model_to_string(), knots)


def load(model: str, knots: np.ndarray) -> Ranker:
    """A ranker from its text.

    Raises:
        ArtefactError: the text is no LightGBM model.
    """
    lightgbm = _lightgbm()
    try:
        booster = lightgbm.Booster(model_str=model)
    except lightgbm.basic.LightGBMError as error:
        raise ArtefactError("a LightGBM model", str(error), "train again") from error
    return Ranker(model, knots, booster)


def calibration(scores: Sequence[Floats], examples: Sequence[Examples]) -> np.ndarray:
    """Knots from the scores of the users' candidates, each counted for those it stands for."""
    return isotonic(
        np.concatenate(scores),
        np.concatenate([one.taken for one in examples]),
        np.concatenate([one.weights for one in examples]),
    )


def isotonic(scores: np.ndarray, taken: np.ndarray, weights: np.ndarray | None = None, most: int = 200) -> np.ndarray:
    """float64[2, m <= most]: knots of the best non-decreasing map from score to frequency.

    Source: pool adjacent violators (Ayer et al. 1955), through scikit-learn.
    """
    from sklearn.isotonic import IsotonicRegression

    model = IsotonicRegression(y_min=0.0, y_max=1.0, out_of_bounds="clip")
    model.fit(scores.astype(np.float64), taken, sample_weight=weights)
    x, y = model.X_thresholds_, model.y_thresholds_
    if len(x) > most:
        chosen = np.unique(np.linspace(0, len(x) - 1, most).astype(int))
        x, y = x[chosen], y[chosen]
    return np.stack([x, y]).astype(np.float64)


def between_knots(knots: np.ndarray, scores: Floats) -> Floats:
    """Linear between the knots, flat beyond them: float32[c]."""
    return np.asarray(np.interp(scores, knots[0], knots[1]), np.float32)


def _grow(users: Sequence[Examples], names: Sequence[str], settings: Mapping[str, Any]) -> Any:
    lightgbm = _lightgbm()
    data = lightgbm.Dataset(
        np.concatenate([one.features for one in users]),
        np.concatenate([one.taken for one in users]).astype(np.int32),
        group=[len(one.taken) for one in users],
        feature_name=list(names),
        params=dict(settings),
    )
    return lightgbm.train(dict(settings), data, ROUNDS)


def _lightgbm() -> Any:
    try:
        import lightgbm
    except ImportError as error:
        raise MissingExtraError(
            "LightGBM", "the extra 'recommender' is not installed", "pip install 'fieldtune[recommender]'"
        ) from error
    except OSError as error:  # the wheel needs the system's OpenMP runtime
        raise MissingExtraError(
            "a LightGBM that loads", str(error), "install libgomp1 (Debian: apt install libgomp1)"
        ) from error
    return lightgbm
