"""A company too small to learn from: what it covers is answered or asked back, what it does not is handed off."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from support_small import COVERED, UNCOVERED, write_shop

from fieldtune_chatbot import bot, improving, replying
from fieldtune_chatbot.build import CURRENT, Settings, build
from fieldtune_chatbot.cleaning import telling
from fieldtune_chatbot.deciding import LEAST
from fieldtune_chatbot.gathering import Inputs
from fieldtune_chatbot.learning import basis
from fieldtune_chatbot.records import KnownQuestion

NOW = datetime(2026, 5, 4, 9, 30, tzinfo=UTC)


def built(shop: Path) -> bot.Bot:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FIELDTUNE_HOME", str(shop / "home"))
        inputs = Inputs(shop / "documents", shop / "faq.csv")
        assert build(inputs, shop / "bot", Settings(max_steps=0), now=NOW, progress=True).counts["tuned_on"] < LEAST
    return bot.load(shop / "bot" / CURRENT)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> bot.Bot:
    return built(write_shop(tmp_path_factory.mktemp("shop")))


def outcomes(served: bot.Bot, questions: list[str]) -> dict[str, str]:
    return {question: replying.judge(served, question).decision.outcome for question in questions}


@pytest.mark.parametrize("language", ["en", "zh"])
def test_two_languages_and_twelve_entries(shop: bot.Bot, language: str) -> None:
    covered, uncovered = outcomes(shop, COVERED[language]), outcomes(shop, UNCOVERED[language])
    assert list(covered.values()).count("answer") >= 8, covered
    assert list(covered.values()).count("hand_off") <= 1, covered  # words alone miss what an entry only answers with
    assert set(uncovered.values()) == {"hand_off"}, uncovered


def test_a_question_of_nothing_but_question_words_gets_its_own_answer(shop: bot.Bot) -> None:
    assert replying.collect(replying.answer(shop, "你们什么时候营业"))[0].answer.startswith("每天上午九点")


@pytest.mark.parametrize(("language", "asked"), [("en", "track my parcel"), ("zh", "邮费要多少钱")])
def test_one_language_and_four_entries(
    tmp_path: Path, language: str, asked: str, capsys: pytest.CaptureFixture[str]
) -> None:
    served = built(write_shop(tmp_path / "shop", language=language, entries=4))
    assert "cautious defaults: they would rest on" in capsys.readouterr().err
    assert outcomes(served, [asked]) == {asked: "answer"}
    assert set(outcomes(served, UNCOVERED[language]).values()) == {"hand_off"}


def test_what_tells_something() -> None:
    assert telling("我的包裹什么时候到？") == "包裹 到?"
    assert telling("什麼時候可以退貨") == "退货"
    assert telling("Where is my parcel, and how do I show it?") == "is my parcel, and do i show it?"
    assert telling("什么时候") == ""


def test_what_the_threshold_rests_on() -> None:
    asked = [KnownQuestion(str(number), "a.md", language="en" if number % 2 else "zh") for number in range(30)]
    outside = [KnownQuestion(f"no {number}", answerable=False) for number in range(20)]
    assert "rests on 30 questions (en 15, zh 15) and 20 without an answer" in basis([*asked, *outside])
    assert "source taken away" in basis(asked) and "source taken away" not in basis([*asked, *outside])
    assert "rest on 19 questions" in basis(asked[:19]) and "--questions" in basis(asked[:19])


def test_an_encoder_that_cannot_read_a_language_is_told_and_does_not_ship(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    served = built(write_shop(tmp_path / "zh", language="zh"))
    warned = capsys.readouterr().err
    assert "warning: the encoder cannot read" in warned and "in 'zh'" in warned and "--model" in warned
    assert served.retriever.encode is None and not (served.folder / "encoder").exists()
    assert built(write_shop(tmp_path / "en", language="en")).retriever.encode is not None
    assert "cannot read" not in capsys.readouterr().err


def test_a_retraining_keeps_reading_a_language_without_weights_of_its_own(shop: bot.Bot) -> None:
    assert set(shop.retriever.weights) == {"any", "zh"}
    assert improving.compared_by_meaning(shop) == {"en"}


@pytest.mark.parametrize(
    ("wish", "said"), [("talk to a human", "cannot connect you myself"), ("我要转人工", "无法直接为您转接")]
)
def test_a_wish_for_a_person_has_its_own_answer(shop: bot.Bot, wish: str, said: str) -> None:
    answer, _ = replying.collect(replying.answer(shop, wish))
    assert (answer.outcome, answer.reason) == ("hand_off", replying.PERSON) and said in answer.answer


def test_one_word_that_several_sources_are_asked_for_with_is_asked_back(shop: bot.Bot) -> None:
    asked = replying.judge(shop, "order").decision
    assert (asked.outcome, asked.reason) == ("ask_back", "one word, and 3 sources are asked for with it")
    assert replying.judge(shop, "parcel").decision.outcome == "answer"
    assert shop.retriever.asked_with("包邮", "zh") == 1
    assert shop.retriever.asked_with("cancel my order", "en") == shop.retriever.asked_with("取消订单", "zh") == 0
