"""Passages are verbatim, in order, complete; markup becomes readable text."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fieldtune_chatbot.chunking import passages, title, weight
from fieldtune_chatbot.markup import csv_text, html_text, html_title

PIECES = st.sampled_from(
    [
        "# Cards\n",
        "## Lost cards\n",
        "\n",
        "\n\n",
        "Freeze the card first. ",
        "然后在应用里申请补卡。",
        "- one item\n",
        "a " * 80,
        "```\n# no heading\n```\n",
        "Costs €7.50 a year! ",
        "\r\n",
    ]
)


@settings(max_examples=150)
@given(st.lists(PIECES, max_size=25).map("".join), st.integers(20, 400))
def test_passages_are_disjoint_verbatim_and_complete(text: str, limit: int) -> None:
    cut = passages(text, limit)
    kept, before = [], 0
    for passage in cut:
        assert before <= passage.start < passage.end <= len(text)
        piece = text[passage.start : passage.end]
        assert piece == piece.strip() and piece
        kept.append(piece)
        before = passage.end
    lost = "".join(
        text[a:b] for a, b in zip([0, *(p.end for p in cut)], [*(p.start for p in cut), len(text)], strict=True)
    )
    assert all(not line.strip() or line.lstrip().startswith("#") for line in lost.splitlines())


def test_headings_are_kept_beside_the_text() -> None:
    text = "# Cards\n\nIntro.\n\n## Lost\n\nReport it.\n\n# Fees\n\nNone."
    found = [(passage.heading, text[passage.start : passage.end]) for passage in passages(text)]
    assert found == [("Cards", "Intro."), ("Cards > Lost", "Report it."), ("Fees", "None.")]
    assert title(text, "x") == "Cards" and title("none", "x") == "x"


def test_long_blocks_are_cut_between_sentences() -> None:
    text = "One short sentence here. " * 40
    cut = passages(text, 200)
    assert len(cut) > 3
    assert all(text[p.start : p.end].endswith(".") and weight(text[p.start : p.end]) <= 200 for p in cut)


def test_html_becomes_text_without_code() -> None:
    source = """<html><head><title>Fees &amp; costs</title><style>p{}</style></head><body><nav>menu</nav>
    <h1>Fees</h1><p onclick="steal()">A <b>card</b>
    costs &euro;7.<script>alert(1)</script></p><ul><li>first</li><li>second</li></ul>
    <table><tr><th>Plan</th><th>Price</th></tr><tr><td>Basic</td><td>0</td></tr><tr><td>Ocean</td><td>13.90</td></tr></table>
    </body></html>"""
    text = html_text(source)
    assert text.startswith("# Fees\n\nA card costs €7.\n")
    assert "- first\n- second" in text
    assert "Plan: Ocean; Price: 13.90" in text
    assert "alert" not in text and "steal" not in text and "menu" not in text
    assert html_title(source) == "Fees & costs"


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("<html><head><title>T</title><body><p>Hello<p>World", "Hello\n\nWorld"),
        ("<html><head><meta charset=utf-8><p>Hello", "Hello"),
        ("<head><title>T</title>Hello", "Hello"),
        ("<head><template><div>no</div></template></head>Hello", "Hello"),
        ("<table><tr><th>A<th>B<tr><td>1<td>2<tr><td>3<td>4</table>end", "A: 1; B: 2\n\nA: 3; B: 4\n\nend"),
        ("<table><tr><td>never closed<td>either", "never closed; either"),
        ("<table><td>no row</table>", "no row"),
        ("<table><tr><th>A<th>B</table>end", "A; B\n\nend"),
        ("<table><tr><th>Top<tr><th>A<tr><td>1</table>", "Top\n\nA: 1"),
        ("<table><tr><td>a<br>b<ul><li>c<li>d</ul></table>", "a b c d"),
        (
            "<table><tr><td><h1>Fees</h1><p>None.</p><table><tr><td>1</table>more</table>end",
            "# Fees\n\nNone.\n\n1\n\nmore\n\nend",
        ),
        (
            "<table><tr><th>A<th>B<th>C<tr><td>1<td>2<table><tr><td>in</table>out<td>3</table>",
            "A: 1; B: 2\n\nin\n\nout\n\nC: 3",
        ),
        ("<div><nav>menu</div><main>said</main>", "said"),
    ],
)
def test_html_loses_no_text_where_end_tags_are_left_out_or_tables_nested(source: str, text: str) -> None:
    assert html_text(source) == text + "\n"


@given(st.lists(st.sampled_from("table tr td /table /tr /td p li h2 div /div br /head body".split()), max_size=12))
def test_html_keeps_every_word_outside_of_what_is_hidden(tags: list[str]) -> None:
    source = "<head><title>T</title>" + "".join(f"<{tag}>word{place}" for place, tag in enumerate(tags))
    read = html_text(source)
    assert [place for place in range(len(tags)) if f"word{place}" not in read] == []


def test_csv_rows_read_on_their_own() -> None:
    text = csv_text("Plan,Price\nBasic,0\n\nOcean,13.90\n")
    assert text == "Plan: Basic; Price: 0\n\nPlan: Ocean; Price: 13.90\n"
    assert csv_text("") == ""
