"""Escaping for the pages, against a Markdown reader of someone else's."""

import html

from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from fieldtune.ui.plain import plain

READER = MarkdownIt("commonmark").enable(["table", "strikethrough"])
SIGNS = st.characters(exclude_categories=("Cs", "Cc"))
MARKUP = st.sampled_from(["![", "](http://t/x.png)", "<img src=x>", "&amp;", "# ", "- ", "1. ", "```", "|", "\n", "\t"])


@given(st.lists(st.one_of(st.text(SIGNS), MARKUP), max_size=8).map("".join))
def test_a_markdown_reader_shows_any_text_as_it_is(text):
    shown = READER.renderInline(plain(text))
    assert html.unescape(shown) == " ".join(text.split())
    assert "<" not in shown
    block = READER.render(plain(text)).removesuffix("\n")
    assert block in ("", f"<p>{shown}</p>")


@given(st.text(SIGNS))
def test_an_address_cannot_leave_its_link(address):
    shown = READER.renderInline(f"[story]({plain('http://x/' + address)})")
    assert shown.count("<") in (0, 2)  # no link, or one
    assert "<img" not in shown


def test_streamlits_own_marks_are_escaped_too():
    assert plain(":red[x] $a^b$") == r"\:red\[x\] \$a\^b\$"
