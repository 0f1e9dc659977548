"""Texts decoded with the wrong encoding: all that Python misreads is found, right texts of many languages are not."""

import pytest

from fieldtune.text.misread import misread

RIGHT = [
    "Où est ma carte ? Elle a coûté 20 €",
    "Größe und Maß – „alles“ gut",
    "É o cartão; não é o código",
    "« CAFÉ\u00a0» à 5\u00a0% près",
    "Ça marche, « ÉTÉ »",
    "Zażółć gęślą jaźń",
    "где моя карта",
    "我的银行卡丢了，怎么办？",
    "联通",
    "カードをなくしました",
    "카드를 잃어버렸어요",
    "lost card 😀",
    "20 °C ± 1, ½ × 3",
    "",
    "plain",
]


@pytest.mark.parametrize("text", RIGHT)
def test_right_texts_are_let_pass(text: str) -> None:
    assert not misread(text)


@pytest.mark.parametrize("text", [text for text in RIGHT if not text.isascii()])
@pytest.mark.parametrize("encoding", ["cp1252", "latin-1"])
def test_utf_8_read_as_western_is_found(text: str, encoding: str) -> None:
    assert misread(text.encode().decode(encoding, "replace"))


@pytest.mark.parametrize("text", ["我的银行卡丢了，怎么办？", "カードをなくしました", "我的卡丢了"])
def test_utf_8_read_as_chinese_is_found(text: str) -> None:
    assert misread(text.encode().decode("gb18030", "replace"))


@pytest.mark.parametrize("text", ["Où est ma carte", "Größe"])
def test_western_read_as_utf_8_has_lost_signs(text: str) -> None:
    assert misread(text.encode("cp1252").decode("utf-8", "replace"))
