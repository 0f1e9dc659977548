"""Words and character n-grams for lexical search, one list for English and Chinese alike.

No stemming, no stop words, no dictionary: callers choose.
"""

import re

from fieldtune.text.language import HAN, KANA_HANGUL
from fieldtune.text.normalise import normalise, simplify

_EAST = f"{HAN}{KANA_HANGUL}"
_RUN = re.compile(f"[{_EAST}]+|[^\\W_{_EAST}]+(?:['’_./:@&+#-][^\\W_{_EAST}]+)*")
_PART = re.compile(r"[^\W_]+")
_APOSTROPHE = re.compile(r"['’](?:s(?![^\W_]))?")


def lexical_tokens(text: str) -> list[str]:
    """Tokens in reading order; "" gives [].

    - words and numbers in lower case, apostrophes closed: "Don't" -> dont, "card's" -> card;
    - what is joined by punctuation gives its parts, and stays whole too where the whole means something
      (it holds a digit, a hyphen or underscore, or single letters): "ERR-4012" -> err, 4012, err-4012;
    - a run of Chinese, Japanese or Korean characters gives every character, then every pair:
      "银行卡" -> 银, 行, 卡, 银行, 行卡. Traditional characters are simplified first.
    """
    tokens: list[str] = []
    for match in _RUN.finditer(simplify(normalise(text))):
        run = match.group()
        tokens += _east(run) if _is_east(run[0]) else _word(run)
    return tokens


def character_ngrams(text: str, smallest: int, largest: int) -> list[str]:
    """All n-grams of `smallest` to `largest` characters of the normalised text, with a space at both ends."""
    padded = f" {simplify(normalise(text))} "
    lengths = range(smallest, largest + 1)
    return [padded[i : i + n] for n in lengths for i in range(len(padded) - n + 1)]


def _is_east(character: str) -> bool:
    return _EAST_CHARACTER.match(character) is not None


_EAST_CHARACTER = re.compile(f"[{_EAST}]")


def _east(run: str) -> list[str]:
    return list(run) + [run[i : i + 2] for i in range(len(run) - 1)]


def _word(run: str) -> list[str]:
    closed = _APOSTROPHE.sub("", run)
    parts = _PART.findall(closed)
    whole = len(parts) > 1 and (
        any(c.isdigit() for c in closed) or "-" in closed or "_" in closed or all(len(p) == 1 for p in parts)
    )
    return [*parts, closed] if whole else parts
