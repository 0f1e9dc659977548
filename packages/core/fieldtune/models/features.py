"""What a linear head sees of a text: an encoder's embedding, or a bag of character n-grams.

Both have the same two verbs, ``__call__`` and ``save``, so every head works on either.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from fieldtune.errors import InputError
from fieldtune.models import asked
from fieldtune.text.normalise import normalise

VOCABULARY = "vocabulary.json"
PROJECTION = "random_projection"


class Features(Protocol):
    """Texts -> matrix ``[texts, features]``, dense float32 or sparse CSR.

    Attributes:
        hides: whether personal data in the texts is hidden first, see :mod:`fieldtune.models.asked`.
    """

    hides: bool

    @property
    def width(self) -> int:
        """The number of features."""
        ...

    def __call__(self, texts: Sequence[str]) -> Any: ...

    def save(self, folder: Path) -> dict[str, NDArray[np.float32]]:
        """Write what belongs to it into ``folder``; returns tensors to store in ``head.safetensors``."""
        ...


class EncoderFeatures:
    """Unit-length embeddings of a pretrained or tuned encoder.

    Args:
        cache: a :class:`fieldtune.infer.cache.Cache` that keeps them between runs, or None.
    """

    hides = False

    def __init__(self, encoder: Any, max_length: int, cache: Any = None) -> None:
        from fieldtune.infer.engine import Engine

        self.encoder, self.max_length = encoder, max_length
        self._engine = Engine(encoder, max_length, cache)

    @property
    def width(self) -> int:
        return int(self.encoder.dimensions)

    def __call__(self, texts: Sequence[str]) -> NDArray[np.float32]:
        texts = asked.texts(texts, self.hides)
        return self._engine.encode(texts, show=len(texts) > 2000)

    def kept(self, cache: Any) -> "EncoderFeatures":
        """The same, its vectors kept between runs."""
        same = EncoderFeatures(self.encoder, self.max_length, cache)
        same.hides = self.hides
        return same

    def save(self, folder: Path) -> dict[str, NDArray[np.float32]]:
        self.encoder.save(folder)
        return {}


class ProjectedFeatures:
    """Random features of an encoder's embeddings, see :func:`fieldtune.train.continual.projected`."""

    hides = False

    def __init__(self, features: EncoderFeatures, projection: NDArray[np.float32]) -> None:
        self.features, self.projection = features, projection
        self.encoder = features.encoder

    @property
    def width(self) -> int:
        return int(self.projection.shape[1])

    def __call__(self, texts: Sequence[str]) -> NDArray[np.float32]:
        return np.asarray(np.maximum(self.features(texts) @ self.projection, 0.0), dtype=np.float32)

    def save(self, folder: Path) -> dict[str, NDArray[np.float32]]:
        return {**self.features.save(folder), PROJECTION: self.projection}


class NgramFeatures:
    """TF-IDF over character n-grams inside words: needs no pretrained model and reads any language."""

    hides = False

    def __init__(self, vocabulary: Sequence[str], idf: NDArray[np.float32]) -> None:
        from sklearn.feature_extraction.text import TfidfVectorizer

        self.vocabulary, self.idf = list(vocabulary), np.asarray(idf, dtype=np.float32)
        self._vectoriser = _vectoriser(TfidfVectorizer, vocabulary=self.vocabulary)
        if not all(isinstance(word, str) for word in self.vocabulary) or self.idf.shape != (len(self.vocabulary),):
            raise InputError(
                "n-grams, and a weight for each", f"{len(self.vocabulary)}, {self.idf.shape}", "train again"
            )
        self._vectoriser.idf_ = self.idf.astype(np.float64)

    @property
    def width(self) -> int:
        return len(self.vocabulary)

    @classmethod
    def fit(cls, texts: Sequence[str], *, limit: int | None = None) -> "NgramFeatures":
        """Take the n-grams seen in at least two texts (all of them when there are few), at most ``limit``."""
        from sklearn.feature_extraction.text import TfidfVectorizer

        vectoriser = _vectoriser(TfidfVectorizer, min_df=2 if len(texts) >= 50 else 1, max_features=limit)
        vectoriser.fit(texts)
        return cls(vectoriser.get_feature_names_out().tolist(), vectoriser.idf_)

    def __call__(self, texts: Sequence[str]) -> Any:
        texts = asked.texts(texts, self.hides)
        if not texts:  # scikit-learn refuses none
            return csr_matrix((0, len(self.vocabulary)), dtype=np.float32)
        return self._vectoriser.transform(texts).astype(np.float32)

    def save(self, folder: Path) -> dict[str, NDArray[np.float32]]:
        (folder / VOCABULARY).write_text(json.dumps(self.vocabulary, ensure_ascii=False), encoding="utf-8")
        return {"idf": self.idf}


def _vectoriser(kind: Any, **options: Any) -> Any:
    return kind(
        analyzer="char_wb", ngram_range=(1, 5), sublinear_tf=True, preprocessor=normalise, lowercase=False, **options
    )
