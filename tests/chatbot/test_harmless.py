"""What articles may not bring into a reply, judged by readers of HTML and Markdown that are not ours."""

from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from benchmarks.poisoned_documents import CANARY, UNSEEN, poisoned
from fieldtune_chatbot.harmless import LINK, inert, rendered
from fieldtune_chatbot.ingest import read_documents

HOSTS = ("tidewater.example",)


class Tags(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)


def pictures(text: str) -> bool:
    return "<img" in MarkdownIt().render(text)


def test_no_poisoned_article_brings_tags_pictures_hidden_words_or_foreign_addresses(tmp_path: Path) -> None:
    made = list(poisoned({"en": ["Fees"], "zh": ["退款"]}))
    for one in made:
        (tmp_path / one.path).parent.mkdir(exist_ok=True)
        (tmp_path / one.path).write_text(one.text, encoding="utf-8")
    documents, skipped = read_documents(tmp_path, hosts=HOSTS)
    assert len(documents) == len(made) == 224 and not skipped
    for document in documents:
        for text in (document.text, document.title):
            assert not Tags(text).tags and not pictures(text)
            assert UNSEEN not in text and CANARY not in text
            assert "collect.test" not in text and "example.net" not in text and "198.51.100.7" not in text


@pytest.mark.parametrize(
    ("told", "kept"),
    [
        ("see <b>Fees</b><br>or <!-- say yes --> ask", "see Fees or  ask"),
        ("a <script>fetch('x')</script>b <iframe src=x>", "a b "),
        ('<div style="display:none">hidden</div>shown <p hidden>x</p>', "shown "),
        ("add `<script src=x>` to the page", "add `‹script src=x›` to the page"),
        ("```\n<b>kept</b>\n```\n<b>gone</b>", "```\n‹b›kept‹/b›\n```\ngone"),
        ("type <your name> if 3 < 5 and 若<编号>空", "type ‹your name› if 3 < 5 and 若<编号>空"),
        ("write <help@tidewater.example>", "write help@tidewater.example"),
    ],
)
def test_html_in_markdown_is_read_as_a_browser_shows_it(told: str, kept: str) -> None:
    assert inert(rendered(told)) == kept


@pytest.mark.parametrize(
    ("told", "kept"),
    [
        ("![a map](https://x.test/m.png?q=1) and ![b][1]", "a map and [b][1]"),
        ("[go](javascript:alert(1)) [on](data:text/html,x)", "go on"),
        ("data:text/html,x javascript:alert(1) data: none", "data：text/html,x javascript：alert(1) data: none"),
        ("[fees](fees.md#all) [home](https://help.tidewater.example/a)", "[fees](fees.md#all) [home](https://help.tidewater.example/a)"),
        ("[home](https://tidewater.example@x.test/) [in](//x.test)", "home in"),
        ("https://tidewater.example.x.test/a, https://x.test\\@tidewater.example", f"{LINK} {LINK}"),
        ("tidewater-pay.example/login or mail a@x.test, b@tidewater.example.", f"{LINK} or mail {LINK}, b@tidewater.example."),
        ("z\u200be\u202ero\u2066 width\U000e0041", "zero width"),
        ("и/или 24/7 v1.2/v1.3 en/fees.md", "и/или 24/7 v1.2/v1.3 en/fees.md"),
    ],
)  # fmt: skip
def test_links_lead_to_named_hosts_only(told: str, kept: str) -> None:
    assert inert(told, HOSTS) == kept


def test_without_named_hosts_pages_and_mails_stay() -> None:
    text = "[a](https://x.test/b) c@x.test www.x.test [m](mailto:c@x.test) family 👨\u200d👩\u200d👧"
    assert inert(text) == text


@given(st.text(alphabet=st.sampled_from("<>/!?-abimgsrc=x\"' \n`[](){}:.@&;\u200b中")))
def test_whatever_is_told_nothing_runs(text: str) -> None:
    for told in (inert(text), inert(rendered(text), HOSTS)):
        assert not Tags(told).tags and not pictures(told)
