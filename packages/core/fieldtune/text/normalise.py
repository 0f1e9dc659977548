"""Two keys for comparing texts: `normalise` for matching, `equality_key` for "is this the same text?".

Neither is for display, and neither knows what the words mean.
"""

import re
import unicodedata

from fieldtune.text.simplified import SIMPLIFIED

_URL = re.compile(r"(?:https?://|www\.)[a-z0-9\-._~:/?#\[\]@!$&'()*+,;=%]+")
_INVISIBLE = re.compile(
    r"[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f"
    r"\ufe00-\ufe0f\ufeff]"
)
_LONE = re.compile("[\ud800-\udfff]")
_SIGNED = re.compile(r"[+\-−]\s?[$€£¥]?\d")


def normalise(text: str) -> str:
    """Compatibility forms and full-width characters folded (NFKC), lower case, white space single.

    Invisible characters (zero-width spaces, joiners, direction marks, soft hyphens) are dropped. Idempotent.
    """
    if text.isascii():  # the same in half the time
        return " ".join(text.lower().split())
    visible = _INVISIBLE.sub("", unicodedata.normalize("NFKC", text))
    folded = unicodedata.normalize("NFKC", visible.lower())
    return " ".join(folded.split())


def blank(text: str) -> bool:
    """Whether there is nothing to see in it: white space and invisible characters only."""
    seen = text.strip()
    return not seen or (not seen[0].isalnum() and not _INVISIBLE.sub("", seen).strip())


def whole(text: str) -> str:
    """Halves of characters (lone surrogates), which no tokenizer reads, become U+FFFD; the length is kept."""
    return _LONE.sub("\ufffd", text)


def simplify(text: str) -> str:
    """Common traditional Chinese characters become simplified ones; length is kept."""
    return text if text.isascii() else text.translate(SIMPLIFIED)


def equality_key(text: str) -> str:
    """Texts with the same key say the same, letter for letter.

    `normalise`, then URLs out, traditional characters simplified, punctuation and symbols stripped at both
    ends. A text of nothing but URLs and punctuation has the key "".
    """
    plain = simplify(_URL.sub(" ", normalise(text)))
    start, end = 0, len(plain)
    while start < end and not (_counts(plain[start]) or _SIGNED.match(plain, start)):
        start += 1
    while end > start and not _counts(plain[end - 1]):
        end -= 1
    return " ".join(plain[start:end].split())


def _counts(character: str) -> bool:
    """Letters, marks and numbers count at the edge of a text; so do currency signs and %."""
    return unicodedata.category(character)[0] in "LMN" or character in "%‰°$€£¥"
