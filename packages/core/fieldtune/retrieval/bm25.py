"""BM25 over English (stemmed) and Chinese (characters and pairs of characters) in one index.

Wraps bm25s with one tokenisation for both languages and a ceiling that makes scores comparable between
queries. Knows nothing of what the texts are; position in the list is the only identity.
"""

import importlib
import json
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fieldtune.errors import ArtefactError, MissingExtraError
from fieldtune.retrieval.highest import highest
from fieldtune.text.ngrams import lexical_tokens

# "not", "no" and question words that change the meaning stay in: "how do I not ..." is another question.
_ENGLISH = frozenset(
    "a an and are as at be been but by can could did do does for from had has have i if in into is it its "
    "just me my of on or our please so such that the their them then there these they this to was we were "
    "will with would you your".split()
)
_CHINESE = frozenset("的 了 吗 呢 啊 吧 呀 嘛 哦 请 是 在 和 与 及 我 你 您 们 这 那 就 都 也 很 把 被 给".split())
_LAYOUT = "bm25.json"


def analyse(text: str) -> list[str]:
    """Terms of a text as BM25 sees them: stemmed English, whole codes (``err-4012``), CJK uni- and bigrams."""
    stem = _stemmer()
    return [_stem(token, stem) for token in lexical_tokens(text) if token not in _ENGLISH and token not in _CHINESE]


def _stem(token: str, stem: Any) -> str:
    return str(stem.stemWord(token)) if token.isascii() and token.isalpha() else token


@lru_cache(maxsize=1)
def _stemmer() -> Any:
    return _need("Stemmer").Stemmer("english")


def _need(module: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise MissingExtraError(
            f"the Python module {module} for word search",
            "it is not installed",
            "pip install 'fieldtune[chatbot]'",
        ) from error


class Bm25:
    """A fixed list of texts, searchable by words (Lucene's BM25: idf * tf / (tf + k1 * (1 - b + b * length)))."""

    def __init__(self, index: Any, vocabulary: dict[str, int], size: int, mean_length: float) -> None:
        self._index, self._vocabulary, self._size, self._mean = index, vocabulary, size, mean_length
        self._idf = _inverse_frequencies(index, size)
        self._unseen = float(np.log1p((size + 0.5) / 0.5))

    @classmethod
    def build(cls, texts: Sequence[str], *, k1: float = 1.2, b: float = 0.75) -> "Bm25":
        """Index `texts`; term numbers follow first appearance, so equal texts give equal files."""
        vocabulary: dict[str, int] = {}
        rows = [[vocabulary.setdefault(term, len(vocabulary)) for term in analyse(text)] for text in texts]
        index = None
        if vocabulary:
            index = _need("bm25s").BM25(k1=k1, b=b, method="lucene")
            index.index((rows, dict(vocabulary)), create_empty_token=False, show_progress=False)
        return cls(index, vocabulary, len(texts), sum(map(len, rows)) / max(len(rows), 1))

    def __len__(self) -> int:
        return self._size

    def scores(self, query: str) -> NDArray[np.float32]:
        """Score of every text for `query`, float32[n], 0 where no word is shared."""
        known = [self._vocabulary[term] for term in analyse(query) if term in self._vocabulary]
        if self._index is None or not known:
            return np.zeros(self._size, np.float32)
        return np.asarray(self._index.get_scores_from_ids(known), np.float32)

    def score_of(self, query: str, text: str) -> float:
        """What `text` would score if it stood in the index in place of one that is there (its statistics kept)."""
        if self._index is None:
            return 0.0
        k1, b = float(self._index.k1), float(self._index.b)
        terms = analyse(text)
        counts = Counter(terms)
        norm = k1 * (1 - b + b * len(terms) / (self._mean or 1.0))
        return sum(self.idf(term) * counts[term] / (counts[term] + norm) for term in analyse(query) if counts[term])

    def ceiling(self, query: str) -> float:
        """What no text can exceed for `query`: the idf of all its terms, unseen ones included.

        ``scores(q) / ceiling(q)`` lies in [0, 1): the share of the question's information the text holds.
        """
        return sum(map(self.idf, analyse(query)))

    def idf(self, term: str) -> float:
        """How telling an analysed term is: log(1 + (n - df + .5) / (df + .5)), df = 0 for one never seen."""
        number = self._vocabulary.get(term)
        return self._unseen if number is None else float(self._idf[number])

    def search(self, queries: Sequence[str], k: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Best `k` texts per query: scores float32[q, k] falling, positions int64[q, k]; ties by position."""
        k = min(k, self._size)
        best = np.zeros((len(queries), k), np.float32)
        found = np.zeros((len(queries), k), np.int64)
        for row, query in enumerate(queries):
            scores = self.scores(query)
            found[row] = highest(scores, k)
            best[row] = scores[found[row]]
        return best, found

    def save(self, folder: Path) -> None:
        """Write the index into `folder` (JSON and plain arrays, no pickle)."""
        folder.mkdir(parents=True, exist_ok=True)
        if self._index is not None:
            self._index.save(folder, show_progress=False)
        layout = {"size": self._size, "mean_length": self._mean, "empty": self._index is None}
        (folder / _LAYOUT).write_text(json.dumps(layout), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> "Bm25":
        """Read what `save` wrote.

        Raises:
            ArtefactError: nothing of the kind in `folder`.
        """
        try:
            layout = json.loads((folder / _LAYOUT).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise ArtefactError(f"a word index in {folder}", str(error), "build it again") from error
        if layout["empty"]:
            return cls(None, {}, int(layout["size"]), 0.0)
        index = _need("bm25s").BM25.load(folder, load_vocab=True, load_corpus=False)
        vocabulary = {str(term): int(number) for term, number in index.vocab_dict.items()}
        return cls(index, vocabulary, int(layout["size"]), float(layout["mean_length"]))


def _inverse_frequencies(index: Any, size: int) -> NDArray[np.float64]:
    if index is None:
        return np.zeros(0)
    frequency = np.diff(np.asarray(index.scores["indptr"]))
    return np.asarray(np.log1p((size - frequency + 0.5) / (frequency + 0.5)), np.float64)
