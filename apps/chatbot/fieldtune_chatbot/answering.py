"""What to say once the source is known: an approved answer, or sentences copied from the article. Pure.

Every piece of an answer is a FAQ answer as approved or a verbatim span, and carries the citation it rests on.
Knows nothing of ranking and confidence.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from fieldtune.retrieval.bm25 import analyse
from fieldtune.text.sentences import spans
from fieldtune_chatbot.records import Citation, Document, FaqEntry, Passage

_SUPPORT = 0.4
"""Share of a FAQ answer's terms that a span of the article must hold to be named as its source, or to repeat it."""


@dataclass(frozen=True)
class Piece:
    """Words of an answer and the place they rest on."""

    text: str
    citation: Citation


def cite(document: Document, start: int, end: int) -> Citation:
    """The citation of ``document.text[start:end]``."""
    return Citation(document.id, document.version, start, end, document.text[start:end])


def from_faq(entry: FaqEntry, own: Document, article: Document | None) -> list[Piece]:
    """An approved answer in one piece, citing the article where the answer is found there, else the entry itself.

    Args:
        own: the entry's answer as a document.
        article: the article the entry rests on, if it is known.
    """
    place = find_support(entry.answer, article.text) if article else None
    citation = cite(article, *place) if article and place else cite(own, 0, len(own.text))
    return [Piece(entry.answer, citation)]


def find_support(answer: str, text: str) -> tuple[int, int] | None:
    """Where `text` says what `answer` says: the very words, else the sentence sharing most of its terms."""
    at = text.find(answer)
    if at >= 0:
        return at, at + len(answer)
    wanted = _terms(answer)
    best, best_share = None, 0.0
    sentences = spans(text)
    for width in (1, 2, 3):
        for first in range(len(sentences) - width + 1):
            start, end = sentences[first][0], sentences[first + width - 1][1]
            share = len(wanted & _terms(text[start:end])) / max(len(wanted), 1)
            if share > best_share + 0.1 * (width > 1):  # a longer span must earn its length
                best, best_share = (start, end), share
    return best if best_share >= _SUPPORT else None


def from_passage(
    question: str, document: Document, passage: Passage, weigh: Callable[[str], float], sentences: int = 3
) -> list[Piece]:
    """Up to `sentences` neighbouring sentences of the passage that share most with the question, verbatim.

    Args:
        weigh: how telling an analysed term is (`Bm25.idf`).
    """
    inside = [
        (passage.start + start, passage.start + end) for start, end in spans(document.text[passage.start : passage.end])
    ]
    if len(inside) <= sentences:
        return [Piece(document.text[passage.start : passage.end], cite(document, passage.start, passage.end))]
    wanted = _terms(question)
    worth = [sum(map(weigh, wanted & _terms(document.text[start:end]))) for start, end in inside]
    sums = [sum(worth[first : first + sentences]) for first in range(len(inside) - sentences + 1)]
    first = max(range(len(sums)), key=lambda place: (sums[place], -place))
    start, end = inside[first][0], inside[first + sentences - 1][1]
    return [Piece(document.text[start:end], cite(document, start, end))]


def together(approved: Sequence[Piece], spans: Sequence[Piece]) -> list[Piece]:
    """Approved answers, then those spans of the article that say something else."""
    return [*approved, *(span for span in spans if not any(_repeats(span, one) for one in approved))]


def _repeats(span: Piece, approved: Piece) -> bool:
    """Whether the approved answer rests on this span, or the span holds much of what the answer says."""
    one, other = span.citation, approved.citation
    same = (one.document, one.version) == (other.document, other.version)
    wanted = _terms(approved.text)
    held = len(wanted & _terms(span.text)) / max(len(wanted), 1)
    return (same and one.start < other.end and other.start < one.end) or held >= _SUPPORT


def stream(pieces: Sequence[Piece]) -> Iterator[tuple[str, Citation | None]]:
    """Sentence by sentence, each piece followed by its citation."""
    for number, piece in enumerate(pieces):
        position = 0
        for _, end in spans(piece.text):
            yield piece.text[position:end], None
            position = end
        yield piece.text[position:] + ("\n\n" if number + 1 < len(pieces) else ""), piece.citation


def _terms(text: str) -> set[str]:
    """Stemmed words without those that stand in every sentence."""
    return set(analyse(text))
