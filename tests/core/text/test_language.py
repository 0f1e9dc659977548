"""What a text is written in, by its script or by what a user says."""

import pytest

from fieldtune.errors import InputError
from fieldtune.text.language import detect, known


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


@pytest.mark.parametrize(
    ("tag", "language"),
    [
        ("zh-CN", "zh"),
        ("zh_TW", "zh"),
        (" ZH-Hant-HK ", "zh"),
        ("EN", "en"),
        ("en-GB", "en"),
        ("other", "other"),
        ("", ""),
    ],
)
def test_a_users_tag_is_one_of_ours(tag: str, language: str) -> None:
    assert known(tag) == language


@pytest.mark.parametrize("tag", ["Chinese", "fr", "zhongwen"])
def test_another_language_is_named_with_its_place(tag: str) -> None:
    with pytest.raises(InputError, match=f"en, zh, other; found '{tag}' in line 3 of faq.csv"):
        known(tag, "line 3 of faq.csv")
