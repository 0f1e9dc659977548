"""What a plain tagger sees of a word: itself, its neighbours, their ends and how they are written. Needs no encoder."""

import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from fieldtune.models import asked
from fieldtune.models.features import VOCABULARY
from fieldtune.models.pieces import Words

_RUNS = ((re.compile(r"[^\W\d_a-z]+"), "X"), (re.compile(r"[a-z]+"), "x"), (re.compile(r"\d+"), "9"))
_AFFIXES = range(1, 5)
_OUTSIDE = "\x00"  # stands for the words before the first and after the last


class WordFeatures:
    """Sentences -> sparse 0/1 matrix ``[words, features]``; features that training did not keep are left out."""

    hides = False

    def __init__(self, vocabulary: Sequence[str]) -> None:
        self.vocabulary = list(vocabulary)
        self._places = {name: place for place, name in enumerate(self.vocabulary)}

    @classmethod
    def fit(cls, sentences: Sequence[Words]) -> "WordFeatures":
        """Keep the features seen at least twice (all where there are few words)."""
        counts = Counter(name for words in sentences for names in described(words) for name in names)
        least = 2 if sum(map(len, sentences)) >= 500 else 1
        return cls(sorted(name for name, count in counts.items() if count >= least))

    def __call__(self, sentences: Sequence[Words]) -> csr_matrix:
        sentences = asked.sentences(sentences, self.hides)
        ends, columns = [0], []
        for words in sentences:
            for names in described(words):
                columns += [self._places[name] for name in names if name in self._places]
                ends.append(len(columns))
        shape = (len(ends) - 1, len(self.vocabulary))
        return csr_matrix((np.ones(len(columns), dtype=np.float32), columns, ends), shape=shape)

    def save(self, folder: Path) -> dict[str, NDArray[np.float32]]:
        (folder / VOCABULARY).write_text(json.dumps(self.vocabulary, ensure_ascii=False), encoding="utf-8")
        return {}

    @classmethod
    def load(cls, folder: Path) -> "WordFeatures":
        """Read what :meth:`save` wrote."""
        return cls(json.loads((folder / VOCABULARY).read_text(encoding="utf-8")))


def described(words: Words) -> Iterator[list[str]]:
    """The names of the features of every word of a sentence, all different."""
    lower = [_OUTSIDE, _OUTSIDE, *(word.lower() for word in words), _OUTSIDE, _OUTSIDE]
    shapes = [_OUTSIDE, *map(_shape, words), _OUTSIDE]
    for place, word in enumerate(words):
        before2, before, here, after, after2 = lower[place : place + 5]
        yield [
            f"w={here}", f"w-1={before}", f"w+1={after}", f"w-2={before2}", f"w+2={after2}",
            f"w-1,w={before} {here}", f"w,w+1={here} {after}",
            f"s={shapes[place + 1]}", f"s-1={shapes[place]}", f"s+1={shapes[place + 2]}",
            f"s-1,s,s+1={' '.join(shapes[place : place + 3])}",
            *(f"p{size}={word[:size]}" for size in _AFFIXES if len(word) >= size),
            *(f"e{size}={word[-size:]}" for size in _AFFIXES if len(word) >= size),
        ]  # fmt: skip


def _shape(word: str) -> str:
    """Runs of capitals, small letters and digits as one sign each: ``McDonald`` -> XxXx, ``U.S.`` -> X.X., ``12.5`` -> 9.9."""
    for run, sign in _RUNS:
        word = run.sub(sign, word)
    return word[:12]
