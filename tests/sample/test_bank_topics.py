"""Checks the hand-written banking topics: complete, distinct, and with a test pool no training text leaks into.

Knows only the spelling of the phrasings (normalised words), not whether the facts in the prose are right.
"""

import re
import tomllib
import unicodedata
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).parents[2] / "examples" / "fieldtune_sample" / "support_text"
FILES = [FOLDER / f"topics_bank_{number}.toml" for number in range(1, 6)]
ASKS = {"en": 5, "zh": 4}
TESTS = {"en": 3, "zh": 2}
LENGTH = {"en": (100, 140), "zh": (150, 300)}  # words, characters
NEARLY_EQUAL = 0.8
CJK = r"\u3400-\u9fff"


def load_topics() -> list[dict[str, Any]]:
    topics = []
    for path in FILES:
        with path.open("rb") as file:
            topics.extend(tomllib.load(file)["topic"])
    return topics


TOPICS = load_topics()


def plain(text: str) -> str:
    folded = unicodedata.normalize("NFKC", text).lower().replace("'", "").replace("’", "")
    return " ".join(re.findall(rf"[a-z0-9]+|[{CJK}]+", folded))


def words(text: str) -> frozenset[str]:
    """Latin words and digits; Chinese, which has no spaces, by characters and pairs of them."""
    found: set[str] = set()
    for run in plain(text).split():
        if re.match(f"[{CJK}]", run):
            found.update(run)
            found.update(a + b for a, b in pairwise(run))
        else:
            found.add(run)
    return frozenset(found)


def training(side: dict[str, Any]) -> list[str]:
    asked = [side["title"], *side["asks"]]
    for entry in side["faq"]:
        asked += [entry["question"], *entry["similar"]]
    return asked


def test_there_are_ten_topics_in_each_file() -> None:
    for path in FILES:
        assert len(tomllib.loads(path.read_text(encoding="utf-8"))["topic"]) == 10, path.name


def test_ids_and_intents_are_unique_and_well_formed() -> None:
    for field, form in (("id", r"[a-z0-9]+(-[a-z0-9]+)*"), ("intent", r"[a-z0-9]+(_[a-z0-9]+)*")):
        values = [topic[field] for topic in TOPICS]
        assert len(set(values)) == len(values) == 50
        assert all(re.fullmatch(form, value) for value in values)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_fields_are_complete(language: str) -> None:
    for topic in TOPICS:
        side = topic[language]
        assert set(topic) == {"id", "intent", "en", "zh"}, topic["id"]
        assert set(side) == {"title", "body", "faq", "asks", "tests"}, topic["id"]
        assert len(side["asks"]) == ASKS[language], topic["id"]
        assert len(side["tests"]) == TESTS[language], topic["id"]
        assert 2 <= len(re.findall(r"^## ", side["body"], re.MULTILINE)) <= 4, topic["id"]
        length = len(side["body"].split() if language == "en" else side["body"])
        low, high = LENGTH[language]
        assert low <= length <= high, (topic["id"], length)
        for entry in side["faq"]:
            assert set(entry) == {"question", "answer", "similar"}, topic["id"]
            assert len(entry["similar"]) == 2, topic["id"]
        texts = [*training(side), *side["tests"], *(entry["answer"] for entry in side["faq"])]
        assert all(text == text.strip() and text for text in texts), topic["id"]
        assert all(bool(re.search(f"[{CJK}]", text)) == (language == "zh") for text in texts), topic["id"]


def test_half_of_the_topics_have_a_second_faq_entry_in_both_languages() -> None:
    counts = [(len(topic["en"]["faq"]), len(topic["zh"]["faq"])) for topic in TOPICS]
    assert Counter(counts) == {(1, 1): 25, (2, 2): 25}


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_numbers_of_an_answer_stand_in_the_article(language: str) -> None:
    for topic in TOPICS:
        known = set(re.findall(r"\d+", topic[language]["body"]))
        for entry in topic[language]["faq"]:
            assert set(re.findall(r"\d+", entry["answer"])) <= known, (topic["id"], entry["question"])


@pytest.mark.parametrize("language", ["en", "zh"])
def test_phrasings_are_unique(language: str) -> None:
    counts = Counter(
        plain(text) for topic in TOPICS for text in [*training(topic[language]), *topic[language]["tests"]]
    )
    assert [text for text, count in counts.items() if count > 1] == []


@pytest.mark.parametrize("language", ["en", "zh"])
def test_no_test_phrasing_is_nearly_equal_to_a_training_phrasing(language: str) -> None:
    pool = [(text, words(text)) for topic in TOPICS for text in training(topic[language])]
    close = [
        (tested, text)
        for topic in TOPICS
        for tested in topic[language]["tests"]
        for text, known in pool
        if len(words(tested) & known) > NEARLY_EQUAL * len(words(tested) | known)
    ]
    assert close == []
