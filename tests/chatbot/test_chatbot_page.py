"""The page in Streamlit's own test runner: ask, read the source, thumb, correct, change the language."""

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

import fieldtune_chatbot.ui
from fieldtune import feedback, registry


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
    assert any(r"en/refund\.md" in expander.label for expander in page.expander)  # a name is shown, never obeyed
    page.button(key="thumb_up-0").click().run()
    page.selectbox[0].select("en/delivery.md")
    next(button for button in page.button if button.label == "Save correction").click().run()
    assert not page.exception
    with registry.open_home().begin() as connection:
        assert {row.kind for row in feedback.rows(connection, "chatbot")} == {"thumb_up", "correction"}


def test_two_languages_and_two_sessions(page: AppTest, built: Path) -> None:
    page.sidebar.radio[0].set_value("zh").run()
    assert page.title[0].value == "客户服务"
    page.chat_input[0].set_value("退款需要多长时间？").run()
    assert "五天内" in texts(page)
    other = AppTest.from_file(str(Path(fieldtune_chatbot.ui.__file__)), default_timeout=300).run()
    assert "五天内" not in texts(other)


def test_a_missing_bot_is_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("FIELDTUNE_CHATBOT_STORE", str(tmp_path / "none"))
    page = AppTest.from_file(str(Path(fieldtune_chatbot.ui.__file__)), default_timeout=300).run()
    assert not page.exception and "chatbot build" in page.error[0].value
