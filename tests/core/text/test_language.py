"""language.detect."""

import pytest

from fieldtune.text.language import detect


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("How do I block my card?", "en"),
        ("怎么冻结银行卡？", "zh"),
        ("請問 credit card 怎麼辦", "zh"),
        ("Visa卡怎么办", "zh"),
        ("What does 你好 mean in Chinese", "en"),
        ("カードをなくしました", "other"),
        ("카드 분실", "other"),
        ("Привет, мир", "other"),
        ("", "other"),
        ("12345 :-)", "other"),
    ],
)
def test_detect(text: str, language: str) -> None:
    assert detect(text) == language
