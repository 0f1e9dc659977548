"""Quality of ranked lists, one figure per query so that two rankers can be compared row by row.

Knows nothing of how the lists were made.
"""

from collections.abc import Collection, Hashable, Mapping, Sequence
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from fieldtune.errors import InputError

METRICS = ("ndcg@10", "mrr@10", "recall@1", "recall@5", "recall@10")
_DISCOUNT = 1.0 / np.log2(np.arange(2, 12))


def per_query(
    ranked: Sequence[Sequence[Hashable]], relevant: Sequence[Collection[Hashable]]
) -> dict[str, NDArray[np.float64]]:
    """Metrics of each query, float64 [n] each, under the names in `METRICS`.

    Args:
        ranked: the list answered to each query, best first; short or empty ones are fine. An item repeated
            further down earns nothing there.
        relevant: the right items of each query; a mapping item -> gain grades them (nDCG then uses the
            gain as it is, the others count gains above 0).

    nDCG follows Järvelin and Kekäläinen (2002) with gain / log2(rank + 1). recall@k is found / all relevant.

    Raises:
        InputError: lengths differ, or a query has nothing relevant (its recall is undefined).
    """
    if len(ranked) != len(relevant):
        raise InputError(
            "one list of right items per ranked list",
            f"{len(ranked)} ranked, {len(relevant)} relevant",
            "pass the same queries in the same order",
        )
    rows = np.array([_query(i, *pair) for i, pair in enumerate(zip(ranked, relevant, strict=True))])
    table = rows.reshape(-1, len(METRICS))
    return {name: table[:, i].copy() for i, name in enumerate(METRICS)}


def summary(scores: Mapping[str, NDArray[np.float64]]) -> dict[str, float]:
    """Mean over the queries of every metric; NaN where there is no query."""
    return {name: float(np.mean(values)) if len(values) else float("nan") for name, values in scores.items()}


def _query(row: int, ranked: Sequence[Hashable], relevant: Collection[Hashable]) -> tuple[float, ...]:
    gains = _gains(relevant)
    if not gains:
        raise InputError("at least one relevant item for every query", f"none for query {row}", "leave that query out")
    top, seen = np.zeros(10), set[Hashable]()
    for rank, item in enumerate(islice(ranked, 10)):
        if item not in seen:
            top[rank] = gains.get(item, 0.0)
            seen.add(item)
    ideal = np.sort(np.fromiter(gains.values(), float))[::-1][:10]
    hits = top > 0
    first = 1.0 / (int(np.argmax(hits)) + 1) if hits.any() else 0.0
    recalls = (float(hits[:k].sum()) / len(gains) for k in (1, 5, 10))
    return (float(top @ _DISCOUNT) / float(ideal @ _DISCOUNT[: len(ideal)]), first, *recalls)


def _gains(relevant: Collection[Hashable]) -> dict[Hashable, float]:
    if isinstance(relevant, Mapping):
        return {item: float(gain) for item, gain in relevant.items() if gain > 0}
    return dict.fromkeys(relevant, 1.0)
