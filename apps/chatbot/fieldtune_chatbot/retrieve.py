"""Hybrid search: how well every source fits a question by meaning, by words and by intent.

Seven legs, each on a scale that means the same for every question: cosines, BM25 over its ceiling, a probability.
Knows vectors and words; not what will be done with the result.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from fieldtune.models import Classifier
from fieldtune.retrieval.bm25 import Bm25, analyse
from fieldtune.retrieval.index import FlatIndex
from fieldtune.text.language import detect
from fieldtune.text.ngrams import character_ngrams, lexical_tokens
from fieldtune.text.normalise import equality_key
from fieldtune_chatbot.cleaning import Cleaner, telling
from fieldtune_chatbot.features import Ranking, features, rank
from fieldtune_chatbot.knowledge import Knowledge

Encode = Callable[[Sequence[str]], NDArray[np.float32]]
Legs = dict[str, NDArray[np.float32]]
DEPTH = 512
"""Units taken from the vector index; a source beyond gets the score of the last one."""
NOTHING, SAME, NEAR = "", "same", "near"
_NEIGHBOURS, _ALIKE = 40, 0.5
FEW_UNITS = 300
"""Passages and wordings of a language below which idf has not learnt that question words tell nothing: one that opens
every tenth of 36 wordings weighs two thirds of a word that stands in one of them; of 300, less than half."""
ANY = "any"
"""Weights of a language that has none of its own."""


@dataclass
class Retriever:
    """Everything needed to score sources.

    Attributes:
        words_passage, words_question, words_source: BM25 over passages, cleaned wordings, and all texts of each source.
        encode: texts -> unit vectors, or None to go by words alone.
        vectors: float32[passages + sentences + wordings, d] of the units in `knowledge`'s order, wordings cleaned, or
            None.
        intent: classifier of intents, or None.
        weights: language -> leg -> weight.
        known_words: words that are right as they stand, commonest first, for the `Cleaner`.
    """

    knowledge: Knowledge
    words_passage: Bm25
    words_question: Bm25
    words_source: Bm25
    encode: Encode | None
    vectors: NDArray[np.float32] | None
    intent: Classifier | None
    weights: Mapping[str, Mapping[str, float]]
    known_words: Sequence[str] = ()

    def __post_init__(self) -> None:
        known = self.knowledge
        self._languages = np.asarray([source.language for source in known.sources])
        self._tenants = np.asarray([source.tenant for source in known.sources])
        self._indexes: dict[str, FlatIndex] = {}
        self._starts = {"passage": 0, "sentence": len(known.passages)}
        self._starts["question"] = self._starts["sentence"] + len(known.sentences)
        self._owners = {
            "passage": known.passage_source, "sentence": known.sentence_source, "question": known.question_source,
        }  # fmt: skip
        self._last: tuple[tuple[str, ...], NDArray[np.float32] | None] = ((), None)
        if self.vectors is not None and len(self.vectors):
            for kind, start in self._starts.items():
                self._indexes[kind] = _index(self.vectors[start : start + len(self._owners[kind])])
        self._has = {kind: _holds(owner, len(known.sources)) for kind, owner in self._owners.items()}
        self.clean = Cleaner(approved_texts(known), self.known_words)
        self._labels = self._intent_labels()
        owners = np.concatenate([known.passage_source, known.question_source]).astype(np.int64)
        spoken, units = np.unique(self._languages[owners], return_counts=True)
        counted = zip(spoken.tolist(), units.tolist(), strict=True)
        self._small = {one for one, count in counted if one in ("en", "zh") and count < FEW_UNITS}

    def legs(self, questions: Sequence[str], *, hide: str = NOTHING) -> list[Legs]:
        """Score of every source for every question, one dict of float32[sources] per question.

        Args:
            hide: which stored wordings do not count. `NEAR`: those that are the question itself, give or take a
                typing error; in tuning and comparing they would say how well the bot knows what it was told. `SAME`:
                only those equal to it.
        """
        questions = [self.clean(question) for question in questions]
        hidden = [self.same_wordings(question, hide) for question in questions]
        vectors = self._encoded(questions)
        near = {kind: self._nearest(vectors, kind) for kind in self._starts}
        probabilities = self.intent.probabilities(questions) if self.intent and len(questions) else None
        result = []
        for row, question in enumerate(map(self._searched, questions)):
            legs = {f"dense_{kind}": self._dense(near[kind], row, kind, hidden[row]) for kind in self._starts}
            legs["words_passage"] = self._words(question, self.words_passage, "passage", [])
            legs["words_question"] = self._words(question, self.words_question, "question", hidden[row])
            legs["words_source"] = self._sources(question, hidden[row])
            legs["intent"] = self._intent(None if probabilities is None else probabilities[row])
            self._fill(legs)
            result.append(legs)
        return result

    def same_wordings(self, question: str, hide: str = NEAR) -> list[int]:
        """Positions of stored wordings equal to the question, or sharing half of their letter triples with it."""
        if hide == NOTHING:
            return []
        cleaned = self.clean(question)
        found = {*self._told.get(equality_key(question), ()), *self._told.get(equality_key(cleaned), ())}
        if hide == NEAR:
            _, near = self.words_question.search([cleaned], _NEIGHBOURS)
            own = set(character_ngrams(cleaned, 3, 3))
            for unit in near[0].tolist():
                held = set(character_ngrams(self.clean(self.knowledge.questions[unit][1]), 3, 3))
                if len(own & held) >= _ALIKE * len(own | held):
                    found.add(unit)
        return sorted(found)

    @cached_property
    def _told(self) -> dict[str, list[int]]:
        """Where every wording stands, as it was told and cleaned."""
        places: dict[str, list[int]] = {}
        for unit, (_, wording) in enumerate(self.knowledge.questions):
            for key in {equality_key(wording), equality_key(self.clean(wording))}:
                places.setdefault(key, []).append(unit)
        return places

    def unit_scores(
        self, question: str, *, passages: Sequence[int] = (), questions: Sequence[int] = ()
    ) -> NDArray[np.float32]:
        """How well single passages, or single wordings, fit: float32[units], on one scale for both."""
        weights = self.weights_for(self.language_of(question))
        index, units, offset = self.words_passage, list(passages), 0
        if questions:
            index, units, offset = self.words_question, list(questions), self._starts["question"]
        question = self.clean(question)
        words = (
            weights.get("words_source", 0.0) + weights.get("words_passage", 0.0) + weights.get("words_question", 0.0)
        )
        dense = weights.get("dense_passage", 0.0) + weights.get("dense_question", 0.0)
        scores = words * index.scores(question)[units] / np.float32(index.ceiling(question) or 1.0)
        vectors = self._encoded([question])
        if vectors is not None and self.vectors is not None:
            scores = scores + dense * (self.vectors[[offset + unit for unit in units]] @ vectors[0])
        return np.asarray(scores, np.float32)

    def _encoded(self, questions: Sequence[str]) -> NDArray[np.float32] | None:
        """Vectors of the questions; one question asked twice in a row is computed once."""
        if self.encode is None or not self._indexes:
            return None
        key = tuple(questions)
        last, vectors = self._last  # one read and one write: another session may ask in between
        if last != key:
            vectors = self.encode(questions)
            self._last = (key, vectors)
        return vectors

    def rank(self, legs: Legs, language: str, tenant: str = "default") -> Ranking:
        """The tenant's sources in order for one question's legs, those of its language if there are any."""
        return rank(legs, self.weights_for(language), self.allowed(language, tenant))

    def weights_for(self, language: str) -> Mapping[str, float]:
        """The legs' weights for a language."""
        return self.weights.get(language) or self.weights[ANY]

    def features(self, question: str, ranking: Ranking, language: str) -> dict[str, float]:
        """What the decision looks at."""
        ceiling = self.words_source.ceiling(self._searched(self.clean(question)))
        return features(ranking, self.weights_for(language), ceiling=ceiling)

    def asked_with(self, question: str, language: str, tenant: str = "default") -> int:
        """How many of the sources that may answer are asked for with this one word; 0 for more than one.

        A Chinese word has two characters, which are three tokens: each of them, and both.
        """
        tokens = lexical_tokens(self.clean(question))
        if len(set(analyse(question))) != 1 and not (len(tokens) == 3 and len(tokens[2]) == 2):
            return 0
        held = [self.words_question.scores(token) > 0 for token in tokens if analyse(token)]
        if not held:
            return 0
        owners = np.unique(self.knowledge.question_source[np.logical_and.reduce(held)])
        return int(self.allowed(language, tenant)[owners].sum())

    def _searched(self, cleaned: str) -> str:
        """What the words' legs look for: all of it, or what tells something where there is little to learn that from."""
        return telling(cleaned) if self.language_of(cleaned) in self._small else cleaned

    def language_of(self, question: str) -> str:
        """The question's language by its script."""
        return detect(question)

    def allowed(self, language: str, tenant: str = "default") -> NDArray[np.bool_]:
        """Sources that may answer: the tenant's, in the language if there are any, bool[sources]."""
        mine = self._tenants == tenant
        same = mine & (self._languages == language)
        return np.asarray(same if same.any() else mine, np.bool_)

    def _nearest(
        self, vectors: NDArray[np.float32] | None, kind: str
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]] | None:
        """Scores and units of the nearest of one kind for all questions at once; None without vectors."""
        index = self._indexes.get(kind)
        return index.search(vectors, DEPTH) if vectors is not None and index is not None and len(index) else None

    def _dense(
        self, found: tuple[NDArray[np.float32], NDArray[np.int64]] | None, row: int, kind: str, hidden: Sequence[int]
    ) -> NDArray[np.float32]:
        """Highest cosine of a source's units; `hidden` are wordings."""
        best = np.zeros(len(self.knowledge.sources), np.float32)
        if found is None:
            return best
        scores, units = found[0][row], found[1][row]
        shown = ~np.isin(units, hidden) if kind == "question" else np.ones(len(units), bool)
        best[:] = scores[-1] if len(self._indexes[kind]) > DEPTH else 0.0
        np.maximum.at(best, self._owners[kind][units[shown]], scores[shown])
        return best

    def _words(self, question: str, index: Bm25, kind: str, hidden: Sequence[int]) -> NDArray[np.float32]:
        best = np.zeros(len(self.knowledge.sources), np.float32)
        ceiling = index.ceiling(question)
        if ceiling <= 0:
            return best
        scores = index.scores(question) / np.float32(ceiling)
        scores[list(hidden)] = 0.0
        np.maximum.at(best, self._owners[kind], scores)
        return best

    def _sources(self, question: str, hidden: Sequence[int]) -> NDArray[np.float32]:
        """BM25 of all that a source says; sources with hidden wordings are scored as if they had never had them."""
        ceiling = self.words_source.ceiling(question)
        if ceiling <= 0:
            return np.zeros(len(self.knowledge.sources), np.float32)
        scores = self.words_source.scores(question)
        for source in sorted({int(self.knowledge.question_source[unit]) for unit in hidden}):
            text = self.knowledge.source_text(source, without=hidden)
            scores[source] = self.words_source.score_of(question, text)
        return scores / np.float32(ceiling)

    def _intent(self, probabilities: NDArray[np.float32] | None) -> NDArray[np.float32]:
        if probabilities is None or self._labels is None:
            return np.zeros(len(self.knowledge.sources), np.float32)
        return np.asarray((self._labels * probabilities).max(axis=1), np.float32)

    def _fill(self, legs: Legs) -> None:
        """A source without passages, sentences or questions is not punished for it: another leg stands in."""
        for kind in ("dense", "words"):
            passage, question = legs[f"{kind}_passage"], legs[f"{kind}_question"]
            legs[f"{kind}_question"] = np.where(self._has["question"], question, passage)
            legs[f"{kind}_passage"] = np.where(self._has["passage"], passage, question)
        sentence, passage = legs["dense_sentence"], legs["dense_passage"]
        legs["dense_sentence"] = np.where(self._has["sentence"], np.maximum(sentence, passage), passage)

    def _intent_labels(self) -> NDArray[np.float32] | None:
        if self.intent is None:
            return None
        rows = [[label in source.intents for label in self.intent.labels] for source in self.knowledge.sources]
        return np.asarray(rows, np.float32).reshape(len(rows), len(self.intent.labels))


def approved_texts(knowledge: Knowledge) -> list[str]:
    """Articles, and of every entry its own question and answer: nearly all of it the company's words; further wordings
    are customers' and may hold errors."""
    entries = [text for entry in knowledge.entries for text in (entry.question, entry.answer)]
    return [*(document.text for document in knowledge.documents), *entries]


def _index(vectors: NDArray[np.float32]) -> FlatIndex:
    index = FlatIndex(vectors.shape[1])
    index.add(np.arange(len(vectors), dtype=np.int64), vectors)
    return index


def _holds(owner: NDArray[np.int64], size: int) -> NDArray[np.bool_]:
    held = np.zeros(size, bool)
    held[owner] = True
    return held
