"""The page of one classifier, drawn by Streamlit itself: both languages, odd texts, and nothing obeyed."""

from pathlib import Path

import pandas as pd
import pytest

import fieldtune
from fieldtune import ui
from fieldtune.commands.explain import PAGE_MODEL

pytest.importorskip("streamlit")
from streamlit.testing.v1 import AppTest

PAGE = Path(ui.__file__).with_name("explain_page.py")


@pytest.fixture
def page(tiny_encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    rows = [
        (f"{text} {end}", label) for text, label in (("my card", "card"), ("a refund", "refund")) for end in range(12)
    ]
    table = pd.DataFrame(rows, columns=["text", "label"])
    fieldtune.finetune(
        "text-classification", table, method="head", model=str(tiny_encoder), out=tmp_path / "model", progress=False
    )
    monkeypatch.setenv(PAGE_MODEL, str(tmp_path / "model"))
    return AppTest.from_file(str(PAGE), default_timeout=120)


def test_a_text_is_labelled_and_explained_in_both_languages(page: AppTest) -> None:
    page.run()
    assert not page.exception
    assert page.info[0].value == "Write a text to begin."
    page.text_area[0].input("my refund <b>order</b> ![x](http://example.com/x.png)").run()
    assert not page.exception
    assert page.markdown[0].value.startswith("**refund**, probability")
    shown = page.get("html")[0].proto.body
    assert "&lt;" in shown and "<b>" not in shown and "<img" not in shown
    page.selectbox[0].select("card").run()
    assert not page.exception
    page.radio[0].set_value("zh").run()
    assert not page.exception
    assert page.title[0].value == "哪些词起了作用？"


def test_a_model_that_is_not_there_is_told(page: AppTest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(PAGE_MODEL, str(tmp_path / "gone"))
    page.run()
    assert "expected a model folder" in page.error[0].value
