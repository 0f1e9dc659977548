"""Simulated users who know the truth, and careless ones: what they say goes through the functions the pages use.

Each makes up its mind from the generator's truth; with `random_share` above 0 that share of the statements is drawn at
random instead. Everything follows from the generator given. Nothing here reads a held-out row.
"""

import csv
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path

import numpy as np

Row = Mapping[str, str]
TONES = ("negative", "neutral", "positive")


def read_csv(path: Path) -> list[dict[str, str]]:
    """The rows of one of the sample company's files."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def write_csv(path: Path, rows: Sequence[Row]) -> Path:
    """Rows of equal keys as a table."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        table.writeheader()
        table.writerows(rows)
    return path


def halves(
    rows: Sequence[dict[str, str]], rng: np.random.Generator
) -> tuple[list[dict[str, str]], list[dict[str, str]]]:
    """Questions that customers will ask, and questions kept for measuring: half of each language and kind."""
    asked: list[dict[str, str]] = []
    held: list[dict[str, str]] = []
    for group in sorted({(row["language"], row["kind"]) for row in rows}):
        own = [row for row in rows if (row["language"], row["kind"]) == group]
        order = [own[int(place)] for place in rng.permutation(len(own))]
        asked, held = asked + order[: len(order) // 2], held + order[len(order) // 2 :]
    return asked, held


def recurring(
    questions: Sequence[dict[str, str]], count: int, word: Callable[[str, str], str], rng: np.random.Generator
) -> list[dict[str, str]]:
    """`count` times one of the questions, common ones more often (Zipf's law with exponent .7), in each customer's words.

    Args:
        word: (text, language) -> the text as this customer types it.
    """
    often = 1.0 / np.arange(1, len(questions) + 1) ** 0.7
    drawn = rng.choice(rng.permutation(len(questions)), count, p=often / often.sum())
    chosen = [questions[int(place)] for place in drawn]
    return [{**row, "question": word(row["question"], row["language"])} for row in chosen]


def customers(
    store: Path, questions: Sequence[Row], random_share: float, rng: np.random.Generator, now: datetime
) -> Counter[str]:
    """Customers ask the bot; a right answer gets a thumb up, a wrong or missing one a correction with the right source.

    An answer where there is none gets a thumb down. A careless customer names any article instead.
    """
    from fieldtune_chatbot import wire

    service = wire.open_service(store)
    anything = sorted(wire.source_ids(service))
    said: Counter[str] = Counter()
    for number, row in enumerate(questions):
        answer = wire.ask(service, row["question"], now=now)
        careless = bool(rng.random() < random_share)
        article = anything[int(rng.integers(len(anything)))]
        cited = answer.citations[0].document if answer.citations else ""
        if careless:
            kind, document = "correction", article
        elif not row["document"]:
            kind, document = "thumb_down", ""
        elif answer.outcome == "answer" and cited == row["document"]:
            kind, document = "thumb_up", ""
        else:
            kind, document = "correction", row["document"]
        if kind == "thumb_down" and answer.outcome != "answer":
            continue  # nothing was claimed, nothing to say
        wire.give_feedback(service, answer.decision, kind, now=now, user=f"customer-{number}", document=document)
        said["at random" if careless else kind] += 1
    return said


def readers(
    engine: object,
    origin: Path,
    stories: Sequence[Mapping[str, str]],
    random_share: float,
    rng: np.random.Generator,
    now: datetime,
) -> Counter[str]:
    """Readers put right the tone of stories (identity, title, language, truth); a careless one picks any tone."""
    from fieldtune_monitor import views

    said: Counter[str] = Counter()
    for number, story in enumerate(stories):
        careless = bool(rng.random() < random_share)
        tone = TONES[int(rng.integers(len(TONES)))] if careless else story["truth"]
        views.correct_tone(story, tone, f"reader-{number}", str(origin.resolve()), now)
        said["at random" if careless else "tone"] += 1
    return said


def visitors(
    model: Path, purchases: Sequence[Row], items: Sequence[str], random_share: float, rng: np.random.Generator
) -> Counter[str]:
    """Visitors buy what they really bought next (user, item, time); a careless one clicks on anything."""
    from fieldtune_recommender import remembering

    said: Counter[str] = Counter()
    for row in purchases:
        careless = bool(rng.random() < random_share)
        item = items[int(rng.integers(len(items)))] if careless else row["item"]
        at = datetime.fromisoformat(row["time"])
        remembering.say_back(model, row["user"], item, "purchase", "", at)
        said["at random" if careless else "purchase"] += 1
    return said


def shop_truth(path: Path) -> tuple[dict[str, set[str]], dict[str, set[str]]]:
    """Item -> its themes; user -> the themes they like in the last epoch."""
    truth = json.loads(path.read_text(encoding="utf-8"))
    return (
        {item: set(themes) for item, themes in truth["items"].items()},
        {user: set(epochs[-1]) for user, epochs in truth["users"].items()},
    )
