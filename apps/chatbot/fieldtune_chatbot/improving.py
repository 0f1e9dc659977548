"""A better version from what users said, or none: build a candidate, compare, publish or refuse.

The candidate keeps the models, learns the new wordings, and chooses weights and threshold anew on the tuning questions
and on what users asked. Compared on the held-out questions of the version that serves, and on the users' questions:
each of those with its own wording hidden, and by weights chosen without it, so that no row vouches for itself.
An answer that a user typed is in no candidate; it goes to a table beside the store, for somebody to approve.
"""

import copy
from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fieldtune import feedback, registry
from fieldtune.data.scrub import hides
from fieldtune.errors import InputError
from fieldtune.feedback import Feedback
from fieldtune.gate import INCUMBENT, Verdict
from fieldtune.progress import say
from fieldtune.retraining import about, workplace
from fieldtune.runtime import generator
from fieldtune.text.normalise import equality_key
from fieldtune_chatbot import bot, corrections, learning
from fieldtune_chatbot.bot import Bot
from fieldtune_chatbot.build import APP
from fieldtune_chatbot.gathering import review_file
from fieldtune_chatbot.knowledge import organise
from fieldtune_chatbot.learning import Split
from fieldtune_chatbot.records import FaqEntry, KnownQuestion, Lesson
from fieldtune_chatbot.retrieve import NEAR, SAME
from fieldtune_chatbot.store import answers_since, first_made, keep_documents, open_chatbot
from fieldtune_chatbot.versions import Models, make_version, part, unit_texts
from fieldtune_chatbot.wire import serving_folder

CANDIDATE = "feedback"
MOST_JUDGED = 2000
"""About so many questions asked before are judged, with and without a word from users: bounds the work of the gate."""


def retrain(rows: Sequence[Feedback], slot: str | None = None, *, home: Path, now: datetime, progress: bool) -> Verdict:
    """Learn from the feedback rows about one store; what that makes is promoted only if it is surely better.

    Args:
        slot: the store's name or path; None takes the one that the newest row is about.

    Raises:
        InputError: no such store serves, or no row teaches anything before somebody approved it.
        RefusedError: another process retrains it, or something else serves by the end.
    """
    store, own = about(APP, rows, "store", slot)
    hidden = sum(hides(str(row.payload.get("answer", ""))) for row in own)
    if progress and hidden:
        say(f"note: {hidden} corrected answers hold personal data that was taken out, and teach nothing")
    with workplace(home, APP, store) as place:
        return _retrained(store, own, place / CANDIDATE, now=now, progress=progress)


def _retrained(store: Path, rows: Sequence[Feedback], folder: Path, *, now: datetime, progress: bool) -> Verdict:
    served = bot.load(serving_folder(store))
    with registry.open_home().begin() as connection:
        erased = feedback.erased(connection)
    said = [(row.kind, row.payload, row.user) for row in rows]
    typed = _for_approval(corrections.waiting(served.knowledge, said, erased), store)
    if progress and typed:
        say(f"note: {typed}")
    taught = corrections.kept(corrections.lessons(said), erased)
    if not taught:
        raise InputError(
            "thumbs on answers, or corrections with their right document",
            f"{len(rows)} rows about {store} without one" + (f"; {typed}" if typed else ""),
            "correct some answers on the page first",
        )
    strange = corrections.odd([_place(served, lesson) for lesson in taught])
    share = sum(strange) / len(strange)
    if len(taught) >= corrections.ENOUGH and share > corrections.LARGEST_ODD_SHARE:
        reason = (
            f"{share:.0%} of {len(taught)} corrections name a source the question has nothing to do with (limit "
            f"{corrections.LARGEST_ODD_SHARE:.0%}): look through them with fieldtune feedback list"
        )
        return _telling(Verdict(False, INCUMBENT, reason, ()), typed)
    if progress:
        say(f"learning from {len(taught)} corrections")
    write_candidate(served, [one for one, bad in zip(taught, strange, strict=True) if not bad], folder, erased)
    details: dict[str, object] = {"rows": len(rows), "lessons": len(taught)}
    return _telling(compare(served, folder, store, now=now, details=details, said=rows), typed)


def _for_approval(typed: Sequence[FaqEntry], store: Path) -> str:
    """Writes the answers that users typed to a table in the store; how many wait, and where, or "" when none does."""
    if not typed:
        return ""
    file = review_file(typed, store, "typed")
    return (
        f"{len(typed)} answers that users typed are not served until somebody approves them: look through {file} and "
        "add what is right to the FAQ of the next build"
    )


