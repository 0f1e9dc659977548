"""The support side of the sample company: counts, truth, noise, the two pools apart, and the same bytes for a seed."""

import csv
import json
import re
import subprocess
import sys
from collections import Counter
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fieldtune.data.scrub import scrub
from fieldtune.errors import InputError
from fieldtune.text.normalise import equality_key
from fieldtune_sample import noise, personal, support_documents, support_pool
from fieldtune_sample.__main__ import main
from fieldtune_sample.support import generate
from fieldtune_sample.support_pool import LANGUAGES, Entry, Topic

NEARLY_EQUAL = 0.7
TOPICS = support_pool.topics()


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("tidewater") / "support"
    generate(out, 7)
    return out


def table(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def chats(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "dialogues.jsonl").read_text(encoding="utf-8").splitlines()]


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def words(text: str) -> frozenset[str]:
    """Words of Latin script; characters and pairs of characters of Chinese."""
    found: set[str] = set()
    for run in re.findall(r"[a-z0-9']+|[\u3400-\u9fff]+", equality_key(text)):
        chinese = run[0] >= "\u3400"
        found |= {*run, *(a + b for a, b in pairwise(run))} if chinese else {run}
    return frozenset(found)


def training_texts(language: str) -> list[str]:
    """Every sentence a model may see: titles, articles, FAQ, asks, unanswerable questions of the training pool."""
    texts = [question for _, question in support_pool.unanswerable("train")[language]]
    for topic in TOPICS[language]:
        texts += [topic.title, *topic.asks, *(part for entry in topic.faq for part in (entry.question, *entry.similar))]
        texts += re.split(r"(?<=[.!?。！？])\s*|\n+", topic.body)
        texts += [entry.answer for entry in topic.faq]
    return [text for text in texts if text.strip()]


def test_texts(language: str) -> list[str]:
    known = [text for topic in TOPICS[language] for text in topic.tests]
    return known + [question for _, question in support_pool.unanswerable("test")[language]]


test_texts.__test__ = False  # type: ignore[attr-defined]


def test_a_smaller_help_centre_is_spread_over_all_topics(tmp_path: Path) -> None:
    generate(tmp_path, 1, topics=10, dialogues=5)
    articles = {path.stem for path in (tmp_path / "documents" / "en").iterdir()}
    assert articles == {topic.id for topic in TOPICS["en"][::10]}
    with (tmp_path / "questions.csv").open(encoding="utf-8") as file:
        asked = list(csv.DictReader(file))
    assert {Path(name).stem for row in asked if (name := row["document"])} == articles
    with pytest.raises(InputError, match="topics from 1 to 100"):
        generate(tmp_path, 1, topics=101)


def test_counts_are_those_of_the_company(company: Path) -> None:
    documents = Counter(path.suffix for path in (company / "documents").rglob("*.*"))
    assert documents.total() == 200
    assert documents[".csv"] == 2
    assert documents[".md"] > documents[".html"] >= 20
    assert len(table(company / "faq.csv")) == 300
    assert len(chats(company)) == 2000
    for name, known in (("known_questions", 900), ("questions", 500)):
        kinds = Counter((row["language"], row["kind"]) for row in table(company / f"{name}.csv"))
        assert kinds["en", "known"] + kinds["zh", "known"] == known
        assert kinds["en", "near"] + kinds["en", "far"] == kinds["zh", "near"] + kinds["zh", "far"] == 60


def test_topics_are_complete_and_alike_in_both_languages() -> None:
    assert [topic.id for topic in TOPICS["en"]] == [topic.id for topic in TOPICS["zh"]]
    for language, asks, tests in (("en", 5, 3), ("zh", 4, 2)):
        ids = [topic.id for topic in TOPICS[language]]
        assert len(set(ids)) == len({topic.intent for topic in TOPICS[language]}) == 100
        for topic in TOPICS[language]:
            assert (len(topic.asks), len(topic.tests)) == (asks, tests), topic.id
            length = len(topic.body.split()) if language == "en" else len(topic.body)
            assert (100 if language == "en" else 150) <= length <= (145 if language == "en" else 300), topic.id
            assert 2 <= topic.body.count("## ") <= 4, topic.id
            assert not any("|" in text for entry in topic.faq for text in (entry.question, *entry.similar)), topic.id


def test_facts_in_faq_answers_stand_in_the_article() -> None:
    """Every number of an answer is a number of its article: an answer never contradicts its source."""
    for topic in (*TOPICS["en"], *TOPICS["zh"]):
        article = set(re.findall(r"\d+(?:[.,:]\d+)*", topic.body))
        for entry in topic.faq:
            assert set(re.findall(r"\d+(?:[.,:]\d+)*", entry.answer)) <= article, (topic.id, entry.answer)


