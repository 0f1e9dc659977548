"""What a trained model is asked about: a list of texts, of pairs, of sentences or of pictures, and nothing else.

Python would read one text as a list of its letters and a table as a list of its column names. Every public method of
every model passes through here; it knows no model. Here too personal data is hidden from a model that was trained without it:
what reads texts has an attribute ``hides``, and asks with it.
"""

from collections.abc import Mapping, Set
from pathlib import Path
from typing import Any

import numpy as np

from fieldtune.data.hiding import in_words, was_hidden
from fieldtune.data.scrub import scrub
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


def reads_as_trained(model: Any, card: Mapping[str, Any]) -> None:
    """Let whatever reads texts in a model hide from it what its training rows lacked, from now on and for every caller."""
    reader = getattr(model, "features", model)
    while was_hidden(card) and reader is not None:
        reader.hides, reader = True, getattr(reader, "features", None)


def hides(model: Any) -> bool:
    """Whether personal data is hidden from the model in what it reads."""
    return bool(getattr(getattr(model, "features", model), "hides", False))


def texts(items: Any, hiding: bool = False) -> list[str]:
    """The texts as a list; without personal data where ``hiding``.

    Raises:
        InputError: what :func:`listed` refuses, or something among them that is no text.
    """
    found = listed(items, "a list of texts", "put the text into a list; of a table take one column")
    wrong = next((item for item in found if not isinstance(item, str)), "")
    if not isinstance(wrong, str):
        raise InputError("texts", f"{wrong!r:.60} among them", 'leave it out, or make it ""')
    return [scrub(text).text for text in found] if hiding else found


def pairs(items: Any, hiding: bool = False) -> list[Pair]:
    """The pairs of texts, each a tuple; without personal data where ``hiding``.

    Raises:
        InputError: what :func:`listed` refuses, or something among them that is no pair of two texts.
    """
    found = listed(items, "a list of pairs of texts", 'write [("one text", "another")]')
    for item in found:
        if not isinstance(item, _LISTS) or len(item) != 2 or not all(isinstance(text, str) for text in item):
            raise InputError("pairs of two texts", f"{item!r:.60} among them", 'write [("one text", "another")]')
    both = ((first, second) for first, second in found)
    return [(scrub(first).text, scrub(second).text) for first, second in both] if hiding else list(both)


def sentences(items: Any, hiding: bool = False) -> list[list[str]]:
    """The sentences, each a list of words, as many where ``hiding`` replaces what is personal among them.

    Raises:
        InputError: what :func:`listed` refuses, or something among them that is no list of words.
    """
    what, fix = "a list of sentences, each a list of words", 'write [["my", "card"]]'
    found = listed(items, what, fix)
    for item in found:
        if not isinstance(item, _LISTS) or not all(isinstance(word, str) for word in item):
            raise InputError(what, f"{item!r:.60} among them", fix)
    return [in_words(words)[0] for words in found] if hiding else found


def pictures(items: Any) -> list[Any]:
    """The pictures: paths, bytes or arrays; what each of them is, :mod:`fieldtune.data.images` looks at.

    Raises:
        InputError: what :func:`listed` refuses.
    """
    return listed(items, "a list of pictures", "put the picture into a list")
