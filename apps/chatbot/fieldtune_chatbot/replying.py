"""From a question to a reply: rank, decide, compose, as a stream of events.

Every word comes from an approved answer, an article, or `phrases`. Knows no database and no screen.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fieldtune.errors import ArtefactError
from fieldtune_chatbot import answering, deciding
from fieldtune_chatbot.bot import Bot
from fieldtune_chatbot.deciding import Decision
from fieldtune_chatbot.features import Ranking
from fieldtune_chatbot.knowledge import own_document
from fieldtune_chatbot.phrases import phrase
from fieldtune_chatbot.records import Answer, Citation, Event, FaqEntry
from fieldtune_chatbot.retrieve import SAME, Legs
from fieldtune_chatbot.wishes import wants_person

LONGEST = 2000
"""Characters of a question; a longer one is refused, and the customer is told to ask it shorter."""
CLEARLY = 2.5
"""How many times as well as the best approved answer a passage of the same source must fit to be said alone.

A passage is longer and holds more of any question's words, so between 1 and this both are said (docs/lab.md).
"""
KNOWN = Decision("answer", 1.0, "the FAQ asks this very question")
PERSON = "the customer asks for a person"
"""Reason of a hand-off."""
_SHOWN = 5


@dataclass(frozen=True)
class Judgement:
    """What the bot thinks of one question before it says anything."""

    question: str
    language: str
    ranking: Ranking
    decision: Decision
    intent: str
    features: Mapping[str, float]


def judge(bot: Bot, question: str, *, tenant: str = "default", legs: Legs | None = None) -> Judgement:
    """Rank the sources and decide; `legs` may come from a batch.

    A question that one source's FAQ asks itself, word for word, is answered from that source.
    """
    language = bot.retriever.language_of(question)
    scores = legs if legs is not None else bot.retriever.legs([question])[0]
    ranking = bot.retriever.rank(scores, language, tenant)
    asked = {int(bot.knowledge.question_source[unit]) for unit in _own_questions(bot, question)}
    known = [place for place in sorted(asked) if np.isfinite(ranking.fused[place])]  # of the tenant and language
    if len(known) == 1:
        others = ranking.order[ranking.order != known[0]]
        ranking = replace(ranking, order=np.concatenate([known, others]).astype(np.int64))
    named = bot.retriever.features(question, ranking, language)
    decision = KNOWN if len(known) == 1 else _decision(bot, question, named, language, tenant)
    return Judgement(question, language, ranking, decision, _intent(bot, ranking), named)


def _decision(bot: Bot, question: str, named: Mapping[str, float], language: str, tenant: str) -> Decision:
    """What the scores say, unless the question says it: a wish for a person, or one word that may mean many things."""
    decision = deciding.decide(named, bot.decider_for(language))
    if wants_person(question):
        return Decision("hand_off", decision.confidence, PERSON)
    if bot.retriever.same_wordings(question, SAME):
        return decision
    return deciding.asked_back(decision, bot.retriever.asked_with(question, language, tenant))


def _own_questions(bot: Bot, question: str) -> list[int]:
    """The wordings equal to it that are an approved entry's own question; mined and taught ones vouch for nothing."""
    found = []
    for unit in bot.retriever.same_wordings(question, SAME):
        number, wording = bot.knowledge.questions[unit]
        entry = bot.knowledge.entries[number]
        if entry.origin == "faq" and entry.question == wording:
            found.append(unit)
    return found


def answer(bot: Bot, question: str, *, tenant: str = "default", judgement: Judgement | None = None) -> Iterator[Event]:
    """The reply as it forms: ``retrieved``, ``decided``, then ``text`` and ``citation`` events, last ``done``.

    A question that is not `readable` gets ``done`` alone, with a request to ask it otherwise.
    `judgement` spares the work when the caller has it already.
    """
    if not readable(question):
        yield Event("done", {"answer": _not_read(bot, question)})
        return
    judgement = judgement or judge(bot, question, tenant=tenant)
    yield Event("retrieved", {"sources": shown(bot, judgement.ranking)})
    yield Event("decided", {**asdict(judgement.decision), "intent": judgement.intent})
    said, cited = [], []
    for words, citation in _words(bot, judgement):
        said.append(words)
        yield Event("text", {"text": words})
        if citation is not None:
            cited.append(citation)
            yield Event("citation", asdict(citation))
    yield Event(
        "done",
        {
            "answer": Answer(
                "".join(said),
                judgement.decision.outcome,
                round(judgement.decision.confidence, 6),
                judgement.decision.reason,
                judgement.intent,
                tuple(cited),
                alternatives(bot, judgement) if judgement.decision.outcome == "ask_back" else (),
                judgement.language,
            ),
            "features": dict(judgement.features),
        },
    )


def collect(events: Iterable[Event]) -> tuple[Answer, dict[str, Any]]:
    """The finished answer of a stream, and everything the decision record keeps."""
    record: dict[str, Any] = {}
    result: Answer | None = None
    for event in events:
        if event.kind == "retrieved":
            record["sources"] = event.data["sources"]
        elif event.kind == "done":
            result = event.data["answer"]
            record["features"] = event.data.get("features", {})
    if result is None:
        raise ArtefactError("an answer that ends", "a stream cut short", "ask again")
    return result, record


