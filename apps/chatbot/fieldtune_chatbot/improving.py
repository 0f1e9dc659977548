"""A better version from what users said, or none: build a candidate, compare, publish or refuse.

The candidate keeps the models, learns the new wordings, and chooses weights and threshold anew on the tuning questions
and on what users asked. Compared on the held-out questions of the version that serves, and on the users' questions:
each of those with its own wording hidden, and by weights chosen without it, so that no row vouches for itself.
"""

import copy
import shutil
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import numpy as np

from fieldtune import registry
from fieldtune.data.scrub import scrub
from fieldtune.errors import InputError
from fieldtune.feedback import Feedback
from fieldtune.models.folder import MANIFEST, recover
from fieldtune.progress import say
from fieldtune.registry import INCUMBENT, Verdict
from fieldtune.runtime import generator
from fieldtune.text.language import detect
from fieldtune.text.normalise import equality_key
from fieldtune_chatbot import bot, corrections, learning
from fieldtune_chatbot.bot import Bot
from fieldtune_chatbot.build import APP, make_version, part
from fieldtune_chatbot.corrections import Lesson
from fieldtune_chatbot.knowledge import organise
from fieldtune_chatbot.learning import Split
from fieldtune_chatbot.records import KnownQuestion
from fieldtune_chatbot.retrieve import NEAR, SAME
from fieldtune_chatbot.wire import serving_folder

CANDIDATE = "feedback"


def retrain(rows: Sequence[Feedback], *, home: Path, now: datetime, progress: bool) -> Verdict:
    """Learn from feedback rows; promoted only if surely better on the held-out questions.

    Raises:
        InputError: no chatbot serves, or no row teaches anything.
    """
    store = origin(rows)
    served = bot.load(serving_folder(store))
    taught = corrections.lessons([(row.kind, _scrubbed(row)) for row in rows])
    if not taught:
        raise InputError(
            "thumbs on answers, or corrections with their right document or answer",
            f"{len(rows)} rows without one",
            "correct some answers on the page first",
        )
    strange = corrections.odd([_place(served, lesson) for lesson in taught])
    share = sum(strange) / len(strange)
    if share > corrections.LARGEST_ODD_SHARE:
        reason = (
            f"{share:.0%} of {len(taught)} corrections name a source the question has nothing to do with (limit "
            f"{corrections.LARGEST_ODD_SHARE:.0%}): look through them with fieldtune feedback list"
        )
        return Verdict(False, INCUMBENT, reason, ())
    folder = home / "candidates" / f"{APP}-{store.name}"
    shutil.rmtree(folder, ignore_errors=True)
    if progress:
        say(f"learning from {len(taught)} corrections")
    write_candidate(served, [lesson for lesson, bad in zip(taught, strange, strict=True) if not bad], folder)
    verdict = compare(served, folder, store, now=now, details={"rows": len(rows), "lessons": len(taught)})
    shutil.rmtree(folder, ignore_errors=True)
    return verdict


def origin(rows: Sequence[Feedback]) -> Path:
    """The store the rows are about: the one they name if it serves, else the one promoted last."""
    known = registry.origins(APP)
    named = {str(row.payload.get("store", "")) for row in rows}
    for path in known:
        if str(path) in named:
            return path
    if not known:
        raise InputError("a chatbot in service", "none", "build one first: fieldtune chatbot build")
    return known[0]


def _scrubbed(row: Feedback) -> dict[str, object]:
    return {key: scrub(value).text if isinstance(value, str) else value for key, value in row.payload.items()}


def _place(served: Bot, lesson: Lesson) -> int | None:
    """Where the bot ranks the source a user named; a statement that names none is always plausible."""
    if not lesson.document:
        return 0
    target = served.knowledge.source_of().get(lesson.document)
    legs = served.retriever.legs([lesson.question])[0]
    order = served.retriever.rank(legs, served.retriever.language_of(lesson.question)).order.tolist()
    return order.index(target) if target in order else None


def write_candidate(served: Bot, taught: Sequence[Lesson], folder: Path) -> None:
    """The served version with what was taught, as a version folder."""
    recover(folder)
    if (folder / MANIFEST).is_file():
        return
    entries = corrections.learnt(served.knowledge, taught)
    knowledge = organise(served.knowledge.documents, entries)
    make_version(
        knowledge, Split((), (*served.tuning, *asked(served, taught)), served.held_out), folder,
        part(served.folder, "encoder"), part(served.folder, "intent"), _readable(served),
    )  # fmt: skip


def asked(served: Bot, taught: Sequence[Lesson]) -> list[KnownQuestion]:
    """What users asked, with the source they confirmed, or none, as known questions to choose weights and threshold on.

    Real questions are worded otherwise than collected ones; learning from them is most of what feedback brings.
    """
    known = {equality_key(row.question) for row in (*served.tuning, *served.held_out)}
    return [
        KnownQuestion(row.question, row.document, row.answer, bool(row.document), row.intent, detect(row.question))
        for row in taught
        if (row.document or not row.answer) and equality_key(row.question) not in known
    ]


def _readable(version: Bot) -> set[str]:
    """The languages whose questions a version compares by meaning."""
    legs = ("dense_passage", "dense_sentence", "dense_question")
    return {language for language, weights in version.retriever.weights.items() if any(weights[leg] for leg in legs)}


def compare(served: Bot, folder: Path, store: Path, *, now: datetime, details: dict[str, object]) -> Verdict:
    """The gate: candidate against what serves, on held-out questions and on what the candidate learnt from users."""
    candidate = bot.load(folder)
    if not served.held_out:
        return Verdict(False, INCUMBENT, "there are no held-out questions to compare on: build with --questions", ())
    known = {equality_key(row.question) for row in served.tuning}
    events = [row for row in candidate.tuning if equality_key(row.question) not in known]
    scores = {
        INCUMBENT: np.concatenate([_judged(served, served.held_out), _judged(served, events, SAME)]),
        CANDIDATE: np.concatenate([_judged(candidate, served.held_out), _crossed(candidate, events)]),
    }
    rng: np.random.Generator = generator(0)
    return registry.publish(APP, store, {CANDIDATE: folder}, scores, rng=rng, now=now, details=details)


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
