"""A document's text cut into passages that an encoder can read whole, as offsets into that very text. Pure.

``text[start:end]`` of every passage is verbatim; headings are kept beside, not inside. Knows Markdown's headings,
blank lines and code fences, and sentences; not what they say.
"""

import re
from collections.abc import Iterator

from fieldtune.text.sentences import spans
from fieldtune_chatbot.records import Passage

LIMIT = 1000
"""Weight of the longest passage: about 200 word pieces, which MiniLM (256) still reads to the end."""

_HEADING = re.compile(r"(#{1,6})[ \t]+(.+?)[ \t#]*$")
_CJK = re.compile(r"[\u3400-\u9fff\uf900-\ufaff\u3040-\u30ff\uac00-\ud7af]")


def passages(text: str, limit: int = LIMIT) -> list[Passage]:
    """Cut `text`: a heading starts a new passage, short blocks under one heading stay together.

    A block heavier than `limit` (a Chinese character weighs 3, any other 1) is cut between sentences, and a sentence
    heavier than that stays whole.

    Returns:
        Passages in order, not overlapping, none blank, leaving out only white space and heading lines.
    """
    result: list[Passage] = []
    for start, end, heading in _sections(text):
        pieces = [piece for block in _blocks(text, start, end) for piece in _fitting(text, *block, limit)]
        result += [Passage(*piece, heading) for piece in _joined(text, pieces, limit)]
    return result


def title(text: str, fallback: str) -> str:
    """The first heading, or `fallback`."""
    for line in text.splitlines():
        found = _HEADING.match(line)
        if found:
            return found.group(2).strip()
    return fallback


def _sections(text: str) -> Iterator[tuple[int, int, str]]:
    """Stretches between heading lines, each with its headings, outermost first, joined by `` > ``."""
    trail: list[tuple[int, str]] = []
    start = position = 0
    fenced = False
    for line in text.splitlines(keepends=True):
        fenced ^= line.lstrip().startswith("```")
        found = None if fenced else _HEADING.match(line.rstrip("\r\n"))
        if found:
            yield start, position, _trail(trail)
            level = len(found.group(1))
            trail = [*(entry for entry in trail if entry[0] < level), (level, found.group(2).strip())]
            start = position + len(line)
        position += len(line)
    yield start, position, _trail(trail)


def _trail(trail: list[tuple[int, str]]) -> str:
    return " > ".join(name for _, name in trail)


def _blocks(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """What blank lines separate."""
    for match in re.finditer(r"\S(?:.*\S)?(?:\r?\n[ \t]*\S(?:.*\S)?)*", text[start:end]):
        yield start + match.start(), start + match.end()


def _fitting(text: str, start: int, end: int, limit: int) -> list[tuple[int, int]]:
    """The block itself, or its sentences joined up to the limit."""
    if weight(text[start:end]) <= limit:
        return [(start, end)]
    return _joined(text, [(start + left, start + right) for left, right in spans(text[start:end])], limit)


def _joined(text: str, pieces: list[tuple[int, int]], limit: int) -> list[tuple[int, int]]:
    """Neighbours together while they fit."""
    result: list[tuple[int, int]] = []
    for start, end in pieces:
        if result and weight(text[result[-1][0] : end]) <= limit:
            result[-1] = (result[-1][0], end)
        else:
            result.append((start, end))
    return result


def weight(text: str) -> int:
    """Characters, Chinese ones thrice: roughly proportional to word pieces."""
    return len(text) + 2 * len(_CJK.findall(text))
