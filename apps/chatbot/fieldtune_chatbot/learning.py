"""From known questions to weights, a threshold and comparable scores.

Knows bots and questions; reads and writes no files. Whatever is judged here was kept out of what was trained.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fieldtune.retrieval.fusion import Example, choose_weights
from fieldtune_chatbot import deciding
from fieldtune_chatbot.deciding import Decider
from fieldtune_chatbot.features import LEGS
from fieldtune_chatbot.records import KnownQuestion
from fieldtune_chatbot.replying import without
from fieldtune_chatbot.retrieve import ANY, Legs, Retriever

WORDS = {"dense_passage": 0.0, "dense_question": 0.0, "words_passage": 1.0, "words_question": 1.0, "intent": 0.0}
BOTH = {"dense_passage": 0.35, "dense_question": 0.35, "words_passage": 0.75, "words_question": 0.75, "intent": 0.2}
UNANSWERABLE_SHARE = 0.03
"""Of the unanswerable questions it is tuned on, the bot may answer this share; the promise is .05 on new ones."""
_LEAST = 20


@dataclass(frozen=True)
class Split:
    """Known questions in three parts that never meet."""

    train: tuple[KnownQuestion, ...]
    tuning: tuple[KnownQuestion, ...]
    held_out: tuple[KnownQuestion, ...]


def split(known: Sequence[KnownQuestion], rng: np.random.Generator) -> Split:
    """Answerable questions 40 / 30 / 30, per language; the unanswerable ones all go to tuning."""
    parts: dict[str, list[int]] = {"train": [], "tuning": [], "held_out": []}
    for language in sorted({row.language for row in known}):
        places = [place for place, row in enumerate(known) if row.language == language and row.answerable]
        order = rng.permutation(len(places))
        one, two = int(0.4 * len(places)), int(0.7 * len(places))
        for part, chosen in (("train", order[:one]), ("tuning", order[one:two]), ("held_out", order[two:])):
            parts[part] += [places[int(place)] for place in chosen]
    parts["tuning"] += [place for place, row in enumerate(known) if not row.answerable]
    return Split(**{name: tuple(known[place] for place in sorted(places)) for name, places in parts.items()})


def relevant(retriever: Retriever, row: KnownQuestion) -> NDArray[np.bool_]:
    """Which sources are right for a known question, bool[sources]: its document, or those that give its answer."""
    right = np.zeros(len(retriever.knowledge.sources), bool)
    place = retriever.knowledge.source_of().get(row.document)
    if place is not None:
        right[place] = True
    elif row.answer and not row.document:
        entries = retriever.knowledge.entries
        for number, source in enumerate(retriever.knowledge.sources):
            right[number] = any(entries[entry].answer == row.answer for entry in source.entries)
    return right


def with_weights(
    retriever: Retriever, known: Sequence[KnownQuestion], start: Mapping[str, float], readable: Collection[str]
) -> dict[str, dict[str, float]]:
    """Weights per language from known questions; a language with fewer than 20 gets the ones of all.

    A leg that starts at 0 where the encoder cannot read the language is not tried.
    """
    rows = [row for row in known if row.answerable]
    legs = retriever.legs([row.question for row in rows], hide_self=True)
    languages = [retriever.language_of(row.question) for row in rows]
    examples = [_example(retriever, row, scores) for row, scores in zip(rows, legs, strict=True)]
    weights: dict[str, dict[str, float]] = {}
    for language in (ANY, *sorted({source.language for source in retriever.knowledge.sources})):
        own = [e for e, spoken in zip(examples, languages, strict=True) if language in (ANY, spoken)]
        blind = language != ANY and language not in readable
        first = {leg: 0.0 if blind and leg.startswith("dense") else start[leg] for leg in LEGS}
        free = {leg: value for leg, value in first.items() if value > 0}
        if len(own) >= _LEAST:
            weights[language] = {**dict.fromkeys(LEGS, 0.0), **choose_weights(own, free)}
        elif language == ANY or blind:
            weights[language] = first
    return weights


def _example(retriever: Retriever, row: KnownQuestion, legs: Legs) -> Example:
    """Only sources of the question's language compete, as they do when it is asked."""
    allowed = retriever.allowed(retriever.language_of(row.question))
    return Example({name: scores[allowed] for name, scores in legs.items()}, relevant(retriever, row)[allowed])


def fit_decider(retriever: Retriever, known: Sequence[KnownQuestion]) -> Decider:
    """A decider from known questions: as they are, with their source taken away, and those without any source."""
    legs = retriever.legs([row.question for row in known], hide_self=True)
    vectors, right, outside, certain = [], [], [], []
    for row, scores in zip(known, legs, strict=True):
        hits = relevant(retriever, row)
        if row.answerable and not hits.any():
            continue
        cases = [(scores, not row.answerable)]
        if row.answerable:
            cases.append((without(scores, np.flatnonzero(hits)), True))
        for seen, lacking in cases:
            language = retriever.language_of(row.question)
            ranking = retriever.rank(seen, language)
            vectors.append(deciding.vector(retriever.features(row.question, ranking, language)))
            right.append(not lacking and len(ranking.order) > 0 and bool(hits[ranking.order[0]]))
            outside.append(lacking)
            certain.append(lacking and not row.answerable)
    if not vectors:
        return deciding.DEFAULT
    judged = np.asarray(certain if sum(certain) >= _LEAST else outside)
    return deciding.fit(np.concatenate(vectors), np.asarray(right), judged, wrong_share=UNANSWERABLE_SHARE)


def scores(retriever: Retriever, known: Sequence[KnownQuestion]) -> NDArray[np.float64]:
    """Reciprocal rank of the right source per answerable question, 0 below the tenth place, float64[answerable]."""
    rows = [row for row in known if row.answerable]
    legs = retriever.legs([row.question for row in rows], hide_self=True)
    result = np.zeros(len(rows))
    for number, (row, seen) in enumerate(zip(rows, legs, strict=True)):
        order = retriever.rank(seen, retriever.language_of(row.question)).order[:10]
        found = np.flatnonzero(relevant(retriever, row)[order])
        result[number] = 1.0 / (1 + found[0]) if len(found) else 0.0
    return result
