"""Texts that were decoded with the wrong encoding (pure): ``cafÃ©`` for ``café``, or signs lost for good.

It sees what went wrong in all of a text: beside signs that the wrong encoding has not, and of legacy encodings read as one
another, it knows nothing.
"""

_LOST = "\ufffd"
_WESTERN = ("cp1252", "latin-1")
_LEADS = frozenset("ÂÃâð")
"""What UTF-8's accents, quotation marks and emoji begin with when read as Western: one is sign enough. Others stand in right
texts, too: ``CAFÉ»`` are two letters of which UTF-8 makes one."""
_IDEOGRAPHS = "\u3000"


def misread(text: str) -> bool:
    """Whether signs are lost (U+FFFD), or the text is UTF-8 read as Western (cp1252, Latin-1) or Chinese (GB 18030)."""
    if text.isascii():
        return False
    return _LOST in text or any(_western(text, encoding) for encoding in _WESTERN) or _chinese(text)


def _western(text: str, encoding: str) -> bool:
    meant = _again(text, encoding)
    signs = sum(not sign.isascii() for sign in meant)
    return signs > 1 or (signs == 1 and not _LEADS.isdisjoint(text))


def _chinese(text: str) -> bool:
    return any(sign >= _IDEOGRAPHS for sign in _again(text, "gb18030"))


def _again(text: str, encoding: str) -> str:
    """The text as UTF-8 of the same bytes; "" where they are none."""
    try:
        return text.encode(encoding).decode("utf-8")
    except UnicodeError:
        return ""
