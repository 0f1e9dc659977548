"""The bot's own sentences, in both languages; everything else it says is verbatim from a source. Pure.

No sentence here promises work nobody scheduled (a call, an e-mail, an escalation under way).
"""

from fieldtune.ui.translate import translator

TABLE = {
    "ask_back": (
        "I am not sure what you mean. Is it one of these?",
        "我不太确定您的意思，您想问的是下面哪一个？",
    ),
    "hand_off": (
        "I do not know the answer to that. Please contact our support staff.",
        "这个问题我没有可靠的答案，请联系人工客服。",
    ),
    "person": (
        "I am an automated assistant and cannot connect you myself. Please contact our support staff.",
        "我是自动助手，无法直接为您转接。请联系人工客服。",
    ),
    "too_long": (
        "Your question is too long for me. Please ask it in one or two sentences.",
        "您的问题太长了，请用一两句话提问。",
    ),
    "empty": ("Please type a question.", "请输入您的问题。"),
}


def phrase(key: str, language: str) -> str:
    """The sentence in Chinese for ``zh``, else in English."""
    return translator("zh" if language == "zh" else "en", TABLE)(key)