def _telling(verdict: Verdict, typed: str) -> Verdict:
    return replace(verdict, reason=f"{verdict.reason}; {typed}") if typed else verdict


def _place(served: Bot, lesson: Lesson) -> int | None:
    """Where the bot ranks the source a user named; that it should not have answered is always plausible."""
    if not lesson.document:
        return 0
    target = served.knowledge.source_of().get(lesson.document)
    legs = served.retriever.legs([lesson.question])[0]
    order = served.retriever.rank(legs, served.retriever.language_of(lesson.question)).order.tolist()
    return order.index(target) if target in order else None


def write_candidate(served: Bot, taught: Sequence[Lesson], folder: Path, erased: Collection[str] = ()) -> None:
    """The served version with what was taught, as a version folder; its models stay, so do the vectors of its texts.

    Args:
        erased: hashes of users whose lessons the candidate does without.
    """
    old = corrections.kept(served.taught, erased)
    still = set(old)
    gone = [lesson for lesson in served.taught if lesson not in still]
    left = organise(served.knowledge.documents, corrections.unlearnt(served.knowledge, gone))
    knowledge = organise(left.documents, corrections.learnt(left, taught))
    tuning, held_out = _without(served.tuning, gone), _without(served.held_out, gone)
    anew = {equality_key(lesson.question) for lesson in taught}
    tuning = tuple(row for row in tuning if not (row.told and equality_key(row.question) in anew))
    known = {equality_key(row.question) for row in (*tuning, *held_out)}
    asked = [row for row in corrections.as_known(taught) if equality_key(row.question) not in known]
    models = Models(
        part(served.folder, "encoder"), part(served.folder, "intent"), compared_by_meaning(served), _computed(served)
    )
    every = {equality_key(lesson.question): lesson for lesson in (*old, *taught)}
    make_version(knowledge, Split((), (*tuning, *asked), held_out), folder, models, tuple(every.values()))


def _without(rows: Sequence[KnownQuestion], gone: Sequence[Lesson]) -> tuple[KnownQuestion, ...]:
    questions = {equality_key(lesson.question) for lesson in gone}
    return tuple(row for row in rows if equality_key(row.question) not in questions)


def _computed(version: Bot) -> dict[str, NDArray[np.float32]]:
    if version.retriever.vectors is None:
        return {}
    texts = unit_texts(version.knowledge, version.retriever.clean)
    return dict(zip(texts, version.retriever.vectors, strict=True))


def compared_by_meaning(version: Bot) -> set[str]:
    """The languages whose questions a version compares by meaning, by weights of their own or by those of all."""
    legs = ("dense_passage", "dense_sentence", "dense_question")
    spoken = {source.language for source in version.knowledge.sources}
    return {language for language in spoken if any(version.retriever.weights_for(language)[leg] for leg in legs)}


def compare(
    served: Bot, folder: Path, store: Path, *, now: datetime, details: dict[str, object], said: Sequence[Feedback]
) -> Verdict:
    """The gate: candidate against what serves, on held-out questions, on what the candidate learnt from users, and on
    answers nobody objected to.

    Args:
        said: all feedback rows about the store.
    """
    candidate = bot.load(folder)
    held_out = learning.judging_rows(served.held_out)
    if not held_out:
        return Verdict(False, INCUMBENT, "there are no held-out questions to compare on: build with --questions", ())
    rng: np.random.Generator = generator(0)
    learnt = distinct(served, candidate)
    events, silent = sampled(learnt, unchallenged(store, said, learnt), rng)
    before = np.arange(len(held_out) + len(events) + len(silent)) >= len(held_out)
    parts = {"questions nobody has asked yet": ~before, "questions asked before": before}
    scores = {
        INCUMBENT: np.concatenate([_judged(served, held_out), _judged(served, [*events, *silent], SAME)]),
        CANDIDATE: np.concatenate(
            [_judged(candidate, held_out), _crossed(candidate, events), _judged(candidate, silent, SAME)]
        ),
    }
    with open_chatbot(store).begin() as connection:  # before it can answer: what it cites must open
        keep_documents(connection, bot.citable(candidate.knowledge), "default", now)
    return registry.publish(
        APP, store, {CANDIDATE: folder}, scores, rng=rng, now=now, details=details, scored=served.folder, parts=parts
    )


