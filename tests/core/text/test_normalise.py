"""normalise, equality_key, simplify."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fieldtune.text.normalise import equality_key, normalise, simplify


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("  Hello\t\nWORLD ", "hello world"),
        ("ＡＢＣ１２３，ﾃｽﾄ", "abc123,テスト"),
        ("zero\u200bwidth\u00adhyphen\ufeff", "zerowidthhyphen"),
        ("\u3000全角　空格\xa0", "全角 空格"),
        ("", ""),
    ],
)
def test_normalise(text: str, expected: str) -> None:
    assert normalise(text) == expected


@given(st.text())
def test_normalise_is_idempotent_and_compatible(text: str) -> None:
    once = normalise(text)
    assert normalise(once) == once
    assert once == unicodedata.normalize("NFKC", once)
    assert once == once.strip() and "  " not in once


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Hello, World!!", "“hello,  world”"),
        ("「潮汐」銀行！", "潮汐」银行"),
        ("Rates rise https://a.example/b?c=1#d", "RATES RISE"),
        ("我的信用卡丟了", "我的信用卡丢了。"),
    ],
)
def test_same_key(one: str, other: str) -> None:
    assert equality_key(one) == equality_key(other) != ""


@pytest.mark.parametrize(("one", "other"), [("+5%", "-5%"), ("5%", "5"), ("$5", "5"), ("a b", "ab"), ("不行", "行")])
def test_different_key(one: str, other: str) -> None:
    assert equality_key(one) != equality_key(other)


@given(st.text())
def test_key_is_idempotent(text: str) -> None:
    assert equality_key(equality_key(text)) == equality_key(text)


def test_only_punctuation_and_urls_leave_nothing() -> None:
    assert equality_key("!!! https://a.example/ ...") == ""


def test_simplify_keeps_length_and_simplified_text() -> None:
    assert simplify("請問銀行卡遺失後怎麼辦") == "请问银行卡遗失后怎么办"
    assert simplify("请问银行卡遗失后怎么办 abc") == "请问银行卡遗失后怎么办 abc"
