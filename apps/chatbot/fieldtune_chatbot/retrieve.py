"""Hybrid search: how well every source fits a question by meaning, by words and by intent.

Five legs, each on a scale that means the same for every question: cosines, BM25 over its ceiling, a probability.
Knows vectors and words; not what will be done with the result.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fieldtune.models import Classifier
from fieldtune.retrieval.bm25 import Bm25, analyse
from fieldtune.retrieval.index import FlatIndex
from fieldtune.text.language import detect
from fieldtune_chatbot.features import Ranking, features, rank
from fieldtune_chatbot.knowledge import Knowledge

Encode = Callable[[Sequence[str]], NDArray[np.float32]]
Legs = dict[str, NDArray[np.float32]]
DEPTH = 512
"""Units taken from the vector index; a source beyond gets the score of the last one."""
ANY = "any"
"""Weights of a language that has none of its own."""


@dataclass
class Retriever:
    """Everything needed to score sources.

    Attributes:
        encode: texts -> unit vectors, or None to go by words alone.
        vectors: float32[passages + wordings, d] of the units in `knowledge`'s order, or None.
        intent: classifier of intents, or None.
        weights: language -> leg -> weight.
    """

    knowledge: Knowledge
    words_passage: Bm25
    words_question: Bm25
    encode: Encode | None
    vectors: NDArray[np.float32] | None
    intent: Classifier | None
    weights: Mapping[str, Mapping[str, float]]

    def __post_init__(self) -> None:
        known = self.knowledge
        self._languages = np.asarray([source.language for source in known.sources])
        self._tenants = np.asarray([source.tenant for source in known.sources])
        self._passages: FlatIndex | None = None
        self._questions: FlatIndex | None = None
        self._last: tuple[tuple[str, ...], NDArray[np.float32] | None] = ((), None)
        if self.vectors is not None and len(self.vectors):
            self._passages = _index(self.vectors[: len(known.passages)])
            self._questions = _index(self.vectors[len(known.passages) :])
        self._has_passage = _holds(known.passage_source, len(known.sources))
        self._has_question = _holds(known.question_source, len(known.sources))
        self._vocabulary = self._terms_of_sources()
        self._labels = self._intent_labels()

    def legs(self, questions: Sequence[str], *, hide_self: bool = False) -> list[Legs]:
        """Score of every source for every question, one dict of float32[sources] per question.

        Args:
            hide_self: a stored wording identical to the question does not count (for tuning and comparing).
        """
        hide = [self.knowledge.wordings(question) if hide_self else [] for question in questions]
        vectors = self._encoded(questions)
        probabilities = self.intent.probabilities(questions) if self.intent and len(questions) else None
        result = []
        for row, question in enumerate(questions):
            vector = None if vectors is None else vectors[row : row + 1]
            legs = {
                "dense_passage": self._dense(vector, self._passages, self.knowledge.passage_source, []),
                "dense_question": self._dense(vector, self._questions, self.knowledge.question_source, hide[row]),
                "words_passage": self._words(question, self.words_passage, self.knowledge.passage_source, []),
                "words_question": self._words(question, self.words_question, self.knowledge.question_source, hide[row]),
                "intent": self._intent(None if probabilities is None else probabilities[row]),
            }
            for kind in ("dense", "words"):
                self._fill(legs, kind)
            result.append(legs)
        return result

    def unit_scores(
        self, question: str, *, passages: Sequence[int] = (), questions: Sequence[int] = ()
    ) -> NDArray[np.float32]:
        """How well single passages, or single wordings, fit: float32[units], on one scale for both."""
        weights = self.weights_for(self.language_of(question))
        index, units, offset = self.words_passage, list(passages), 0
        if questions:
            index, units, offset = self.words_question, list(questions), len(self.knowledge.passages)
        words = weights.get("words_passage", 0.0) + weights.get("words_question", 0.0)
        dense = weights.get("dense_passage", 0.0) + weights.get("dense_question", 0.0)
        scores = words * index.scores(question)[units] / np.float32(index.ceiling(question) or 1.0)
        vectors = self._encoded([question])
        if vectors is not None and self.vectors is not None:
            scores = scores + dense * (self.vectors[[offset + unit for unit in units]] @ vectors[0])
        return np.asarray(scores, np.float32)

    def _encoded(self, questions: Sequence[str]) -> NDArray[np.float32] | None:
        """Vectors of the questions; one question asked twice in a row is computed once."""
        if self.encode is None or self._passages is None:
            return None
        key = tuple(questions)
        if self._last[0] != key:
            self._last = (key, self.encode(questions))
        return self._last[1]

    def rank(self, legs: Legs, language: str, tenant: str = "default") -> Ranking:
        """The tenant's sources in order for one question's legs, those of its language if there are any."""
        return rank(legs, self.weights_for(language), self.allowed(language, tenant))

    def weights_for(self, language: str) -> Mapping[str, float]:
        """The legs' weights for a language."""
        return self.weights.get(language) or self.weights[ANY]

    def features(self, question: str, ranking: Ranking, language: str) -> dict[str, float]:
        """What the decision looks at."""
        terms = analyse(question)
        best = int(ranking.order[0]) if len(ranking.order) else None
        held = self._vocabulary[best] if best is not None else frozenset()
        idf = {term: self.words_passage.idf(term) for term in terms}
        total = sum(idf.values())
        return features(
            ranking,
            self.weights_for(language),
            intent=float(ranking.legs["intent"].max(initial=0.0)),
            coverage=sum(value for term, value in idf.items() if term in held) / total if total else 0.0,
            terms=len(terms),
            chinese=language == "zh",
        )

    def language_of(self, question: str) -> str:
        """The question's language by its script."""
        return detect(question)

    def allowed(self, language: str, tenant: str = "default") -> NDArray[np.bool_]:
        """Sources that may answer: the tenant's, in the language if there are any, bool[sources]."""
        mine = self._tenants == tenant
        same = mine & (self._languages == language)
        return np.asarray(same if same.any() else mine, np.bool_)

    def _dense(
        self,
        vector: NDArray[np.float32] | None,
        index: FlatIndex | None,
        owner: NDArray[np.int64],
        hidden: Sequence[int],
    ) -> NDArray[np.float32]:
        best = np.zeros(len(self.knowledge.sources), np.float32)
        if vector is None or index is None or not len(index):
            return best
        scores, units = index.search(vector, DEPTH)
        shown = ~np.isin(units[0], hidden)
        best[:] = scores[0, -1] if len(index) > DEPTH else 0.0
        np.maximum.at(best, owner[units[0][shown]], scores[0][shown])
        return best

    def _words(
        self, question: str, index: Bm25, owner: NDArray[np.int64], hidden: Sequence[int]
    ) -> NDArray[np.float32]:
        best = np.zeros(len(self.knowledge.sources), np.float32)
        ceiling = index.ceiling(question)
        if ceiling <= 0:
            return best
        scores = index.scores(question) / np.float32(ceiling)
        scores[list(hidden)] = 0.0
        np.maximum.at(best, owner, scores)
        return best

    def _intent(self, probabilities: NDArray[np.float32] | None) -> NDArray[np.float32]:
        if probabilities is None or self._labels is None:
            return np.zeros(len(self.knowledge.sources), np.float32)
        return np.asarray((self._labels * probabilities).max(axis=1), np.float32)

    def _fill(self, legs: Legs, kind: str) -> None:
        """A source without passages, or without questions, is not punished for it: its other leg stands in."""
        passage, question = legs[f"{kind}_passage"], legs[f"{kind}_question"]
        legs[f"{kind}_question"] = np.where(self._has_question, question, passage)
        legs[f"{kind}_passage"] = np.where(self._has_passage, passage, question)

    def _terms_of_sources(self) -> list[frozenset[str]]:
        terms: list[set[str]] = [set() for _ in self.knowledge.sources]
        texts = zip(self.knowledge.passage_source, self.knowledge.passage_texts(), strict=True)
        asked = zip(self.knowledge.question_source, self.knowledge.question_texts(), strict=True)
        for source, text in (*texts, *asked):
            terms[int(source)].update(analyse(text))
        return [frozenset(found) for found in terms]

    def _intent_labels(self) -> NDArray[np.float32] | None:
        if self.intent is None:
            return None
        rows = [[label in source.intents for label in self.intent.labels] for source in self.knowledge.sources]
        return np.asarray(rows, np.float32).reshape(len(rows), len(self.intent.labels))


def _index(vectors: NDArray[np.float32]) -> FlatIndex:
    index = FlatIndex(vectors.shape[1])
    index.add(np.arange(len(vectors), dtype=np.int64), vectors)
    return index


def _holds(owner: NDArray[np.int64], size: int) -> NDArray[np.bool_]:
    held = np.zeros(size, bool)
    held[owner] = True
    return held
