"""Where the words of a text begin and end, as offsets into that very text, for models that label words.

White space parts words, punctuation at their ends is a word of its own, and so is every Chinese, Japanese or Korean
character. What joins letters stays inside: ``U.S.``, ``3,000``, ``Sino-Japanese``; an English ``'s`` is cut off. A colon
joins before a digit alone (``12:30``, ``localhost:8080``): before a letter it stands between two things, ``Lee:Leeds``.
"""

import re
import string

from fieldtune.text.language import HAN, KANA_HANGUL

_EAST = f"{HAN}{KANA_HANGUL}"
# of English and of other scripts
_MARKS = re.escape(string.punctuation) + "¡-©«-±´·»¿‐-‧‰-⁞।॥،؛؟、-〿！-／：-＠［-｀｛-･"
_LETTER = f"[^\\s{_MARKS}{_EAST}]"
_KINDS = (
    f"[{_EAST}]",
    f"(?:{_LETTER}\\.){{2,}}",  # U.S.
    f"{_LETTER}+(?:(?:[-.,/&@_+]|:(?=\\d)){_LETTER}+|['’]{_LETTER}{{3,}})*",  # 3,000 Sino-Japanese 12:30 O'Brien
    f"['’]{_LETTER}{{1,2}}(?!{_LETTER})",  # 's
    r"\S",
)
_WORD = re.compile("|".join(_KINDS))


def spans(text: str) -> list[tuple[int, int]]:
    """Words as (start, end): in order, not overlapping, that leave out nothing but white space."""
    return [match.span() for match in _WORD.finditer(text)]
