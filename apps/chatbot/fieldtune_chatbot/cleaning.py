"""What of a question is searched: without greetings and politeness, its typing errors mended. Never shown. Pure."""

from collections.abc import Iterable, Sequence
from functools import lru_cache

from fieldtune.retrieval.spelling import Speller
from fieldtune_chatbot.mining import substance

_REMEMBERED = 10_000


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
