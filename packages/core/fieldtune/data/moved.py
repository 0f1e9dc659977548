"""Spans of characters after personal data was hidden in their text: each stands where its words do now."""

import json
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from fieldtune.data.cells import as_json, cleaned
from fieldtune.data.filled import empty
from fieldtune.data.scrub import scrub, traced
from fieldtune.data.spans import place

Span = dict[str, Any]


def moved(text: str, cell: Any, names: Sequence[str] = ()) -> tuple[str, Any, list[str]]:
    """A text with its personal data hidden, the spans in it (objects with start, end and label, or JSON of them), and the
    kinds that were found in either; spans in which nothing changed are as they came.

    One that shares a character with what was hidden holds the whole placeholder; ``text`` in a span is written anew, and
    what else it says is hidden as in any cell.

    Raises:
        TypeError: no such spans, personal data in a label, or two that would share a placeholder; says what.
    """
    clean, places = traced(text, names)
    kinds, spans = list(scrub(text, names=names).kinds), _spans(cell, len(text))
    for span in spans:  # as of the name of a field, another label would be of another meaning
        if hidden := scrub(str(span.get("label", "")), names=names).kinds:
            raise TypeError(f"a span with {hidden[0]} in its label")
    told = [cleaned(_rest(span, text), names) for span in spans]
    kinds += [kind for _, own in told for kind in own]
    if not spans or not kinds:
        return clean, cell, kinds
    found = [_moved(span, rest, clean, places) for span, (rest, _) in zip(spans, told, strict=True)]
    before, after = (sorted(map(place, some)) for some in (spans, found))
    if _overlap(after) and not _overlap(before):
        raise TypeError("two spans of what is hidden as one")
    return clean, as_json(found, cell) if isinstance(cell, str) else found, kinds


def _spans(cell: Any, length: int) -> list[Span]:
    try:
        found = json.loads(cell or "[]") if isinstance(cell, str) else [] if empty(cell) else list(cell)
        inside = all(0 <= start < end <= length for start, end in map(place, found))
    except (TypeError, KeyError, ValueError, OverflowError, RecursionError):
        raise TypeError("spans that are no list of objects with start and end") from None
    if not inside:
        raise TypeError(f"a span that is not inside the text of {length} characters")
    return list(found)


def _rest(span: Span, text: str) -> Span:
    """What a span says beside its place, its label and the words that stand there."""
    start, end = place(span)
    known = {"start", "end", "label", *(["text"] if span.get("text") == text[start:end] else [])}
    return {name: value for name, value in span.items() if name not in known}


def _moved(span: Span, rest: Span, clean: str, places: list[tuple[int, int]]) -> Span:
    start, end = place(span)
    inside = [at for at, (first, last) in enumerate(places) if first < end and last > start]
    new = {"start": inside[0], "end": inside[-1] + 1}
    told = {"text": clean[new["start"] : new["end"]]} if "text" in span else {}
    return {**span, **rest, **new, **told}


def _overlap(places: list[tuple[int, int]]) -> bool:
    return any(end > start for (_, end), (start, _) in pairwise(places))
