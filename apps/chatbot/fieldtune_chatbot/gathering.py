"""A company's files, read and put in order: articles, answers, dialogues, known questions, and what users taught.

Also the tables of answers that wait for a person's approval. Knows files; not models, nor what serves.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from fieldtune.data.scrub import contacts, hides
from fieldtune.data.write import write_table
from fieldtune.errors import InputError
from fieldtune.progress import say
from fieldtune.text.normalise import equality_key
from fieldtune_chatbot import corrections, ingest, mining
from fieldtune_chatbot.knowledge import Knowledge, organise, pseudo_known, with_known, with_mined
from fieldtune_chatbot.records import FaqEntry, KnownQuestion, Lesson

_PSEUDO = 600


@dataclass(frozen=True)
class Inputs:
    """What a bot is built from; everything but the articles may be missing."""

    documents: Path
    faq: Path | None = None
    dialogues: Path | None = None
    questions: Path | None = None


def check(inputs: Inputs) -> None:
    """Complain about missing files before anything is read."""
    for option, path in asdict(inputs).items():
        if path is not None and not Path(path).exists():
            raise InputError(f"--{option} to name something", f"nothing at {path}", "check the path")


@dataclass(frozen=True)
class Gathered:
    """What the files hold, and what users taught since.

    Attributes:
        known: known questions to tune and judge on, those of users included; without a list of them, other wordings of
            the FAQ stand in.
        skipped: files that were not read -> why. lost: articles that questions or entries name and that are not there.
        review: entries of mined answers that nobody has approved; not part of `knowledge`.
    """

    knowledge: Knowledge
    known: tuple[KnownQuestion, ...]
    counts: Mapping[str, int]
    skipped: Mapping[str, str]
    lost: tuple[str, ...]
    review: tuple[FaqEntry, ...] = ()


def gather(
    inputs: Inputs, taught: Sequence[Lesson] = (), *, publish_mined: bool = False, hosts: Sequence[str] | None = None
) -> Gathered:
    """Read the files, mine the dialogues, put it all in order; what users taught comes last and has the last word."""
    documents, skipped = ingest.read_documents(inputs.documents, hosts=hosts)
    entries: list[FaqEntry] = ingest.read_faq(inputs.faq) if inputs.faq else []
    own = contacts([*(document.text for document in documents), *(entry.answer for entry in entries)])
    known = ingest.read_questions(inputs.questions, own) if inputs.questions else []
    counts = {"documents": len(documents), "faq": len(entries), "known_questions": len(known)}
    new: list[FaqEntry] = []
    if inputs.dialogues:
        pairs = mining.mine(ingest.read_dialogues(inputs.dialogues), keep=own)
        entries, new = with_mined(entries, pairs)
        hidden = sum(hides(pair.answer) for pair in pairs)
        counts |= {"mined_pairs": len(pairs), "mined_with_personal_data": hidden, "mined_answers": len(new)}
    if publish_mined:
        entries, new = [*entries, *new], []
    knowledge = organise(documents, entries)
    _check_known(known, knowledge, inputs.documents)
    knowledge = organise(documents, with_known(knowledge, known))
    knowledge = organise(documents, corrections.learnt(knowledge, taught))
    counts |= {"taught": len(taught), "passages": len(knowledge.passages), "wordings": len(knowledge.questions)}
    places = knowledge.source_of()
    named = [row.document for row in known] + [row.document for row in entries] + [row.document for row in taught]
    lost = dict.fromkeys(document for document in named if document and document not in places)
    said = [row for row in corrections.as_known(taught) if not row.document or row.document in places]
    asked = {equality_key(row.question): row for row in (*(known or pseudo_known(knowledge, _PSEUDO)), *said)}
    return Gathered(knowledge, tuple(asked.values()), counts, skipped, tuple(lost), tuple(new))


def for_review(found: Gathered, store: Path, progress: bool) -> str:
    """The name of the file with mined answers that wait for approval, or "".

    Raises:
        InputError: the dialogues could only help with answers that nobody has approved.
    """
    if progress and found.counts.get("mined_with_personal_data"):
        say(f"note: {found.counts['mined_with_personal_data']} mined answers hold personal data and are never served")
    if not found.review:
        return ""
    file = review_file(found.review, store, "mined")
    if not found.counts["faq"]:
        raise InputError(
            "approved answers (--faq) that the dialogues can add wordings to",
            f"none, and {len(found.review)} answers of agents that nobody has approved, written to {file}",
            f"look through it and build with --faq {file}, or with --publish-mined to serve them as they are",
        )
    if progress:
        say(
            f"note: {len(found.review)} mined answers are not served until somebody approves them: look through {file} "
            "and add what is right to the FAQ (--publish-mined serves them as they are)"
        )
    return str(file)


def review_file(entries: Iterable[FaqEntry], store: Path, kind: str) -> Path:
    """The table in the store, in the form of a FAQ, with answers that wait for approval.

    It is named by its rows and written once, so that what a person changes in it is never overwritten.

    Args:
        kind: where the answers come from, the first word of the file's name.
    """
    table = ingest.faq_table(map(asdict, entries))
    name = f"{kind}-{hashlib.sha256(table.to_csv().encode()).hexdigest()[:12]}"
    file = store / f"{name}.csv"
    if not file.is_file():
        temporary = store / f"{name}.partial.csv"
        write_table(table, temporary)
        temporary.replace(file)
    return file


def _check_known(known: Sequence[KnownQuestion], knowledge: Knowledge, documents: Path) -> None:
    places = knowledge.source_of()
    named = [row.document for row in known if row.document]
    if named and not any(document in places for document in named):
        raise InputError(
            "known questions whose document is one of the articles",
            f"none; e.g. {named[0]!r} is not under {documents}",
            "name documents by their path relative to --documents",
        )
