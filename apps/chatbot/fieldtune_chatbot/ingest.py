"""Files in: articles, FAQ, dialogues and known questions, checked, each complaint with the file's name.

Knows formats; not what is done with the rows. PDF and DOCX come with a later release and are named when skipped.
"""

import csv
import json
import os
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from fieldtune.data.filled import empty
from fieldtune.data.raw import decode
from fieldtune.data.read import read_table
from fieldtune.data.scrub import scrub
from fieldtune.data.spreadsheet import guarded, unguarded
from fieldtune.errors import InputError
from fieldtune.text.language import detect, known
from fieldtune.text.normalise import equality_key
from fieldtune_chatbot.chunking import title
from fieldtune_chatbot.harmless import inert, rendered
from fieldtune_chatbot.markup import csv_text, html_text, html_title
from fieldtune_chatbot.records import Dialogue, Document, FaqEntry, KnownQuestion, Turn, text_version

_MARKDOWN, _HTML = (".md", ".markdown", ".txt"), (".html", ".htm")
KINDS = (*_MARKDOWN, *_HTML, ".csv")
_FALSE = {"0", "0.0", "false", "no", "n"}
_HIDDEN, _AWAY = "hidden", "links to something else than a visible file of the folder"
_OTHER, _EMPTY = "of kinds not read here", "without text"


def read_documents(
    folder: Path, tenant: str = "default", *, hosts: Collection[str] | None = None
) -> tuple[list[Document], dict[str, str]]:
    """Articles under `folder` in order of path, and what is skipped: path -> why.

    Args:
        hosts: those whose addresses may be told, see `harmless.inert`.

    Raises:
        InputError: no such folder, no article in it, or an article that is not UTF-8 or may not be read.
    """
    if folder.is_file():
        raise InputError(
            "a folder of articles", f"the file {folder}", "name the folder it lies in (a FAQ goes to --faq)"
        )
    if not folder.is_dir():
        raise InputError("a folder of articles", f"nothing at {folder}", "check --documents")
    files, skipped = article_files(folder)
    documents = []
    for file in files:
        if file.suffix.lower() not in KINDS:
            skipped[file.relative_to(folder).as_posix()] = _OTHER
        elif (document := _document(file, folder, tenant, hosts)).text.strip():
            documents.append(document)
        else:
            skipped[document.id] = _EMPTY
    if not documents:
        raise InputError(f"articles ({', '.join(KINDS)}) with text", f"none under {folder}", "check --documents")
    return documents, skipped


def article_files(folder: Path) -> tuple[list[Path], dict[str, str]]:
    """The files under `folder` that may be published, in order of path, and the others: path -> why.

    What is read may be answered to anybody. So nothing hidden is (drafts in a trash folder, a repository's own files),
    and nothing that a link brings in from elsewhere; links to folders are not followed.
    """
    files, left = [], {}
    for file in sorted(folder.rglob("*")):
        if file.is_symlink() or file.is_file():
            if reason := _barred(file, folder):
                left[file.relative_to(folder).as_posix()] = reason
            else:
                files.append(file)
    return files, left


def _barred(file: Path, folder: Path) -> str:
    """Why a file is not for everybody to read; "" where it is."""
    if _hidden(file.relative_to(folder)):
        return _HIDDEN
    if not file.is_symlink():
        return ""
    target, top = Path(os.path.realpath(file)), Path(os.path.realpath(folder))
    stays = target.is_relative_to(top) and not _hidden(target.relative_to(top)) and target.is_file()
    return "" if stays else _AWAY


def _hidden(name: Path) -> bool:
    return any(part.startswith(".") for part in name.parts)


def skipped_notes(skipped: Mapping[str, str]) -> list[str]:
    """What was skipped, a line for each reason, with the first path of each."""
    paths: dict[str, list[str]] = {}
    for path, reason in skipped.items():
        paths.setdefault(reason, []).append(path)
    return [f"note: {len(own)} files are not read ({reason}), e.g. {own[0]}" for reason, own in paths.items()]


def _document(file: Path, folder: Path, tenant: str, hosts: Collection[str] | None) -> Document:
    raw, heading = decode(_bytes(file), file), ""
    match file.suffix.lower():
        case suffix if suffix in _HTML:
            text, heading = html_text(raw), html_title(raw)
        case ".csv":
            text, heading = _table(raw, file), file.stem.replace("-", " ").replace("_", " ")
        case ".txt":
            text = _one_line_end(raw)
        case _:
            text = rendered(_one_line_end(raw))
    text, heading = inert(text, hosts), inert(heading, hosts)
    name = heading if file.suffix.lower() == ".csv" else title(text, heading)
    return Document(file.relative_to(folder).as_posix(), text_version(text), name, text, detect(text), tenant)


