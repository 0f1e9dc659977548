"""What of a question is searched: without greetings and politeness, its typing errors mended. Never shown. Pure."""

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache

from fieldtune.retrieval.spelling import Speller
from fieldtune.text.normalise import normalise, simplify
from fieldtune_chatbot.mining import substance

_REMEMBERED = 10_000
_CHINESE = (
    "什么时候 多长时间 可不可以 是不是 有没有 能不能 会不会 为什么 怎么样 怎么办 多少钱 我想要 怎么 怎样 如何 什么 多少 多久 哪里 哪儿 "
    "哪个 哪些 几点 是否 能否 可以 需要 请问 我想 我要 想要 我们 你们 您们 我的 你的 您的 一下 我 你 您 能 会 想 要 请 是 有 在 的 了 吗 呢 吧 啊 呀"
).split()
_ENGLISH = "how what when where which who whose why".split()
_FUNCTION_WORD = re.compile("|".join([*_CHINESE, rf"\b(?:{'|'.join(_ENGLISH)})\b"]))
"""Longer ones stand first, so that they are taken whole."""


class Cleaner:
    """Text -> the text that is searched; the same for what is asked and for the wordings it is compared with."""

    def __init__(self, approved: Iterable[str], known_words: Sequence[str] = ()) -> None:
        """Read what is spelt right.

        Args:
            approved: the company's own texts. known_words: other words, commonest first.
        """
        self._speller = Speller(approved, known_words)
        self._remembered = lru_cache(_REMEMBERED)(self._clean)

    def __call__(self, text: str) -> str:
        return self._remembered(text)

    def _clean(self, text: str) -> str:
        return self._speller.mend(substance(text) or text)


def telling(text: str) -> str:
    """The text without the words that stand in any question: what, when, 什么时候, 可以; "" where there are no others.

    Inverse document frequency learns as much from many wordings; among a few dozen, 什么时候 (seven n-grams) looks like
    the subject of whatever entry asks with it.
    """
    return " ".join(_FUNCTION_WORD.sub(" ", simplify(normalise(text))).split())
