"""Files of one word a line, its tag in the last column, a blank line between sentences (CoNLL) -> words and IOB2 tags.

Entities may be written as IOB1, IOB2 or BIOES (also BILOU, BMES): which one is found out from all tags of a file together
and all are read as the same entities. What fits none of them is refused with its line; nothing is guessed.
"""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from fieldtune.data.raw import decode, read_bytes
from fieldtune.errors import InputError
from fieldtune.evaluate.sequence import OUTSIDE
from fieldtune.progress import say

_TAG = re.compile(r"([BIESLUMW])-(.+)")
_LONG = {"L": "E", "U": "S", "M": "I", "W": "S"}  # the names that BILOU and BMES have for the same
_DOCUMENT = "-DOCSTART-"


class Sentence(NamedTuple):
    """Words, what their last columns say, and the lines they stand in."""

    words: list[str]
    tags: list[str]
    lines: list[int]


def read_conll(path: Path, *, words_only: bool = False) -> list[Sentence]:
    """The sentences of a file, tags as IOB2; ``-DOCSTART-`` lines part sentences and are left out.

    Args:
        words_only: columns after the first are not looked at; the tags are empty.

    Raises:
        InputError: no such file, another encoding, no word, a line with other columns than the first, no tag where one
            should be, or entities that no one scheme explains; with the line.
    """
    sentences = _sentences(decode(read_bytes(path), path), path, words_only)
    if not sentences:
        raise InputError("words, one a line", f"none in {path}", "check that the export worked")
    if words_only:
        return [sentence._replace(tags=[]) for sentence in sentences]
    if not any(tag for sentence in sentences for tag in sentence.tags):
        raise InputError(f"a word and its tag in every line of {path}", "one column", "add the tags as the last column")
    tags = iob2(
        [sentence.tags for sentence in sentences], lambda row, place: f"line {sentences[row].lines[place]}", path
    )
    return [sentence._replace(tags=mine) for sentence, mine in zip(sentences, tags, strict=True)]


def _sentences(text: str, path: Path, words_only: bool) -> list[Sentence]:
    found = [Sentence([], [], [])]
    first: tuple[int, int] | None = None
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    counts = Counter(len(_cells(line)) for line in lines if line.strip() and not line.startswith("#"))
    usual, comments = max(counts, key=lambda count: counts[count], default=0), 0
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.startswith(_DOCUMENT):
            found.append(Sentence([], [], []))
            continue
        cells = _cells(line)
        if usual and not found[-1].words and _comments(cells, usual, words_only):
            comments += 1
            continue
        first = first or (len(cells), number)
        if len(cells) != first[0] or not cells[0].strip():
            raise InputError(
                f"{first[0]} columns in every line of {path}, as in line {first[1]}",
                f"{len(cells)} in line {number}" if cells[0].strip() else f"no word in line {number}",
                "correct that line; the tag is the last column, a blank line parts sentences",
            )
        found[-1].words.append(cells[0].strip())
        found[-1].tags.append(cells[-1].strip() if len(cells) > 1 else "")
        found[-1].lines.append(number)
    if comments:
        say(f"note: {comments} lines of comments (#) left out ({path})")
    return [sentence for sentence in found if sentence.words]


def _cells(line: str) -> list[str]:
    return line.split("\t") if "\t" in line else re.split(" +", line.strip(" "))


def _comments(cells: list[str], usual: int, words_only: bool) -> bool:
    """Whether a line before a sentence is a comment: # and other columns than words have, or # and no tag at its end."""
    if not cells[0].startswith("#") or len(cells) != usual:
        return cells[0].startswith("#")
    tag = cells[-1].strip()
    return cells[0] == "#" and usual > 1 and not words_only and tag != OUTSIDE and not _TAG.fullmatch(tag)


def iob2(rows: Sequence[Sequence[str]], named: Callable[[int, int], str], where: object) -> list[list[str]]:
    """Tags of sentences in IOB1, IOB2 or BIOES -> the same entities in IOB2.

    Args:
        named: row and place -> what a user calls that place, e.g. ``"line 7"``.
        where: the file or table, for the message.

    Raises:
        InputError: what is no tag, or no scheme explains all tags.
    """
    parsed = [
        [_parsed(tag, row, place, named, where) for place, tag in enumerate(tags)] for row, tags in enumerate(rows)
    ]
    kinds = {kind for tags in parsed for kind, _ in tags}
    breaks = _closed_breaks(parsed) if kinds & {"E", "S"} else _open_breaks(parsed)
    if breaks:
        told = "; ".join(f"{rows[row][place]} in {named(row, place)} {what}" for row, place, what in breaks)
        raise InputError(f"entities of one scheme (IOB1, IOB2 or BIOES) in {where}", told, "correct the tags there")
    return [_rewritten(tags) for tags in parsed]


def _parsed(tag: str, row: int, place: int, named: Callable[[int, int], str], where: object) -> tuple[str, str]:
    if tag == OUTSIDE:
        return OUTSIDE, ""
    match = _TAG.fullmatch(tag)
    if not match:
        raise InputError(
            f"tags such as O, B-PER and I-PER in {where}", f"{tag!r} in {named(row, place)}", "correct that tag"
        )
    return _LONG.get(match[1], match[1]), match[2]


Parsed = list[list[tuple[str, str]]]
Break = tuple[int, int, str]


def _open_breaks(parsed: Parsed) -> list[Break]:
    """Where an entity begins with I (IOB1) and where B begins one that touches none (IOB2), if a file has both."""
    bare: list[Break] = []
    needless: list[Break] = []
    for row, tags in enumerate(parsed):
        for place, (kind, name) in enumerate(tags):
            touches = place > 0 and tags[place - 1][1] == name
            if kind == "I" and not touches:
                bare.append((row, place, "begins an entity, as in IOB1"))
            elif kind == "B" and not touches:
                needless.append((row, place, "begins one too, as in IOB2"))
    return [bare[0], needless[0]] if bare and needless else []


def _closed_breaks(parsed: Parsed) -> list[Break]:
    """The first place where BIOES is not kept: B and I go on to I or E of their type, nothing else does."""
    for row, tags in enumerate(parsed):
        going = ""
        for place, (kind, name) in enumerate((*tags, (OUTSIDE, ""))):
            if going and (kind not in ("I", "E") or name != going):
                return [(row, place - 1, "is not the end of its entity, which BIOES marks E")]
            if not going and kind in ("I", "E"):
                return [(row, place, "begins no entity, in BIOES")]
            going = name if kind in ("B", "I") else ""
    return []


def _rewritten(tags: list[tuple[str, str]]) -> list[str]:
    out = []
    for place, (kind, name) in enumerate(tags):
        begins = kind in ("B", "S") or not place or tags[place - 1][1] != name
        out.append(OUTSIDE if kind == OUTSIDE else f"{'B' if begins else 'I'}-{name}")
    return out
