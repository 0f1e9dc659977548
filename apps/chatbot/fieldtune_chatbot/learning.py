"""From known questions to weights, a threshold and comparable scores.

Knows bots and questions; reads and writes no files. Whatever is judged here was kept out of what was trained.
"""

import hashlib
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fieldtune.retrieval import fusion
from fieldtune.text.normalise import equality_key
from fieldtune_chatbot import deciding
from fieldtune_chatbot.deciding import DEFAULT, DEFAULT_WORDS, LEAST, Case, Decider
from fieldtune_chatbot.features import LEGS
from fieldtune_chatbot.records import KnownQuestion
from fieldtune_chatbot.replying import without
from fieldtune_chatbot.retrieve import ANY, NEAR, Legs, Retriever

WORDS = {**dict.fromkeys(LEGS, 0.0), "words_passage": 10.0, "words_question": 5.0, "words_source": 10.0}
BOTH = {**WORDS, "dense_passage": 6.0, "dense_sentence": 6.0, "dense_question": 8.0, "intent": 1.0}
"""Weights until there are known questions; 0 where a leg is not there or must not count."""
UNANSWERABLE_SHARE = 0.05
"""Of the unanswerable questions it is tuned on (each judged by a model that did not see it) this share is answered."""
TRAIN, TUNING = 0.4, 0.7
"""Of the known questions, where the parts end that train the models and that tune weights and threshold."""
Scores = NDArray[np.float64]
_PENALTY = 0.03


@dataclass(frozen=True)
class Split:
    """Known questions in three parts that never meet."""

    train: tuple[KnownQuestion, ...]
    tuning: tuple[KnownQuestion, ...]
    held_out: tuple[KnownQuestion, ...]


def split(known: Sequence[KnownQuestion]) -> Split:
    """Answerable questions 40 / 30 / 30, unanswerable ones 0 / 70 / 30, each by a hash of its words.

    So a question always comes to the same part, however the list around it changes, and what served before was not
    taught what judges it today.
    """
    parts: dict[str, list[KnownQuestion]] = {"train": [], "tuning": [], "held_out": []}
    for row in known:
        place = int(hashlib.sha256(equality_key(row.question).encode()).hexdigest()[:8], 16) / 2**32
        first = TRAIN if row.answerable else 0.0
        parts["train" if place < first else "tuning" if place < TUNING else "held_out"].append(row)
    return Split(**{name: tuple(rows) for name, rows in parts.items()})


def basis(tuning: Sequence[KnownQuestion]) -> str:
    """What weights and threshold rest on, in words."""
    asked = Counter(row.language for row in tuning if row.answerable)
    if asked.total() < LEAST:
        return (
            f"weights and threshold are cautious defaults: they would rest on {asked.total()} questions, at least "
            f"{LEAST} are needed (30 % of those known); add --questions FILE"
        )
    spoken = ", ".join(f"{language} {count}" for language, count in sorted(asked.items()))
    outside = sum(not row.answerable for row in tuning)
    stand_in = "" if outside >= LEAST else ", in whose place stand the same with their source taken away"
    return f"the threshold rests on {asked.total()} questions ({spoken}) and {outside} without an answer{stand_in}"


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


def judging_rows(held_out: Sequence[KnownQuestion]) -> tuple[KnownQuestion, ...]:
    """Held-out questions that may compare versions: not those known only because they were answered and should not."""
    return tuple(row for row in held_out if row.answerable or not row.told)


@dataclass(frozen=True)
class Seen:
    """A known question as retrieval sees it: scores of every source, and which sources are right."""

    row: KnownQuestion
    language: str
    legs: Legs
    right: NDArray[np.bool_]


def see(retriever: Retriever, known: Sequence[KnownQuestion], hide: str = NEAR) -> list[Seen]:
    """Score the questions once for all that is learnt from them; `hide` as in `Retriever.legs`."""
    legs = retriever.legs([row.question for row in known], hide=hide)
    return [
        Seen(row, retriever.language_of(row.question), scores, relevant(retriever, row))
        for row, scores in zip(known, legs, strict=True)
    ]


