"""The one place that puts the chatbot together: which folder serves, which database keeps, and in what order.

Faces (command line, page) call this and nothing below it.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from fieldtune import decisions, feedback, registry
from fieldtune.data.scrub import scrub
from fieldtune.errors import InputError
from fieldtune.infer.cache import Cache
from fieldtune.store import erasing
from fieldtune.text.normalise import equality_key
from fieldtune.text.shown import some_of
from fieldtune_chatbot import bot, judging, learning, replying, store
from fieldtune_chatbot.bot import Bot, citable
from fieldtune_chatbot.build import APP, CURRENT
from fieldtune_chatbot.records import Answer, Citation, Event, KnownQuestion
from fieldtune_chatbot.replying import label


@dataclass(frozen=True)
class Opened:
    """What stands where a citation points.

    Attributes:
        text: from the wording that was cited; None when the store does not keep it.
        changed: what serves now has another wording of the document, or none.
    """

    text: str | None
    changed: bool


@dataclass
class Service:
    """A bot that serves, with its database. `folder` is the store the user named."""

    bot: Bot
    engine: Engine
    folder: Path


def serving_folder(folder: Path) -> Path:
    """The version folder that serves for a store: the promoted one, else the copy in the store itself.

    Raises:
        InputError: nothing was built there.
    """
    promoted = registry.serving(APP, folder)
    if promoted != folder.resolve():
        return promoted
    if not (folder / CURRENT).is_dir():
        raise InputError(
            "a built chatbot", f"none in {folder}", f"fieldtune chatbot build --documents DIR --store {folder}"
        )
    return folder / CURRENT


def serving_version(folder: Path) -> str:
    """Name of the version that serves: changes with every promotion and rollback."""
    return registry.version_of(serving_folder(folder))


def source_ids(service: Service) -> list[str]:
    """Every source a correction may name."""
    return [source.id for source in service.bot.knowledge.sources]


def source_titles(service: Service) -> dict[str, str]:
    """What every source that a correction may name is called: id -> title, or question, with the id where two share it."""
    titles = {source.id: label(service.bot, place) for place, source in enumerate(service.bot.knowledge.sources)}
    often = Counter(titles.values())
    return {source: title if often[title] == 1 else f"{title} ({source})" for source, title in titles.items()}


def title_of(service: Service, document: str) -> str:
    """The title of a cited article, or the question of a cited entry; its id where it is gone or has none."""
    titles = {one.id: one.title for one in citable(service.bot.knowledge)}
    return titles.get(document) or document


def open_service(folder: Path) -> Service:
    """Load what serves for a store."""
    loaded = bot.load(serving_folder(folder))
    return Service(loaded, store.open_chatbot(folder), folder)


def stream(
    service: Service, question: str, *, session: str = "", now: datetime, tenant: str = "default"
) -> Iterator[Event]:
    """The reply as it forms; when it ends, decision and history are kept in one transaction.

    The last event, ``done``, carries the answer with its decision id and milliseconds.
    """
    started = time.perf_counter()
    events: list[Event] = []
    for event in replying.answer(service.bot, question, tenant=tenant):
        events.append(event)
        if event.kind != "done":
            yield event
    answer, record = replying.collect(events)
    spent = round((time.perf_counter() - started) * 1000, 2)
    kept = _keep(service, question, replace(answer, milliseconds=spent), record, session, now, tenant)
    yield Event("done", {"answer": kept, "sources": record.get("sources", [])})


def ask(service: Service, question: str, *, session: str = "", now: datetime, tenant: str = "default") -> Answer:
    """The finished reply; see `stream`."""
    answer: Answer = replying.collect(stream(service, question, session=session, now=now, tenant=tenant))[0]
    return answer


def _keep(
    service: Service, question: str, answer: Answer, record: dict[str, Any], session: str, now: datetime, tenant: str
) -> Answer:
    """Personal data is removed from the question before anything of it is stored; of one too long, the beginning is."""
    asked = scrub(question).text[: replying.LONGEST]
    payload = {"question": asked, "session": session, **asdict(answer), **record}
    with service.engine.begin() as connection:
        identity = decisions.record(
            connection, APP, "answer", payload, service.bot.version, now, tenant=tenant, language=answer.language
        )
        if session:
            language = answer.language
            store.say(connection, session, "customer", asked, now, language=language, tenant=tenant)
            store.say(
                connection, session, "bot", answer.answer, now, language=language, decision=identity, tenant=tenant
            )
    return replace(answer, decision=identity)


def history(service: Service, session: str, tenant: str = "default") -> list[dict[str, Any]]:
    """The turns of one conversation."""
    with service.engine.begin() as connection:
        return store.history(connection, session, tenant)


def open_citation(service: Service, citation: Citation, tenant: str = "default") -> Opened:
    """The passage a citation names, however the document was changed since."""
    place = (citation.document, citation.version, citation.start, citation.end)
    with service.engine.begin() as connection:
        text = store.open_citation(connection, *place, tenant=tenant)
    return Opened(text, service.bot.document_versions.get(citation.document) != citation.version)


def give_feedback(
    service: Service,
    decision: str,
    kind: str,
    *,
    now: datetime,
    user: str = "anonymous",
    document: str = "",
    answer: str = "",
    intent: str = "",
) -> None:
    """Keep what a user said about one answer, as a row that ``feedback retrain chatbot`` learns from.

    Args:
        decision: the answer's decision id.
        kind: ``thumb_up``, ``thumb_down`` or ``correction``.
        document: for a correction, the source that should have been cited; `answer`: what should have been said, which
            others are told only once somebody approved it.

    Raises:
        InputError: no such decision, an unknown kind, or a correction without document and answer.
    """
    with service.engine.begin() as connection:
        found = decisions.get(connection, decision)
    if found is None:
        raise InputError("the id of an answer", repr(decision), "take it from `decision` in ask --json")
    if kind not in ("thumb_up", "thumb_down", "correction"):
        raise InputError("thumb_up, thumb_down or correction", repr(kind), "choose one of them")
    if kind == "correction" and not (document or answer):
        raise InputError("the right document or the right answer", "neither", "name one of them")
    said = found["payload"]
    chosen = said["sources"][0]["source"] if said.get("sources") else ""
    payload = {
        "store": str(service.folder.resolve()), "question": said["question"], "outcome": said["outcome"],
        "chosen": chosen, "document": document, "answer": answer, "intent": intent or said["intent"],
    }  # fmt: skip
    row = feedback.Feedback(APP, decision, kind, user, found["language"], found["tenant"], payload)
    with registry.open_home().begin() as connection:
        feedback.record(connection, row, now, keep=service.bot.contacts)


def erase(user: str, stores: Iterable[Path]) -> tuple[int, int]:
    """Delete the conversations of one user, whose sessions carry their name, with the decisions.

    Returns the numbers of turns and of vectors kept of what was said in them.

    Raises:
        InputError: one of the stores is none, or vectors cannot be deleted; then its conversations stay.
    """
    turns = vectors = 0
    for folder in stores:
        if not (folder / "fieldtune.db").is_file():
            raise InputError("a chatbot's store", f"no fieldtune.db in {folder}", "check --store")
        with erasing(store.open_chatbot(folder)) as connection:
            vectors += Cache().forget(store.said(connection, user))
            turns += store.erase(connection, user)
    return turns, vectors


def evaluate(
    service: Service,
    known: Sequence[KnownQuestion],
    *,
    track: Callable[[Iterable[KnownQuestion]], Iterable[KnownQuestion]] = iter,
) -> dict[str, Any]:
    """The figures of ``chatbot evaluate`` on known questions; nothing is written.

    ``already_told`` counts questions that the bot holds word for word: on those it shows its memory, no more.
    Questions whose document the bot does not have count as not found, as they are for the customer (`absent`).

    Raises:
        InputError: the bot has none of the documents: the names are wrong, and figures would say nothing.
    """
    named, has = {row.document for row in known if row.document}, service.bot.knowledge.source_of()
    if named and named.isdisjoint(has):
        raise InputError(
            f"questions whose document the bot has (it has {some_of(sorted(has), 3)})",
            f"none of {len(named)}, e.g. {min(named)}",
            "name documents by their path relative to the --documents of build",
        )
    told = {equality_key(wording) for wording in service.bot.knowledge.question_texts()}
    return {
        **judging.report([_asked(service.bot, row) for row in track(known)]),
        "already_told": sum(equality_key(row.question) in told for row in known),
        "version": service.bot.version,
    }


def absent(service: Service, known: Sequence[KnownQuestion]) -> str:
    """Which of the questions' documents the bot does not have, in words; "" when it has them all."""
    named, has = {row.document for row in known if row.document}, service.bot.knowledge.source_of()
    if not (lacking := sorted(named.difference(has))):
        return ""
    return (
        f"{len(lacking)} of {len(named)} documents are not in the bot: {some_of(lacking, 3)} (it has: {some_of(sorted(has), 3)}); "
        "their questions count as not found"
    )


def _asked(served: Bot, row: KnownQuestion) -> judging.Asked:
    started = time.perf_counter()
    judgement = replying.judge(served, row.question) if replying.readable(row.question) else None
    answer, _ = replying.collect(replying.answer(served, row.question, judgement=judgement))
    spent = round((time.perf_counter() - started) * 1000, 3)
    sources = served.knowledge.sources
    order = judgement.ranking.order[:10].tolist() if judgement else []
    right = [sources[int(place)].id for place in learning.relevant(served.retriever, row).nonzero()[0]]
    return judging.Asked(
        row,
        tuple(sources[place].id for place in order),
        replace(answer, milliseconds=spent),
        frozenset(right or filter(None, [row.document])),
    )
