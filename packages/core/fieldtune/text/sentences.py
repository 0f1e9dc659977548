"""Where the sentences of an English or Chinese text begin and end, as offsets into that very text.

Rules only, no model: it knows common abbreviations, decimals, initials, quotes, headings, list items and
wrapped lines. It does not know grammar; a quotation of several sentences is cut inside.
"""

import re
from collections.abc import Iterator

from fieldtune.text.language import HAN, KANA_HANGUL

_STOP = re.compile(r"[.!?…。！？；｡]+[\"'”’」』）)\]】》*_]*")
_LINE = re.compile(r"[^\n\r\u2028\u2029\x0b\x0c\x85]+")
_BLOCK = re.compile(
    r"\s*(?:[-*+•·●▪‣–—]\s|#{1,6}\s|>|\||\d{1,3}[.)、）]|[（(]?[a-z\d一二三四五六七八九十]{1,3}[)）、])"
)
_EAST = re.compile(f"[{HAN}{KANA_HANGUL}]")
_LIST_NUMBER = re.compile(r"\s*(?:[#>*-]+\s*)?[(（]?(?:\d{1,3}|[A-Za-z])\Z")
_WORD_BEFORE = re.compile(r"[^\s(\[{\"'“‘（]{1,20}\Z")
_WRAPPED_AT_LEAST = 50
"""Characters. A shorter line without a full stop was broken on purpose: a heading, an address, a list."""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_TITLES = _words(
    "mr mrs ms dr prof rev gen col sgt capt lt gov sen rep hon pres messrs st mt ft e.g i.e eg ie vs "
    "v cf viz al ca approx resp fig figs eq no nos art sec ch vol pp p c dept est tel ext jan feb mar "
    "apr jun jul aug sep sept oct nov dec mon tue wed thu fri max min avg incl excl"
)
"""A full stop after one of these never ends a sentence."""
_NEEDS_NUMBER = _words("no nos art sec ch vol pp p v c fig figs eq max min mar apr mon sat sun fri wed")
"""Of these, the ones that are also plain words: an abbreviation only before a digit."""
_SHORT_FORMS = _words("etc inc ltd co corp llc plc jr sr bros a.m p.m a.d b.c ph.d u.s u.k u.n e.u u.s.a")
"""A full stop after one of these ends a sentence only where the next word is one that opens sentences."""
_OPENERS = _words(
    "a an and as at after all any but because before both can do each every for from he her here his "
    "how however i if in it its many meanwhile most no not now of on once one only or our please she "
    "since so some such that the their there these they this those though to under until we what "
    "when where which while who why with you your"
)


def spans(text: str) -> list[tuple[int, int]]:
    """Sentences as (start, end): in order, not overlapping, that leave out nothing but white space.

    ``text[start:end]`` is the sentence, verbatim. A line break ends a sentence unless the line looks
    wrapped: at least 50 characters, no full stop, and the next line goes on in lower case.
    """
    found: list[tuple[int, int]] = []
    for start, end in _blocks(text):
        cut = start
        for match in _STOP.finditer(text, start, end):
            if _ends(text, start, match):
                found.append((cut, match.end()))
                cut = match.end()
        found.append((cut, end))
    return [trimmed for span in found if (trimmed := _trim(text, *span))]


def _blocks(text: str) -> Iterator[tuple[int, int]]:
    """Lines, with wrapped ones joined again."""
    start: int | None = None
    end = 0
    for line in _LINE.finditer(text):
        if start is not None and not _goes_on(text, end, line):
            yield start, end
            start = None
        start = line.start() if start is None else start
        end = line.end()
        if _BLOCK.match(line.group()) and line.group().lstrip()[0] in "#|":
            yield start, end
            start = None
    if start is not None:
        yield start, end


def _goes_on(text: str, end: int, line: re.Match[str]) -> bool:
    """Does `line` continue the line that ended at `end`?"""
    begin = max(text.rfind("\n", 0, end), text.rfind("\r", 0, end)) + 1
    gap, here = text[end : line.start()], line.group()
    wrapped = end - begin >= _WRAPPED_AT_LEAST and gap in ("\n", "\r\n", "\r")
    return wrapped and here.lstrip()[:1].islower() and not _BLOCK.match(here)


def _ends(text: str, block: int, match: re.Match[str]) -> bool:
    """Is this run of stops the end of a sentence?"""
    after = text[match.end() : match.end() + 1]
    stops = match.group().rstrip("\"'”’」』）)]】》*_")
    if stops[-1] in "。！？；｡" or stops.startswith("……"):
        return True
    if after and not after.isspace():
        east_before = match.start() > block and _EAST.match(text[match.start() - 1])
        return bool(_EAST.match(after) and (east_before or stops[-1] in "!?"))
    if stops != ".":
        return not (stops.startswith(("..", "…")) and _next_word(text, match.end())[:1].islower())
    return not _abbreviated(text, block, match)


def _abbreviated(text: str, block: int, match: re.Match[str]) -> bool:
    """Does the single full stop belong to the word before it?"""
    dot, following = match.start(), _next_word(text, match.end())
    if _LIST_NUMBER.match(text[max(block, dot - 12) : dot]) and dot - block <= 12:
        return True
    before = _WORD_BEFORE.search(text, max(block, dot - 20), dot)
    if not before or not following:
        return False
    raw, word = before.group(), before.group().lower()
    if len(raw) == 1 and raw.isupper() and raw != "I" and following[0].isupper():
        return len(following) == 1 or following.lower() not in _OPENERS
    if word in _TITLES:
        return following[0].isdigit() or word not in _NEEDS_NUMBER
    if word in _SHORT_FORMS or re.fullmatch(r"[A-Za-z](?:\.[A-Za-z])+", raw):
        return following.lower() not in _OPENERS or following[0].islower()
    return False


_NEXT = re.compile(r"\s{0,60}[\"'“‘(\[*_]{0,60}([^\W_]+)")


def _next_word(text: str, start: int) -> str:
    following = _NEXT.match(text, start, start + 60)
    return following.group(1) if following else ""


def _trim(text: str, start: int, end: int) -> tuple[int, int] | None:
    piece = text[start:end]
    left = start + len(piece) - len(piece.lstrip())
    right = end - (len(piece) - len(piece.rstrip()))
    return (left, right) if left < right else None
