"""The texts of the shop: loads `shop_text/` and writes an item of given interests in words.

An interest shows in the title, the sentences and the tags, in many different words and never by its name; the category
says nothing about it. It does not know users, times or popularity.
"""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TypeVar

import numpy as np

LANGUAGES = ("en", "zh")
Pair = tuple[str, str]
T = TypeVar("T")


@dataclass(frozen=True)
class Category:
    """A shelf: its name, the objects on it and sentences about them, each in both languages."""

    name: Pair
    objects: tuple[Pair, ...]
    care: tuple[Pair, ...]


@dataclass(frozen=True)
class Shelves:
    """Everything hand-written: themes[name][language] has phrases, sentences and tags."""

    themes: Mapping[str, Mapping[str, Mapping[str, list[str]]]]
    categories: tuple[Category, ...]
    brands: tuple[Pair, ...]
    adjectives: tuple[Pair, ...]
    odd_tags: tuple[Pair, ...]


@dataclass(frozen=True)
class Words:
    """What a customer reads of one item; tags joined by `|`."""

    title: str
    description: str
    tags: str
    category: str


def _pair(value: str) -> Pair:
    english, chinese = value.split("|")
    return english, chinese


def _pairs(values: Sequence[str]) -> tuple[Pair, ...]:
    return tuple(_pair(value) for value in values)


@cache
def load() -> Shelves:
    """The texts that are shipped with this package, read once."""
    folder = Path(__file__).parent / "shop_text"
    raw = tomllib.loads((folder / "shelves.toml").read_text(encoding="utf-8"))
    themes = {
        path.stem: tomllib.loads(path.read_text(encoding="utf-8"))
        for path in sorted((folder / "themes").glob("*.toml"))
    }
    categories = tuple(
        Category(_pair(part["name"]), _pairs(part["objects"]), _pairs(part["care"])) for part in raw["categories"]
    )
    return Shelves(
        themes, categories, _pairs(raw["brands"]), _pairs(raw["adjectives"]), _pairs(raw["odd_tags"])
    )  # fmt: skip


def _pick(options: Sequence[T], rng: np.random.Generator) -> T:
    return options[int(rng.integers(len(options)))]


def _title(thing: str, phrase: str, adjective: str, brand: str, language: str, shape: float) -> str:
    """Nine titles in ten name the use, the others leave it to the description."""
    if language == "zh":
        if shape < 0.9:
            return f"{phrase}{adjective if shape < 0.4 else ''}{thing}"
        return f"{brand}{adjective}{thing}"
    if shape < 0.4:
        return f"{adjective} {thing} {phrase}"
    if shape < 0.9:
        return f"{brand} {thing} {phrase}"
    return f"{adjective} {thing} by {brand}"


def write(shelves: Shelves, themes: Sequence[str], language: str, rng: np.random.Generator) -> Words:
    """An item that serves `themes` (the first one most) in `language` ("en" or "zh")."""
    side, words = LANGUAGES.index(language), [shelves.themes[theme][language] for theme in themes]
    category = _pick(shelves.categories, rng)
    brand, adjective = _pick(shelves.brands, rng)[side], _pick(shelves.adjectives, rng)[side]
    title = _title(_pick(category.objects, rng)[side], _pick(words[0]["phrases"], rng), adjective, brand, language, rng.random())  # fmt: skip
    main = words[0]["sentences"]
    first, second = rng.permutation(len(main))[:2].tolist()
    sentences = [main[first], _pick(words[1]["sentences"], rng) if len(words) > 1 else main[second]]
    sentences.append(_pick(category.care, rng)[side])
    tags = [_pick(words[0]["tags"], rng), _pick(words[-1]["tags"], rng), _pick(words[0]["tags"], rng)]
    tags.append(_pick(shelves.odd_tags, rng)[side])
    return Words(
        title=title[0].upper() + title[1:],
        description="" if rng.random() < 0.05 else ("" if language == "zh" else " ").join(sentences),
        tags="" if rng.random() < 0.1 else "|".join(dict.fromkeys(tags)),
        category=category.name[0],
    )
