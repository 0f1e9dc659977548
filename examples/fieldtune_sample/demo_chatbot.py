"""The demo's chatbot: built on the company's support records, asked, measured, and taught by its customers."""

import json
from collections import Counter
from dataclasses import asdict
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from fieldtune_sample import simulate, support
from fieldtune_sample.loops import Loop
from fieldtune_sample.place import Place
from fieldtune_sample.size import Size
from fieldtune_sample.steps import command

APP = "chatbot"
SHOWN = {("en", "known"): 3, ("zh", "known"): 2, ("en", "far"): 1, ("zh", "far"): 1}
PROBED = 24


def write(place: Place, seed: int, size: Size) -> None:
    """The support records; half of the test questions will be asked by customers, the other half is kept to measure."""
    folder = place.company / "support"
    support.generate(folder, seed, **size.support)
    asked, held = simulate.halves(simulate.read_csv(folder / "questions.csv"), np.random.default_rng([seed, 41]))
    simulate.write_csv(place.later / "customers_will_ask.csv", asked)
    simulate.write_csv(place.later / "questions_kept.csv", held)


def build(place: Place, size: Size, seed: int, now: datetime) -> dict[str, Any]:
    """Build, ask a handful, and measure on all test questions."""
    folder = place.company / "support"
    built = command(
        "chatbot", "build", "--documents", folder / "documents", "--faq", folder / "faq.csv", "--dialogues",
        folder / "dialogues.jsonl", "--questions", folder / "known_questions.csv", "--store", place.chatbot,
        "--max-steps", size.encoder_steps, "--seed", seed,
    )  # fmt: skip
    figures = command("chatbot", "evaluate", "--store", place.chatbot, "--questions", folder / "questions.csv")
    return {"built": built, "figures": figures, "asked": ask_some(place, now)}


def ask_some(place: Place, now: datetime) -> list[dict[str, Any]]:
    """The first kept questions of each language, and the first of each that has no answer, whatever comes of them."""
    from fieldtune_chatbot import wire

    service = wire.open_service(place.chatbot)
    rows = simulate.read_csv(place.later / "questions_kept.csv")
    found = []
    for (language, kind), count in SHOWN.items():
        for row in [row for row in rows if (row["language"], row["kind"]) == (language, kind)][:count]:
            answer = wire.ask(service, row["question"], now=now)
            cited = answer.citations[0].document if answer.citations else ""
            right = cited == row["document"] if row["document"] else True
            found.append({
                "question": row["question"], "outcome": answer.outcome, "answer": answer.answer,
                "source": cited, "confidence": answer.confidence, "reason": answer.reason,
                "as it should be": right and (answer.outcome == "answer") == bool(row["document"]),
            })  # fmt: skip
    return found


def loop(place: Place, size: Size, seed: int, now: datetime) -> Loop:
    """Customers ask their half of the questions; the kept half measures."""
    questions = simulate.read_csv(place.later / "customers_will_ask.csv")[: size.questions]

    def speak(random_share: float) -> Counter[str]:
        return simulate.customers(place.chatbot, questions, random_share, np.random.default_rng([seed, 42]), now)

    return Loop(APP, place.chatbot, "correct_first", speak, partial(measure, place), partial(probe, place, now))


def measure(place: Place) -> dict[str, Any]:
    """Figures of what serves now on the kept questions."""
    return command("chatbot", "evaluate", "--store", place.chatbot, "--questions", place.later / "questions_kept.csv")


def probe(place: Place, now: datetime) -> bytes:
    """The answers to some kept questions, without their ids and times."""
    from fieldtune_chatbot import wire

    service = wire.open_service(place.chatbot)
    rows = simulate.read_csv(place.later / "questions_kept.csv")[:PROBED]
    answers = [asdict(wire.ask(service, row["question"], now=now)) for row in rows]
    told = [{key: value for key, value in one.items() if key not in ("decision", "milliseconds")} for one in answers]
    return json.dumps(told, ensure_ascii=False, sort_keys=True).encode()


def outputs(place: Place) -> list[Path]:
    """What the build leaves."""
    return [place.chatbot / "current"]