def _bytes(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise InputError(
            "an article that may be read",
            f"{file}: {error.strerror}",
            "permit reading it, or move it out of the folder",
        ) from error


def _one_line_end(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _table(raw: str, file: Path) -> str:
    try:
        return csv_text(raw)
    except csv.Error as error:
        raise InputError(
            "a table of ordinary cells", f"{error} in {file}", "split the cell, or save it as text"
        ) from error


def read_faq(path: Path) -> list[FaqEntry]:
    """FAQ rows: question, answer; optional intent, similar (``a|b``), language, document, guarded. Repeated rows once.

    Raises:
        InputError: a row without question or answer, an unknown language, or one question with two answers.
    """
    frame = read_table(
        path, ("question", "answer"), ("intent", "similar", "language", "document", "guarded"), numbered=True
    )
    entries: dict[tuple[str, str], FaqEntry] = {}
    for number, row in _rows(frame):
        mended = unguarded if row["guarded"].strip() == "1" else str
        entry = _faq_entry({key: mended(value).strip() for key, value in row.items()}, path, number)
        key = (entry.language, equality_key(entry.question))
        first = entries.setdefault(key, entry)
        if equality_key(first.answer) != equality_key(entry.answer):
            raise InputError(
                "one answer per question",
                f"two for {entry.question!r}, the second in row {number} of {path}",
                "keep one of them, or word the questions apart",
            )
    return list(entries.values())


def _faq_entry(row: Mapping[str, str], path: Path, number: int) -> FaqEntry:
    where = f"row {number} of {path}"
    if not row["question"] or not row["answer"]:
        raise InputError("a question and an answer in every row", f"{where} without one", "fill or delete it")
    if not equality_key(row["question"]):
        found = f"a question without letters, {row['question']!r}, in {where}"
        raise InputError("questions in words", found, "word it, or delete the row")
    language = known(row["language"], where) or detect(row["question"])
    similar = tuple(text.strip() for text in row["similar"].split("|") if text.strip())
    identity = text_version(f"{language}\n{equality_key(row['question'])}")
    return FaqEntry(
        identity, row["question"], row["answer"], row["intent"], similar, language, row["document"].removeprefix("./")
    )


def read_dialogues(path: Path) -> list[Dialogue]:
    """Conversations, one JSON object a line: turns [{role, text, time}]; optional id, resolved, rating, language.

    Raises:
        InputError: unreadable JSON, a row without usable turns, or an unknown language, with its line.
    """
    frame = read_table(path, ("turns",), ("id", "resolved", "rating", "language"), numbered=True)
    return [_dialogue(row, path, number) for number, row in zip(frame.index, frame.to_dict("records"), strict=True)]


def _dialogue(row: Mapping[Any, Any], path: Path, number: int) -> Dialogue:
    try:
        turns = json.loads(row["turns"]) if isinstance(row["turns"], str) else row["turns"]
        read = tuple(Turn(str(turn["role"]), inert(str(turn["text"])), str(turn.get("time", ""))) for turn in turns)
    except (TypeError, KeyError, ValueError) as error:
        raise InputError(
            "turns as a list of {role, text}", f"line {number} of {path}", "export the conversations again"
        ) from error
    if unknown := {turn.role for turn in read} - {"customer", "agent"}:
        raise InputError(
            "the roles customer and agent", f"{sorted(unknown)} in line {number} of {path}", "rename the roles"
        )
    resolved = None if empty(row["resolved"]) else str(row["resolved"]).strip().lower() not in _FALSE
    try:
        rating = None if empty(row["rating"]) else float(row["rating"])
    except (TypeError, ValueError) as error:
        raise InputError(
            "a rating as a number", f"{row['rating']!r} in line {number} of {path}", "correct it"
        ) from error
    identity, language = ("" if empty(row[name]) else str(row[name]) for name in ("id", "language"))
    return Dialogue(identity or str(number), read, resolved, rating, known(language, f"line {number} of {path}"))


def read_questions(path: Path, keep: Collection[str] = ()) -> list[KnownQuestion]:
    """Known questions: question; optional document (right source), answer, answerable (0 or 1), intent, language.

    Customers asked most of them: personal data is taken out, as it is from what the bot is asked.

    Args:
        keep: `fieldtune.data.scrub.contacts` that are not personal: the company's own.

    Raises:
        InputError: an unknown language, with its row.
    """
    frame = read_table(path, ("question",), ("document", "answer", "answerable", "intent", "language"), numbered=True)
    return [_known_question(row, f"row {number} of {path}", keep) for number, row in _rows(frame)]


def _known_question(row: Mapping[str, str], where: str, keep: Collection[str]) -> KnownQuestion:
    text, answer = (scrub(row[name], keep).text for name in ("question", "answer"))
    answerable = row["answerable"].strip().lower() not in _FALSE
    return KnownQuestion(
        text,
        row["document"].strip().removeprefix("./"),
        answer,
        answerable,
        row["intent"].strip(),
        known(row["language"], where) or detect(text),
    )


def _rows(frame: pd.DataFrame) -> Iterator[tuple[int, dict[str, str]]]:
    """The number and the cells of each row, as texts; a null beside numbers is an empty cell too."""
    for number, row in zip(frame.index, frame.to_dict("records"), strict=True):
        yield number, {str(name): "" if empty(cell) else str(cell) for name, cell in row.items()}


def faq_table(rows: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """Mined pairs, or entries, as the table that `read_faq` reads and a person looks through in a spreadsheet.

    `guarded` is 1 in rows that have a cell with an apostrophe in front, see `spreadsheet`. No other row is changed on
    reading: an answer in the company's own table may begin with anything. Line ends are "\\n" in every cell: a lone
    "\\r" ends a row of CSV, and what follows it would begin a cell.
    """
    columns = ["question", "answer", "intent", "similar", "language", "document", "weight", "support", "guarded"]
    told = [{**row, "similar": "|".join(text.replace("|", "/") for text in row["similar"])} for row in rows]
    return pd.DataFrame([_guarded({**dict.fromkeys(columns, ""), **row}) for row in told], columns=columns)


def _guarded(row: Mapping[str, Any]) -> dict[str, Any]:
    told = {name: _one_line_end(value) if isinstance(value, str) else value for name, value in row.items()}
    safe = {name: guarded(value) if isinstance(value, str) else value for name, value in told.items()}
    return {**safe, "guarded": "" if safe == told else "1"}
