"""lexical_tokens, character_ngrams."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fieldtune.text.ngrams import character_ngrams, lexical_tokens


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("", []),
        ("?!", []),
        ("Don't block my card's PIN", ["dont", "block", "my", "card", "pin"]),
        ("error ERR-4012.", ["error", "err", "4012", "err-4012"]),
        ("3.5% and/or U.S.", ["3", "5", "3.5", "and", "or", "u", "s", "u.s"]),
        ("two-factor", ["two", "factor", "two-factor"]),
        ("銀行卡", ["银", "行", "卡", "银行", "行卡"]),
        ("我有Visa卡", ["我", "有", "我有", "visa", "卡"]),
    ],
)
def test_lexical_tokens(text: str, tokens: list[str]) -> None:
    assert lexical_tokens(text) == tokens


@given(st.text())
def test_tokens_are_lower_case_without_space(text: str) -> None:
    for token in lexical_tokens(text):
        assert token and not any(c.isspace() for c in token)
        assert token == token.lower()


@given(st.text(alphabet="ab 银行", max_size=20))
def test_every_letter_is_in_some_token(text: str) -> None:
    assert set("".join(lexical_tokens(text))) == set(text) - {" "}


def test_character_ngrams() -> None:
    assert character_ngrams("Ab", 2, 3) == [" a", "ab", "b ", " ab", "ab "]
    assert character_ngrams("", 5, 5) == []
