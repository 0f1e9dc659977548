"""Capital letters for text that a lower-case model wrote: each word as it was mostly written in the training texts (pure)."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping

_WORD = re.compile(r"[^\W\d_]+")
_START = re.compile(r"(?:^|[.!?]\s{1,4}|\n\s{0,4})$")  # of the four characters before a word
_SPACED = ((re.compile(r"(?<!\s)\s+([.,;:!?%)\]])"), r"\1"), (re.compile(r"([(\[$#])\s+"), r"\1"),
           (re.compile(r"(?<!\s)\s*(['’])\s*(?=(?:s|t|re|ve|ll|d|m)\b)", re.I), r"\1"), (re.compile(r"(?<=\w)\s+-\s+(?=\w)"), "-"))  # fmt: skip


LEAST = 2
"""Different texts that a word stands in before its form is kept: what one customer's reply alone holds may be a name."""


def learn(texts: Iterable[str]) -> dict[str, str]:
    """Lower-case word -> how it is mostly written inside sentences, where that is not lower case.

    A word of fewer than :data:`LEAST` different texts is left out.
    """
    seen: defaultdict[str, Counter[str]] = defaultdict(Counter)
    spread: Counter[str] = Counter()
    for text in dict.fromkeys(texts):
        spread.update({match[0].lower() for match in _WORD.finditer(text)})
        for match in _WORD.finditer(text):
            if not _START.search(text[max(match.start() - 4, 0) : match.start()]):
                seen[match[0].lower()][match[0]] += 1
    best = {word: counts.most_common(1)[0][0] for word, counts in seen.items() if spread[word] >= LEAST}
    return {word: form for word, form in best.items() if form != word}


def restore(text: str, forms: Mapping[str, str]) -> str:
    """The text with learnt forms, capitals where sentences begin, and signs set close to their words."""
    for pattern, close in _SPACED:
        text = pattern.sub(close, text)

    def written(match: re.Match[str]) -> str:
        word = forms.get(match[0], match[0])
        first = _START.search(text[max(match.start() - 4, 0) : match.start()])
        return word[:1].upper() + word[1:] if first else word

    return _WORD.sub(written, text)
