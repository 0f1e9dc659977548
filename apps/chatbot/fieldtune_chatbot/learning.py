"""From known questions to weights, a threshold and comparable scores.

Knows bots and questions; reads and writes no files. Whatever is judged here was kept out of what was trained.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fieldtune.retrieval.fusion import Example, fit_weights
from fieldtune_chatbot import deciding
from fieldtune_chatbot.deciding import Case, Decider
from fieldtune_chatbot.features import LEGS
from fieldtune_chatbot.records import KnownQuestion
from fieldtune_chatbot.replying import without
from fieldtune_chatbot.retrieve import ANY, Legs, Retriever

WORDS = {**dict.fromkeys(LEGS, 0.0), "words_passage": 10.0, "words_question": 5.0, "words_source": 10.0}
BOTH = {**WORDS, "dense_passage": 6.0, "dense_sentence": 6.0, "dense_question": 8.0, "intent": 1.0}
"""Weights until there are known questions; 0 where a leg is not there or must not count."""
UNANSWERABLE_SHARE = 0.05
"""Of the unanswerable questions it is tuned on (each judged by a model that did not see it) this share is answered."""
Scores = NDArray[np.float64]
_LEAST, _PENALTY = 20, 0.03


@dataclass(frozen=True)
class Split:
    """Known questions in three parts that never meet."""

    train: tuple[KnownQuestion, ...]
    tuning: tuple[KnownQuestion, ...]
    held_out: tuple[KnownQuestion, ...]


def split(known: Sequence[KnownQuestion], rng: np.random.Generator) -> Split:
    """Per language: answerable questions 40 / 30 / 30, unanswerable ones 0 / 70 / 30."""
    parts: dict[str, list[int]] = {"train": [], "tuning": [], "held_out": []}
    for language in sorted({row.language for row in known}):
        for answerable, first, second in ((True, 0.4, 0.7), (False, 0.0, 0.7)):
            places = [i for i, row in enumerate(known) if (row.language, row.answerable) == (language, answerable)]
            order = rng.permutation(len(places))
            one, two = int(first * len(places)), int(second * len(places))
            for part, chosen in (("train", order[:one]), ("tuning", order[one:two]), ("held_out", order[two:])):
                parts[part] += [places[int(place)] for place in chosen]
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
        free = [leg for leg, value in first.items() if value > 0]
        if len(own) >= _LEAST:
            weights[language] = {**dict.fromkeys(LEGS, 0.0), **fit_weights(own, free, _PENALTY)}
        elif language == ANY or blind:
            weights[language] = first
    return weights


def _example(retriever: Retriever, row: KnownQuestion, legs: Legs) -> Example:
    """Only sources of the question's language compete, as they do when it is asked."""
    allowed = retriever.allowed(retriever.language_of(row.question))
    return Example({name: scores[allowed] for name, scores in legs.items()}, relevant(retriever, row)[allowed])


def fit_deciders(retriever: Retriever, known: Sequence[KnownQuestion]) -> dict[str, Decider]:
    """A decider per language with at least 20 answerable questions, and one of all for the others."""
    legs = retriever.legs([row.question for row in known], hide_self=True)
    cases: dict[str, list[Case]] = {ANY: []}
    for row, scores in zip(known, legs, strict=True):
        language = retriever.language_of(row.question)
        made = _cases(retriever, row, scores, language)
        cases[ANY] += made
        cases.setdefault(language, []).extend(made)
    return {
        language: deciding.fit(found, wrong_share=UNANSWERABLE_SHARE)
        for language, found in sorted(cases.items())
        if language == ANY or sum(case.answerable for case in found) >= _LEAST
    }


def _cases(retriever: Retriever, row: KnownQuestion, legs: Legs, language: str) -> list[Case]:
    """The question as it is and, if it has a source, as it would be without."""
    hits = relevant(retriever, row)
    if row.answerable and not hits.any():
        return []

    def case(seen: Legs, answerable: bool, certain: bool) -> Case:
        ranking = retriever.rank(seen, language)
        right = answerable and len(ranking.order) > 0 and bool(hits[ranking.order[0]])
        return Case(retriever.features(row.question, ranking, language), right, answerable, certain)

    if not row.answerable:
        return [case(legs, False, True)]
    return [case(legs, True, True), case(without(legs, np.flatnonzero(hits)), False, False)]


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


def experience(retriever: Retriever, deciders: Mapping[str, Decider], known: Sequence[KnownQuestion]) -> Scores:
    """What customers get, per question, float64[n]: the score that the gate compares.

    Answered from the right source 1, from a wrong one 0; not answered although there is an answer: half the
    reciprocal rank of the right source, for it is among what is offered; not answered and rightly so 1.
    """
    legs = retriever.legs([row.question for row in known], hide_self=True)
    result = np.zeros(len(known))
    for number, (row, seen) in enumerate(zip(known, legs, strict=True)):
        language = retriever.language_of(row.question)
        ranking = retriever.rank(seen, language)
        decider = deciders.get(language) or deciders[ANY]
        decision = deciding.decide(retriever.features(row.question, ranking, language), decider)
        answered = decision.outcome == "answer"
        found = np.flatnonzero(relevant(retriever, row)[ranking.order[:10]])
        if not row.answerable:
            result[number] = float(not answered)
        elif len(found):
            result[number] = float(found[0] == 0) if answered else 0.5 / (1 + found[0])
    return result
