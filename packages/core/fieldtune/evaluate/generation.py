"""How near a generated reply comes to the one wanted (pure): ROUGE-L, exact match, and the slots it fills."""

import re
from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_HAN = "\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"  # written without spaces: each sign counts as a word
_WORD = re.compile(rf"[{_HAN}]|[^\W_{_HAN}]+")
SLOT = re.compile(r"\{\{[^{}]{1,60}\}\}")
"""What a support reply leaves open, e.g. ``{{Order Number}}``."""


def rouge_l(wanted: str, found: str) -> float:
    """F-measure of the longest common subsequence of lower-case words (Lin 2004), Chinese and Japanese by sign.

    0 where either has no words.
    """
    left, right = _WORD.findall(wanted.lower()), _WORD.findall(found.lower())
    if not left or not right:
        return 0.0
    length = _longest_common(left, right)
    precision, recall = length / len(right), length / len(left)
    return 2 * precision * recall / (precision + recall) if length else 0.0


def slots(text: str) -> Counter[str]:
    """The slots of a text, counted."""
    return Counter(SLOT.findall(text))


def slot_accuracy(wanted: str, found: str) -> float | None:
    """Slots in common over the greater number of the two texts; None where neither has any."""
    left, right = slots(wanted), slots(found)
    most = max(left.total(), right.total())
    return (left & right).total() / most if most else None


def report(wanted: Sequence[str], found: Sequence[str]) -> dict[str, float]:
    """rouge_l, exact_match, slot_accuracy (over the rows with slots; NaN without any) and n."""
    filled = [value for pair in zip(wanted, found, strict=True) if (value := slot_accuracy(*pair)) is not None]
    return {
        "rouge_l": float(np.mean(per_row(wanted, found))) if len(wanted) else float("nan"),
        "exact_match": float(np.mean([one.strip() == other.strip() for one, other in zip(wanted, found, strict=True)])),
        "slot_accuracy": float(np.mean(filled)) if filled else float("nan"),
        "n": len(wanted),
    }


def per_row(wanted: Sequence[str], found: Sequence[str]) -> NDArray[np.float64]:
    """ROUGE-L of each row, ``[rows]``."""
    return np.asarray([rouge_l(one, other) for one, other in zip(wanted, found, strict=True)])


def _longest_common(left: Sequence[str], right: Sequence[str]) -> int:
    """Length of the longest common subsequence, one row of the table at a time."""
    names = {word: place for place, word in enumerate(dict.fromkeys([*left, *right]))}
    columns = np.asarray([names[word] for word in right])
    row = np.zeros(len(right) + 1, dtype=np.int64)
    for word in left:
        matched = np.where(columns == names[word], row[:-1] + 1, 0)
        row[1:] = np.maximum.accumulate(np.maximum(row[1:], matched))
    return int(row[-1])
