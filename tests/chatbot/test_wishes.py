"""A wish for a person is heard in both languages, and nothing else is taken for one."""

import pytest

from fieldtune_chatbot.wishes import wants_person


@pytest.mark.parametrize(
    "wish",
    [
        "talk to a human", "I want to speak to a real person, please!", "Can I talk to someone?", "Human", "live agent",
        "Please connect me with an agent", "转人工", "我要转人工客服", "请问可以转人工吗？", "人工客服", "轉人工", "我想找真人客服",
    ],
)  # fmt: skip
def test_wishes(wish: str) -> None:
    assert wants_person(wish)


@pytest.mark.parametrize(
    "question",
    [
        "", "person", "someone", "customer service", "can someone else use my card", "why did the agent call me",
        "is there a fee for talking to a human", "人工费多少", "转账", "客服电话是多少", "人工审核要多久", "我要退货",
    ],
)  # fmt: skip
def test_no_wishes(question: str) -> None:
    assert not wants_person(question)