def fit_weights(
    retriever: Retriever, seen: Sequence[Seen], start: Mapping[str, float], readable: Collection[str]
) -> dict[str, dict[str, float]]:
    """Weights per language from known questions; a language with fewer than 20 gets the ones of all.

    A leg that starts at 0, or where the encoder cannot read the language, is not tried.
    """
    examples = [(one.language, _example(retriever, one)) for one in seen if one.row.answerable]
    weights: dict[str, dict[str, float]] = {}
    for language in (ANY, *sorted({source.language for source in retriever.knowledge.sources})):
        own = [example for spoken, example in examples if language in (ANY, spoken)]
        blind = language != ANY and language not in readable
        first = {leg: 0.0 if blind and leg.startswith("dense") else start[leg] for leg in LEGS}
        free = [leg for leg, value in first.items() if value > 0]
        if len(own) >= LEAST:
            weights[language] = {**dict.fromkeys(LEGS, 0.0), **fusion.fit_weights(own, free, _PENALTY)}
        elif language == ANY or blind:
            weights[language] = first
    return weights


def _example(retriever: Retriever, seen: Seen) -> fusion.Example:
    """Only sources of the question's language compete, as they do when it is asked."""
    allowed = retriever.allowed(seen.language)
    return fusion.Example({name: scores[allowed] for name, scores in seen.legs.items()}, seen.right[allowed])


def fit_deciders(retriever: Retriever, seen: Sequence[Seen]) -> dict[str, Decider]:
    """A decider per language with at least 20 answerable questions, and one of all for the others.

    Not for those that words alone find, unlike the rest: their scores are on another scale.
    """
    cases: dict[str, list[Case]] = {ANY: [], **{language: [] for language in retriever.weights}}
    for one in seen:
        made = _cases(retriever, one)
        cases[ANY] += made
        cases.setdefault(one.language, []).extend(made)
    known = {language: sum(case.answerable for case in found) for language, found in cases.items()}
    return {
        language: deciding.fit(found, wrong_share=UNANSWERABLE_SHARE, default=_default(retriever, language))
        for language, found in sorted(cases.items())
        if language == ANY or known[language] >= LEAST or _default(retriever, language) != _default(retriever, ANY)
    }


def _default(retriever: Retriever, language: str) -> Decider:
    """The cautious decider for the legs that count in a language."""
    weights = retriever.weights_for(language)
    return DEFAULT if any(weights.get(leg) for leg in LEGS if leg.startswith("dense")) else DEFAULT_WORDS


def _cases(retriever: Retriever, seen: Seen) -> list[Case]:
    """The question as it is and, if it has a source, as it would be without."""
    if seen.row.answerable and not seen.right.any():
        return []

    def case(legs: Legs, answerable: bool, made_up: bool = False) -> Case:
        ranking = retriever.rank(legs, seen.language)
        right = answerable and len(ranking.order) > 0 and bool(seen.right[ranking.order[0]])
        told = seen.row.told and not made_up
        return Case(retriever.features(seen.row.question, ranking, seen.language), right, answerable, made_up, told)

    if not seen.row.answerable:
        return [case(seen.legs, False)]
    lacking = without(seen.legs, np.flatnonzero(seen.right))
    return [case(seen.legs, True), case(lacking, False, made_up=True)]


def _reciprocal_rank(retriever: Retriever, seen: Seen) -> float:
    found = np.flatnonzero(seen.right[retriever.rank(seen.legs, seen.language).order[:10]])
    return 1.0 / (1 + int(found[0])) if len(found) else 0.0


def experience(retriever: Retriever, deciders: Mapping[str, Decider], seen: Sequence[Seen]) -> Scores:
    """What customers get, per question, float64[n]: the score that the gate compares.

    Answered from the right source 1, from a wrong one 0; not answered although there is an answer: half the
    reciprocal rank of the right source, for it is among what is offered; not answered and rightly so 1.
    """
    result = np.zeros(len(seen))
    for number, one in enumerate(seen):
        ranking = retriever.rank(one.legs, one.language)
        decider = deciders.get(one.language) or deciders[ANY]
        decision = deciding.decide(retriever.features(one.row.question, ranking, one.language), decider)
        answered, place = decision.outcome == "answer", _reciprocal_rank(retriever, one)
        if one.row.answerable:
            result[number] = float(place == 1.0) if answered else place / 2
        else:
            result[number] = float(not answered)
    return result
