"""Capitals and spaces for text that a lower-case model wrote: each as it mostly stood in the training texts (pure)."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

_WORD = re.compile(r"[^\W\d_]+")
_START = re.compile(r"(?:^|[.!?]\s{1,4}|\n\s{0,4})$")  # of the four characters before a word
_SPACED = ((re.compile(r"(?<!\s)\s+([.,;:!?%)\]])"), r"\1"), (re.compile(r"([(\[$#])\s+"), r"\1"),
           (re.compile(r"(?<!\s)\s*(['’])\s*(?=(?:s|t|re|ve|ll|d|m)\b)", re.I), r"\1"), (re.compile(r"(?<=\w)\s+-\s+(?=\w)"), "-"))  # fmt: skip
_TOKEN = re.compile(r"\{\{[^{}]*\}\}|[^\W\d_]+|\d+|[^\w\s]|_")
LEAST = 2
"""Different texts that a word stands in before its form is kept: what one customer's reply alone holds may be a name."""
AGREED = 0.9
"""Share of the places where two kinds of tokens meet that have a space, or none, before it is taken for a rule."""


@dataclass(frozen=True)
class Writing:
    """How the training texts are written.

    Attributes:
        forms: lower-case word -> how it is mostly written inside sentences, where that is not lower case.
        gaps: two kinds of tokens that meet, at least one of them a sign, ``"a="`` -> whether a space stands between
            them; letters are ``a``, digits ``1``, a sign is itself.
        begin: whether most texts begin with a capital.
        within: whether most sentences after the first do.
    """

    forms: dict[str, str] = field(default_factory=dict)
    gaps: dict[str, bool] = field(default_factory=dict)
    begin: bool = True
    within: bool = True

    def as_dict(self) -> dict[str, Any]:
        """For JSON; ``Writing(**it)`` is the same again."""
        return asdict(self)


def learn(texts: Iterable[str]) -> Writing:
    """What :func:`restore` needs; what stands in fewer than :data:`LEAST` different texts is left out."""
    distinct = list(dict.fromkeys(texts))
    return Writing(_forms(distinct), _gaps(distinct), *_capitals(distinct))


def restore(text: str, writing: Writing) -> str:
    """The text with learnt forms and spaces, capitals where sentences begin with one, and signs set close to their words."""
    for pattern, close in _SPACED:
        text = pattern.sub(close, text)
    text = _respaced(text, writing.gaps)

    def written(match: re.Match[str]) -> str:
        word = writing.forms.get(match[0], match[0])
        capital = _first(text, match) and (writing.within if match.start() else writing.begin)
        return word[:1].upper() + word[1:] if capital else word

    return _WORD.sub(written, text)


def _first(text: str, word: re.Match[str]) -> bool:
    """Whether a sentence begins with this word."""
    return bool(_START.search(text[max(word.start() - 4, 0) : word.start()]))


def _capitals(texts: list[str]) -> tuple[bool, bool]:
    """Whether most texts begin with a capital, and most sentences within: of these without any, as texts do.

    Where letters have no case, as in Chinese, nothing is counted, and nothing is lost.
    """
    seen: tuple[Counter[bool], Counter[bool]] = (Counter(), Counter())
    for text in texts:
        for match in _WORD.finditer(text):
            letter = match[0][0]
            if letter.lower() != letter.upper() and _first(text, match):
                seen[match.start() > 0][letter.isupper()] += 1
    begin, within = (counts[True] >= counts[False] for counts in seen)
    return begin, within if seen[1] else begin


def _forms(texts: list[str]) -> dict[str, str]:
    seen: defaultdict[str, Counter[str]] = defaultdict(Counter)
    spread: Counter[str] = Counter()
    for text in texts:
        spread.update({match[0].lower() for match in _WORD.finditer(text)})
        for match in _WORD.finditer(text):
            if not _first(text, match):
                seen[match[0].lower()][match[0]] += 1
    best = {word: counts.most_common(1)[0][0] for word, counts in seen.items() if spread[word] >= LEAST}
    return {word: form for word, form in best.items() if form != word}


def _gaps(texts: list[str]) -> dict[str, bool]:
    apart: defaultdict[str, Counter[bool]] = defaultdict(Counter)
    spread: Counter[str] = Counter()
    for text in texts:
        met = [(key, end > start) for key, start, end in _meetings(text)]
        spread.update({key for key, _ in met})
        for key, gap in met:
            apart[key][gap] += 1
    usual = {key: counts.most_common(1)[0] for key, counts in sorted(apart.items()) if spread[key] >= LEAST}
    return {key: gap for key, (gap, count) in usual.items() if count >= AGREED * apart[key].total()}


def _meetings(text: str) -> Iterator[tuple[str, int, int]]:
    """Two kinds that meet, and where what stands between them begins and ends; not over the end of a line."""
    before, last = "", 0
    for match in _TOKEN.finditer(text):
        kind = _kind(match[0])
        if before and (before + kind).strip("a1") and "\n" not in text[last : match.start()]:
            yield before + kind, last, match.start()
        before, last = kind, match.end()


def _kind(token: str) -> str:
    if token[0].isdigit():
        return "1"
    return "a" if token[0].isalpha() or len(token) > 1 else token


def _respaced(text: str, gaps: Mapping[str, bool]) -> str:
    parts, at = [], 0
    for key, start, end in _meetings(text):
        if key in gaps:
            parts += [text[at:start], " " if gaps[key] else ""]
            at = end
    return "".join([*parts, text[at:]])