def unchallenged(store: Path, said: Sequence[Feedback], learnt: Sequence[KnownQuestion]) -> list[KnownQuestion]:
    """What was answered without a word from anybody, each question once, as if the answer had been right.

    Users speak mostly of what is wrong. Judged on that alone, whatever answers otherwise would look better. So silence
    is taken from the whole span of what users said: from the oldest answer whose question the candidate learnt. Where
    the store has no such answer, every answer it keeps counts.

    Args:
        said: all feedback rows about the store.
        learnt: the users' questions that the candidate is judged on, see `distinct`.
    """
    spoken: dict[str, set[str]] = {}
    for row in said:
        spoken.setdefault(equality_key(str(row.payload.get("question", ""))), set()).add(row.subject)
    corrected = {subject for row in learnt for subject in spoken.get(equality_key(row.question), ())}
    found: dict[str, KnownQuestion] = {}
    engine = open_chatbot(store)
    with engine.begin() as connection:
        since = first_made(connection, corrected)
    for one in answers_since(engine, since):
        key = equality_key(one["question"])
        if one["outcome"] == "answer" and one["citations"] and key not in spoken:
            document = one["citations"][0]["document"]
            found.setdefault(key, KnownQuestion(one["question"], document, language=one["language"], told=True))
    return list(found.values())


def sampled(
    learnt: Sequence[KnownQuestion],
    silent: Sequence[KnownQuestion],
    rng: np.random.Generator,
    most: int = MOST_JUDGED,
) -> tuple[list[KnownQuestion], list[KnownQuestion]]:
    """About `most` of both together: one random share of each, so that neither gains weight by being cut less.

    Cut alone, the silent answers would say too little for what serves, and a candidate that is no better would ship.
    """
    share = min(1.0, most / max(len(learnt) + len(silent), 1))

    def some(rows: Sequence[KnownQuestion]) -> list[KnownQuestion]:
        chosen = rng.choice(len(rows), round(share * len(rows)), replace=False)
        return [rows[place] for place in sorted(chosen.tolist())]

    return some(learnt), some(silent)


def distinct(served: Bot, candidate: Bot) -> list[KnownQuestion]:
    """What users asked and the candidate learnt, each question once: who asks it in ten ways is not ten witnesses.

    Questions that should not have been answered are left out: they are known only where the served version failed.
    """
    known = {equality_key(row.question) for row in served.tuning}
    events, told = [], set[int]()
    for row in candidate.tuning:
        if row.answerable and equality_key(row.question) not in known:
            near = set(candidate.retriever.same_wordings(row.question))
            if near.isdisjoint(told):
                events.append(row)
            told |= near
    return events


def _judged(version: Bot, rows: Sequence[KnownQuestion], hide: str = NEAR) -> learning.Scores:
    return learning.experience(version.retriever, version.deciders, learning.see(version.retriever, rows, hide))


def _crossed(candidate: Bot, events: Sequence[KnownQuestion], folds: int = 3) -> learning.Scores:
    """The candidate on the users' questions, each judged by weights and threshold that were chosen without it."""
    keys = {equality_key(row.question) for row in events}
    retriever = copy.copy(candidate.retriever)
    start = learning.BOTH if retriever.encode else learning.WORDS
    base = learning.see(retriever, [row for row in candidate.tuning if equality_key(row.question) not in keys])
    learnt, judged = learning.see(retriever, events), learning.see(retriever, events, SAME)
    result = np.zeros(len(events))
    for fold in range(folds):
        kept = [one for place, one in enumerate(learnt) if place % folds != fold]
        retriever.weights = learning.fit_weights(retriever, [*base, *kept], start, compared_by_meaning(candidate))
        deciders = learning.fit_deciders(retriever, [*base, *kept])
        result[fold::folds] = learning.experience(retriever, deciders, judged[fold::folds])
    return result


def publish(folder: Path, slot: str | None, *, now: datetime) -> Verdict:
    """Put another version folder into service if it is better than what serves (``models publish``).

    Raises:
        InputError: no such slot, or its folder is gone.
    """
    store = registry.origin_of(APP, slot)
    if store is None:
        raise InputError("the name of a chatbot store in service", repr(slot or ""), "build one first, see models list")
    with registry.open_home().begin() as connection:
        rows = feedback.rows(connection, APP)
    said = about(APP, rows, "store", str(store))[1]
    return compare(bot.load(serving_folder(store)), folder, store, now=now, details={"origin": str(folder)}, said=said)
