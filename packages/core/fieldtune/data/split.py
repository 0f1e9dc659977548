"""Which rows train and which are held out.

Knows labels, groups and row numbers, no texts; duplicates between two tables of the user's are for `data.leaks`
to find.
"""

from collections import Counter
from collections.abc import Collection, Hashable, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fieldtune.errors import InputError
from fieldtune.runtime import generator

Indices = NDArray[np.int64]
FOLDS = 5


def stratified(
    labels: Sequence[Hashable], share: float, rng: np.random.Generator, groups: Sequence[Hashable] | None = None
) -> tuple[Indices, Indices]:
    """(train, held out): row numbers, each sorted, together all rows; every label in about the same shares.

    Held out are round(share * n) rows as far as labels and groups allow, spread by largest remainder. Every label
    keeps at least one row in train: a label with a single row is never held out.

    Args:
        groups: per row, what must not be on both sides, e.g. the key of its text; None for rows that stand alone.
            A group with rows of several labels stays in train.

    Raises:
        InputError: no labels, or a share outside (0, 1).
    """
    if not labels or not 0 < share < 1:
        raise InputError("rows and a share between 0 and 1", f"{len(labels)} rows, share {share}", "use share .2")
    together: dict[Hashable, list[int]] = {}
    for row, group in enumerate(range(len(labels)) if groups is None else groups):
        together.setdefault(group, []).append(row)
    sizes = Counter(labels)
    units: dict[Hashable, list[list[int]]] = {label: [] for label in sizes}
    for rows in together.values():
        if len({labels[row] for row in rows}) == 1:
            units[labels[rows[0]]].append(rows)
    counts = _quotas(list(sizes.values()), share)
    held = [_drawn(units[label], count, sizes[label], rng) for label, count in zip(sizes, counts, strict=True)]
    held_out = np.sort(np.concatenate(held)).astype(np.int64)
    return np.setdiff1d(np.arange(len(labels)), held_out), held_out


def tenth(
    table: pd.DataFrame, keys: Sequence[Hashable], seed: int, labels: Sequence[Hashable] | None = None
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Rows to train on and a tenth of them to validate on, each numbered anew; rows of one key stay on one side.

    Args:
        labels: per row, what is to stand on both sides in about the same shares; None where nothing is.
    """
    rows, held_out = stratified(["all"] * len(table) if labels is None else labels, 0.1, generator(seed), keys)
    return table.iloc[rows].reset_index(drop=True), table.iloc[held_out].reset_index(drop=True)


def rarest(rows: Sequence[Collection[Hashable]]) -> list[Hashable]:
    """Of each row's labels the one that fewest rows have, "" where it has none: what to stratify rows of several by.

    Every label's rarest rows are then spread evenly, and with them about all that they have beside it; whole combinations,
    which are often unique, would leave the rows of many labels on one side (compare Sechidis, Tsoumakas and Vlahavas 2011,
    "On the stratification of multi-label data").
    """
    counts = Counter(label for row in rows for label in set(row))
    return [min(row, key=lambda label: (counts[label], str(label)), default="") for row in rows]


def joined(*keys: Sequence[Hashable]) -> list[int]:
    """A group for each row: rows that share any of their keys, or are linked by rows that do, are in one.

    Args:
        keys: sequences of one length, each a key per row; equal values of two sequences are not the same key.
    """
    top = list(range(len(keys[0])))

    def root(row: int) -> int:
        while top[row] != row:
            top[row] = row = top[top[row]]
        return row

    for column in keys:
        first: dict[Hashable, int] = {}
        for row, key in enumerate(column):
            top[root(row)] = root(first.setdefault(key, row))
    return [root(row) for row in range(len(top))]


def _drawn(units: Sequence[list[int]], count: int, size: int, rng: np.random.Generator) -> list[int]:
    """At most `count` rows in whole units; where every unit is larger, the smallest, if it is not all `size` rows."""
    order = [units[place] for place in rng.permutation(len(units))]
    held: list[int] = []
    for unit in order:
        if len(held) + len(unit) <= count:
            held += unit
    smallest: list[int] = min(order, key=len, default=[])
    return smallest if count and not held and len(smallest) < size else held


def _quotas(sizes: Sequence[int], share: float) -> list[int]:
    """Rows to hold out of each group."""
    wanted = [min(share * size, size - 1) for size in sizes]
    counts = [int(want) for want in wanted]
    missing = min(round(share * sum(sizes)), sum(size - 1 for size in sizes)) - sum(counts)
    by_remainder = sorted(range(len(sizes)), key=lambda g: (counts[g] - wanted[g], g))
    for group in [g for g in by_remainder if counts[g] < sizes[g] - 1][: max(missing, 0)]:
        counts[group] += 1
    return counts


def folds(
    labels: Sequence[Hashable], keys: Sequence[Hashable], count: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """A fold from 0 to ``count - 1`` for each row: labels spread evenly, rows of one key together."""
    fold_of: dict[Hashable, int] = {}
    seen: dict[Hashable, int] = {}
    for row in rng.permutation(len(labels)).tolist():
        if keys[row] not in fold_of:
            place = seen.setdefault(labels[row], int(rng.integers(count)))
            fold_of[keys[row]], seen[labels[row]] = place % count, place + 1
    return np.asarray([fold_of[key] for key in keys], dtype=np.int64)


def crossed(labels: Sequence[Hashable]) -> list[tuple[Indices, Indices]]:
    """(the rows of the others, its own rows) for each of five folds, labels spread evenly; [] for fewer than two rows.

    What judges rows is fitted on the others, so that its figures are not those of the rows it was fitted to.
    """
    fold = folds(labels, range(len(labels)), FOLDS, generator(0))
    parts = [(np.flatnonzero(fold != number), np.flatnonzero(fold == number)) for number in np.unique(fold)]
    return parts if len(parts) > 1 else []
