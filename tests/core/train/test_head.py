"""The head on fixed vectors: what its penalty is chosen on."""

import numpy as np

from fieldtune.train.head import probe


def test_the_penalty_is_chosen_on_rows_that_say_nothing_learnt_from() -> None:
    rng = np.random.default_rng(0)
    right = rng.integers(0, 2, 100)
    given = np.where(rng.random(100) < 0.25, 1 - right, right)  # a quarter of the labels wrong, to be learnt by heart
    vectors = rng.normal(size=(100, 200)).astype(np.float32)
    vectors[:, 0] += 4 * (2 * right - 1)
    twice, targets = vectors.repeat(2, axis=0), given.repeat(2)

    def large(keys: list[int]) -> float:
        return float(np.abs(probe(twice, targets, keys, 2, 0, inverse_penalties=(1e-3, 100.0))[0]).max())

    apart = [row // 2 for row in range(200)]
    assert large(apart) < 0.1 < large(list(range(200)))  # a twin in sight tells the wrong label
