"""Active learning on banking77: pool = train, 77 rows to start, 77 a round to 693, official test, 5 seeds.

The model of each round is method ``head`` on cached embeddings, names of classes included, the same for all
strategies; the curves share their first rows. Area under the curve is the mean accuracy over the rounds. The first strategy
goes on until the stopping rule says enough; what that costs is told against the head of all rows.
"""

import argparse
import time
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.common import interval, report, workspace
from benchmarks.few_sets import banking77
from benchmarks.scratch import part
from fieldtune.infer.cache import Cache
from fieldtune.models.encoder import load_encoder_folder
from fieldtune.models.features import EncoderFeatures
from fieldtune.text.names import readable
from fieldtune.train.active import STRATEGIES, agreement, choose_rows, doubt, due, enough
from fieldtune.train.head import name_rows, probe

ROUND, LAST = 77, 693


def main() -> None:
    """Print areas, the gain over random of each strategy, the slowest choice, and what the stopping rule did."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="one seed")
    options = parser.parse_args()
    train, test = banking77()
    with workspace() as folder:
        features = EncoderFeatures(load_encoder_folder(), 128, Cache(folder / "embeddings.sqlite"))
        pool, held_out = (features(part["text"].tolist()) for part in (train, test))
        labels = tuple(sorted(train["label"].unique()))
        given, right = (
            np.searchsorted(np.asarray(labels), part["label"].to_numpy(dtype=str)) for part in (train, test)
        )
        names = {name: features([name])[0] for name in map(readable, labels)}
    curves: dict[str, list[list[float]]] = {name: [] for name in STRATEGIES}
    slowest, stops, short = 0.0, [], []
    most = accuracy(fitted(pool, given, labels, names), held_out, right)
    for seed in range(1 if options.quick else options.seeds):
        for name in STRATEGIES:
            found = part(
                "core_active", f"{seed}-{name}",
                lambda: one(name, seed, pool, given, held_out, right, labels, names),  # noqa: B023
            )  # fmt: skip
            curves[name].append(found["curve"])
            slowest = max(slowest, found["seconds"])
            if name == STRATEGIES[0]:
                stops.append(found["stopped"])
                short.append(most - found["accuracy"])
    area = {
        name: np.asarray([(np.array(c[:-1]) + np.array(c[1:])).mean() / 2 for c in kept])
        for name, kept in curves.items()
    }
    rng = np.random.default_rng(0)
    best = STRATEGIES[0]
    reached = {name: float(np.mean([first(c, 0.8) for c in kept])) for name, kept in curves.items()}
    report(
        {
            "gain": float((area[best] - area["random"]).mean()),
            "gain_interval": interval((area[best] - area["random"]).tolist(), rng),
            "gains": {name: float((area[name] - area["random"]).mean()) for name in STRATEGIES if name != "random"},
            "areas": {name: float(values.mean()) for name, values in area.items()},
            "curves": {name: np.mean(kept, axis=0).tolist() for name, kept in curves.items()},
            "labels_to_80": reached,
            "labels_cut": 1 - reached[best] / reached["random"],
            "choice_seconds": slowest,
            "stopped_at_labels": stops,
            "stopped_at_share": float(np.mean(stops) / len(pool)),
            "short_of_all_labels": float(np.mean(short)),
            "accuracy_of_all_labels": most,
        }
    )


def one(
    strategy: str,
    seed: int,
    pool: NDArray[np.float32],
    given: NDArray[np.int64],
    held_out: NDArray[np.float32],
    right: NDArray[np.int64],
    labels: tuple[str, ...],
    names: dict[str, NDArray[np.float32]],
) -> dict[str, Any]:
    """The curve of one strategy, its slowest choice in seconds, the labels where it ends and the accuracy there.

    The first strategy ends where the rule says enough, or at all rows; the others with the curve.
    """
    rng = np.random.default_rng(seed)
    labelled = rng.permutation(len(pool))[:ROUND].tolist()
    watched = rng.permutation(len(pool))[:1000]
    curve, slowest, told = [], 0.0, []
    before: list[int] = []
    had: int | None = None
    stopped = strategy != STRATEGIES[0]
    while True:
        head = fitted(pool[labelled], given[labelled], labels, names)
        curve.append(accuracy(head, held_out, right))
        logits = pool @ head[0].T + head[1]
        if due(had, len(labelled)):
            now = logits[watched].argmax(axis=1).tolist()
            told += [agreement(before, now)] if before else []
            before, had, stopped = now, len(labelled), stopped or enough(told)
        if (len(labelled) >= LAST and stopped) or len(labelled) == len(pool):
            return {
                "curve": curve[: LAST // ROUND], "seconds": slowest, "stopped": len(labelled), "accuracy": curve[-1],
            }  # fmt: skip
        free = np.setdiff1d(np.arange(len(pool)), labelled)
        started = time.perf_counter()
        powers = np.exp(logits[free] - logits[free].max(axis=1, keepdims=True))
        doubts = doubt(powers / powers.sum(axis=1, keepdims=True))
        chosen = choose_rows(strategy, doubts, pool[free].__getitem__, lambda: pool[labelled], ROUND, rng)  # noqa: B023
        slowest = max(slowest, time.perf_counter() - started)
        labelled += free[chosen].tolist()


def accuracy(
    head: tuple[NDArray[np.float32], NDArray[np.float32]], vectors: NDArray[np.float32], right: NDArray[np.int64]
) -> float:
    """The share of rows that a head's weight and bias answer rightly."""
    return float(((vectors @ head[0].T + head[1]).argmax(axis=1) == right).mean())


def fitted(
    vectors: NDArray[np.float32],
    targets: NDArray[np.int64],
    labels: tuple[str, ...],
    names: dict[str, NDArray[np.float32]],
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The head of these rows, with the names of the classes where they tell these rows apart; then every class is known.

    Without names, a class of which no row is labelled is never answered.
    """
    named = name_rows(labels, lambda asked: np.stack([names[name] for name in asked]), vectors, targets)
    known = np.arange(len(labels)) if named is not None else np.unique(targets)
    keys = [str(row) for row in range(len(targets))]
    weight = np.zeros((len(labels), vectors.shape[1]), np.float32)
    bias = np.full(len(labels), -np.inf, np.float32)
    weight[known], bias[known] = probe(vectors, np.searchsorted(known, targets), keys, len(known), 0, named)
    return weight, bias


def first(curve: list[float], accuracy: float) -> float:
    """Labels at which the curve passes ``accuracy``, between rounds by a straight line; LAST where it never does."""
    for place, (low, high) in enumerate(pairwise(curve)):
        if high >= accuracy:
            return ROUND * (place + 1 + max(0.0, (accuracy - low) / (high - low)))
    return float(LAST)


if __name__ == "__main__":
    main()
