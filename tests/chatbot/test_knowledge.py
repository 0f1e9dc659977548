"""Sources and units hang together, and what is learnt from users goes to the right place."""

import dataclasses

import pytest

from fieldtune.feedback import user_hash
from fieldtune_chatbot.corrections import Lesson, kept, learnt, lessons, odd, unlearnt
from fieldtune_chatbot.knowledge import from_rows, organise, pseudo_known, to_rows, with_known, with_mined
from fieldtune_chatbot.records import Document, FaqEntry, KnownQuestion, MinedPair, text_version

TEXT = "# Refunds\n\nA refund takes five days. It goes to your card.\n\n## Late\n\nWrite to us.\n"
ARTICLE = Document("en/refunds.md", text_version(TEXT), "Refunds", TEXT, "en")
RESTS = FaqEntry(
    "a", "How long is a refund?", "A refund takes five days.", "refund", ("refund time",), "en", ARTICLE.id
)
ALONE = FaqEntry("b", "Do you sell gift cards?", "Yes, from ten euros.", "gift", (), "en")
KNOWN = organise([ARTICLE], [RESTS, ALONE])


def test_sources_are_articles_and_entries_that_rest_on_none() -> None:
    assert [source.id for source in KNOWN.sources] == [ARTICLE.id, "faq/b"]
    assert KNOWN.sources[0].entries == (0,) and KNOWN.sources[0].intents == {"refund"}
    assert KNOWN.source_of() == {ARTICLE.id: 0, "faq/a": 0, "faq/b": 1}


def test_units_point_to_their_sources() -> None:
    assert KNOWN.question_texts() == ["How long is a refund?", "refund time", "Do you sell gift cards?"]
    assert KNOWN.question_source.tolist() == [0, 0, 1]
    assert KNOWN.passage_source.tolist() == [0, 0]
    assert KNOWN.sentence_texts() == ["Refunds: A refund takes five days.", "Refunds: It goes to your card."]
    assert "refund time" not in KNOWN.source_text(0, without=[1])
    assert KNOWN.source_text(0) == KNOWN.source_texts()[0]


def test_rows_bring_the_knowledge_back() -> None:
    again = from_rows(*to_rows(KNOWN))
    assert again == KNOWN
    assert again.passage_source.tolist() == KNOWN.passage_source.tolist()


def test_mined_wordings_join_the_entry_with_their_answer() -> None:
    pairs = [
        MinedPair("when is my refund there", "A refund takes five days, mostly.", ("refund time",), "en", 0.9, 1),
        MinedPair("can I pay by cheque", "No, cheques are not taken.", (), "en", 0.9, 2),
        MinedPair("can I pay by gold", "No, gold is not taken here.", (), "en", 0.9, 1),  # one conversation: too few
        MinedPair("whom do I ask", "Write to [email] about that.", (), "en", 0.9, 2),  # says nothing any more
    ]
    entries, new = with_mined([RESTS, ALONE], pairs)
    assert [entry.similar for entry in entries] == [("refund time", "when is my refund there"), ()]
    assert [(entry.question, entry.origin) for entry in new] == [("can I pay by cheque", "dialogue")]
    assert with_mined([RESTS, ALONE], pairs) == (entries, new)


def test_known_questions_become_wordings_of_their_document() -> None:
    other = dataclasses.replace(RESTS, id="c", question="Where does my refund go?", answer="To your card.", similar=())
    knowledge = organise([ARTICLE, dataclasses.replace(ARTICLE, id="en/new.md")], [RESTS, other, ALONE])
    rows = [
        KnownQuestion("which card is refunded", ARTICLE.id, "To your card."),
        KnownQuestion("how long until it is back", ARTICLE.id),
        KnownQuestion("Refund time?", ARTICLE.id),  # there already
        KnownQuestion("something else", "en/new.md"),  # nobody wrote an answer
        KnownQuestion("no idea", ARTICLE.id, answerable=False),
        KnownQuestion("lost", "en/gone.md"),
    ]
    entries = with_known(knowledge, rows)
    assert [entry.similar for entry in entries] == [
        ("refund time", "how long until it is back"), ("which card is refunded",), ()
    ]  # fmt: skip
    assert with_known(organise(knowledge.documents, entries), rows) == entries


def test_pseudo_known_questions_are_spread_and_bounded() -> None:
    many = [dataclasses.replace(RESTS, id=str(n), question=f"question {n}", similar=(f"like {n}",)) for n in range(30)]
    found = pseudo_known(organise([ARTICLE], many), 10)
    assert len(found) == 10
    assert all(row.document == ARTICLE.id and row.question.startswith("like") for row in found)


def payload(question: str, **extra: str) -> dict[str, str]:
    return {"question": question, "outcome": "answer", "chosen": ARTICLE.id, **extra}


