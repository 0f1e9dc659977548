"""Every piece of an answer is approved or verbatim, and its citation opens to its text."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from fieldtune.retrieval.bm25 import Bm25
from fieldtune_chatbot.answering import Piece, cite, find_support, from_faq, from_passage, stream, together
from fieldtune_chatbot.chunking import passages
from fieldtune_chatbot.knowledge import own_document
from fieldtune_chatbot.records import Document, FaqEntry, Passage, text_version

TEXT = (
    "# Cards\n\nFreezing pauses your card. It takes effect at once. Refunds still arrive. "
    "Direct debits keep running because they use the account. Freezing is free.\n"
)
ARTICLE = Document("en/cards.md", text_version(TEXT), "Cards", TEXT, "en")


def entry(answer: str) -> FaqEntry:
    return FaqEntry("f1", "How do I freeze my card?", answer, language="en", document=ARTICLE.id)


def test_an_approved_answer_cites_the_words_of_its_article() -> None:
    answer = "It takes effect at once."
    (piece,) = from_faq(entry(answer), own_document(entry(answer)), ARTICLE)
    assert piece.text == piece.citation.text == answer
    assert piece.citation.document == ARTICLE.id


def test_a_reworded_answer_cites_the_sentences_that_support_it() -> None:
    answer = "Direct debits go on running since they use your account."
    (piece,) = from_faq(entry(answer), own_document(entry(answer)), ARTICLE)
    assert piece.text == answer
    assert piece.citation.text == "Direct debits keep running because they use the account."


def test_an_answer_the_article_does_not_say_cites_the_entry() -> None:
    answer = "Call the hotline on Sundays."
    (piece,) = from_faq(entry(answer), own_document(entry(answer)), ARTICLE)
    assert (piece.citation.document, piece.citation.text) == ("faq/f1", answer)
    assert find_support(answer, TEXT) is None


def test_a_passage_answers_with_its_nearest_sentences() -> None:
    (passage,) = passages(TEXT)
    (piece,) = from_passage("do direct debits keep running", ARTICLE, passage, lambda term: 1.0, sentences=2)
    assert piece.text == "Refunds still arrive. Direct debits keep running because they use the account."
    assert TEXT[piece.citation.start : piece.citation.end] == piece.text


def test_telling_words_choose_the_sentences_and_not_small_ones() -> None:
    text = (
        "The card and the account are yours, and the card is yours to keep for all of the time that you have it. "
        "Payments abroad cost one percent. It is what it is, and it is for you and for all of us. "
        "Cash from a machine costs two euros. Freezing the card is free."
    )
    article = Document("en/fees.md", text_version(text), "Fees", text, "en")
    weigh = Bm25.build([text, "The account and the card are for you.", "What is it that you have?"]).idf
    question = "what is the cost of it for my card if I am paying abroad"
    (piece,) = from_passage(question, article, Passage(0, len(text)), weigh, sentences=1)
    assert piece.text == "Payments abroad cost one percent."


@given(st.text("ab. \n。！", min_size=1, max_size=80), st.integers(0, 80), st.integers(0, 80))
def test_citations_open_to_their_text(text: str, one: int, other: int) -> None:
    start, end = sorted((min(one, len(text)), min(other, len(text))))
    citation = cite(Document("d", text_version(text), "", text, "en"), start, end)
    assert text[citation.start : citation.end] == citation.text


@given(st.lists(st.text("ab. 。！", min_size=1, max_size=40), min_size=1, max_size=3))
def test_a_stream_says_what_the_pieces_say(texts: list[str]) -> None:
    pieces = [Piece(text, cite(ARTICLE, 0, 5)) for text in texts]
    said = list(stream(pieces))
    assert "".join(words for words, _ in said) == "\n\n".join(texts)
    assert sum(citation is not None for _, citation in said) == len(texts)


def test_a_span_on_which_the_approved_answer_rests_is_not_said_twice() -> None:
    approved = [Piece("in our own words", cite(ARTICLE, 10, 30))]
    other, same = Piece("other", cite(ARTICLE, 30, 40)), Piece("same", cite(ARTICLE, 25, 35))
    elsewhere = Piece("elsewhere", replace(cite(ARTICLE, 10, 30), document="en/other.md"))
    assert together(approved, [other]) == [*approved, other]
    assert together(approved, [same]) == approved
    assert together(approved, [elsewhere]) == [*approved, elsewhere]
    again = Piece("in our own and further words", cite(ARTICLE, 40, 50))
    assert together(approved, [again]) == approved
