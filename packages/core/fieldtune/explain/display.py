"""An explanation to look at: coloured words for a terminal, and a piece of HTML for reports and pages.

What the user wrote is data: escaped in HTML, and never read as markup by the terminal's library. Halves of characters,
which neither can show, stand as U+FFFD.
"""

import html

from rich.text import Text

from fieldtune.explain.attribution import Explanation
from fieldtune.text.normalise import whole

FOR, AGAINST = (37, 99, 235), (220, 38, 38)
_LEGEND = {"en": ("for", "against"), "zh": ("支持", "反对")}


def terminal(found: Explanation) -> Text:
    """The text with each word's background the stronger the more it weighs: blue for the label, red against it."""
    shown = Text(whole(found.text))
    for (start, end), share in zip(found.spans, _shares(found), strict=True):
        red, green, blue = _mixed(FOR if share > 0 else AGAINST, abs(share))
        ink = "white" if abs(share) > 0.5 else "black"
        shown.stylize(f"{ink} on rgb({red},{green},{blue})", start, end)
    return shown


def as_html(found: Explanation, language: str = "en") -> str:
    """The same as HTML with inline styles; a word's weight is its tooltip.

    No word has a margin or padding beside it: the text reads as it was written, ``<b>`` and not ``< b >``.
    """
    written, pieces, place = whole(found.text), [], 0
    for (start, end), share, weight in zip(found.spans, _shares(found), found.weights, strict=True):
        red, green, blue = FOR if share > 0 else AGAINST
        pieces.append(html.escape(written[place:start]))
        pieces.append(
            f'<span title="{weight:+.3f}" style="background:rgba({red},{green},{blue},{abs(share) * 0.75:.2f});'
            f'border-radius:3px;padding:1px 0">{html.escape(written[start:end])}</span>'
        )
        place = end
    text = "".join([*pieces, html.escape(written[place:])])
    told = " · ".join(
        f'<span style="background:rgba({red},{green},{blue},.6);border-radius:3px;padding:1px 6px">{name}</span>'
        for name, (red, green, blue) in zip(_LEGEND[language], (FOR, AGAINST), strict=True)
    )
    return (
        f'<div style="line-height:2;white-space:pre-wrap;overflow-wrap:anywhere">{text}</div>'
        f'<div style="margin-top:.5em;font-size:.85em">{html.escape(found.label)}: {told}</div>'
    )


def as_dict(found: Explanation) -> dict[str, object]:
    """The explanation as one JSON object: words in the order of the text."""
    return {
        "label": found.label,
        "method": found.method,
        "score": found.score,
        "words": [
            {"word": word, "start": start, "end": end, "weight": weight}
            for word, (start, end), weight in zip(found.words, found.spans, found.weights, strict=True)
        ],
        "completeness_error": found.completeness_error,
        "deletion": {"by_weight": found.deletion, "random": found.deletion_random},
        "words_not_read": found.cut,
    }


def _shares(found: Explanation) -> list[float]:
    """Each weight as a share of the heaviest, from -1 to 1."""
    heaviest = max(map(abs, found.weights), default=0.0)
    return [weight / heaviest if heaviest else 0.0 for weight in found.weights]


def _mixed(colour: tuple[int, int, int], share: float) -> tuple[int, int, int]:
    """The colour laid over white so far as ``share`` says."""
    red, green, blue = (round(255 + (part - 255) * share) for part in colour)
    return red, green, blue
