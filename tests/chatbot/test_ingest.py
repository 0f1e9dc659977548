"""Good files become rows; bad ones give one line that names the file."""

import io
import json
import tempfile
from csv import DictReader
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fieldtune.data.scrub import contacts
from fieldtune.data.spreadsheet import guarded, unguarded
from fieldtune.errors import InputError
from fieldtune_chatbot.gathering import review_file
from fieldtune_chatbot.ingest import read_dialogues, read_documents, read_faq, read_questions, skipped_notes
from fieldtune_chatbot.records import FaqEntry, text_version


def test_a_rating_that_is_no_number_and_a_cell_too_large_are_named(tmp_path: Path) -> None:
    turns = [{"role": "customer", "text": "hello"}]
    (tmp_path / "d.jsonl").write_text(json.dumps({"turns": turns, "rating": "good"}) + "\n")
    with pytest.raises(InputError, match="'good' in line 1"):
        read_dialogues(tmp_path / "d.jsonl")
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "t.csv").write_text("a,b\n" + "x" * 11_000_000 + ",1\n")
    with pytest.raises(InputError, match="ordinary cells"):
        read_documents(tmp_path / "docs")


def test_documents_keep_their_path_language_and_version(tmp_path: Path) -> None:
    (tmp_path / "zh").mkdir()
    (tmp_path / "zh" / "a.md").write_text("# 退款\n\n五天到账。\n", encoding="utf-8")
    (tmp_path / "b.html").write_text("<title>Fees</title><p>None at all.</p>", encoding="utf-8")
    (tmp_path / "c.csv").write_text("Plan,Price\nBasic,0\n", encoding="utf-8")
    (tmp_path / "d.pdf").write_bytes(b"%PDF")
    (tmp_path / "e.md").write_text("\n", encoding="utf-8")
    documents, skipped = read_documents(tmp_path)
    assert [(doc.id, doc.title, doc.language) for doc in documents] == [
        ("b.html", "Fees", "en"), ("c.csv", "c", "en"), ("zh/a.md", "退款", "zh"),
    ]  # fmt: skip
    assert all(doc.version == text_version(doc.text) for doc in documents)
    assert skipped == {"d.pdf": "of kinds not read here", "e.md": "without text"}


@pytest.mark.parametrize("first", ["", "sep=;\n"])
def test_a_table_among_the_articles_may_have_semicolons(tmp_path: Path, first: str) -> None:
    (tmp_path / "c.csv").write_text(f"{first}Plan;Price\nBasic, small;0\n", encoding="utf-8-sig")
    assert [document.text for document in read_documents(tmp_path)[0]] == ["Plan: Basic, small; Price: 0\n"]


def test_what_is_hidden_or_linked_in_from_elsewhere_is_no_article(tmp_path: Path) -> None:
    folder, secret = tmp_path / ".site" / "articles", tmp_path / "secret.md"  # only what is hidden inside counts
    for name in ("a.md", ".note.md", ".trash/old.md", "help/.git/note.md"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"# {name}\n\nWords of an article.\n")
    secret.write_text("The safe opens with 1234.\n")
    (folder / "b.md").symlink_to("a.md")
    for name, target in {
        "out.md": secret, "trash.md": folder / ".trash" / "old.md", "gone.md": tmp_path / "nothing", "loop.md": "loop.md",
        "all": tmp_path,
    }.items():  # fmt: skip
        (folder / name).symlink_to(target)
    documents, skipped = read_documents(folder)
    assert [document.id for document in documents] == ["a.md", "b.md"]
    assert {name for name, why in skipped.items() if why == "hidden"} == {
        ".note.md", ".trash/old.md", "help/.git/note.md",
    }  # fmt: skip
    assert {name for name, why in skipped.items() if "links" in why} == {
        "all", "gone.md", "loop.md", "out.md", "trash.md",
    }  # fmt: skip
    assert skipped_notes(skipped) == [
        "note: 3 files are not read (hidden), e.g. .note.md",
        "note: 5 files are not read (links to something else than a visible file of the folder), e.g. all",
    ]


