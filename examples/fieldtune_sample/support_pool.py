"""The hand-written support text: topics with article, FAQ and questions; unanswerable questions; chat phrases.

Reads and checks the TOML files beside it. Two pools of questions never meet: `asks` (training) and `tests`.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fieldtune.errors import InputError

LANGUAGES = ("en", "zh")
FOLDER = Path(__file__).parent / "support_text"


@dataclass(frozen=True)
class Entry:
    """One FAQ entry; `similar` are paraphrases of the question."""

    question: str
    answer: str
    similar: tuple[str, ...]


@dataclass(frozen=True)
class Topic:
    """One help topic in one language; `body` is Markdown without the title."""

    id: str
    intent: str
    language: str
    form: str
    title: str
    body: str
    faq: tuple[Entry, ...]
    asks: tuple[str, ...]
    tests: tuple[str, ...]

    def answer_to(self, question: str) -> str:
        """The FAQ answer whose entry shares most character pairs with `question` (the first one on a tie)."""
        wanted = _pairs(question)
        shares = [len(wanted & _pairs(" ".join((e.question, e.answer, *e.similar)))) for e in self.faq]
        return self.faq[shares.index(max(shares))].answer

    def exchanges(self) -> list[tuple[str, str]]:
        """Every training question with its answer."""
        asked = [(ask, self.answer_to(ask)) for ask in self.asks]
        return asked + [(text, e.answer) for e in self.faq for text in (e.question, *e.similar)]


def _pairs(text: str) -> set[str]:
    folded = text.lower()
    return {folded[start : start + 2] for start in range(len(folded) - 1)}


def topics(folder: Path = FOLDER) -> dict[str, list[Topic]]:
    """Language -> topics in the order of the files (neighbours are alike). Raises InputError on a missing field."""
    found: dict[str, list[Topic]] = {language: [] for language in LANGUAGES}
    for path in sorted(folder.glob("topics_*.toml")):
        for raw in _read(path)["topic"]:
            for language in LANGUAGES:
                found[language].append(_topic(raw, language, path))
    return found


def some(count: int) -> dict[str, list[Topic]]:
    """Language -> `count` topics, spread evenly over all; 0: all. Raises InputError when there are not so many."""
    found = topics()
    most = len(found[LANGUAGES[0]])
    if not 0 <= count <= most:
        raise InputError(f"topics from 1 to {most}, or 0 for all", str(count), "choose a number in between")
    count = count or most
    return {language: [all_of[place * most // count] for place in range(count)] for language, all_of in found.items()}


def _topic(raw: Mapping[str, Any], language: str, path: Path) -> Topic:
    try:
        text = raw[language]
        faq = tuple(Entry(e["question"], e["answer"], tuple(e["similar"])) for e in text["faq"])
        return Topic(
            raw["id"], raw["intent"], language, raw.get("format", ""), text["title"], text["body"].strip(), faq,
            tuple(text["asks"]), tuple(text["tests"]),
        )  # fmt: skip
    except KeyError as error:
        found = f"topic {raw.get('id', '?')!r} in {path.name} without it"
        raise InputError(f"a field {error} for language {language!r}", found, "add the field") from error


def unanswerable(pool: str, folder: Path = FOLDER) -> dict[str, list[tuple[str, str]]]:
    """Language -> (kind "near" or "far", question) of the pool "train" or "test"."""
    raw = _read(folder / "unanswerable.toml")
    return {lang: [(kind, text) for kind, texts in raw[lang][pool].items() for text in texts] for lang in LANGUAGES}


def chat(folder: Path = FOLDER) -> dict[str, Any]:
    """Language -> name of a list of chat phrases -> the phrases."""
    return _read(folder / "chat.toml")


def _read(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        return tomllib.load(file)
