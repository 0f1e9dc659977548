"""Passages are verbatim, in order, complete; markup becomes readable text."""

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


def test_csv_rows_read_on_their_own() -> None:
    text = csv_text("Plan,Price\nBasic,0\n\nOcean,13.90\n")
    assert text == "Plan: Basic; Price: 0\n\nPlan: Ocean; Price: 13.90\n"
    assert csv_text("") == ""
