"""What a trained model is asked about: a list of texts, of pairs, of sentences or of pictures, and nothing else.

Python would read one text as a list of its letters and a table as a list of its column names. Every public method of
every model passes through here; it knows no model.
"""

from collections.abc import Mapping, Set
from pathlib import Path
from typing import Any

import numpy as np

from fieldtune.errors import InputError

Pair = tuple[str, str]
_LISTS = (list, tuple, np.ndarray)


def listed(items: Any, what: str, fix: str) -> list[Any]:
    """The items of any sequence: a list, an array, a column of a table.

    Raises:
        InputError: one text or path, a table, a dictionary, a set, an iterator, or no collection at all.
    """
    if isinstance(items, (str, bytes, Path)):
        raise InputError(what, f"one {type(items).__name__}, {items!r:.60}", fix)
    ordered = hasattr(items, "__len__") and hasattr(items, "__iter__") and getattr(items, "ndim", 1) > 0
    if not ordered or isinstance(items, (Mapping, Set)) or hasattr(items, "columns"):
        raise InputError(what, f"a {type(items).__name__}", fix)
    return list(items)


def texts(items: Any) -> list[str]:
    """The texts as a list.

    Raises:
        InputError: what :func:`listed` refuses, or something among them that is no text.
    """
    found = listed(items, "a list of texts", "put the text into a list; of a table take one column")
    wrong = next((item for item in found if not isinstance(item, str)), "")
    if not isinstance(wrong, str):
        raise InputError("texts", f"{wrong!r:.60} among them", 'leave it out, or make it ""')
    return found


def pairs(items: Any) -> list[Pair]:
    """The pairs of texts, each a tuple.

    Raises:
        InputError: what :func:`listed` refuses, or something among them that is no pair of two texts.
    """
    found = listed(items, "a list of pairs of texts", 'write [("one text", "another")]')
    for item in found:
        if not isinstance(item, _LISTS) or len(item) != 2 or not all(isinstance(text, str) for text in item):
            raise InputError("pairs of two texts", f"{item!r:.60} among them", 'write [("one text", "another")]')
    return [(first, second) for first, second in found]


def sentences(items: Any) -> list[list[str]]:
    """The sentences, each a list of words.

    Raises:
        InputError: what :func:`listed` refuses, or something among them that is no list of words.
    """
    what, fix = "a list of sentences, each a list of words", 'write [["my", "card"]]'
    found = listed(items, what, fix)
    for item in found:
        if not isinstance(item, _LISTS) or not all(isinstance(word, str) for word in item):
            raise InputError(what, f"{item!r:.60} among them", fix)
    return found


def pictures(items: Any) -> list[Any]:
    """The pictures: paths, bytes or arrays; what each of them is, :mod:`fieldtune.data.images` looks at.

    Raises:
        InputError: what :func:`listed` refuses.
    """
    return listed(items, "a list of pictures", "put the picture into a list")
