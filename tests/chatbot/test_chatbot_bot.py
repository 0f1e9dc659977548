"""The whole bot, built from files with a tiny encoder: answers, citations, crash, feedback, page."""

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, fields, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support_world import dialogue

from fieldtune import decisions, feedback, models, registry
from fieldtune.errors import ArtefactError, InputError, RefusedError
from fieldtune.infer.cache import Cache
from fieldtune.models.folder import MANIFEST
from fieldtune.models.sign_folder import sign_folder
from fieldtune.models.signing import VARIABLE
from fieldtune.retrieval.index import FlatIndex
from fieldtune_chatbot import bot, corrections, improving, ingest, learning, replying, wire
from fieldtune_chatbot import build as building
from fieldtune_chatbot.build import Settings, build
from fieldtune_chatbot.gathering import Inputs, gather
from fieldtune_chatbot.knowledge import organise
from fieldtune_chatbot.records import FaqEntry, KnownQuestion, Lesson
from fieldtune_chatbot.retrieve import SAME, Retriever
from fieldtune_chatbot.store import open_chatbot, open_citation
from fieldtune_chatbot.tune import frozen_encoder
from fieldtune_chatbot.versions import Models, make_version

NOW = datetime(2026, 5, 4, 9, 30, tzinfo=UTC)


@pytest.fixture
def store(built: Path, tmp_path: Path) -> Path:
    """A copy of the built store: it works without the registry it was published in."""
    return Path(shutil.copytree(built, tmp_path / "bot"))


@pytest.fixture
def service(store: Path) -> wire.Service:
    return wire.open_service(store)


def test_answers_with_a_citation_that_opens_to_its_text(service: wire.Service) -> None:
    answer = wire.ask(service, "How long does the refund take?", now=NOW)
    assert (answer.outcome, answer.citations[0].document) == ("answer", "en/refund.md")
    with service.engine.begin() as connection:
        for citation in answer.citations:
            place = (citation.document, citation.version, citation.start, citation.end)
            assert open_citation(connection, *place) == citation.text


def test_a_question_of_the_faq_word_for_word_gets_its_own_answer(service: wire.Service) -> None:
    for entry in service.bot.knowledge.entries:
        for wording in (entry.question, *entry.similar):
            answer = wire.ask(service, wording, now=NOW)
            assert (answer.outcome, answer.answer) == ("answer", entry.answer), wording


@pytest.mark.parametrize(
    ("asked", "approved"),
    [
        ("how long does the money back take, I see no refund in the app", True),
        ("五天内处理完毕吗，退款需要多长时间", True),
        ("Which code do I write to you with if the payment is late?", False),
        ("一直没有进展，把什么代码发给你们？", False),
    ],
)
def test_an_approved_answer_goes_first_unless_a_passage_clearly_fits_better(
    service: wire.Service, asked: str, approved: bool
) -> None:
    ranking = replying.judge(service.bot, asked).ranking
    said = [piece.text for piece in replying.pieces(service.bot, asked, ranking)]
    assert (said[0] in {entry.answer for entry in service.bot.knowledge.entries}) == approved
    assert approved or "-40" in said[0]


def test_fewer_than_no_steps_are_refused() -> None:
    with pytest.raises(InputError, match="max-steps of 0 or more; found -3"):
        Settings(max_steps=-3)


def test_the_answer_is_in_the_language_of_the_question(service: wire.Service) -> None:
    answer = wire.ask(service, "退款需要多长时间？", now=NOW)
    assert (answer.language, answer.citations[0].document) == ("zh", "zh/refund.md")
    assert wire.ask(service, "你会唱歌跳舞吗", now=NOW).outcome == "hand_off"


@pytest.mark.parametrize("question", ["", "   ", "🙂🙂", "asdf qwer zxcv", "x" * 10_000, "%$#", "\x00", "ＡＢＣ 何か"])
def test_nonsense_is_never_answered(service: wire.Service, question: str) -> None:
    assert wire.ask(service, question, now=NOW).outcome != "answer"


def test_a_question_too_long_is_refused_and_kept_cut(service: wire.Service) -> None:
    longest = replying.LONGEST
    asked = "How long does the refund take? " * 200
    answer = wire.ask(service, asked, session="s", now=NOW)
    assert answer.outcome == "ask_back" and "too long" in answer.answer
    assert answer.reason == f"the question has {len(asked)} characters, more than {longest}"
    assert [len(turn["body"]) for turn in wire.history(service, "s")] == [longest, len(answer.answer)]
    figures = wire.evaluate(service, [KnownQuestion(asked, "en/refund.md")])
    assert figures["coverage"] == 0.0
    assert "too long" not in wire.ask(service, asked[:longest], now=NOW).answer


class Interrupted(Retriever):
    """A retriever whose remembered pair another session replaces as soon as it is written."""

    interrupt: tuple[tuple[str, ...], np.ndarray] | None = None

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, self.interrupt if name == "_last" and self.interrupt else value)


def test_a_session_never_gets_the_vectors_of_anothers_question(service: wire.Service) -> None:
    whole = service.bot.retriever
    retriever = Interrupted(**{each.name: getattr(whole, each.name) for each in fields(whole)})
    retriever.encode = lambda texts: np.full((len(texts), 1), len(texts[0]), np.float32)
    retriever._indexes = {"passage": FlatIndex(1)}
    retriever.interrupt = (("other",), np.zeros((1, 1), np.float32))
    found = retriever._encoded(["mine"])
    assert found is not None and found.tolist() == [[4.0]]


