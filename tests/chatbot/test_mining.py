"""Mining on conversations whose truth is known."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fieldtune.data.scrub import contacts
from fieldtune_chatbot.boilerplate import unrelated, unwrapped, wrappers
from fieldtune_chatbot.mining import mine, substance
from fieldtune_chatbot.records import Dialogue, Turn


def talk(identity: str, *turns: tuple[str, str], resolved: bool | None = True, rating: float | None = 5) -> Dialogue:
    return Dialogue(identity, tuple(Turn(role, text) for role, text in turns), resolved, rating, "en")


REFUND = ("customer", "How long does a refund to my card take?")
RIGHT = ("agent", "A refund reaches your card within five working days.")
WRONG = ("agent", "Parcels are delivered on working days between nine and six.")


def test_pairs_a_question_with_the_next_substantive_turn() -> None:
    pairs = mine([talk("a", ("customer", "Hello!"), ("agent", "Hi, how can I help you?"), REFUND,
                       ("agent", "One moment."), RIGHT, ("customer", "Thanks a lot, bye!"))])  # fmt: skip
    assert [(pair.question, pair.answer) for pair in pairs] == [(REFUND[1], RIGHT[1])]
    assert pairs[0].weight == pytest.approx(0.95)
    assert pairs[0].dialogues == ("a",)


def test_personal_data_is_gone_before_anything_is_returned() -> None:
    asked = ("customer", "Where is the refund for jo.doe@example.com, card 4012 8888 8888 1881?")
    pairs = mine([talk("a", asked, ("agent", "The refund for jo.doe@example.com was sent to your card yesterday."))])
    assert "[email]" in pairs[0].question and "[card]" in pairs[0].question
    assert "jo.doe" not in repr(pairs) and "4012" not in repr(pairs)


def test_the_companys_own_contacts_stay_in_answers() -> None:
    asked = ("customer", "Where do I write about my refund? I am jo.doe@example.com")
    answer = "Write to refunds@shop.example and name jo.doe@example.com there."
    (pair,) = mine([talk("a", asked, ("agent", answer))], keep=contacts(["Mail: Refunds@shop.example"]))
    assert pair.answer == "Write to refunds@shop.example and name [email] there."


def test_a_rejected_answer_gives_way_to_the_next_one() -> None:
    pairs = mine([talk("a", REFUND, WRONG, ("customer", "That's not what I asked, still no refund."), RIGHT)])
    assert {pair.answer for pair in pairs} == {RIGHT[1]}
    assert REFUND[1] in [text for pair in pairs for text in (pair.question, *pair.similar)]


def test_unresolved_conversations_teach_nothing() -> None:
    assert mine([talk("a", REFUND, RIGHT, resolved=False, rating=1)]) == []
    assert len(mine([talk("a", REFUND, RIGHT, resolved=None, rating=None)])) == 1


def test_wordings_of_one_question_become_one_pair_without_twins() -> None:
    logs = [
        talk("a", REFUND, RIGHT),
        talk("b", ("customer", "HOW LONG DOES A REFUND TO MY CARD TAKE??"), RIGHT),
        talk("c", ("customer", "when do I get the refund on the card"), RIGHT),
    ]
    (pair,) = mine(logs)
    assert pair.support == 3
    assert len({pair.question, *pair.similar}) == 2


def test_a_wording_with_two_answers_keeps_the_one_that_worked() -> None:
    logs = [talk(str(n), REFUND, RIGHT) for n in range(3)] + [talk("x", REFUND, WRONG, rating=2)]
    assert [pair.answer for pair in mine(logs)] == [RIGHT[1]]


def test_counter_questions_and_data_are_no_answers() -> None:
    (pair,) = mine([talk("a", REFUND, ("agent", "Could you tell me your e-mail address?"),
                         ("customer", "it is jo@example.com"), RIGHT)])  # fmt: skip
    assert (pair.question, pair.answer) == (REFUND[1], RIGHT[1])


def test_chinese() -> None:
    turns = (
        Turn("customer", "您好，退款到账要多久？"),
        Turn("agent", "请稍等。"),
        Turn("agent", "退款五个工作日内到账。"),
    )
    (pair,) = mine([Dialogue("z", turns, True, 5.0, "zh")])
    assert (pair.question, pair.answer) == ("退款到账要多久？", "退款五个工作日内到账。")


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("Hi there!", ""),
        ("Thank you so much! Have a nice day.", ""),
        ("好的，谢谢", ""),
        ("Hello, where is my parcel?", "where is my parcel?"),
        ("Refunds take five days. Thanks!", "Refunds take five days."),
        ("Is it OK to pay later?", "Is it OK to pay later?"),
        ("Excuse me, can i return it thx", "can i return it"),
        ("Quick question: where is my card? Please help", "where is my card?"),
        ("不好意思，怎么退货，谢谢", "怎么退货"),
        ("thank you note with my order", "thank you note with my order"),
        ("卡丢了，急！", "卡丢了"),
        ("我很着急", "我很着急"),
        ("No problem, thanks you're welcome", ""),
        ("怎么退货，谢谢，谢谢了，多谢！", "怎么退货"),
    ],
)
def test_substance(text: str, left: str) -> None:
    assert substance(text) == left


@pytest.mark.parametrize(
    "text",
    ["明白了" * 30 + "银行卡", "you're welcome " * 30 + "x", "please help me " * 30 + "x", "谢谢了，" * 3000 + "x"],
)
def test_politeness_repeated_takes_no_longer_than_its_length(text: str) -> None:
    assert substance(text) in (text, "银行卡", "x")  # one reading per phrase: with two, this test would not end


ANSWERS = [
    "Refunds reach your card within five days.", "Parcels arrive between nine and six.", "Invoices lie under Orders.",
    "The warranty lasts two years.", "Passwords are reset by mail.", "Addresses change under Profile.",
]  # fmt: skip


def test_wrapping_is_learnt_from_the_log() -> None:
    log = [f"Sure, {text} Let me know if anything is unclear." for text in ANSWERS] + ANSWERS
    known = wrappers(log)
    assert [unwrapped(text, known) for text in log[: len(ANSWERS)]] == ANSWERS


def test_what_never_stands_alone_is_no_wrapping() -> None:
    log = [f"Open the order, {text}" for text in ANSWERS]
    assert [unwrapped(text, wrappers(log)) for text in log] == log


@settings(max_examples=50)
@given(st.lists(st.text(max_size=30), max_size=8), st.text(max_size=60))
def test_unwrapping_never_adds_text(texts: list[str], text: str) -> None:
    assert unwrapped(text, wrappers(texts)) in text


def test_idle_turns_go_with_anything() -> None:
    assert unrelated(["where is my parcel", "refund please", "reset password"], "Nice of you to say so.")
    assert not unrelated(["where is my parcel", "parcel late", "parcel lost"], "Your parcel arrives tomorrow.")
