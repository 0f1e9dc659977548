"""What the page makes of stored text and of reasons."""

from dataclasses import replace
from typing import Any

import pytest

from fieldtune_chatbot.deciding import DEFAULT, FEATURES, Decision, asked_back, decide
from fieldtune_chatbot.display import WHY, beginning, unmarked, why
from fieldtune_chatbot.records import Answer
from fieldtune_chatbot.replying import KNOWN, PERSON


@pytest.mark.parametrize(
    ("marked", "read"),
    [
        ("go to **Cards**, then *Freeze*", "go to Cards, then Freeze"),
        ("# Cards\n\n- one\n* two\n", "Cards\n\n• one\n• two\n"),
        ("see [our page](https://example.com \"x\") or `ERR_40_12`", "see our page or ERR_40_12"),
        ("点击**设置**，选择 __通知__", "点击设置，选择 通知"),
        ("2 * 3 * 4 is 24, snake_case_name, 5 > 3, C# 7, -5 °C", "2 * 3 * 4 is 24, snake_case_name, 5 > 3, C# 7, -5 °C"),
        ("***both*** and > quoted\n> quote", "both and > quoted\nquote"),
    ],
)  # fmt: skip
def test_marks_go_and_text_stays(marked: str, read: str) -> None:
    assert unmarked(marked) == read


def test_a_beginning_ends_between_words() -> None:
    assert beginning("short\n text") == "short text"
    assert beginning("one two three", 9) == "one two…"
    assert beginning("银" * 90) == "银" * 79 + "…"


def answered(decision: Decision) -> Answer:
    return Answer("", decision.outcome, decision.confidence, decision.reason, "", (), (), "en")


def test_each_reason_has_words() -> None:
    def at(value: float, **changed: Any) -> Answer:
        return answered(decide(dict.fromkeys(FEATURES, value), replace(DEFAULT, **changed)))

    fits = decide(dict.fromkeys(FEATURES, 9.0), DEFAULT)
    reasons = [
        at(9.0), at(9.0, clear_at=1.1), at(9.0, sure_at=1.1), at(0.0), answered(decide({}, DEFAULT)), answered(KNOWN),
        answered(asked_back(fits, 2)), answered(Decision("hand_off", 0.0, PERSON)),
        answered(Decision("ask_back", 0.0, "the question is empty")),
        answered(Decision("ask_back", 0.0, "the question has 6000 characters, more than 2000")),
    ]  # fmt: skip
    assert sorted(map(why, reasons)) == sorted(WHY.values())