def test_every_stored_question_finds_its_own_source(service: wire.Service) -> None:
    known = service.bot.knowledge
    for unit, (_, wording) in enumerate(known.questions):
        ranking = replying.judge(service.bot, wording).ranking
        assert known.sources[int(ranking.order[0])].id == known.sources[int(known.question_source[unit])].id


def test_codes_are_found(service: wire.Service) -> None:
    answer = wire.ask(service, "what is WARRANTY-40", now=NOW)
    assert answer.outcome != "hand_off"
    assert "en/warranty.md" in [row["source"] for row in _sources(service, "what is WARRANTY-40")]


def _sources(service: wire.Service, question: str) -> list[dict[str, Any]]:
    return replying.shown(service.bot, replying.judge(service.bot, question).ranking)


def test_the_stream_says_what_the_answer_says(service: wire.Service) -> None:
    events = list(wire.stream(service, "How long does the delivery take?", now=NOW))
    assert [event.kind for event in events][:2] == ["retrieved", "decided"]
    said = "".join(event.data["text"] for event in events if event.kind == "text")
    assert said == events[-1].data["answer"].answer


def test_history_and_decision_are_kept_without_personal_data(service: wire.Service) -> None:
    answer = wire.ask(service, "refund for jo@example.com please", session="s", now=NOW)
    turns = wire.history(service, "s")
    assert [turn["role"] for turn in turns] == ["customer", "bot"]
    assert turns[1]["decision"] == answer.decision
    with service.engine.begin() as connection:
        record = decisions.get(connection, answer.decision)
    assert record is not None and record["model_version"] == service.bot.version
    assert "jo@example.com" not in json.dumps([turns, record], default=str)


def test_evaluate_counts_and_writes_nothing(service: wire.Service, world: Path) -> None:
    figures = wire.evaluate(service, ingest.read_questions(world / "test.csv"))
    assert figures["recall@1"] >= 0.9
    assert figures["n"] == 54 and set(figures["languages"]) == {"en", "zh"}
    assert wire.history(service, "") == []


def test_questions_about_documents_the_bot_lacks_are_told_and_not_found(
    cli: Callable[..., Any], store: Path, tmp_path: Path
) -> None:
    asked = tmp_path / "asked.csv"
    asked.write_text("question,document\nHow long does the refund take?,en/refund.md\nWhere is it?,nope.md\n")
    result = cli("chatbot", "evaluate", "--store", store, "--questions", asked, "--json")
    assert "1 of 2 documents are not in the bot: nope.md (it has: en/address.md" in result.err
    figures = result.json
    assert (figures["recall@1"], figures["recall@5"], figures["n_answerable"]) == (0.5, 0.5, 2)
    asked.write_text("question,document\nHow long does the refund take?,documents/en/refund.md\n")
    result = cli("chatbot", "evaluate", "--store", store, "--questions", asked)
    assert result.code == 1 and "none of 1, e.g. documents/en/refund.md" in result.err


def test_a_version_folder_gives_the_same_bot_again(service: wire.Service, tmp_path: Path) -> None:
    old = service.bot
    bot.write(
        tmp_path / "copy", old.retriever, old.deciders, old.tuning, old.held_out,
        encoder=None, intent=old.folder / "intent" if (old.folder / "intent").is_dir() else None,
    )  # fmt: skip
    new = bot.load(tmp_path / "copy")
    assert new.deciders == old.deciders and new.knowledge == old.knowledge
    for name in ("documents.jsonl", "entries.jsonl", "words_source/data.csc.index.npy"):
        assert (new.folder / name).read_bytes() == (old.folder / name).read_bytes()


