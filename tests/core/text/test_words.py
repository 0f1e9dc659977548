"""Words of a text: nothing but white space is left out, and known cases."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fieldtune.text.words import spans


@given(st.text(max_size=60))
def test_words_are_in_order_and_leave_out_white_space_only(text: str) -> None:
    found = spans(text)
    edges = [0, *(edge for span in found for edge in span), len(text)]
    assert edges == sorted(edges)
    assert all(start < end for start, end in found)
    assert all(not text[a:b].strip() for a, b in zip(edges[::2], edges[1::2], strict=True))
    assert not any(character.isspace() for start, end in found for character in text[start:end])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("The U.S. firm's 3,000 (Sino-Japanese) jobs.", "The|U.S.|firm|'s|3,000|(|Sino-Japanese|)|jobs|."),
        ("O'Brien isn't “here”…", "O'Brien|isn|'t|“|here|”|…"),
        ("我在北京3年, OK", "我|在|北|京|3|年|,|OK"),
        ("mail a.b@c.org -- now", "mail|a.b@c.org|-|-|now"),
        ("हिन्दी भाषा।", "हिन्दी|भाषा|।"),
        ("Lee:Leeds 12:30 2:1 host:8080 ١٢:٣٠", "Lee|:|Leeds|12:30|2:1|host:8080|١٢:٣٠"),
        ("https://a.org/b:c", "https|:|/|/|a.org/b|:|c"),
        ("", ""),
    ],
)
def test_known_cases(text: str, words: str) -> None:
    assert "|".join(text[start:end] for start, end in spans(text)) == words


@pytest.mark.parametrize(("part", "words"), [("a.", 1), ("'", 100_000), ("a-", 2), ("'ab", 33_333), ("中.", 100_000)])
def test_a_hostile_text_ends(part: str, words: int) -> None:
    """A pattern that tries again at every letter would take days."""
    assert len(spans(part * (100_000 // len(part)))) == words