def test_documents_open_under_the_ids_of_the_truth(company: Path) -> None:
    found = {str(path.relative_to(company / "documents")) for path in (company / "documents").rglob("*.*")}
    assert "en/return-window.md" in found
    rows = [*table(company / "faq.csv"), *table(company / "known_questions.csv"), *table(company / "questions.csv")]
    named = {row["document"] for row in rows if row["document"]}
    asked = {name for chat in chats(company) for name in chat["document"].split("|") if name}
    assert named == found
    assert asked <= found
    assert all(row["document"].startswith(row["language"] + "/") for row in rows if row["document"])


def test_unanswerable_rows_have_no_source_and_the_others_have_one(company: Path) -> None:
    for name in ("known_questions", "questions"):
        for row in table(company / f"{name}.csv"):
            filled = {bool(row["document"]), bool(row["answer"]), bool(row["intent"]), row["kind"] == "known"}
            assert filled == {row["answerable"] == "1"}


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_test_question_is_nearly_a_training_text(language: str) -> None:
    training = [(text, words(text)) for text in training_texts(language)]
    keys = {equality_key(text) for text, _ in training}
    for question in test_texts(language):
        assert equality_key(question) not in keys, question
        mine = words(question)
        for text, other in training:
            assert len(mine & other) < NEARLY_EQUAL * len(mine | other), (question, text)


def test_no_test_question_reaches_another_file(company: Path) -> None:
    paths = [path for path in company.rglob("*.*") if path.is_file() and path.name != "questions.csv"]
    written = equality_key("\n".join(path.read_text(encoding="utf-8") for path in paths))
    for language in LANGUAGES:
        assert not [text for text in test_texts(language) if equality_key(text) in written]


def test_test_questions_are_distinct() -> None:
    for language in LANGUAGES:
        keys = [equality_key(text) for text in test_texts(language)]
        assert len(set(keys)) == len(keys)


def test_same_seed_same_bytes_and_another_seed_others(company: Path, tmp_path: Path) -> None:
    generate(tmp_path / "again", 7)
    generate(tmp_path / "other", 8)
    first, other = contents(company), contents(tmp_path / "other")
    assert contents(tmp_path / "again") == first
    assert first.keys() == other.keys()
    changed = {name for name in first if first[name] != other[name]}
    assert changed == {"dialogues.jsonl", "known_questions.csv", "questions.csv"}


def test_dialogues_hold_the_noise_that_was_asked_for(company: Path) -> None:
    lines = chats(company)
    planted = Counter(kind for chat in lines for kind in chat["noise"])
    assert 320 <= planted["several_topics"] <= 460
    assert planted["wrong_first"] >= 170
    assert 400 <= planted["personal_data"] <= 560
    assert 40 <= planted["off_topic"] <= 130
    for chat in lines:
        times = [turn["time"] for turn in chat["turns"]]
        assert times == sorted(times)
        assert {turn["role"] for turn in chat["turns"]} == {"customer", "agent"}
        assert chat["rating"] is None or 1 <= chat["rating"] <= 5
        assert chat["resolved"] is not bool({"unresolved", "off_topic"} & set(chat["noise"]))
        assert len(chat["intent"].split("|")) == len(chat["document"].split("|"))
        assert ("several_topics" in chat["noise"]) is ("|" in chat["intent"])
        assert not any("{" in turn["text"] for turn in chat["turns"])


def test_planted_personal_data_is_what_the_scrubber_finds(company: Path) -> None:
    for chat in chats(company):
        texts = [turn["text"] for turn in chat["turns"]]
        assert bool(scrub(" \n ".join(texts)).kinds) is ("personal_data" in chat["noise"]), texts


def test_a_share_of_zero_leaves_a_noise_out(tmp_path: Path) -> None:
    none = dict.fromkeys(("several_topics", "wrong_first", "asks_again", "personal_data", "unresolved"), 0.0)
    generate(tmp_path, 1, dialogues=50, small_talk=0.0, off_topic=0.0, slips=0.0, chinese=1.0, html_every=0, **none)
    assert all(chat["noise"] == [] and chat["language"] == "zh" and chat["resolved"] for chat in chats(tmp_path))
    assert not list(tmp_path.rglob("*.html"))


@pytest.mark.parametrize(("name", "value"), [("slips", 1.5), ("chinese", -0.1), ("dialogues", -1), ("start", "May")])
def test_impossible_parameters_are_refused_before_anything_is_written(tmp_path: Path, name: str, value: Any) -> None:
    with pytest.raises(InputError, match=name):
        generate(tmp_path / "out", 1, **{name: value})
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("body", "digit"), [("7992739871", "3"), ("411111111111111", "1"), ("37828224631000", "5")])
def test_luhn_digit_of_published_numbers(body: str, digit: str) -> None:
    assert personal.luhn_digit(body) == digit


