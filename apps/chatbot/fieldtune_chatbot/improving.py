"""A better version from what users said, or none: build a candidate, compare, publish or refuse.

The candidate keeps the models, learns the new wordings, and chooses weights and threshold anew on the tuning questions
and on what users asked. Compared on the held-out questions of the version that serves, and on the users' questions:
each of those with its own wording hidden, and by weights chosen without it, so that no row vouches for itself.
"""

import copy
from collections.abc import Collection, Sequence
from datetime import datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fieldtune import decisions, feedback, registry
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
from fieldtune_chatbot.build import APP, Models, make_version, part, unit_texts
from fieldtune_chatbot.knowledge import organise
from fieldtune_chatbot.learning import Split
from fieldtune_chatbot.records import KnownQuestion, Lesson
from fieldtune_chatbot.retrieve import NEAR, SAME
from fieldtune_chatbot.store import keep_documents, open_chatbot
from fieldtune_chatbot.wire import serving_folder

CANDIDATE = "feedback"
REMEMBERED = 1000
"""The last so many answers are looked at for those that nobody objected to."""


def retrain(rows: Sequence[Feedback], slot: str | None = None, *, home: Path, now: datetime, progress: bool) -> Verdict:
    """Learn from the feedback rows about one store; promoted only if surely better on the held-out questions.

    Args:
        slot: the store's name or path; None takes the one that the newest row is about.

    Raises:
        InputError: no such store serves, or no row teaches anything.
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
    taught = corrections.kept(corrections.lessons([(row.kind, row.payload, row.user) for row in rows]), erased)
    if not taught:
        raise InputError(
            "thumbs on answers, or corrections with their right document or answer",
            f"{len(rows)} rows about {store} without one",
            "correct some answers on the page first",
        )
    strange = corrections.odd([_place(served, lesson) for lesson in taught])
    share = sum(strange) / len(strange)
    if len(taught) >= corrections.ENOUGH and share > corrections.LARGEST_ODD_SHARE:
        reason = (
            f"{share:.0%} of {len(taught)} corrections name a source the question has nothing to do with (limit "
            f"{corrections.LARGEST_ODD_SHARE:.0%}): look through them with fieldtune feedback list"
        )
        return Verdict(False, INCUMBENT, reason, ())
    if progress:
        say(f"learning from {len(taught)} corrections")
    write_candidate(served, [one for one, bad in zip(taught, strange, strict=True) if not bad], folder, erased)
    return compare(served, folder, store, now=now, details={"rows": len(rows), "lessons": len(taught)}, said=rows)


def _place(served: Bot, lesson: Lesson) -> int | None:
    """Where the bot ranks the source a user named; a statement that names none is always plausible."""
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
    models = Models(part(served.folder, "encoder"), part(served.folder, "intent"), _readable(served), _computed(served))
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


def _readable(version: Bot) -> set[str]:
    """The languages whose questions a version compares by meaning."""
    legs = ("dense_passage", "dense_sentence", "dense_question")
    return {language for language, weights in version.retriever.weights.items() if any(weights[leg] for leg in legs)}


def compare(
    served: Bot, folder: Path, store: Path, *, now: datetime, details: dict[str, object], said: Sequence[Feedback] = ()
) -> Verdict:
    """The gate: candidate against what serves, on held-out questions, on what the candidate learnt from users, and on
    answers nobody objected to."""
    candidate = bot.load(folder)
    held_out = learning.judging_rows(served.held_out)
    if not held_out:
        return Verdict(False, INCUMBENT, "there are no held-out questions to compare on: build with --questions", ())
    events = distinct(served, candidate)
    silent = unchallenged(store, said)
    before = np.arange(len(held_out) + len(events) + len(silent)) >= len(held_out)
    parts = {"questions nobody has asked yet": ~before, "questions asked before": before}
    scores = {
        INCUMBENT: np.concatenate([_judged(served, held_out), _judged(served, [*events, *silent], SAME)]),
        CANDIDATE: np.concatenate(
            [_judged(candidate, held_out), _crossed(candidate, events), _judged(candidate, silent, SAME)]
        ),
    }
    rng: np.random.Generator = generator(0)
    with open_chatbot(store).begin() as connection:  # before it can answer: what it cites must open
        keep_documents(connection, bot.citable(candidate.knowledge), "default", now)
    return registry.publish(
        APP, store, {CANDIDATE: folder}, scores, rng=rng, now=now, details=details, scored=served.folder, parts=parts
    )


def unchallenged(store: Path, said: Sequence[Feedback]) -> list[KnownQuestion]:
    """What was answered lately without a word from anybody, each question once, as if the answer had been right.

    Users speak mostly of what is wrong. Judged on that alone, whatever answers otherwise would look better.
    """
    spoken = {equality_key(str(row.payload.get("question", ""))) for row in said}
    with open_chatbot(store).begin() as connection:
        made = decisions.latest(connection, APP, "answer", REMEMBERED)
    found: dict[str, KnownQuestion] = {}
    for one in made:
        key = equality_key(one["question"])
        if one["outcome"] == "answer" and one["citations"] and key not in spoken:
            document = one["citations"][0]["document"]
            found.setdefault(key, KnownQuestion(one["question"], document, language=one["language"], told=True))
    return list(found.values())


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
        retriever.weights = learning.fit_weights(retriever, [*base, *kept], start, _readable(candidate))
        deciders = learning.fit_deciders(retriever, [*base, *kept])
        result[fold::folds] = learning.experience(retriever, deciders, judged[fold::folds])
    return result


def publish(folder: Path, slot: str | None, *, now: datetime) -> Verdict:
    """Put another version folder into service if it is better than what serves (``models publish``).

    Raises:
        InputError: no such slot.
    """
    store = registry.origin_of(APP, slot)
    if store is None:
        raise InputError("the name of a chatbot store in service", repr(slot or ""), "build one first, see models list")
    return compare(bot.load(serving_folder(store)), folder, store, now=now, details={"origin": str(folder)})