def test_wrong_encoding_and_missing_folder_are_named(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_bytes("退款".encode("gb18030"))
    with pytest.raises(InputError, match=r"(?i)utf-8.*a\.md.*save it as UTF-8 in the editor.*iconv"):
        read_documents(tmp_path)
    (tmp_path / "a.md").write_bytes("How do I pay?".encode("utf-16-le"))
    with pytest.raises(InputError, match=r"a\.md.*UTF-16.*iconv -f utf-16"):
        read_documents(tmp_path)
    with pytest.raises(InputError, match="nothing at"):
        read_documents(tmp_path / "none")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="articles"):
        read_documents(tmp_path / "empty")


def test_a_file_in_place_of_the_folder_and_an_article_that_may_not_be_read_are_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    article = tmp_path / "a.md"
    article.write_text("# Refunds\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"a folder of articles; found the file .*a\.md.*--faq"):
        read_documents(article)

    def barred(path: Path) -> bytes:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "read_bytes", barred)
    with pytest.raises(InputError, match=r"a\.md: Permission denied"):
        read_documents(tmp_path)


def csv(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_faq_rows(tmp_path: Path) -> None:
    text = "question,answer,similar,document\nHow?,So.,How so|Why ,./a.md\nhow,So.,,\n"
    (entry,) = read_faq(csv(tmp_path / "faq.csv", text))
    assert (entry.similar, entry.language, entry.document) == (("How so", "Why"), "en", "a.md")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("question,answer\nHow?,So.\nHOW,Not so.\n", r"one answer per question.*row 3"),
        ("question,answer\n?,So.\n", "row 2"),
        ("question,answer\n😀?,Smile\n", r"questions in words; found a question without letters, '😀\?', in row 2"),
        ("question,answer\n,Smile\n", "a question and an answer in every row; found row 2"),
        ("question,answer\nHow?,\n", "row 2"),
        ("question,answer\n,\n\nHow?,\n", "row 4"),
        ("frage,answer\nHow?,So.\n", "question"),
        ("question,answer\n", "at least one row"),
        ("question,answer,language\nHow?,So.,en\nWhy?,So.,Chinese\n", r"en, zh, other; found 'Chinese' in row 3"),
    ],
)
def test_bad_faq(tmp_path: Path, text: str, complaint: str) -> None:
    with pytest.raises(InputError, match=complaint):
        read_faq(csv(tmp_path / "faq.csv", text))


typed = st.text("'=+-@\t\r\n＝＋－＠ a|.", max_size=6)


@given(typed)
@example("=1+1")
@example("'=1+1")
@example("it's")
def test_a_guarded_cell_is_no_formula_and_comes_back_exactly(cell: str) -> None:
    assert not guarded(cell).startswith(tuple("=+-@\t\r\n＝＋－＠"))
    assert unguarded(guarded(cell)) == cell


@given(typed, typed)
@example("", "a\r=cmd")
def test_what_strangers_typed_comes_back_from_a_table_in_which_nothing_runs(question: str, answer: str) -> None:
    entry = FaqEntry("i", f"{question.strip()}why", f"{answer.strip()}so", "=cmd", ("@a", "-b"), "en", "+doc.md")
    with tempfile.TemporaryDirectory() as folder:
        file = review_file([entry], Path(folder), "typed")
        (row,) = DictReader(io.StringIO(file.read_bytes().decode(), newline=""))
        (read,) = read_faq(file)
    assert not any(cell.startswith(tuple("=+-@\t\r\n＝＋－＠")) for cell in row.values())
    plain = [text.replace("\r\n", "\n").replace("\r", "\n") for text in (entry.question, entry.answer)]
    assert [read.question, read.answer, read.intent] == [*plain, "=cmd"]
    assert (read.similar, read.document) == (("@a", "-b"), "+doc.md")


def test_the_companys_own_table_is_read_as_it_stands(tmp_path: Path) -> None:
    answers = ["- Open the app", "+86 10 1234", "=fees", "'@home' is our plan", "'=fees' is a formula", "it's so"]
    text = "question,answer\n" + "".join(f'Why {number}?,"{text}"\n' for number, text in enumerate(answers))
    assert [entry.answer for entry in read_faq(csv(tmp_path / "faq.csv", text))] == answers


def lines(path: Path, *rows: object) -> Path:
    return csv(path, "".join(json.dumps(row) + "\n" for row in rows))


