"""Personal data out of a cell: a text, or lists and objects of texts, such as the turns of a dialogue. Knows no table."""

import json
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

import numpy as np

from fieldtune.data.filled import empty
from fieldtune.data.hiding import in_words
from fieldtune.data.raw import once
from fieldtune.data.scrub import scrub

Cleaned = tuple[Any, list[str]]
"""What is written instead, and the kinds that were found, once for each text."""
DEEPEST = 50
"""Lists and objects inside each other, at most; JSON that goes deeper is read as plain text."""


def cleaned(cell: Any, names: Sequence[str] = (), *, words: bool = False) -> Cleaned:
    """A cell with "[email]" and the like in its texts, however deep; one in which nothing was found is as it came.

    Lists of single words keep their number: each word is replaced whole. A text that is a JSON list or object of texts,
    as CSV holds such, comes back as one. What the name of a field gives away (``password``) counts as before its text.

    Args:
        cell: any.
        names: of people, to hide too.
        words: a list of texts is one of words, even if some hold a space.

    Raises:
        TypeError: neither text nor a list or object of them, or one with personal data where no text is; says what.
    """
    if isinstance(cell, str):
        inner = decoded(cell)
        if inner is None:
            return _text(cell, names)
        value, kinds = cleaned(inner, names, words=words)
        return (as_json(value, cell), kinds) if kinds else (cell, kinds)
    if empty(cell):
        return cell, []
    if not isinstance(cell, (list, dict, np.ndarray)):
        raise TypeError(type(cell).__name__)
    try:
        _any_text(cell)
    except ValueError as error:
        raise TypeError(str(error)) from None
    if words and not isinstance(cell, dict) and all(isinstance(one, str) for one in cell):
        return _words(list(cell), names)
    return _inside(cell, names)


def decoded(text: str) -> list[Any] | dict[str, Any] | None:
    """The list or object whose JSON a text is; None for one that is none, or has no text in it."""
    if not text.lstrip().startswith(("[", "{")):
        return None
    try:
        found = json.loads(text, object_pairs_hook=once, parse_float=_exact)
        as_json(found, text)
        return found if _any_text(found) else None
    except (TypeError, ValueError, ArithmeticError, RecursionError):  # what would not come back as it was: plain text
        return None


def as_json(value: Any, like: str) -> str:
    """JSON in place of that text: it escapes letters where the text did.

    Raises:
        TypeError: it holds an infinite number, or half a character that would be written out.
    """
    try:
        written = json.dumps(value, ensure_ascii=like.isascii(), allow_nan=False)
        written.encode()
    except ValueError:
        raise TypeError("a number or half a character that JSON cannot hold") from None
    return written


def _exact(number: str) -> float:
    """A number that is written as the same one again: it has no more digits than a float."""
    found = float(number)
    if Decimal(number) != Decimal(repr(found)):
        raise ValueError("another number")
    return found


def _any_text(value: Any, depth: int = 0) -> bool:
    if depth > DEEPEST:
        raise ValueError(f"more than {DEEPEST} lists and objects inside each other")
    inner: Iterable[Any] = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    if isinstance(value, np.ndarray) and value.dtype == object:
        inner = value.tolist() if value.ndim else (value.item(),)
    found = [_any_text(one, depth + 1) for one in inner]  # all of them: each is looked at for its depth
    return isinstance(value, str) or any(found)


def _inside(value: Any, names: Sequence[str]) -> Cleaned:
    if isinstance(value, dict):
        return _object(value, names)
    if isinstance(value, (list, np.ndarray)):
        return _list(list(value), names)
    return _text(value, names) if isinstance(value, str) else _other(value, names)


def _text(text: str, names: Sequence[str]) -> Cleaned:
    found = scrub(text, names=names)
    return found.text, list(found.kinds)


def _words(words: list[str], names: Sequence[str]) -> Cleaned:
    kept, found = in_words(words, names)
    return kept, list(found)


def _list(values: list[Any], names: Sequence[str]) -> Cleaned:
    if values and all(isinstance(one, str) and not any(map(str.isspace, one)) for one in values):
        return _words(values, names)
    parts = [_inside(one, names) for one in values]
    return [part for part, _ in parts], [kind for _, kinds in parts for kind in kinds]


def _object(value: dict[str, Any], names: Sequence[str]) -> Cleaned:
    kept, found = dict[str, Any](), list[str]()
    for field, inner in value.items():
        if kinds := scrub(str(field), names=names).kinds:
            raise TypeError(f"an object with {kinds[0]} in the name of a field")
        kept[field], more = _inside(inner, names)
        before = f"{field}: "
        if isinstance(inner, str) and (told := scrub(before + inner, names=names)).text.startswith(before):
            kept[field], more = told.text.removeprefix(before), list(told.kinds)
        found += more
    return kept, found


def _other(value: Any, names: Sequence[str]) -> Cleaned:
    """Numbers, dates and truths stay: text in their place would be another kind of table."""
    if isinstance(value, bytes):
        raise TypeError("bytes")
    if kinds := scrub(str(value), names=names).kinds:
        raise TypeError(f"a number that reads as {kinds[0]}")
    return value, []
