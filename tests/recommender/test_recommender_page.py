"""The page: a list with reasons, a history that changes it, clicks that become feedback rows, two languages."""

import gc
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from markdown_it import MarkdownIt
from streamlit.testing.v1 import AppTest

from fieldtune import decisions, feedback, registry
from fieldtune_recommender import bundle, opening, ui, wording
from fieldtune_recommender.records import Reason


@pytest.fixture
def page(trained: tuple[Path, dict[str, Any]], monkeypatch: pytest.MonkeyPatch) -> AppTest:
    monkeypatch.setenv("FIELDTUNE_RECOMMENDER_MODEL", str(trained[0]))
    return AppTest.from_file(str(Path(wording.__file__).with_name("ui.py")), default_timeout=300).run()


def titles(page: AppTest) -> list[str]:
    return [element.value for element in page.markdown if element.value.startswith("**") and ". " in element.value]


def test_a_list_with_reasons_in_two_languages(page: AppTest) -> None:
    assert not page.exception
    assert len(titles(page)) == 8
    assert not [element.value for element in page.main.markdown if not element.value.startswith("**")]
    assert any("Reads like" in element.value or "Liked by" in element.value for element in page.caption)
    page.sidebar.radio[0].set_value("zh").run()
    assert page.title[0].value == "推荐"
    assert any("相近" in element.value or "也喜欢" in element.value for element in page.caption)


def test_a_purchase_changes_the_list_and_is_kept(page: AppTest) -> None:
    before = titles(page)
    bought = next(button for button in page.button if button.key.startswith("buy-"))
    item = bought.key.removeprefix("buy-")
    bought.click().run()
    assert not page.exception
    assert item in page.session_state["liked"]
    assert titles(page) != before
    page.button[1].click().run()
    with registry.open_home().begin() as connection:
        rows = feedback.rows(connection, "recommender")
        kept = decisions.get(connection, next(row for row in rows if row.kind == "purchase").payload["decision"])
    assert {row.kind for row in rows} == {"purchase", "not_interested"}
    assert {row.payload["item"] for row in rows} >= {item}
    assert kept is not None and item in {one["item"] for one in kept["payload"]["items"]}


def test_what_a_named_visitor_said_is_known_after_a_reload(page: AppTest) -> None:
    """A reload is a new session: what was bought and turned down comes from the rows, until a version has learnt it."""
    for key in ("no-", "buy-"):
        next(button for button in page.button if button.key.startswith(key)).click().run()
    after, liked, disliked = titles(page), page.session_state["liked"], page.session_state["disliked"]
    again = AppTest.from_file(str(Path(wording.__file__).with_name("ui.py")), default_timeout=300).run()
    assert not again.exception and len(disliked) == 1
    assert again.session_state["liked"] == liked and again.session_state["disliked"] == disliked
    assert titles(again) == after
    again.sidebar.selectbox[0].set_value("").run()
    assert again.session_state["liked"] == [] == again.session_state["disliked"]


def test_two_strangers_who_buy_the_same_are_two(page: AppTest, trained: tuple[Path, dict[str, Any]]) -> None:
    other = AppTest.from_file(str(Path(wording.__file__).with_name("ui.py")), default_timeout=300).run()
    for visit in (page, other):
        visit.sidebar.selectbox[0].set_value("").run()
        next(button for button in visit.button if button.key.startswith("buy-")).click().run()
        assert not visit.exception
    with registry.open_home().begin() as connection:
        rows = feedback.rows(connection, "recommender")
    assert len({row.payload["item"] for row in rows}) == 1
    assert len({row.user for row in rows}) == 2
    assert not {row.user for row in rows} & set(bundle.read(trained[0]).data.users)


def test_what_was_taken_long_ago_is_not_offered_again(page: AppTest, trained: tuple[Path, dict[str, Any]]) -> None:
    one = bundle.read(trained[0])
    user = one.data.users.index(page.sidebar.selectbox[0].value)
    taken = {one.data.catalogue.ids[item] for item in one.data.log.items[one.data.log.users == user]}
    page.sidebar.multiselect[0].set_value([]).run()
    page.sidebar.slider[1].set_value(20).run()
    offered = {button.key.removeprefix("buy-") for button in page.button if button.key.startswith("buy-")}
    assert len(offered) == 20 and not offered & taken