def test_lessons_from_thumbs_and_corrections() -> None:
    rows = [
        ("thumb_up", payload("refund when?")),
        ("thumb_down", payload("nonsense")),
        ("correction", payload("gift voucher", document="faq/b")),
        ("thumb_up", {**payload("handed off"), "outcome": "hand_off"}),
        ("correction", payload("", document="faq/b")),
        ("correction", payload("whom do I ask", answer="Write to [email].")),
    ]
    assert taught(rows) == [
        Lesson("refund when?", ARTICLE.id), Lesson("nonsense", ""), Lesson("gift voucher", "faq/b")
    ]  # fmt: skip
    corrected = [("thumb_down", payload("nonsense")), ("correction", payload("nonsense", document="faq/b"))]
    assert taught(corrected) == [Lesson("nonsense", "faq/b")]


def taught(rows: list[tuple[str, dict[str, str]]]) -> list[Lesson]:
    """The lessons, whoever gave them."""
    return [dataclasses.replace(one, users=()) for one in lessons([(*row, "ann") for row in rows])]


def test_a_lesson_goes_with_the_last_user_who_gave_it() -> None:
    ann, bob = user_hash("ann"), user_hash("bob")
    found = lessons(
        [
            ("correction", payload("gift voucher", document="faq/b"), "ann"),
            ("correction", payload("Gift voucher", document="faq/b"), "bob"),
            ("thumb_up", payload("gift voucher"), "eve"),
        ]
    )
    assert found == [Lesson("gift voucher", "faq/b", users=tuple(sorted((ann, bob))))]
    assert kept(found, {ann}) == found and kept(found, {ann, bob}) == []
    nameless = [Lesson("late?", "faq/b"), Lesson("whom?", "", "Write to [email].")]
    assert kept(nameless, {ann}) == nameless[:1]


def test_what_is_unlearnt_leaves_no_wording_and_no_answer() -> None:
    both = [Lesson("refund duration please", ARTICLE.id), Lesson("open on sunday?", "", "No.")]
    told = organise([ARTICLE], learnt(KNOWN, both))
    assert unlearnt(told, both) == [RESTS, ALONE]
    assert unlearnt(told, both[:1])[0] == RESTS


def test_contradiction_is_settled_by_majority_and_a_tie_by_nobody() -> None:
    one, other = payload("same", document=ARTICLE.id), payload("SAME!", document="faq/b")
    assert taught([("correction", one), ("correction", other)]) == []
    assert [
        lesson.document for lesson in taught([("correction", one), ("correction", other), ("correction", one)])
    ] == [ARTICLE.id]


def test_what_is_learnt_goes_to_the_nearest_entry_or_a_new_one() -> None:
    entries = learnt(KNOWN, [Lesson("refund duration please", ARTICLE.id), Lesson("open on sunday?", "", "No.")])
    assert entries[0].similar == ("refund time", "refund duration please")
    assert len(entries) == len(KNOWN.entries)  # what a user typed is in none
    bare, asked = organise([ARTICLE], []), "late refund, whom do I write?"
    (made,) = learnt(bare, [Lesson(asked, ARTICLE.id), Lesson("late refund?", ARTICLE.id, "Nobody.")])
    assert (made.question, made.document, made.origin) == (asked, ARTICLE.id, "feedback") and made.answer in TEXT
    (still,) = learnt(organise([ARTICLE], [made]), [Lesson(asked, ARTICLE.id)])
    assert still == made
    assert learnt(KNOWN, [Lesson("what?", "en/unknown.md")]) == list(KNOWN.entries)


def test_a_correction_moves_a_wording_and_never_an_approved_question() -> None:
    mined = FaqEntry("m", "money back, when?", "Ask the shop.", "", ("refund when",), "en", origin="dialogue")
    knowledge = organise([ARTICLE], [RESTS, ALONE, mined])
    moved = learnt(knowledge, [Lesson("refund time", "faq/b"), Lesson("Money back, when?", ARTICLE.id)])
    assert [(entry.question, entry.similar) for entry in moved] == [
        (RESTS.question, ("Money back, when?",)), (ALONE.question, ("refund time",)), ("refund when", ())
    ]  # fmt: skip
    assert learnt(knowledge, [Lesson(RESTS.question, "faq/b"), Lesson(ALONE.question, "", "No.")]) == [
        RESTS, ALONE, mined
    ]  # fmt: skip


def test_a_known_question_is_taken_from_the_entry_a_dialogue_gave_it_to() -> None:
    entries = with_known(
        organise([ARTICLE], [RESTS, dataclasses.replace(ALONE, similar=("how long until it is back",))]),
        [KnownQuestion("How long until it is back?", ARTICLE.id)],
    )
    assert [entry.similar for entry in entries] == [("refund time", "How long until it is back?"), ()]


@pytest.mark.parametrize(("place", "strange"), [(None, True), (0, False), (19, False), (20, True)])
def test_a_source_far_from_the_question_is_odd(place: int | None, strange: bool) -> None:
    assert odd([place]) == [strange]