def readable(question: str) -> bool:
    """Whether there is a question, and not more than `LONGEST` characters of it."""
    return bool(question.strip()) and len(question) <= LONGEST


def _not_read(bot: Bot, question: str) -> Answer:
    language = bot.retriever.language_of(question[:LONGEST])
    key, reason = "empty", "the question is empty"
    if question.strip():
        key, reason = "too_long", f"the question has {len(question)} characters, more than {LONGEST}"
    return Answer(phrase(key, language), "ask_back", 0.0, reason, "", (), (), language)


def _words(bot: Bot, judgement: Judgement) -> Iterator[tuple[str, Citation | None]]:
    if judgement.decision.outcome == "answer":
        yield from answering.stream(pieces(bot, judgement.question, judgement.ranking))
    else:
        key = "person" if judgement.decision.reason == PERSON else judgement.decision.outcome
        yield phrase(key, judgement.language), None


def pieces(bot: Bot, question: str, ranking: Ranking) -> list[answering.Piece]:
    """What the first source says: the FAQ answer whose question fits best, spans of the passage that fits best, or both.

    The approved answer alone where it fits as well, the passage alone where it fits `CLEARLY` times as well; between the
    two the approved answer first and then the passage, unless that is what the answer rests on. A question that an entry
    holds word for word gets that entry's answer, whatever a passage scores.
    """
    known, first = bot.knowledge, int(ranking.order[0])
    source = known.sources[first]
    article = known.documents[source.article] if source.article >= 0 else None
    told = [known.questions[unit][0] for unit in bot.retriever.same_wordings(question, SAME)]
    asked = [number for number in told if number in source.entries]
    if asked:
        exact = known.entries[asked[0]]
        return answering.from_faq(exact, own_document(exact, source.tenant), article)
    entry, entry_score = _best_entry(bot, question, source.entries)
    passage, passage_score = _best_passage(bot, question, first)
    approved = answering.from_faq(entry, own_document(entry, source.tenant), article) if entry else []
    if passage is None or article is None or (approved and entry_score >= passage_score):
        return approved
    spans = answering.from_passage(question, article, known.passages[passage][1], bot.retriever.words_passage.idf)
    if approved and CLEARLY * entry_score >= passage_score:
        return answering.together(approved, spans)
    return spans


def _best_entry(bot: Bot, question: str, numbers: Sequence[int]) -> tuple[FaqEntry | None, float]:
    units = [unit for unit, (number, _) in enumerate(bot.knowledge.questions) if number in numbers]
    scores = bot.retriever.unit_scores(question, questions=units)
    if not units:
        return None, 0.0
    best = int(np.argmax(scores))
    return bot.knowledge.entries[bot.knowledge.questions[units[best]][0]], float(scores[best])


def _best_passage(bot: Bot, question: str, source: int) -> tuple[int | None, float]:
    units = np.flatnonzero(bot.knowledge.passage_source == source).tolist()
    if not units:
        return None, 0.0
    scores = bot.retriever.unit_scores(question, passages=units)
    best = int(np.argmax(scores))
    return units[best], float(scores[best])


def _intent(bot: Bot, ranking: Ranking) -> str:
    """The likeliest intent, or the intent of the first source when there is no classifier."""
    probabilities = ranking.legs.get("intent")
    if not len(ranking.order) or probabilities is None:
        return ""
    best = int(np.argmax(probabilities)) if probabilities.any() else int(ranking.order[0])
    return min(bot.knowledge.sources[best].intents, default="")


def alternatives(bot: Bot, judgement: Judgement, most: int = 3) -> tuple[str, ...]:
    """What may have been meant: the first question, or the title, of the best sources."""
    return tuple(label(bot, int(place)) for place in judgement.ranking.order[:most])


def label(bot: Bot, place: int) -> str:
    """What a source is called: its article's title, else its first question."""
    source = bot.knowledge.sources[place]
    if source.article >= 0:
        return bot.knowledge.documents[source.article].title or source.id
    return bot.knowledge.entries[source.entries[0]].question


def shown(bot: Bot, ranking: Ranking, most: int = _SHOWN) -> list[dict[str, Any]]:
    """The best sources with their scores, for the decision record and the page."""
    return [
        {
            "source": bot.knowledge.sources[int(place)].id,
            "title": label(bot, int(place)),
            "score": round(float(ranking.fused[place]), 6),
            **{name: round(float(scores[place]), 6) for name, scores in ranking.legs.items()},
        }
        for place in ranking.order[:most]
    ]


def without(legs: Legs, places: NDArray[np.int64] | Sequence[int]) -> Legs:
    """The same scores with some sources taken away: the question as it would be without them."""
    result = {name: scores.copy() for name, scores in legs.items()}
    for scores in result.values():
        scores[list(places)] = 0.0
    return result
