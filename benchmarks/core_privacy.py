"""What a loss-threshold attack learns of the training rows: of a plain head, and of one trained with differential privacy.

The toy set was fixed before the first run: 10 classes, unit vectors of 384 numbers as the embedded encoder gives, 1,000
rows trained on and 1,000 others; 40 draws.
"""

import argparse
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.common import interval, report
from fieldtune.evaluate.calibration import softmax
from fieldtune.evaluate.privacy import membership_auc
from fieldtune.runtime import generator
from fieldtune.train.private import noise_for, private_head

ROWS, DIMENSIONS, CLASSES, DELTA = 1000, 384, 10, 1e-5
Rows = tuple[NDArray[np.float32], NDArray[np.int64]]


def main() -> None:
    """Membership AUC and accuracy of the plain head and of private ones."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=40)
    parser.add_argument("--quick", action="store_true", help="3 draws")
    options = parser.parse_args()
    draws = 3 if options.quick else options.draws
    found: dict[str, list[tuple[float, float]]] = {"plain": [], "epsilon_1": [], "epsilon_8": []}
    for draw in range(draws):
        rng = generator(40_000 + draw)
        inside, outside = drawn(rng)
        found["plain"].append(attacked(*plain(*inside), inside, outside))
        for epsilon in (1, 8):
            head = private_head(*inside, CLASSES, float(epsilon), DELTA, rng)
            found[f"epsilon_{epsilon}"].append(attacked(*head, inside, outside))
    told: dict[str, Any] = {"draws": draws, "delta": DELTA, "noise_epsilon_1": noise_for(1.0, DELTA)}
    for name, pairs in found.items():
        aucs, accuracies = zip(*pairs, strict=True)
        told[name] = {
            "membership_auc": float(np.mean(aucs)),
            "interval": interval(aucs, generator(0)),
            "accuracy": float(np.mean(accuracies)),
        }
    report(told)


def drawn(rng: np.random.Generator) -> tuple[Rows, Rows]:
    """Two tables of the same distribution: a class is a direction, a row lies around it as far as that is long."""
    centres = rng.normal(size=(CLASSES, DIMENSIONS))

    def rows() -> Rows:
        targets = rng.integers(0, CLASSES, ROWS)
        vectors = centres[targets] + rng.normal(size=(ROWS, DIMENSIONS))
        return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32), targets

    return rows(), rows()


def plain(vectors: NDArray[np.float32], targets: NDArray[np.int64]) -> tuple[Any, Any]:
    """Logistic regression as ``--method head`` fits it."""
    from sklearn.linear_model import LogisticRegression

    machine = LogisticRegression(C=10.0, max_iter=1000).fit(vectors, targets)
    return machine.coef_, machine.intercept_


def attacked(weight: Any, bias: Any, inside: Rows, outside: Rows) -> tuple[float, float]:
    """Membership AUC, and accuracy on the rows not trained on."""

    def losses(rows: Rows) -> NDArray[np.float64]:
        chances = softmax(rows[0] @ weight.T + bias, 1.0)
        return -np.log(np.maximum(chances[np.arange(ROWS), rows[1]], 1e-30))

    right = (outside[0] @ weight.T + bias).argmax(axis=1) == outside[1]
    return membership_auc(losses(inside), losses(outside)), float(right.mean())


if __name__ == "__main__":
    main()