def test_a_version_signed_afterwards_is_loaded_whole_and_by_its_models(
    service: wire.Service, tiny_encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = service.bot
    vectors, version = frozen_encoder(str(tiny_encoder), tmp_path / "frozen"), tmp_path / "version"
    make_version(old.knowledge, learning.Split((), old.tuning, old.held_out), version, Models(vectors, None, {"en"}))
    (tmp_path / "key").write_text("0123456789abcdef" * 4)
    monkeypatch.setenv(VARIABLE, str(tmp_path / "key"))
    with pytest.raises(ArtefactError, match="models sign"):
        bot.load(version)
    assert sign_folder(version) == 2
    models.load(version / "encoder")
    assert bot.load(version).knowledge == old.knowledge


def test_a_damaged_version_is_refused(store: Path) -> None:
    file = store / "current" / "entries.jsonl"
    file.write_text(file.read_text(encoding="utf-8").replace("five", "nine"), encoding="utf-8")
    with pytest.raises(ArtefactError, match=r"entries\.jsonl"):
        wire.open_service(store)


def test_a_second_build_from_the_same_files_gives_the_same_bytes(
    world: Path, tiny_encoder: Path, built: Path, tmp_path: Path
) -> None:
    store = tmp_path / "again"
    inputs = Inputs(world / "documents", world / "faq.csv", world / "dialogues.jsonl", world / "known.csv")
    settings = Settings(str(tiny_encoder), 0, 0)
    interrupted = store / ".build" / "0123456789abcdef" / "rubbish"
    interrupted.mkdir(parents=True)
    found = build(inputs, store, settings, now=datetime(2030, 1, 1, tzinfo=UTC), progress=False)
    assert found.verdict.promoted and not list((store / ".build").iterdir())
    first = (built / "current" / MANIFEST).read_bytes()
    assert (store / "current" / MANIFEST).read_bytes() == first
    build(inputs, store, settings, now=NOW, progress=False)
    assert (store / "current" / MANIFEST).read_bytes() == first


def test_a_deleted_article_is_never_cited_again(world: Path, tiny_encoder: Path, tmp_path: Path) -> None:
    documents = Path(shutil.copytree(world / "documents", tmp_path / "documents"))
    store, settings = tmp_path / "bot", Settings(str(tiny_encoder), 0, 0)
    build(Inputs(documents), store, settings, now=NOW, progress=False)
    (documents / "en" / "refund.md").unlink()
    build(Inputs(documents), store, settings, now=NOW, progress=False)
    served = wire.open_service(store)
    assert "en/refund.md" not in wire.source_ids(served)
    assert all(row["source"] != "en/refund.md" for row in _sources(served, "refund"))


@pytest.mark.parametrize("missing", ["documents", "faq", "dialogues", "questions"])
def test_missing_files_are_named_before_anything_is_written(world: Path, tmp_path: Path, missing: str) -> None:
    paths = {"documents": world / "documents", missing: tmp_path / "nothing"}
    with pytest.raises(InputError, match=f"--{missing}"):
        build(Inputs(**paths), tmp_path / "bot", Settings(), now=NOW, progress=False)
    assert not (tmp_path / "bot").exists()


CHEQUE = "Cheques are not taken, please choose a transfer instead."


@pytest.fixture
def talkative(world: Path, tmp_path: Path) -> Inputs:
    """The world's files, and two conversations with an answer that nobody has approved."""
    asked = ["can I pay by cheque", "is a cheque fine for you people"]
    rows = [dialogue(90 + n, [("customer", text), ("agent", CHEQUE)], resolved=True) for n, text in enumerate(asked)]
    file = tmp_path / "dialogues.jsonl"
    lines = (world / "dialogues.jsonl").read_text(encoding="utf-8") + "".join(json.dumps(row) + "\n" for row in rows)
    file.write_text(lines, encoding="utf-8")
    return Inputs(world / "documents", world / "faq.csv", file)


def test_a_mined_answer_is_served_only_once_somebody_approved_it(
    talkative: Inputs, tiny_encoder: Path, tmp_path: Path
) -> None:
    store, settings = tmp_path / "bot", Settings(str(tiny_encoder), 0, 0)
    built = build(talkative, store, settings, now=NOW, progress=False)
    served = wire.open_service(store).bot.knowledge
    assert CHEQUE not in [entry.answer for entry in served.entries]
    assert "my refund is not here yet, mail me at [email]" in served.question_texts()  # a wording of an approved answer
    review = Path(built.review)
    assert (review.parent, built.counts["mined_answers"]) == (store, 1)
    (mined,) = ingest.read_faq(review)
    assert mined.answer == CHEQUE and len(mined.similar) == 1
    review.write_text("question,answer\nCheques?,Never.\n", encoding="utf-8")
    again = build(talkative, store, replace(settings, publish_mined=True), now=NOW, progress=False)
    assert CHEQUE in [entry.answer for entry in wire.open_service(store).bot.knowledge.entries] and not again.review
    assert build(talkative, store, settings, now=NOW, progress=False).review == str(review)
    assert "Never." in review.read_text(encoding="utf-8")  # what a person wrote stays


def test_dialogues_alone_are_refused_with_the_file_to_approve(
    talkative: Inputs, tiny_encoder: Path, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=r"approved answers \(--faq\).*1 answers.*mined-\w+\.csv.*--publish-mined"):
        build(
            replace(talkative, faq=None), tmp_path / "bot", Settings(str(tiny_encoder), 0, 0), now=NOW, progress=False
        )
    (review,) = (tmp_path / "bot").glob("mined-*.csv")
    assert ingest.read_faq(review)[0].answer == CHEQUE


def test_known_questions_are_stored_without_personal_data(world: Path, tiny_encoder: Path, tmp_path: Path) -> None:
    documents, questions = Path(shutil.copytree(world / "documents", tmp_path / "documents")), tmp_path / "known.csv"
    (documents / "mail.md").write_text("# Mail\n\nWrite to help@shop.example at any time.\n")
    rows = (
        f"reply to jo{n}@home.example: is the refund {n} late or help@shop.example?,en/refund.md" for n in range(40)
    )
    questions.write_text("question,document\n" + "\n".join(rows) + "\n")
    inputs = Inputs(documents, world / "faq.csv", questions=questions)
    build(inputs, tmp_path / "bot", Settings(str(tiny_encoder), 0, 0), now=NOW, progress=False)
    stored = "".join(
        file.read_text(encoding="utf-8") for file in sorted((tmp_path / "bot" / "current").glob("*.jsonl"))
    )
    assert "reply to [email]: is the refund" in stored and "home.example" not in stored
    assert "late or help@shop.example?" in stored


def test_a_build_yields_to_a_rollback_meanwhile(
    world: Path, tiny_encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    documents = Path(shutil.copytree(world / "documents", tmp_path / "documents"))
    store, settings = tmp_path / "bot", Settings(str(tiny_encoder), 0, 0)
    versions = []
    for number in range(2):
        (documents / "en" / "new.md").write_text(f"# New\n\nVersion {number} of it.\n", encoding="utf-8")
        versions.append(build(Inputs(documents), store, settings, now=NOW, progress=False).verdict.version)
    (documents / "en" / "new.md").write_text("# New\n\nThe last word on it.\n", encoding="utf-8")
    judged = building._judged

    def rolled_back(version: bot.Bot) -> learning.Scores:
        monkeypatch.undo()
        monkeypatch.setenv("FIELDTUNE_HOME", str(tmp_path / "home"))
        registry.rollback("chatbot", now=NOW)
        return judged(version)

    monkeypatch.setattr(building, "_judged", rolled_back)
    with pytest.raises(RefusedError, match="by now"):
        build(Inputs(documents), store, settings, now=NOW, progress=False)
    assert registry.serving("chatbot", store).name == versions[0]
    last = build(Inputs(documents), store, settings, now=NOW, progress=False).verdict.version
    assert registry.serving("chatbot", store).name == last and last not in versions


def test_a_build_killed_after_it_published_ends_in_that_version(
    world: Path, tiny_encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, settings = tmp_path / "bot", Settings(str(tiny_encoder), 0, 0)
    build(Inputs(world / "documents"), store, settings, now=NOW, progress=False)
    inputs = Inputs(world / "documents", world / "faq.csv")

    def killed(winner: Path, store: Path) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(building, "_install", killed)
        build(inputs, store, settings, now=NOW, progress=False)
    published = registry.serving("chatbot", store).name
    assert build(inputs, store, settings, now=NOW, progress=False).verdict.version == published
    assert registry.version_of(store / "current") == published.removeprefix("chatbot-")


def published(store: Path) -> wire.Service:
    """The store's own version, promoted in this test's registry."""
    registry.publish(
        "chatbot", store, {"built": store / "current"}, {"built": np.ones(1)}, rng=np.random.default_rng(0), now=NOW
    )
    return wire.open_service(store)


def test_feedback_becomes_lessons_a_candidate_and_a_verdict(store: Path, home: Path) -> None:
    service = published(store)
    answer = wire.ask(service, "my money has not come back", now=NOW)
    wire.give_feedback(service, answer.decision, "correction", now=NOW, document="en/refund.md")
    other = wire.ask(service, "where is my parcel", now=NOW)
    wire.give_feedback(service, other.decision, "thumb_up", now=NOW)
    wire.give_feedback(service, other.decision, "thumb_down", now=NOW)
    with registry.open_home().begin() as connection:
        rows = feedback.rows(connection, "chatbot")
    assert {row.kind for row in rows} == {"correction", "thumb_down"}  # the later thumb replaces the earlier
    verdict = improving.retrain(rows, home=home, now=NOW, progress=False)
    assert {standing.name for standing in verdict.standings} == {"incumbent", "feedback"}
    improving.write_candidate(service.bot, [Lesson("my money has not come back", "en/refund.md")], home / "c")
    taught = bot.load(home / "c")
    assert "my money has not come back" in taught.knowledge.question_texts()
    assert replying.judge(taught, "my money has not come back").decision.outcome == "answer"


def corrections_of(store: Path, *said: tuple[str, str, str], now: datetime = NOW) -> list[feedback.Feedback]:
    """The rows after users (one each) corrected what the store answers: (question, right source, right answer)."""
    service = wire.open_service(store)
    for number, (question, document, answer) in enumerate(said):
        decision = wire.ask(service, question, now=now).decision
        later = now + timedelta(seconds=number)  # rows of one second come in any order
        wire.give_feedback(
            service, decision, "correction", now=later, user=f"user {number}", document=document, answer=answer
        )
    with registry.open_home().begin() as connection:
        return feedback.rows(connection, "chatbot")


SCAM = "Call our partner with your card at hand."


def test_what_a_user_typed_is_served_only_once_somebody_approved_it(
    world: Path, tiny_encoder: Path, store: Path, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    published(store)
    own = "How long does the money back take?"
    asked, beside = "open on sunday?", "my money has not come back"
    rows = corrections_of(store, (asked, "", SCAM), (beside, "en/refund.md", SCAM), (own, "", SCAM), (asked, "", SCAM))
    verdict = improving.retrain(rows, home=home, now=NOW, progress=True)
    (review,) = store.glob("typed-*.csv")
    waits = f"2 answers that users typed are not served until somebody approves them: look through {review}"
    assert waits in verdict.reason and waits in capsys.readouterr().err
    typed = ingest.read_faq(review)
    assert [(row.question, row.answer, row.document) for row in typed] == [
        (asked, SCAM, ""),
        (beside, SCAM, "en/refund.md"),
    ]
    lessons = corrections.lessons([(row.kind, row.payload, row.user) for row in rows])
    improving.write_candidate(wire.open_service(store).bot, lessons, home / "c")
    candidate = bot.load(home / "c").knowledge
    assert beside in candidate.question_texts() and SCAM not in [entry.answer for entry in candidate.entries]
    faq = home / "faq.csv"
    decided = {asked: "From ten to two.", beside: "Within five days.", own: "Five days."}
    faq.write_text("question,answer\n" + "".join(f"{q},{a}\n" for q, a in decided.items()), encoding="utf-8")
    build(Inputs(world / "documents", faq), store, Settings(str(tiny_encoder), 0, 0), now=NOW, progress=False)
    assert wire.ask(wire.open_service(store), asked, now=NOW).answer == "From ten to two."
    improving.retrain(rows, home=home, now=NOW, progress=True)  # what was decided on waits no longer
    assert "users typed" not in capsys.readouterr().err


def test_typed_answers_alone_teach_nothing_and_keep_what_a_person_wrote(store: Path, home: Path) -> None:
    service = published(store)
    rows = corrections_of(store, ("open on sunday?", "", SCAM), ("is jo there?", "", "Mail jo@home.example."))
    for _ in range(2):
        with pytest.raises(InputError, match=r"2 rows about .* without one; 1 answers .*typed-\w+\.csv"):
            improving.retrain(rows, home=home, now=NOW, progress=False)
        (review,) = store.glob("typed-*.csv")
        review.write_text("question,answer\nSundays?,From ten.\n", encoding="utf-8")
    assert "From ten." in review.read_text(encoding="utf-8")
    assert wire.open_service(store).bot.version == service.bot.version
    with registry.open_home().begin() as connection:
        feedback.forget(connection, "user 0", NOW)
        erased = feedback.erased(connection)
    said = [(row.kind, row.payload, row.user) for row in rows]
    assert corrections.waiting(service.bot.knowledge, said, erased) == []


def test_a_source_named_with_or_without_an_answer_is_one_opinion() -> None:
    said = {"question": "sunday?", "document": "en/refund.md", "outcome": "answer"}
    rows = [("correction", {**said, "answer": text}, text) for text in ("Yes.", "", "From ten.")]
    other = [("correction", {**said, "document": "en/invoice.md"}, name) for name in "ab"]
    (lesson,) = corrections.lessons([*rows, *other])
    assert (lesson.document, lesson.answer, len(lesson.users)) == ("en/refund.md", "", 3)
    (against,) = corrections.lessons(
        [rows[1], *(("correction", {**said, "document": "", "answer": "No."}, u) for u in "cd")]
    )
    assert against.answer == "No." and corrections.kept([against]) == []


def test_what_a_user_typed_leaves_a_version_that_served_it(service: wire.Service, home: Path) -> None:
    old, asked = service.bot, "open on sunday?"
    entry = FaqEntry("taught-1", asked, SCAM, language="en", origin="feedback")
    parts = learning.Split((), old.tuning, old.held_out)
    lessons = [Lesson(asked, "", SCAM), Lesson("my money has not come back", "en/refund.md")]
    told = organise(old.knowledge.documents, [*old.knowledge.entries, entry])
    make_version(told, parts, home / "c", Models(), lessons)
    improving.write_candidate(bot.load(home / "c"), [], home / "d")
    candidate = bot.load(home / "d")
    assert SCAM not in [one.answer for one in candidate.knowledge.entries] and candidate.taught == tuple(lessons[1:])


def test_a_thumb_down_takes_a_taught_wording_back(store: Path, home: Path) -> None:
    service, asked = published(store), "my money has not come back"
    improving.write_candidate(service.bot, [Lesson(asked, "en/refund.md")], home / "c")
    taught = bot.load(home / "c")
    assert asked in taught.knowledge.question_texts()
    improving.write_candidate(taught, [Lesson(asked, "")], home / "d")
    assert asked not in bot.load(home / "d").knowledge.question_texts()
    own = service.bot.knowledge.entries[0].question
    improving.write_candidate(taught, [Lesson(own, "")], home / "e")  # what the company approved stays
    assert own in bot.load(home / "e").knowledge.question_texts()


def test_who_changes_their_mind_is_known_by_the_last_word(store: Path, home: Path) -> None:
    service, asked = published(store), "my money has not come back"
    improving.write_candidate(service.bot, [Lesson(asked, "en/refund.md")], home / "c")
    improving.write_candidate(bot.load(home / "c"), [Lesson(asked, "en/invoice.md")], home / "d")
    (row,) = [row for row in bot.load(home / "d").tuning if row.question == asked]
    assert (row.document, row.told) == ("en/invoice.md", True)


def test_answers_nobody_objected_to_count_for_what_served(store: Path, home: Path) -> None:
    service = published(store)
    quiet, loud = "How long does the refund take?", "How long does the parcel take?"
    for question in (quiet, quiet, loud, "do you sell pizza"):
        answer = wire.ask(service, question, now=NOW)
        if question == loud:
            wire.give_feedback(service, answer.decision, "correction", now=NOW, document="en/refund.md")
    with registry.open_home().begin() as connection:
        rows = feedback.rows(connection, "chatbot")
    (row,) = improving.unchallenged(store, rows, [])
    assert (row.question, row.document) == (quiet, "en/refund.md")


def test_silence_counts_from_the_first_answer_that_is_corrected(store: Path, home: Path) -> None:
    service = published(store)
    asked = [f"my money has not come back {number}" for number in range(3)]
    quiet = {"outcome": "answer", "citations": [{"document": "en/refund.md"}], "language": "en"}
    with service.engine.begin() as connection:
        for number in range(1500):  # more than a retraining once looked at, one a minute since a day before
            made = NOW + timedelta(minutes=number - 300)
            decisions.record(connection, "chatbot", "answer", {**quiet, "question": f"quiet {number}"}, "v", made)
    rows = corrections_of(store, *((text, "en/refund.md", "") for text in asked[1:]))
    corrections_of(store, (asked[0], "en/refund.md", ""), now=NOW - timedelta(days=9))
    learnt = [KnownQuestion(text, "en/refund.md", told=True) for text in asked[1:]]
    since = improving.unchallenged(store, rows, learnt)
    assert {row.question for row in since} == {f"quiet {number}" for number in range(300, 1500)}
    assert len(improving.unchallenged(store, [], learnt)) == 1500 + 3  # nothing says when: all that is kept


def test_corrections_and_silence_are_cut_alike() -> None:
    learnt = [KnownQuestion(f"said {number}", "a", told=True) for number in range(400)]
    silent = [KnownQuestion(f"quiet {number}", "a", told=True) for number in range(9600)]
    said, quiet = improving.sampled(learnt, silent, np.random.default_rng(1), 1000)
    assert (len(said), len(quiet)) == (40, 960) and set(said) < set(learnt) and set(quiet) < set(silent)
    assert improving.sampled(learnt, silent, np.random.default_rng(1), 1000) == (said, quiet)
    assert improving.sampled(learnt, silent, np.random.default_rng(2), 1000) != (said, quiet)
    assert improving.sampled(learnt, silent, np.random.default_rng(1), 10_000) == (learnt, silent)
    assert improving.sampled([], [], np.random.default_rng(1)) == ([], [])


def with_words(entries: Sequence[FaqEntry], words: Sequence[str], astray: set[str]) -> list[FaqEntry]:
    """The entries with words as further wordings, dealt out in turn; those `astray` go to the entry after their own."""
    dealt = [list(entry.similar) for entry in entries]
    for number, word in enumerate(words):
        dealt[(number + (word in astray)) % len(entries)].append(word)
    return [replace(entry, similar=tuple(own)) for entry, own in zip(entries, dealt, strict=True)]


def test_a_candidate_that_is_no_better_is_refused_among_many_answers(world: Path, home: Path, tmp_path: Path) -> None:
    """Of 3,000 answers, each about a word of its own, 200 were wrong, and corrected; the candidate knows these, and gets
    as many others wrong."""
    rng, store = np.random.default_rng(0), tmp_path / "bot"
    found = gather(Inputs(world / "documents", world / "faq.csv", questions=world / "known.csv"))
    entries, split = [one for one in found.knowledge.entries if one.language == "en"], learning.split(found.known)
    words = ["".join(rng.choice(list("abcdefghijklmnopqrstuvwxyz"), 9)) for _ in range(3000)]
    corrected, others = set(words[:200]), set(words[200:400])
    asked = {
        word: KnownQuestion(f"and what of {word} then", entries[number % len(entries)].document, told=True)
        for number, word in enumerate(words)
    }

    def version(folder: Path, astray: set[str], tuning: Sequence[KnownQuestion]) -> Path:
        knowledge = organise(found.knowledge.documents, with_words(entries, words, astray))
        make_version(knowledge, learning.Split((), tuple(tuning), split.held_out), folder, Models())
        return folder

    before = [*split.tuning, *(asked[word] for word in words[400:440])]
    version(store / "current", corrected, before)
    candidate = version(tmp_path / "candidate", others, [*before, *(asked[word] for word in words[:200])])
    served, said = published(store).bot, []
    with open_chatbot(store).begin() as connection:
        for minute, number in enumerate(rng.permutation(len(words)).tolist()):
            word, given = words[number], entries[(number + (words[number] in corrected)) % len(entries)].document
            row = {"question": asked[word].question, "outcome": "answer", "language": "en"}
            row["citations"] = [{"document": given}]
            made = NOW + timedelta(minutes=minute)
            identity = decisions.record(connection, "chatbot", "answer", row, "v", made)
            if word in corrected:
                said.append(feedback.Feedback("chatbot", identity, "correction", payload={"question": row["question"]}))
    verdict = improving.compare(served, candidate, store, now=NOW, details={}, said=said)
    scores = {standing.name: standing.score for standing in verdict.standings}
    assert scores["incumbent"] == pytest.approx(scores["feedback"], abs=0.01) and scores["incumbent"] > 0.9
    assert not verdict.promoted


def test_what_users_objected_to_is_no_silence_when_a_folder_is_published(
    store: Path, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    published(store)
    quiet, loud = "How long does the refund take?", "How long does the parcel take?"
    wire.ask(wire.open_service(store), quiet, now=NOW)
    corrections_of(store, (loud, "en/refund.md", ""))
    seen: list[list[KnownQuestion]] = []
    judged = improving._judged

    def noted(version: bot.Bot, rows: Sequence[KnownQuestion], hide: str = "near") -> learning.Scores:
        seen.append(list(rows))
        return judged(version, rows, hide)

    monkeypatch.setattr(improving, "_judged", noted)
    improving.publish(store / "current", store.name, now=NOW)
    asked = {row.question for rows in seen for row in rows}
    assert quiet in asked and loud not in asked


def test_questions_that_should_not_have_been_answered_judge_nothing() -> None:
    fair, known = KnownQuestion("a", answerable=False), KnownQuestion("b", "x.md", told=True)
    complaint = KnownQuestion("c", answerable=False, told=True)
    assert learning.judging_rows([fair, known, complaint]) == (fair, known)


def test_what_was_said_to_another_store_is_not_learnt(store: Path, home: Path) -> None:
    service = published(store)
    answer = wire.ask(service, "my money has not come back", now=NOW)
    wire.give_feedback(service, answer.decision, "correction", now=NOW, document="en/refund.md")
    with registry.open_home().begin() as connection:
        (row,) = feedback.rows(connection, "chatbot")
    elsewhere = replace(row, payload={**row.payload, "store": str(store.with_name("other"))})
    with pytest.raises(InputError, match=f"0 rows about {store}"):
        improving.retrain([elsewhere], home=home, now=NOW, progress=False)


def test_random_labels_are_refused(store: Path, home: Path) -> None:
    service = published(store)
    rng = np.random.default_rng(0)
    anything = wire.source_ids(service)
    for number, row in enumerate(service.bot.held_out[:30]):
        answer = wire.ask(service, row.question, now=NOW)
        wrong = anything[int(rng.integers(len(anything)))]
        wire.give_feedback(service, answer.decision, "correction", now=NOW, user=str(number), document=wrong)
    with registry.open_home().begin() as connection:
        rows = feedback.rows(connection, "chatbot")
    verdict = improving.retrain(rows, home=home, now=NOW, progress=False)
    assert not verdict.promoted
    assert wire.open_service(store).bot.version == service.bot.version


def test_a_better_version_ships_and_a_rollback_restores_every_byte(store: Path, home: Path, tmp_path: Path) -> None:
    current = bot.load(store / "current")
    blind = {
        language: dict.fromkeys(weights, 0.0) | {"intent": 1e-6}
        for language, weights in current.retriever.weights.items()
    }
    part = current.folder / "intent"
    worse = replace(current.retriever, weights=blind)
    bot.write(tmp_path / "worse", worse, current.deciders, current.tuning, current.held_out,
              encoder=None, intent=part if part.is_dir() else None)  # fmt: skip
    registry.publish(
        "chatbot", store, {"x": tmp_path / "worse"}, {"x": np.ones(1)}, rng=np.random.default_rng(0), now=NOW
    )
    asked = [row.question for row in current.held_out[:12]]

    def answers() -> list[dict[str, Any]]:
        service = wire.open_service(store)
        told = [asdict(wire.ask(service, question, now=NOW)) for question in asked]
        return [{key: value for key, value in row.items() if key not in ("milliseconds", "decision")} for row in told]

    before = answers()
    verdict = improving.publish(store / "current", store.name, now=NOW)
    assert verdict.promoted and answers() != before
    registry.rollback("chatbot", now=NOW)
    assert answers() == before


def test_feedback_on_nothing_is_refused(service: wire.Service) -> None:
    with pytest.raises(InputError, match="id of an answer"):
        wire.give_feedback(service, "none", "thumb_up", now=NOW)
    answer = wire.ask(service, "refund", now=NOW)
    with pytest.raises(InputError, match="right document"):
        wire.give_feedback(service, answer.decision, "correction", now=NOW)
    with pytest.raises(InputError, match="thumb_up"):
        wire.give_feedback(service, answer.decision, "applause", now=NOW)


def test_split_parts_never_meet(world: Path) -> None:
    known = ingest.read_questions(world / "known.csv")
    parts = learning.split(known)
    together = [*parts.train, *parts.tuning, *parts.held_out]
    assert sorted(map(repr, together)) == sorted(map(repr, known))
    assert {row.answerable for row in parts.train} == {True}
    assert parts.train and parts.tuning and parts.held_out


def test_a_question_stays_in_its_part_when_the_list_grows(world: Path) -> None:
    known = ingest.read_questions(world / "known.csv")
    more = [replace(row, question=f"{row.question} please") for row in known]
    before, after = learning.split(known), learning.split([*more, *reversed(known)])
    for name in ("train", "tuning", "held_out"):
        assert set(getattr(before, name)) == set(getattr(after, name)) & set(known)


def test_what_users_taught_survives_the_next_build(world: Path, tiny_encoder: Path, store: Path, home: Path) -> None:
    service = published(store)
    lessons = [Lesson("my money has not come back", "en/refund.md"), Lesson("lost", "en/gone.md"), Lesson("hm", "")]
    improving.write_candidate(service.bot, lessons, home / "c")
    registry.publish(
        "chatbot", store, {"c": home / "c"}, {"c": np.ones(1)}, rng=np.random.default_rng(0), now=NOW
    )  # fmt: skip
    inputs = Inputs(world / "documents", world / "faq.csv", world / "dialogues.jsonl", world / "known.csv")
    for _ in range(2):
        built = build(inputs, store, Settings(str(tiny_encoder), 0, 0), now=NOW, progress=False)
        rebuilt = wire.open_service(store).bot
        assert built.counts["taught"] == 3 and rebuilt.taught == tuple(lessons)
        assert "my money has not come back" in rebuilt.knowledge.question_texts()


def test_a_store_copied_to_another_machine_keeps_what_users_taught(
    world: Path, tiny_encoder: Path, store: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lessons = [Lesson("my money has not come back", "en/refund.md")]
    improving.write_candidate(wire.open_service(store).bot, lessons, home / "c")
    shutil.rmtree(store / "current")
    shutil.copytree(home / "c", store / "current")
    monkeypatch.setenv("FIELDTUNE_HOME", str(home / "elsewhere"))
    built = build(Inputs(world / "documents"), store, Settings(str(tiny_encoder), 0, 0), now=NOW, progress=False)
    assert built.counts["taught"] == 1 and wire.open_service(store).bot.taught == tuple(lessons)


def test_an_erased_user_leaves_the_store_and_the_next_version(
    cli: Callable[..., Any], world: Path, tiny_encoder: Path, store: Path, home: Path
) -> None:
    service, asked = published(store), "my money has not come back"
    said = {user: wire.ask(service, asked, session=user, now=NOW).decision for user in ("ann", "bob")}
    for user in said:
        wire.give_feedback(service, said[user], "correction", now=NOW, user=user, document="en/refund.md")
    of = {user: (feedback.user_hash(user),) for user in said}
    lessons = [
        Lesson("it is jo speaking", "en/refund.md", users=of["ann"]),
        Lesson(asked, "en/refund.md", users=of["bob"]),
    ]
    improving.write_candidate(service.bot, lessons, home / "c")
    registry.publish("chatbot", store, {"c": home / "c"}, {"c": np.ones(1)}, rng=np.random.default_rng(0), now=NOW)
    assert "check --store" in cli("feedback", "erase", "--user", "eve", "--store", home / "nothing").err
    (spoken, *_) = wire.history(service, "ann")
    Cache().put(b"an encoder of its own", [spoken["body"]], np.ones((1, 3), dtype=np.float32))
    ran = cli("feedback", "erase", "--user", "ann", "--json")
    assert (ran.json["erased"], ran.json["turns"]) == (1, 2) and ran.json["vectors"] >= 1
    assert not Cache().get(b"an encoder of its own", [spoken["body"]])
    assert wire.history(service, "ann") == [] and len(wire.history(service, "bob")) == 2
    with service.engine.begin() as connection:
        assert [decisions.get(connection, said[user]) is None for user in ("ann", "bob")] == [True, False]
    served = bot.load(registry.serving("chatbot", store))
    assert served.taught == tuple(lessons)
    with registry.open_home().begin() as connection:
        improving.write_candidate(served, [], home / "d", feedback.erased(connection))
    build(
        Inputs(world / "documents", world / "faq.csv"),
        store,
        Settings(str(tiny_encoder), 0, 0),
        now=NOW,
        progress=False,
    )
    for folder in (home / "d", registry.serving("chatbot", store)):
        assert bot.load(folder).taught == tuple(lessons[1:])
        assert not [file for file in folder.glob("*.json*") if "it is jo speaking" in file.read_text(encoding="utf-8")]


def test_a_corrected_answer_keeps_the_companys_address_and_teaches_no_placeholder(
    world: Path, store: Path, home: Path
) -> None:
    service = published(store)
    entry = replace(service.bot.knowledge.entries[0], answer="Write to refunds@shop.example.", id="own")
    service.bot.retriever.knowledge = organise(service.bot.knowledge.documents, [*service.bot.knowledge.entries, entry])
    for address in ("refunds@shop.example", "jo@home.example"):
        answer = wire.ask(service, f"whom do I ask at {address[:2]}", now=NOW)
        wire.give_feedback(service, answer.decision, "correction", now=NOW, answer=f"Mail {address}.")
    with registry.open_home().begin() as connection:
        rows = feedback.rows(connection, "chatbot")
    assert sorted(row.payload["answer"] for row in rows) == ["Mail [email].", "Mail refunds@shop.example."]
    (lesson,) = corrections.lessons([(row.kind, row.payload, row.user) for row in rows])
    assert lesson.answer == "Mail refunds@shop.example."


def test_one_lesson_does_not_replace_the_wordings_that_stand_in_for_known_questions(world: Path) -> None:
    inputs = Inputs(world / "documents", world / "faq.csv")
    without = gather(inputs).known
    lessons = [Lesson("my money has not come back", "en/refund.md"), Lesson("lost", "en/gone.md")]
    found = gather(inputs, lessons)
    assert len(without) > 10 and {row.question for row in found.known} >= {row.question for row in without}
    asked = {row.question for row in found.known}
    assert "my money has not come back" in asked and "lost" not in asked and found.lost == ("en/gone.md",)


def test_near_questions_are_one_witness(service: wire.Service, home: Path) -> None:
    asked = (
        "my money has not come back",
        "my money has not come back!!",
        "my money has not come backk",
        "parcel lost?",
    )
    improving.write_candidate(service.bot, [Lesson(text, "en/refund.md") for text in asked], home / "c")
    events = improving.distinct(service.bot, bot.load(home / "c"))
    assert [row.question for row in events] == [asked[0], asked[3]]


def test_equal_and_misspelt_wordings_are_hidden(service: wire.Service) -> None:
    retriever = service.bot.retriever
    for unit, (_, wording) in enumerate(retriever.knowledge.questions):
        assert unit in retriever.same_wordings(wording) and unit in retriever.same_wordings(f"Hello, {wording}", SAME)


def test_what_no_command_could_write_is_refused_before_the_work(cli: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "m.csv").mkdir()
    ran = cli("chatbot", "mine", "--dialogues", "nowhere.jsonl", "--out", tmp_path / "m.csv")
    assert (ran.code, "found the folder" in ran.err) == (1, True)
    url = "postgresql://user:secret@host/db"
    for command in (("build", "--documents", "d"), ("ask", "x"), ("evaluate", "--questions", "q.csv"), ("ui",)):
        ran = cli("chatbot", *command, "--store", url)
        assert (ran.code, "found a URL, postgresql://..." in ran.err, "secret" in ran.err) == (1, True, False)


def test_the_commands(cli: Callable[..., Any], world: Path, store: Path, tmp_path: Path) -> None:
    mined = cli("chatbot", "mine", "--dialogues", world / "dialogues.jsonl", "--out", tmp_path / "m.csv", "--json")
    assert mined.json["pairs"] == 6 and len(ingest.read_faq(tmp_path / "m.csv")) == 6
    asked = cli("chatbot", "ask", "How long does the parcel take?", "--store", store, "--json")
    keys = {
        "answer",
        "outcome",
        "confidence",
        "reason",
        "intent",
        "citations",
        "alternatives",
        "language",
        "milliseconds",
    }
    assert keys <= set(asked.json)
    figures = cli("chatbot", "evaluate", "--store", store, "--questions", world / "test.csv", "--json").json
    assert {"recall@1", "coverage", "answered_wrong", "unanswerable_answered", "correct_first", "p50_ms"} <= set(
        figures
    )
    nothing = cli("chatbot", "ask", "hello", "--store", tmp_path / "nothing")
    assert nothing.code == 1 and "chatbot build" in nothing.err and "Traceback" not in nothing.err
    later = cli("chatbot", "review")
    assert later.code == 1 and "0.2" in later.err
