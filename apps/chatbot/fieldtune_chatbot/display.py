"""What a person reads on the page of what is stored: text without marks, beginnings, and why in plain words. Pure.

Citations keep counting in the stored text; nothing here is stored.
"""

import re

from fieldtune_chatbot.records import Answer
from fieldtune_chatbot.replying import KNOWN, PERSON

_LINK = re.compile(r"!?\[([^\[\]\n]++)\]\([^)\s]{0,250}+(?:\s+\"[^\"\n]*\")?\)")
_HEADING = re.compile(r"^ {0,3}#{1,6}\s+", re.MULTILINE)
_QUOTE = re.compile(r"^ {0,3}>\s?", re.MULTILINE)
_BULLET = re.compile(r"^([^\S\n]*)[*+-]\s+", re.MULTILINE)
_CODE = re.compile(r"(?<!`)(`+)(?!`)([^\n]{1,500}?)(?<!`)\1(?!`)")
_STARS = re.compile(r"(\*{1,3})(?![\s*])([^*\n]*[^\s*])\1(?!\*)")
_LINES = re.compile(r"(?<!\w)(_{1,3})(?![\s_])([^_\n]*[^\s_])\1(?!\w)")

WHY = {
    KNOWN.reason: "why_known",
    "one source fits": "why_fits",
    "a source may fit": "why_maybe",
    "several sources fit alike": "why_alike",
    "one word": "why_word",
    "no source covers": "why_uncovered",
    "nothing in the knowledge base": "why_nothing",
    PERSON: "why_person",
    "the question is empty": "why_empty",
    "the question has": "why_long",
}
"""How an answer's reason begins -> its key in `wording.WORDS`."""


def why(answer: Answer) -> str:
    """The key of the words for its reason."""
    return next(key for beginning, key in WHY.items() if answer.reason.startswith(beginning))


def unmarked(text: str) -> str:
    """The text as its Markdown is meant to be read: bold, italics, code, links, headings and bullets without marks."""
    text = _BULLET.sub(r"\1• ", _QUOTE.sub("", _HEADING.sub("", _LINK.sub(r"\1", text))))
    return _LINES.sub(r"\2", _STARS.sub(r"\2", _CODE.sub(r"\2", text)))


def beginning(text: str, most: int = 80) -> str:
    """At most so many characters on one line, cut between words where there are any, with an ellipsis."""
    line = " ".join(text.split())
    if len(line) <= most:
        return line
    cut = line[: most - 1]
    head, space, _ = cut.rpartition(" ")
    return f"{head if space and len(head) > most // 2 and line[most - 1] != ' ' else cut.rstrip()}…"
