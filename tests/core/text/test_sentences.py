"""sentences.spans."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fieldtune.text.sentences import spans

LONG = "This line of a paragraph was wrapped by somebody's editor at some width"


@pytest.mark.parametrize(
    "sentences",
    [
        ["Mr. Smith paid $3.5 million.", "He left at 5 p.m. on Friday!", "Why?"],
        ["Use a code, e.g. ERR-4012, i.e. the long one.", "Then call us."],
        ["The U.S. economy grew 2.5 percent.", "It slowed in the U.S.", "The bank said so."],
        ["The author J. K. Rowling met Dr. J. A. Brown and J. P. Morgan.", "They spoke."],
        ["See No. 5 in Fig. 3.", "The answer is no.", "Try again."],
        ["Apple Inc. said so.", "i lost my card.", "what now"],
        ['He said "Stop."', "She did not."],
        ["Visit tidewater.example/help.html for more.", "Done."],
        ["Wait... what?", "Nothing."],
        ["**Note.**", "Fees apply (see below).", "OK"],
    ],
)
def test_english(sentences: list[str]) -> None:
    text = " ".join(sentences)
    assert [text[a:b] for a, b in spans(text)] == sentences


@pytest.mark.parametrize(
    "sentences",
    [
        ["您好！", "请问卡丢了怎么办？", "先冻结；", "再补办。"],
        ["他说：“利率是3.5%。”", "我同意……", "好"],
        ["（详见第2条。）", "费用为1.5元。"],
        ["你好!", "请问在吗?", "在的.", "好"],
        ["真的吗？！", "是"],
    ],
)
def test_chinese(sentences: list[str]) -> None:
    text = "".join(sentences)
    assert [text[a:b] for a, b in spans(text)] == sentences


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("# Lost card\nCall us. We help.\n", ["# Lost card", "Call us.", "We help."]),
        ("Steps:\n1. Open the app.\n2. Tap Block", ["Steps:", "1. Open the app.", "2. Tap Block"]),
        ("- one\n- two\n\n* three", ["- one", "- two", "* three"]),
        ("一、打开应用\n二、点击冻结", ["一、打开应用", "二、点击冻结"]),
        (f"{LONG}\nand it goes on here. End.", [f"{LONG}\nand it goes on here.", "End."]),
        (f"{LONG}\nNew line.", [LONG, "New line."]),
        (f"{LONG}\n\nand so on", [LONG, "and so on"]),
        (f"## {LONG}\nand so on", [f"## {LONG}", "and so on"]),
        ("", []),
        (" \n\t ", []),
    ],
)
def test_lines(text: str, sentences: list[str]) -> None:
    assert [text[a:b] for a, b in spans(text)] == sentences


PIECES = st.sampled_from(
    ["Mr.", "U.S.", "3.5", "1.", "- ", "\n", "\r\n", " ", "\u3000", "。", "！", "”", '"', ".", "?", "…"]
)


@given(st.one_of(st.text(), st.lists(st.one_of(PIECES, st.text(max_size=5))).map("".join)))
def test_spans_are_ordered_disjoint_and_cover(text: str) -> None:
    found = spans(text)
    covered: set[int] = set()
    last = 0
    for start, end in found:
        assert last <= start < end <= len(text)
        assert not text[start].isspace() and not text[end - 1].isspace()
        covered.update(range(start, end))
        last = end
    assert all(c.isspace() for i, c in enumerate(text) if i not in covered)
