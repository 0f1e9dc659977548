"""The hand-written headlines of the invented world: loads `news_text/` and fills templates.

Two pools that share no template and no tone-carrying phrase: `train` (labelled.csv) and `stream` (stories.jsonl and
test_headlines.csv). Only names, places and figures are common to both, and the last companies of every topic are
unknown to `train`. It does not know about time, rates or surges.
"""

import random
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

Split = Literal["train", "stream"]
TONES = ("negative", "neutral", "positive")
LANGUAGES = ("en", "zh")
KNOWN_COMPANIES = 8  # of ten per topic; the others appear in the stream only
OWN_TEMPLATE_SHARE = 0.35  # the rest are templates every topic shares


@dataclass(frozen=True)
class Topic:
    """One finance topic: its names in both languages and its own phrases, `phrases[split][language][kind]`."""

    name: str
    description: str
    keywords: tuple[str, ...]
    companies: tuple[tuple[str, str], ...]
    products: tuple[tuple[str, str], ...]
    phrases: Mapping[str, Mapping[str, Mapping[str, list[str]]]]
    body: Mapping[str, list[str]]


@dataclass(frozen=True)
class Pool:
    """Everything hand-written: topics by name, the templates they share, and the world's places and people."""

    topics: Mapping[str, Topic]
    shared: Mapping[str, Any]
    world: Mapping[str, Any]


@dataclass(frozen=True)
class Headline:
    """A filled title, the template it came from, and its slots (so that the body speaks of the same company)."""

    title: str
    template: str
    slots: Mapping[str, str]


def _pairs(values: list[str]) -> tuple[tuple[str, str], ...]:
    """`["Saltmere|盐泽"]` -> `(("Saltmere", "盐泽"),)`."""
    return tuple((english, chinese) for english, chinese in (value.split("|") for value in values))


def _topic(raw: dict[str, Any]) -> Topic:
    phrases = {split: raw[split] for split in ("train", "stream")}
    return Topic(
        raw["name"], raw["description"], tuple(raw["keywords"]), _pairs(raw["companies"]), _pairs(raw["products"]),
        phrases, raw["body"],
    )  # fmt: skip


@cache
def load() -> Pool:
    """The pool that is shipped with this package, read once."""
    folder = Path(__file__).parent / "news_text"
    world = _read(folder / "world.toml")
    for key in ("places", "brokers", "people", "quarters", "weekdays"):
        world[key] = _pairs(world[key])
    paths = sorted((folder / "topics").glob("*.toml"))
    topics = [_topic(_read(path)) for path in paths]
    return Pool({topic.name: topic for topic in topics}, _read(folder / "shared.toml"), world)


def _read(path: Path) -> dict[str, Any]:
    return tomllib.loads(path.read_text(encoding="utf-8"))


def templates(pool: Pool, topic: str, tone: str, language: str, split: Split) -> tuple[list[str], list[str]]:
    """The (topic's own, shared) templates of one cell."""
    return pool.topics[topic].phrases[split][language][tone], pool.shared[split][language][tone]


def _figures(language: str, rng: random.Random) -> dict[str, str]:
    percent = f"{rng.randint(2, 38)}" if rng.random() < 0.6 else f"{rng.uniform(1, 38):.1f}"
    amount, count = rng.uniform(0.2, 40), int(12 * 50 ** rng.random())
    if language == "zh":
        money = f"{amount:.1f}亿马林" if rng.random() < 0.6 else f"{int(amount * 200)}万马林"
    else:
        money = f"{amount:.1f}bn marins" if rng.random() < 0.4 else f"{int(amount * 22)}m marins"
    return {"n": f"{percent}%", "m": money, "k": str(count)}


def _slots(pool: Pool, topic: Topic, language: str, split: Split, rng: random.Random) -> dict[str, str]:
    side, world, phrases = LANGUAGES.index(language), pool.world, topic.phrases[split][language]
    companies = topic.companies[:KNOWN_COMPANIES] if split == "train" else topic.companies
    return {
        "c": rng.choice(companies)[side],
        "p": rng.choice(topic.products)[side],
        "h": rng.choice(phrases["headwind"]),
        "t": rng.choice(phrases["tailwind"]),
        "q": rng.choice(world["quarters"])[side],
        "place": rng.choice(world["places"])[side],
        "who": rng.choice(world["brokers"])[side],
        "person": rng.choice(world["people"])[side],
        "weekday": rng.choice(world["weekdays"])[side],
        **_figures(language, rng),
    }


def headline(pool: Pool, topic: str, tone: str, language: str, split: Split, rng: random.Random) -> Headline:
    """One title of a cell. Raises KeyError for an unknown topic, tone, language or split."""
    own, shared = templates(pool, topic, tone, language, split)
    template = rng.choice(own if rng.random() < OWN_TEMPLATE_SHARE else shared)
    slots = _slots(pool, pool.topics[topic], language, split, rng)
    slots["h"], slots["t"] = (
        slots[key].format_map({**slots, "h": "", "t": ""}) for key in ("h", "t")
    )  # a phrase may name a place
    title = template.format_map(slots)
    return Headline(title[0].upper() + title[1:], template, slots)


def body(pool: Pool, topic: str, language: str, about: Headline, rng: random.Random) -> str:
    """Two or three plain sentences around a headline; they carry no tone. Empty for one story in twenty."""
    if rng.random() < 0.05:
        return ""
    own, shared = pool.topics[topic].body[language], pool.shared["body"][language]
    chosen = [rng.choice(own), *rng.sample(shared, rng.choice((1, 2)))]
    rng.shuffle(chosen)
    side, world = LANGUAGES.index(language), pool.world
    fresh = {
        "place": rng.choice(world["places"])[side],
        "person": rng.choice(world["people"])[side],
        "p": rng.choice(pool.topics[topic].products)[side],
        **_figures(language, rng),
    }
    sentences = [text.format_map({**about.slots, **fresh}) for text in chosen]
    return ("" if language == "zh" else " ").join(text[0].upper() + text[1:] for text in sentences)
