"""What the text tower learns from: (text of a liked item, text of one liked soon after), by the same user.

Popular items would fill every batch and become everyone's neighbour, so a pair is kept with a probability that
falls with the popularity of both ends (the subsampling of Mikolov et al. 2013) and rises with the interest shown:
two purchases say more than two glances. Knows nothing of models.
"""

import numpy as np
import pandas as pd

from fieldtune_recommender.records import Catalogue, Log

REACH = 3


def following(log: Log, reach: int = REACH) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of one item and a different one liked by the same user within the next `reach` likes.

    Returns:
        int64[p, 2] items, and float64[p] the product of the interest shown in both.
    """
    liked = log.rows(log.weights > 0)
    order = np.argsort(liked.users, kind="stable")
    users, items, weights = liked.users[order], liked.items[order], liked.weights[order].astype(float)
    both, strength = [np.zeros((0, 2), np.int64)], [np.zeros(0)]
    for step in range(1, min(reach, len(items) - 1) + 1):
        kept = (users[:-step] == users[step:]) & (items[:-step] != items[step:])
        both.append(np.stack([items[:-step], items[step:]], axis=1)[kept].astype(np.int64))
        strength.append((weights[:-step] * weights[step:])[kept])
    return np.concatenate(both), np.concatenate(strength)


def table(
    log: Log, catalogue: Catalogue, rows: int, rng: np.random.Generator, allowed: np.ndarray | None = None
) -> pd.DataFrame:
    """At most `rows` training rows with the columns query and positive; pairs of equal texts are left out.

    Args:
        log: the base window only; nothing the ranker or the test window holds.
        allowed: bool[items], items whose text the encoder can read: the others would teach it noise; None for all.
    """
    both, strength = following(log)
    texts = np.array(catalogue.texts, dtype=object)
    kept = (texts[both[:, 0]] != texts[both[:, 1]]) & (texts[both[:, 0]] != "") & (texts[both[:, 1]] != "")
    if allowed is not None:
        kept &= allowed[both].all(axis=1)
    both, strength = both[kept], strength[kept]
    if len(both):
        count = np.bincount(both.ravel(), minlength=len(texts)).astype(float)
        weight = strength / np.sqrt(count[both[:, 0]] * count[both[:, 1]])
        size = min(rows, len(both))
        both = both[rng.choice(len(both), size=size, replace=False, p=weight / weight.sum())]
    return pd.DataFrame({"query": texts[both[:, 0]], "positive": texts[both[:, 1]]}, dtype=object).drop_duplicates(
        ignore_index=True
    )
