"""Whether a customer asks for a person instead of an answer: a short list of such wishes, in both languages. Pure."""

from fieldtune.text.language import detect
from fieldtune.text.normalise import equality_key

_AROUND = frozenset(
    "a an the i id i'd want need would like wish to can could may let me please my your now just directly with hi hello "
    "hey".split()
)
_VERBS = ("", "talk", "speak", "chat", "connect", "transfer", "get", "give", "put through")
_PERSONS = (
    "human", "person", "real person", "real human", "human being", "live person", "agent", "human agent", "live agent",
    "support agent", "operator", "representative", "someone", "somebody", "customer service", "customer support",
)  # fmt: skip
_ALONE = frozenset({"someone", "somebody", "customer service", "customer support", "person"})
"""No wish by themselves, only with a verb."""
_ENGLISH = frozenset(
    f"{verb} {person}".strip() for verb in _VERBS for person in _PERSONS if verb or person not in _ALONE
)
_AROUND_CHINESE = (
    "你好", "您好", "请问", "麻烦", "帮我", "帮忙", "给我", "可以", "能不能", "可不可以", "我想要", "我想", "我要", "我需要", "直接", "立即", "马上",
    "一下", "请", "能", "想", "要", "吗", "吧", "呢", "啊", "，", ",", " ",
)  # fmt: skip
_CHINESE = frozenset(
    f"{verb}{person}"
    for verb in ("", "转", "转到", "转接", "找", "接", "换", "和", "跟", "联系", "叫")
    for person in (
        "人工", "人工客服", "人工服务", "真人", "真人客服", "真人聊", "真人说话", "人工聊", "人工说话", "人工客服聊", "真人客服聊",
    )
) | {"转客服", "找客服", "转接客服"}  # fmt: skip


def wants_person(question: str) -> bool:
    """Whether it says no more than that a person shall answer, politeness apart."""
    key = equality_key(question)
    if detect(question) == "zh":
        for word in _AROUND_CHINESE:
            key = key.replace(word, "")
        return key in _CHINESE
    return " ".join(word for word in key.replace(",", " ").split() if word not in _AROUND) in _ENGLISH
