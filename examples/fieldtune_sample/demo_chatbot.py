"""The demo's chatbot: built on the company's support records, asked, measured, and taught by its customers."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from fieldtune.evaluate import ranking
from fieldtune_sample import simulate, support, support_pool
from fieldtune_sample.loops import Loop
from fieldtune_sample.noise import roughen
from fieldtune_sample.place import Place
from fieldtune_sample.size import Size
from fieldtune_sample.steps import command

APP = "chatbot"
SHOWN = {("en", "known"): 3, ("zh", "known"): 2, ("en", "far"): 1, ("zh", "far"): 1}
PROBED = 12
HASTE = 0.6
"""How likely customers slip, greet and thank: they type with less care than who wrote down known questions."""


def write(place: Place, seed: int, size: Size) -> None:
    """The support records, and what customers will ask after them: half of the test questions, common ones often.

    Two tables measure: the other half, which nobody asks; and, apart from it, questions somebody asked before as others
    type them, where what was taught is most of the answer.
    """
    folder = place.company / "support"
    support.generate(folder, seed, **size.support)
    rng = np.random.default_rng([seed, 41])
    pool = support.questions("test", topics=size.support.get("topics", 0))
    pool = [pool[int(number)] for number in rng.permutation(len(pool))[: 2 * size.questions]]
    asked, new = simulate.halves(pool, rng)
    chat = support_pool.chat()

    def hasty(text: str, language: str) -> str:
        return roughen(text, HASTE, chat[language], rng)

    said = simulate.recurring(asked, size.questions, hasty, rng)
    taught = {row["question"] for row in said}
    again = {row["question"]: row for row in simulate.recurring(asked, len(new), hasty, rng)}
    simulate.write_csv(place.later / "customers_will_ask.csv", said)
    simulate.write_csv(
        place.later / "questions_new.csv", [{**r, "question": hasty(r["question"], r["language"])} for r in new]
    )
    simulate.write_csv(place.later / "questions_again.csv", [row for text, row in again.items() if text not in taught])


def build(place: Place, size: Size, seed: int, now: datetime) -> dict[str, Any]:
    """Build, ask a handful, and measure on the questions that nobody will ask."""
    from fieldtune_chatbot import wire

    folder = place.company / "support"
    built = command(
        "chatbot", "build", "--documents", folder / "documents", "--faq", folder / "faq.csv", "--dialogues",
        folder / "dialogues.jsonl", "--questions", folder / "known_questions.csv", "--store", place.chatbot,
        "--model", size.encoder, "--max-steps", size.encoder_steps, "--seed", seed, apart=size.apart,
    )  # fmt: skip
    kept = place.later / "questions_new.csv"
    figures = command("chatbot", "evaluate", "--store", place.chatbot, "--questions", kept)
    service = wire.open_service(place.chatbot)
    asked = ask_some(service, simulate.read_csv(kept), now)
    return {
        "built": built,
        "figures": figures,
        "asked": asked,
        "words_alone_mrr@10": by_words(service, kept),
    }


def ask_some(service: Any, rows: list[dict[str, str]], now: datetime) -> list[dict[str, Any]]:
    """The first questions of each language, and the first of each that has no answer, whatever comes of them."""
    from fieldtune_chatbot import wire

    found = []
    for (language, kind), count in SHOWN.items():
        for row in [row for row in rows if (row["language"], row["kind"]) == (language, kind)][:count]:
            answer = wire.ask(service, row["question"], now=now)
            cited = answer.citations[0].document if answer.citations else ""
            answered = answer.outcome == "answer"
            right = answered and cited == row["document"] if row["document"] else not answered
            found.append(
                {
                    "question": row["question"],
                    "outcome": answer.outcome.replace("_", " "),
                    "answer": answer.answer,
                    "source": cited,
                    "why": answer.reason,
                    "right": right,
                }
            )
    return found


def by_words(service: Any, questions: Path) -> float:
    """The rival on the same articles and questions: reciprocal rank of the right source found by words alone (BM25).

    Judged as ``chatbot evaluate`` judges the bot: every stored wording counts, and 0 below the tenth place.
    """
    from fieldtune_chatbot import ingest, learning

    words = replace(service.bot.retriever, weights={"any": learning.WORDS}, encode=None, intent=None)
    return mrr(replace(service.bot, retriever=words), ingest.read_questions(questions))


def mrr(bot: Any, known: Sequence[Any]) -> float:
    """``mrr@10`` of ``chatbot evaluate`` without composing answers."""
    from fieldtune_chatbot import learning, replying

    asked = [(row, learning.relevant(bot.retriever, row)) for row in known if row.answerable]
    asked = [(row, right) for row, right in asked if right.any()]
    legs = bot.retriever.legs([row.question for row, _ in asked])
    ranked = [
        replying.judge(bot, row.question, legs=one).ranking.order for (row, _), one in zip(asked, legs, strict=True)
    ]
    found = ranking.per_query([order.tolist() for order in ranked], [right.nonzero()[0].tolist() for _, right in asked])
    return float(found["mrr@10"].mean())


def loop(place: Place, size: Size, seed: int, now: datetime) -> Loop:
    """Customers ask their half of the questions; the headline is of the other half."""
    questions = simulate.read_csv(place.later / "customers_will_ask.csv")

    def speak(random_share: float) -> Counter[str]:
        return simulate.customers(place.chatbot, questions, random_share, np.random.default_rng([seed, 42]), now)

    return Loop(
        APP, place.chatbot, "correct_first", speak, partial(look, place, now), partial(right_first, place),
        apart=size.apart,
    )  # fmt: skip


def look(place: Place, now: datetime) -> tuple[dict[str, Any], bytes]:
    """Figures on the questions kept to measure, and the answers to some of them without their ids and times."""
    from fieldtune_chatbot import wire

    found = {
        kind: command(
            "chatbot", "evaluate", "--store", place.chatbot, "--questions", place.later / f"questions_{kind}.csv"
        )
        for kind in ("new", "again")
    }
    service = wire.open_service(place.chatbot)
    probes = simulate.read_csv(place.later / "questions_new.csv")[:PROBED]
    answers = [asdict(wire.ask(service, row["question"], now=now)) for row in probes]
    told = [{key: value for key, value in one.items() if key not in ("decision", "milliseconds")} for one in answers]
    return {"correct_first": found["new"]["correct_first"], **found}, json.dumps(
        told, ensure_ascii=False, sort_keys=True
    ).encode()


def right_first(place: Place) -> list[float]:
    """1 or 0 for every answerable question kept to measure: was it answered from the right source?"""
    from fieldtune_chatbot import ingest, judging, replying, wire

    bot = wire.open_service(place.chatbot).bot
    known = [row for row in ingest.read_questions(place.later / "questions_new.csv") if row.answerable]
    answers = [replying.collect(replying.answer(bot, row.question))[0] for row in known]
    return [
        float(answer.outcome == "answer" and judging.is_right(row, answer))
        for row, answer in zip(known, answers, strict=True)
    ]


def outputs(place: Place) -> list[Path]:
    """What the build leaves."""
    return [place.chatbot / "current"]
