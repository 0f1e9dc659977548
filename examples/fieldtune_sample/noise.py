"""Surface noise for questions and answers: typos, greetings around a sentence, everyday rewordings.

Pure functions of a text, the pools they draw from and a generator; they know nothing of topics or files.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import numpy as np

Item = TypeVar("Item")
_WORD = re.compile(r"\b[a-z]{5,}\b")  # lower-case words only: codes and names such as P-11 or WELCOME10 stay whole
_END = " .!?。！？"


def pick(items: Sequence[Item], rng: np.random.Generator) -> Item:
    """One item, each equally likely; an IndexError on none."""
    return items[int(rng.integers(len(items)))]


def chance(share: float, rng: np.random.Generator) -> bool:
    """True with probability `share`."""
    return bool(rng.random() < share)


def misspell(text: str, rng: np.random.Generator) -> str:
    """Swap, drop or double one inner letter of one word of five letters or more; other text comes back as it is."""
    words = list(_WORD.finditer(text))
    if not words:
        return text
    word = pick(words, rng)
    at = word.start() + 1 + int(rng.integers(len(word.group()) - 3))
    first, second = text[at], text[at + 1]
    middle = pick((second + first, second, first + first + second), rng)
    return text[:at] + middle + text[at + 2 :]


def mistype(text: str, swaps: Sequence[Sequence[str]], rng: np.random.Generator) -> str:
    """Replace one occurrence of one usual Chinese slip (的 for 得, 在 for 再); unchanged where none applies."""
    possible = [(old, new) for old, new in swaps if old in text]
    if not possible:
        return text
    old, new = pick(possible, rng)
    return text.replace(old, new, 1)


def roughen(text: str, share: float, pools: Mapping[str, Any], rng: np.random.Generator) -> str:
    """A question as typed in a hurry: with probability `share` each, a slip, a greeting before it, thanks after it.

    `pools` are one language's lists of chat.toml: swaps, prefixes, suffixes.
    """
    if chance(share, rng):
        text = mistype(text, pools["swaps"], rng) if pools["swaps"] else misspell(text, rng)
    if chance(share / 2, rng):
        text = text.rstrip(_END).lower() if chance(0.5, rng) else text.rstrip(_END)
    prefix = pick(pools["prefixes"], rng)
    if chance(share / 2, rng) and not text.lower().startswith(prefix.strip(" ,，").lower()):
        text = prefix + text
    if chance(share / 4, rng):
        text = text.rstrip(_END) + pick(pools["suffixes"], rng)
    return text


def reword(text: str, rewrites: Sequence[Sequence[str]], rng: np.random.Generator) -> str:
    """An answer in a colleague's words: each known phrase is replaced with probability .5; facts and numbers stay."""
    for old, new in rewrites:
        if old in text and chance(0.5, rng):
            text = text.replace(old, new)
    return text
