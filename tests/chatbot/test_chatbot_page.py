"""The page in Streamlit's own test runner: ask, read the source, thumb, correct, change the language."""

import gc
import re
import shutil
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from markdown_it import MarkdownIt
from streamlit.testing.v1 import AppTest

import fieldtune_chatbot.ui
from fieldtune import feedback, registry
from fieldtune_chatbot import bot, wire
from fieldtune_chatbot.display import WHY
from fieldtune_chatbot.knowledge import organise
from fieldtune_chatbot.learning import Split
from fieldtune_chatbot.records import text_version
from fieldtune_chatbot.versions import Models, make_version
from fieldtune_chatbot.wording import WORDS


@pytest.fixture
def page(built: Path, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    monkeypatch.setenv("FIELDTUNE_CHATBOT_STORE", str(built))
    return AppTest.from_file(str(Path(fieldtune_chatbot.ui.__file__)), default_timeout=300).run()


def texts(page: AppTest) -> str:
    return "\n".join(str(element.value) for kind in ("text", "markdown", "caption") for element in page.get(kind))


def test_ask_thumb_and_correct(page: AppTest) -> None:
    assert not page.exception
    page.chat_input[0].set_value("How long does the refund take?").run()
    assert not page.exception
    assert "within five days" in texts(page)
    assert "Source 1: Refunds" in [expander.label for expander in page.expander]
    assert any(r"en/refund\.md" in (caption.help or "") for caption in page.caption)  # a name is shown, never obeyed
    page.button(key="thumb_up-0").click().run()
    page.selectbox[0].select("en/delivery.md")
    next(button for button in page.button if button.label == "Save correction").click().run()
    assert not page.exception
    with registry.open_home().begin() as connection:
        assert {row.kind for row in feedback.rows(connection, "chatbot")} == {"thumb_up", "correction"}


def test_a_question_stands_in_the_history_as_it_was_typed(page: AppTest) -> None:
    page.chat_input[0].set_value("How far is **Mars** from _here_?").run()
    asked = [caption.value for caption in page.sidebar.caption if ":material/person:" in caption.value]
    assert [MarkdownIt().render(text) for text in asked] == [
        "<p>:material/person: How far is **Mars** from _here_?</p>\n"
    ]
    assert "How far is **Mars** from _here_?" in [element.value for element in page.text]


def test_a_source_opens_in_the_wording_it_was_cited_in(page: AppTest, built: Path, tmp_path: Path) -> None:
    page.chat_input[0].set_value("How long does the refund take?").run()
    said = next(element.value for element in page.text if "within five days" in element.value)
    assert "changed since" not in texts(page)
    served = bot.load(wire.serving_folder(built))
    body = "# Refunds\n\nA refund takes two weeks by now.\n"
    edited = [
        replace(one, text=body, version=text_version(body)) if one.id == "en/refund.md" else one
        for one in served.knowledge.documents
    ]
    parts = Split((), served.tuning, served.held_out)
    make_version(organise(edited, served.knowledge.entries), parts, tmp_path / "v", Models())
    registry.publish(
        "chatbot", built, {"v": tmp_path / "v"}, {"v": np.ones(1)}, rng=np.random.default_rng(0), now=datetime.now(UTC)
    )
    page.run()
    assert not page.exception
    assert "changed since" in texts(page) and [element.value for element in page.text].count(said) >= 2


def test_the_form_says_that_a_typed_answer_waits_for_approval(page: AppTest) -> None:
    page.chat_input[0].set_value("How long does the refund take?").run()
    assert "only after somebody has approved it" in texts(page)
    page.sidebar.radio[0].set_value("zh").run()
    assert "须经审核" in texts(page)


def test_two_languages_and_two_sessions(page: AppTest, built: Path) -> None:
    page.sidebar.radio[0].set_value("zh").run()
    assert page.title[0].value == "客户服务"
    page.chat_input[0].set_value("退款需要多长时间？").run()
    assert "五天内" in texts(page)
    other = AppTest.from_file(str(Path(fieldtune_chatbot.ui.__file__)), default_timeout=300).run()
    assert "五天内" not in texts(other)


def test_every_reason_has_its_own_words(page: AppTest) -> None:
    page.chat_input[0].set_value("how do I " * 700).run()
    assert "too long for me" in texts(page) and "too long to be read" in texts(page)
    assert "fit the question alike" not in texts(page) and "Confidence" not in texts(page)
    page.sidebar.radio[0].set_value("zh").run()
    page.chat_input[0].set_value("转人工").run()
    assert "问题太长，没有读取" in texts(page) and "您要求人工服务" in texts(page)


def test_staff_s_words_and_ids_are_not_in_the_customers_way(page: AppTest) -> None:
    page.chat_input[0].set_value("How long does the refund take?").run()
    assert any("feedback retrain" in caption.value for caption in page.expander[-1].caption)
    assert page.expander[-1].label == "For staff"
    assert {"Refunds", "Delivery", "退款", "(none of these)"} <= set(page.selectbox[0].options)
    assert not any(".md" in option or "faq/" in option for option in page.selectbox[0].options)


def test_two_versions_at_most_stay_in_memory(built: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in "abc":
        monkeypatch.setenv("FIELDTUNE_CHATBOT_STORE", str(shutil.copytree(built, tmp_path / name)))
        page = AppTest.from_file(str(Path(fieldtune_chatbot.ui.__file__)), default_timeout=300).run()
        assert not page.exception
    gc.collect()
    kept = [one.folder for one in gc.get_objects() if type(one) is wire.Service]
    assert {folder.name for folder in kept if folder.parent == tmp_path} == {"b", "c"}


def test_the_page_has_no_words_that_it_never_says() -> None:
    source = Path(fieldtune_chatbot.ui.__file__).read_text(encoding="utf-8")
    said = set(re.findall(r"""\b(?:t\(|WORDS\[)["'](\w+)["'][])]""", source))
    said |= {"answer", "ask_back", "hand_off", *WHY.values()}
    assert said == set(WORDS)


def test_a_missing_bot_is_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("FIELDTUNE_CHATBOT_STORE", str(tmp_path / "none"))
    page = AppTest.from_file(str(Path(fieldtune_chatbot.ui.__file__)), default_timeout=300).run()
    assert not page.exception and "chatbot build" in page.error[0].value