@pytest.mark.parametrize(
    ("country", "account", "digits"), [("DE", "370400440532013000", "89"), ("GB", "WEST12345698765432", "82")]
)
def test_iban_digits_of_the_published_examples(country: str, account: str, digits: str) -> None:
    assert personal.iban_digits(country, account) == digits


@pytest.mark.parametrize(("body", "digit"), [("11010519491231002", "X"), ("44052418800101001", "4")])
def test_resident_id_digit_of_the_examples_in_the_standard(body: str, digit: str) -> None:
    assert personal.resident_id_digit(body) == digit


@given(seed=st.integers(0, 2**32 - 1))
def test_invented_numbers_pass_their_checks(seed: int) -> None:
    rng = np.random.default_rng(seed)
    card = [int(digit) for digit in personal.card(rng).replace(" ", "")]
    assert (sum(card[1::2]) + sum(sum(divmod(2 * digit, 10)) for digit in card[0::2])) % 10 == 0
    iban = personal.iban(rng).replace(" ", "")
    assert int("".join(str(int(character, 36)) for character in iban[4:] + iban[:4])) % 97 == 1
    identity = personal.resident_id(rng)
    values = [10 if character == "X" else int(character) for character in identity]
    assert sum(value * pow(2, 17 - place) for place, value in enumerate(values)) % 11 == 1


@given(seed=st.integers(0, 2**32 - 1), place=st.integers(0, 499))
def test_noise_never_touches_codes_and_numbers(seed: int, place: int) -> None:
    questions = [text for language in LANGUAGES for topic in TOPICS[language] for text in topic.tests]
    language = "en" if place < 300 else "zh"
    rough = noise.roughen(questions[place], 1.0, support_pool.chat()[language], np.random.default_rng(seed))
    codes = re.findall(r"[A-Z]+-?\d+|\d+", questions[place])
    assert re.findall(r"[a-z]+-?\d+|\d+", rough.lower()) == [code.lower() for code in codes]


class Visible(HTMLParser):
    """Text of a page outside head, nav and footer, by the standard library's parser."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden, self.text = 0, ""

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.hidden += tag in {"head", "nav", "footer"}

    def handle_endtag(self, tag: str) -> None:
        self.hidden -= tag in {"head", "nav", "footer"}

    def handle_data(self, data: str) -> None:
        self.text += "" if self.hidden else data


def test_html_and_csv_hold_the_words_of_the_markdown(company: Path) -> None:
    for row in table(company / "faq.csv"):
        path = company / "documents" / row["document"]
        topic = next(t for t in TOPICS[row["language"]] if t.id == path.stem)
        plain = re.sub(r"\*\*|^#+ |^(?:[-*]|\d+\.) ", "", topic.body, flags=re.MULTILINE)
        if path.suffix == ".html":
            page = Visible()
            page.feed(path.read_text(encoding="utf-8"))
            assert page.text.split() == f"{topic.title} {plain}".split()
        elif path.suffix == ".csv":
            rows = table(path)
            assert {r["section"] for r in rows} == set(re.findall(r"^## (.+)$", topic.body, re.MULTILINE))
            assert all(r["details"] in plain for r in rows)


def test_markup_in_an_article_is_escaped() -> None:
    entry = Entry("q", "a", ())
    topic = Topic("x", "x", "en", "", "a < b", "## One & two\n1. first **bold**\n- <script>\nend", (entry,), (), ())
    page = support_documents.render(topic, "en/x.html")
    for part in ("<h2>One &amp; two</h2>", "<ol>\n<li>first <b>bold</b></li>\n</ol>", "<li>&lt;script&gt;</li>"):
        assert part in page


def test_a_missing_field_is_named(tmp_path: Path) -> None:
    (tmp_path / "topics_a.toml").write_text('[[topic]]\nid = "x"\nintent = "x"\n[topic.en]\ntitle = "t"\n', "utf-8")
    with pytest.raises(InputError, match=r"faq.*en.*'x' in topics_a\.toml"):
        support_pool.topics(tmp_path)


def test_command_line_writes_a_part_and_prints_one_object(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "fieldtune_sample", "--part", "support", "--dialogues", "5", "--json"]
    done = subprocess.run([*command, "--out", str(tmp_path)], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == {"out": str(tmp_path), "seed": 7, "parts": ["support"]}
    assert len(chats(tmp_path / "support")) == 5


def test_command_line_refuses_with_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--part", "support", "--out", str(tmp_path), "--slips", "3"]) == 1
    assert capsys.readouterr().err.splitlines()[-1].startswith("error: expected slips between 0 and 1")