def test_an_edited_history_and_a_sentence_change_the_list(page: AppTest) -> None:
    before = titles(page)
    page.sidebar.multiselect[0].set_value([]).run()
    without = titles(page)
    assert without != before and not page.exception
    assert sum(element.value == "chance" for element in page.caption) == 8
    page.sidebar.text_input[0].set_value("红茶").run()
    assert titles(page) != without and not page.exception and not page.info
    assert any("You asked for" in element.value for element in page.caption)
    assert not any(element.value == "chance" for element in page.caption)  # it does not order this list


def test_a_sentence_that_fits_nothing_is_told_and_changes_nothing(page: AppTest) -> None:
    before = titles(page)
    page.sidebar.text_input[0].set_value("зимний поход").run()
    assert page.info[0].value == wording.WORDS["unheard"][0]
    assert titles(page) == before and any(element.value == "chance" for element in page.caption)


def test_a_missing_model_is_said_on_the_page(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("FIELDTUNE_RECOMMENDER_MODEL", str(tmp_path / "nothing"))
    page = AppTest.from_file(str(Path(wording.__file__).with_name("ui.py")), default_timeout=300).run()
    assert not page.exception and "trained recommender" in page.error[0].value


def test_two_versions_at_most_stay_in_memory(
    trained: tuple[Path, dict[str, Any]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    one = bundle.read(trained[0])
    for name in "abc":
        bundle.write(replace(one, card={**one.card, "seed": name}), tmp_path / name, None)
        monkeypatch.setenv("FIELDTUNE_RECOMMENDER_MODEL", str(tmp_path / name))
        page = AppTest.from_file(str(Path(wording.__file__).with_name("ui.py")), default_timeout=300).run()
        assert not page.exception
    del page
    gc.collect()
    kept = [str(shop.bundle.card["seed"]) for shop in gc.get_objects() if type(shop) is opening.Shop]
    assert sorted(seed for seed in kept if seed in "abc") == ["b", "c"]


def test_the_page_has_no_words_that_it_never_says() -> None:
    """But for names of methods, kinds of reasons and answers to a click, which are said by their key."""
    source = "".join(
        Path(wording.__file__).with_name(name).read_text(encoding="utf-8") for name in ("ui.py", "wording.py")
    )
    said = set(re.findall(r"""\b(?:t\(|WORDS\[)["'](\w+)["'][])]""", source))
    by_key = {*bundle.METHODS, "popular", "new", "meaning", "other", "thanks_purchase", "thanks_not_interested"}
    assert said | by_key == set(wording.WORDS)


def test_titles_are_never_mark_up(
    trained: tuple[Path, dict[str, Any]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    one = bundle.read(trained[0])
    evil = tuple(f"![{number}](http://t/x.png)" for number in range(len(one.data.catalogue)))
    catalogue = replace(one.data.catalogue, titles=evil)
    bundle.write(replace(one, data=replace(one.data, catalogue=catalogue)), tmp_path / "evil", None)
    monkeypatch.setenv("FIELDTUNE_RECOMMENDER_MODEL", str(tmp_path / "evil"))
    page = AppTest.from_file(str(Path(wording.__file__).with_name("ui.py")), default_timeout=300).run()
    assert not page.exception
    shown = [MarkdownIt().render(element.value) for element in (*page.markdown, *page.caption)]
    assert sum("x.png" in text for text in shown) >= 8
    assert not any("<img" in text for text in shown)


@pytest.mark.parametrize("kind", ["similar", "together", "popular", "interest", "meaning", "new", "other"])
def test_every_reason_reads_in_both_languages(kind: str) -> None:
    reason = Reason(kind, "", ("a", "b"), ("tea",), 1.0)
    for column, chinese in ((0, False), (1, True)):
        text = wording.sentence(reason, lambda key, column=column: wording.WORDS[key][column], str.upper, chinese)
        assert text and "{" not in text


def test_a_chance_reads_the_same_everywhere_and_is_never_nought() -> None:
    assert [wording.chance(value) for value in (0.0, 0.004, 0.01, 0.024, 0.5)] == ["<1%", "<1%", "1%", "2%", "50%"]


def test_the_side_column_is_wide_where_streamlit_can(page: AppTest) -> None:
    """Older ones, which the extra allows, refuse a number."""
    assert ui.side_column("1.50.0") == ui.side_column("1.52.1") == "auto"
    assert ui.side_column("1.54.0") == ui.side_column("2.0.0rc1") == ui.SIDE
    assert not page.exception
    assert len(page.sidebar.text_input[0].placeholder) <= 36  # what 300 pixels show
