"""Labels as words: what an encoder can read of a class's name. Pure; knows no encoder and no class."""

import re

_WORD = re.compile(r"[^\W\d_]{3,}")
_IDEOGRAPHS = re.compile(r"[㐀-鿿]{2,}")


def readable(label: str) -> str:
    """``"card_arrival"`` and ``"cardArrival"`` -> ``"card arrival"``; "" where the name holds no word (``"17"``, ``"B2"``)."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", label)
    words = " ".join(re.sub(r"[_\-./:|]+", " ", spaced).split())
    return words.lower() if _WORD.search(words) or _IDEOGRAPHS.search(words) else ""
