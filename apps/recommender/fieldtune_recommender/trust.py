"""Does feedback look like people, or like dice? How far its choices lie from what people chose before.

A purchase that people really made stands high in the list of a model that knows them; a purchase made up stands
anywhere. The mean place of the feedback between "as before" (0) and "anywhere" (1) is the share made up.
Knows places in lists, not who sent them.
"""

import numpy as np

from fieldtune.evaluate.significance import Interval

CHANCE = 0.5
MOST = 0.1
FEWEST = 20


def made_up(before: np.ndarray, feedback: np.ndarray, rng: np.random.Generator, draws: int = 2000) -> Interval:
    """Share of the feedback that looks like chance, with its 95 % bootstrap interval; 0 where it looks like before.

    Args:
        before: float[n], places of what people took in the held-out part of the log. feedback: float[m], the same.
    """
    old = before[rng.integers(0, len(before), (draws, len(before)))].mean(axis=1)
    new = feedback[rng.integers(0, len(feedback), (draws, len(feedback)))].mean(axis=1)
    shares = (old - new) / np.maximum(old - CHANCE, 0.01)
    low, high = np.percentile(shares, [2.5, 97.5])
    return Interval(
        float((before.mean() - feedback.mean()) / max(before.mean() - CHANCE, 0.01)), float(low), float(high)
    )
