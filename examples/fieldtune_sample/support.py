"""The support side of Tidewater: help articles, FAQ, past dialogues, known questions and test questions.

`generate` draws everything from hand-written text and a seed. questions.csv comes from the test pools alone; no other
file contains a sentence of them. The seed chooses noise, order, and who asks what; the articles are always the same.
"""

import csv
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from fieldtune.errors import InputError
from fieldtune_sample import support_pool
from fieldtune_sample.noise import roughen
from fieldtune_sample.support_dialogues import Shares
from fieldtune_sample.support_dialogues import dialogues as make_dialogues
from fieldtune_sample.support_documents import path_of, render
from fieldtune_sample.support_pool import LANGUAGES, Topic

QUESTION_COLUMNS = ("question", "document", "answer", "answerable", "intent", "language", "kind")
FAQ_COLUMNS = ("question", "answer", "intent", "similar", "language", "document")
Rows = list[dict[str, Any]]


def generate(
    out: Path,
    seed: int,
    *,
    topics: int = 0,
    dialogues: int = 2000,
    start: str = "2026-01-05",
    chinese: float = Shares.chinese,
    several_topics: float = Shares.several_topics,
    wrong_first: float = Shares.wrong_first,
    asks_again: float = Shares.asks_again,
    personal_data: float = Shares.personal_data,
    unresolved: float = Shares.unresolved,
    small_talk: float = Shares.small_talk,
    off_topic: float = Shares.off_topic,
    slips: float = Shares.slips,
    question_noise: float = 0.3,
    html_every: int = 7,
) -> None:
    """Write documents/, faq.csv, dialogues.jsonl, known_questions.csv and questions.csv into `out`.

    Args: `topics` of the help centre, each one article in either language (0: all); `dialogues` chats from `start` (ISO
    date) on; `question_noise` probability of a slip in a question of the two question files; `html_every`: every n-th
    article is HTML (0: none); the others are `Shares` of the chats.
    Raises InputError on a share outside 0 to 1, a negative count or a wrong date; nothing is written then.
    """
    shares = Shares(
        chinese,
        several_topics,
        wrong_first,
        asks_again,
        personal_data,
        unresolved,
        small_talk,
        off_topic,
        slips,
    )
    _check({**vars(shares), "question_noise": question_noise}, {"dialogues": dialogues, "html_every": html_every})
    began = _date(start)
    chosen, chat = support_pool.some(topics), support_pool.chat()
    documents = _paths(chosen, html_every)
    _write_documents(out / "documents", chosen, documents)
    _write_csv(out / "faq.csv", FAQ_COLUMNS, _faq(chosen, documents))
    for name, pool, stream in (("known_questions", "train", 11), ("questions", "test", 12)):
        rows = _questions(chosen, documents, pool)
        rng = np.random.default_rng([seed, stream])
        _write_csv(out / f"{name}.csv", QUESTION_COLUMNS, _shuffled(rows, question_noise, chat, rng))
    asked = support_pool.unanswerable("train")
    rng = np.random.default_rng([seed, 13])
    chats = make_dialogues(chosen, documents, asked, chat, shares, dialogues, began, rng)
    with (out / "dialogues.jsonl").open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(line, ensure_ascii=False) + "\n" for line in chats)


def questions(pool: str, *, topics: int = 0, html_every: int = 7) -> Rows:
    """Every question of the pool "train" or "test" as it was written, without noise, in `QUESTION_COLUMNS`."""
    chosen = support_pool.some(topics)
    return _questions(chosen, _paths(chosen, html_every), pool)


def _paths(topics: Mapping[str, Sequence[Topic]], html_every: int) -> dict[tuple[str, str], str]:
    """The file of every article."""
    return {
        (language, topic.id): path_of(topic, place, html_every)
        for language in LANGUAGES
        for place, topic in enumerate(topics[language])
    }


def _check(shares: Mapping[str, float], counts: Mapping[str, int]) -> None:
    for name, share in shares.items():
        if not 0 <= share <= 1:
            raise InputError(f"{name} between 0 and 1", str(share), "choose a share such as 0.2")
    for name, count in counts.items():
        if count < 0:
            raise InputError(f"{name} of 0 or more", str(count), "choose a whole number")


def _date(start: str) -> datetime:
    try:
        return datetime.fromisoformat(start).replace(hour=8, tzinfo=UTC)
    except ValueError as error:
        raise InputError("start as an ISO date such as 2026-01-05", repr(start), "write year-month-day") from error


def _write_documents(
    folder: Path, topics: Mapping[str, Sequence[Topic]], documents: Mapping[tuple[str, str], str]
) -> None:
    """One file per topic and language; articles of an earlier run in another form are removed."""
    for language in LANGUAGES:
        (folder / language).mkdir(parents=True, exist_ok=True)
        for topic in topics[language]:
            path = documents[language, topic.id]
            for stale in (folder / language).glob(f"{topic.id}.*"):
                stale.unlink()
            (folder / path).write_text(render(topic, path), encoding="utf-8")


def _faq(topics: Mapping[str, Sequence[Topic]], documents: Mapping[tuple[str, str], str]) -> Rows:
    return [
        {
            "question": entry.question,
            "answer": entry.answer,
            "intent": topic.intent,
            "similar": "|".join(entry.similar),
            "language": language,
            "document": documents[language, topic.id],
        }
        for language in LANGUAGES
        for topic in topics[language]
        for entry in topic.faq
    ]


def _questions(topics: Mapping[str, Sequence[Topic]], documents: Mapping[tuple[str, str], str], pool: str) -> Rows:
    """Every question of the pool "train" or "test", answerable ones first; `kind` is known, near or far."""
    rows: Rows = []
    for language in LANGUAGES:
        for topic in topics[language]:
            for text in topic.asks if pool == "train" else topic.tests:
                values = (
                    text,
                    documents[language, topic.id],
                    topic.answer_to(text),
                    1,
                    topic.intent,
                    language,
                    "known",
                )
                rows.append(dict(zip(QUESTION_COLUMNS, values, strict=True)))
        for kind, text in support_pool.unanswerable(pool)[language]:
            rows.append(dict(zip(QUESTION_COLUMNS, (text, "", "", 0, "", language, kind), strict=True)))
    return rows


def _shuffled(rows: Rows, noise: float, chat: Mapping[str, Any], rng: np.random.Generator) -> Rows:
    noisy = [{**row, "question": roughen(row["question"], noise, chat[row["language"]], rng)} for row in rows]
    return [noisy[int(place)] for place in rng.permutation(len(noisy))]


def _write_csv(path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, columns, lineterminator="\n")
        table.writeheader()
        table.writerows(rows)
