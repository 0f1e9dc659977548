"""The figures of ``chatbot evaluate`` on answers counted by hand."""

import pytest

from fieldtune_chatbot.judging import Asked, is_right, report, token_f1
from fieldtune_chatbot.records import Answer, Citation, KnownQuestion


def said(outcome: str, document: str = "", text: str = "x", milliseconds: float = 1.0) -> Answer:
    citations = (Citation(document, "v", 0, 1, "x"),) if document else ()
    return Answer(text, outcome, 0.5, "", "", citations, (), "en", milliseconds)


def asked(document: str, ranked: list[str], answer: Answer, language: str = "en") -> Asked:
    known = KnownQuestion("q", document, answerable=bool(document), language=language)
    return Asked(known, tuple(ranked), answer, frozenset([document] if document else []))


ROWS = [
    asked("a", ["a", "b"], said("answer", "a")),
    asked("a", ["b", "a"], said("answer", "b", milliseconds=3.0)),
    asked("b", ["b"], said("ask_back")),
    asked("c", [], said("hand_off"), language="zh"),
    asked("", ["a"], said("answer", "a")),
    asked("", ["a"], said("hand_off"), language="zh"),
]


def test_figures_by_hand() -> None:
    figures = report(ROWS)
    assert figures["recall@1"] == 0.5
    assert figures["recall@5"] == 0.75
    assert figures["mrr@10"] == pytest.approx((1 + 0.5 + 1 + 0) / 4)
    assert figures["coverage"] == 0.5
    assert figures["answered_wrong"] == 0.5
    assert figures["correct_first"] == 0.25
    assert figures["unanswerable_answered"] == 0.5
    assert (figures["n"], figures["n_answerable"], figures["p50_ms"]) == (6, 4, 1.0)
    assert figures["languages"]["zh"]["unanswerable_answered"] == 0.0
    assert figures["languages"]["en"]["correct_first"] == pytest.approx(1 / 3, abs=1e-6)


def test_nothing_to_take_a_share_of_is_none() -> None:
    figures = report([asked("", [], said("hand_off"))])
    assert figures["coverage"] is None and figures["recall@1"] is None


def test_without_a_document_the_answer_decides() -> None:
    known = KnownQuestion("q", answer="A refund takes five days.")
    assert is_right(known, said("answer", "faq/1", "The refund takes five days"))
    assert not is_right(known, said("answer", "faq/1", "Please call us tomorrow"))
    assert not is_right(KnownQuestion("q"), said("answer", "a"))


def test_token_f1() -> None:
    assert token_f1("five days", "five days") == 1.0
    assert token_f1("five days", "two weeks") == 0.0
    assert token_f1("a b c", "a b d") == pytest.approx(2 / 3)
    assert token_f1("", "") == 0.0
