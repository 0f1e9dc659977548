"""Which rows train and which are held out.

Knows labels and row numbers, no texts; duplicates on both sides are for `checks.leakage` to find.
"""

from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import NDArray

from fieldtune.errors import InputError

Indices = NDArray[np.int64]


def stratified(labels: Sequence[Hashable], share: float, rng: np.random.Generator) -> tuple[Indices, Indices]:
    """(train, held out): row numbers, each sorted, together all rows; every label in about the same shares.

    Held out are round(share * n) rows as far as labels allow, spread by largest remainder. Every label
    keeps at least one row in train: a label with a single row is never held out.

    Raises:
        InputError: no labels, or a share outside (0, 1).
    """
    if not labels or not 0 < share < 1:
        raise InputError("rows and a share between 0 and 1", f"{len(labels)} rows, share {share}", "use share .2")
    rows: dict[Hashable, list[int]] = {}
    for row, label in enumerate(labels):
        rows.setdefault(label, []).append(row)
    groups = list(rows.values())
    counts = _quotas([len(group) for group in groups], share)
    held = [rng.permutation(group)[:count] for group, count in zip(groups, counts, strict=True)]
    held_out = np.sort(np.concatenate(held)).astype(np.int64)
    return np.setdiff1d(np.arange(len(labels)), held_out), held_out


def _quotas(sizes: Sequence[int], share: float) -> list[int]:
    """Rows to hold out of each group."""
    wanted = [min(share * size, size - 1) for size in sizes]
    counts = [int(want) for want in wanted]
    missing = min(round(share * sum(sizes)), sum(size - 1 for size in sizes)) - sum(counts)
    by_remainder = sorted(range(len(sizes)), key=lambda g: (counts[g] - wanted[g], g))
    for group in [g for g in by_remainder if counts[g] < sizes[g] - 1][: max(missing, 0)]:
        counts[group] += 1
    return counts