def test_dialogues(tmp_path: Path) -> None:
    turns = [{"role": "customer", "text": "Hi"}, {"role": "agent", "text": "Hello", "time": "2026-01-01"}]
    rows = lines(tmp_path / "d.jsonl", {"turns": turns, "resolved": False, "rating": 4}, {"turns": turns, "id": "x"})
    one, other = read_dialogues(rows)
    assert (one.id, one.resolved, one.rating, one.turns[1].time) == ("1", False, 4.0, "2026-01-01")
    assert (other.id, other.resolved, other.rating) == ("x", None, None)


@pytest.mark.parametrize(
    ("row", "complaint"),
    [
        ({"turns": "no"}, "turns as a list"),
        ({"turns": [{"role": "customer"}]}, "turns as a list"),
        ({"turns": [{"role": "bot", "text": "x"}]}, "roles"),
        ({"talk": []}, "turns"),
        ({"turns": [], "language": "Chinese"}, r"en, zh, other; found 'Chinese' in line 1"),
    ],
)
def test_bad_dialogues(tmp_path: Path, row: object, complaint: str) -> None:
    with pytest.raises(InputError, match=complaint):
        read_dialogues(lines(tmp_path / "d.jsonl", row))


def test_only_dot_slash_is_taken_from_a_documents_name(tmp_path: Path) -> None:
    (entry,) = read_faq(csv(tmp_path / "faq.csv", "question,answer,document\nHow?,So.,../a.md\n"))
    one, other = read_questions(csv(tmp_path / "q.csv", "question,document\nHow?,..a.md\nWhy?,./b.md\n"))
    assert (entry.document, one.document, other.document) == ("../a.md", "..a.md", "b.md")


def test_questions(tmp_path: Path) -> None:
    text = "question,document,answerable\nHow?,./a.md,1\nWhy?,,0\n为什么？,,no\n"
    rows = read_questions(csv(tmp_path / "q.csv", text))
    assert [(row.document, row.answerable, row.language) for row in rows] == [
        ("a.md", True, "en"), ("", False, "en"), ("", False, "zh"),
    ]  # fmt: skip


def test_a_null_beside_numbers_is_an_empty_cell(tmp_path: Path) -> None:
    lines = '{"question":"How?","answer":"So.","intent":7,"document":1}\n{"question":"Why?","answer":"Thus.","intent":null,"document":null}\n'
    faq, asked = read_faq(csv(tmp_path / "f.jsonl", lines)), read_questions(csv(tmp_path / "q.jsonl", lines))
    assert [[(row.intent, row.document) for row in rows] for rows in (faq, asked)] == [[("7", "1"), ("", "")]] * 2


def test_known_questions_lose_personal_data_but_for_the_companys_own(tmp_path: Path) -> None:
    text = (
        "question,answer\n"
        "Is help@shop.example yours? I am jo@home.example,Mail help@shop.example.\n"
        "May I pay with 4012888888881881?,Call +44 20 7946 0958.\n"
    )
    one, other = read_questions(csv(tmp_path / "q.csv", text), keep=contacts(["Mail: help@shop.example"]))
    assert (one.question, one.answer) == ("Is help@shop.example yours? I am [email]", "Mail help@shop.example.")
    assert (other.question, other.answer) == ("May I pay with [card]?", "Call [phone].")


def test_a_users_language_is_the_one_that_questions_are_asked_in(tmp_path: Path) -> None:
    (entry,) = read_faq(csv(tmp_path / "faq.csv", "question,answer,language\nVISA?,So.,zh-CN\n"))
    (asked,) = read_questions(csv(tmp_path / "q.csv", "question,language\n为什么？,EN\n"))
    (talk,) = read_dialogues(lines(tmp_path / "d.jsonl", {"turns": [], "language": "zh_TW"}))
    assert (entry.language, asked.language, talk.language) == ("zh", "en", "zh")
    with pytest.raises(InputError, match="found 'français' in row 2"):
        read_questions(csv(tmp_path / "q.csv", "question,language\n为什么？,français\n"))
    (tmp_path / "d.jsonl").write_text('{}\n\n{"turns": [{"role": "robot", "text": "x"}]}\n')
    with pytest.raises(InputError, match="'robot'] in line 3"):
        read_dialogues(tmp_path / "d.jsonl")
