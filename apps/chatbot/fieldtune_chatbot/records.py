"""The values that pass between the chatbot's modules; frozen, without behaviour beyond reading and writing rows.

Knows nothing of files, databases or models.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any


def text_version(text: str) -> str:
    """Name of one wording of a document: 12 hexadecimal digits of its sha256, the same wherever it is computed."""
    return hashlib.sha256(text.encode()).hexdigest()[:12]


@dataclass(frozen=True)
class Document:
    """One wording of one article, or of one FAQ answer.

    Attributes:
        id: path relative to the documents folder, or ``faq/<id>``.
        version: `text_version` of `text`; citations count characters in this very text.
    """

    id: str
    version: str
    title: str
    text: str
    language: str
    tenant: str = "default"


@dataclass(frozen=True)
class Passage:
    """``document.text[start:end]``, with the headings it stands under."""

    start: int
    end: int
    heading: str = ""


@dataclass(frozen=True)
class FaqEntry:
    """A question with its approved answer.

    Attributes:
        document: the article it rests on, or "".
        origin: ``faq``, ``dialogue`` or ``feedback``; of the last, `answer` is a passage of the article.
    """

    id: str
    question: str
    answer: str
    intent: str = ""
    similar: tuple[str, ...] = ()
    language: str = ""
    document: str = ""
    origin: str = "faq"


@dataclass(frozen=True)
class Turn:
    """One utterance; `role` is ``customer`` or ``agent``."""

    role: str
    text: str
    time: str = ""


@dataclass(frozen=True)
class Dialogue:
    """A support conversation; `resolved` and `rating` (1 to 5) are None when the log does not say."""

    id: str
    turns: tuple[Turn, ...]
    resolved: bool | None = None
    rating: float | None = None
    language: str = ""


@dataclass(frozen=True)
class MinedPair:
    """A question customers asked and the answer that worked, personal data removed.

    Attributes:
        similar: other wordings of the question seen with the same answer.
        weight: 0 to 1, how well those conversations ended.
        support: in how many conversations.
        dialogues: which ones.
    """

    question: str
    answer: str
    similar: tuple[str, ...]
    language: str
    weight: float
    support: int
    dialogues: tuple[str, ...] = ()


@dataclass(frozen=True)
class KnownQuestion:
    """A question with its right source, for tuning or judging.

    `told` is known from what users said of an answer. Nobody complains of a question that was rightly not answered,
    so such questions are no fair sample of those without an answer.
    """

    question: str
    document: str = ""
    answer: str = ""
    answerable: bool = True
    intent: str = ""
    language: str = ""
    told: bool = False


@dataclass(frozen=True)
class Lesson:
    """What one row says: `question` belongs to the source `document`, or deserves the new `answer`, which is served only
    once somebody approved it; with neither, it should not have been answered. `users` are the hashes
    (`fieldtune.feedback.user_hash`) of who said so."""

    question: str
    document: str
    answer: str = ""
    intent: str = ""
    users: tuple[str, ...] = ()


@dataclass(frozen=True)
class Citation:
    """Characters `start` to `end` of one version of a document; `text` is exactly what stands there."""

    document: str
    version: str
    start: int
    end: int
    text: str


@dataclass(frozen=True)
class Answer:
    """What ``ask --json`` prints; `outcome` is ``answer``, ``ask_back`` or ``hand_off``."""

    answer: str
    outcome: str
    confidence: float
    reason: str
    intent: str
    citations: tuple[Citation, ...]
    alternatives: tuple[str, ...]
    language: str
    milliseconds: float = 0.0
    decision: str = ""


@dataclass(frozen=True)
class Event:
    """One step of a reply as it forms: ``retrieved``, ``decided``, ``text``, ``citation``, ``done``."""

    kind: str
    data: Mapping[str, Any] = field(default_factory=dict)


def faq_row(entry: FaqEntry) -> dict[str, Any]:
    """An entry as a JSON row."""
    return {**asdict(entry), "similar": list(entry.similar)}


def faq_entry(row: Mapping[str, Any]) -> FaqEntry:
    """The entry of a JSON row written by `faq_row`."""
    return FaqEntry(**{**row, "similar": tuple(row["similar"])})
