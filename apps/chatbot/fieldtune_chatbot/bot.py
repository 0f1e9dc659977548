"""One version of the bot: a folder that holds everything that decides an answer.

The folder: ``bot.json`` (weights, decider), ``documents.jsonl``, ``entries.jsonl``, ``words_*`` (BM25),
``vectors.npy``, ``encoder/``, ``intent/``, ``tuning.jsonl`` and ``held_out.jsonl`` (known questions, one part to
choose weights and threshold on, the other for the gate), ``taught.jsonl`` (what users taught, for the next build).
Nothing in it depends on the clock or on the order of a set, so equal inputs give equal bytes.
"""

import json
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from fieldtune.data.scrub import contacts
from fieldtune.errors import ArtefactError
from fieldtune.models import Classifier, Embedder
from fieldtune.models.folder import staged, verify
from fieldtune.registry import version_of
from fieldtune.retrieval.bm25 import Bm25
from fieldtune_chatbot.deciding import FEATURES, Decider, Logistic
from fieldtune_chatbot.knowledge import Knowledge, from_rows, own_document, to_rows
from fieldtune_chatbot.records import Document, KnownQuestion, Lesson
from fieldtune_chatbot.retrieve import ANY, Retriever, approved_texts
from fieldtune_chatbot.tune import vocabulary

FORMAT = 1
TAUGHT = "taught.jsonl"


@dataclass
class Bot:
    """A loaded version, ready to answer; `version` names its bytes."""

    retriever: Retriever
    deciders: Mapping[str, Decider]
    tuning: tuple[KnownQuestion, ...]
    held_out: tuple[KnownQuestion, ...]
    taught: tuple[Lesson, ...]
    version: str
    folder: Path

    def decider_for(self, language: str) -> Decider:
        """The language's decider, or the one of all."""
        return self.deciders.get(language) or self.deciders[ANY]

    @property
    def knowledge(self) -> Knowledge:
        """What it can cite."""
        return self.retriever.knowledge

    @cached_property
    def document_versions(self) -> dict[str, str]:
        """The version of every text that it can cite, by the document's id."""
        return {document.id: document.version for document in citable(self.knowledge)}

    @cached_property
    def contacts(self) -> frozenset[str]:
        """Addresses and numbers that its texts tell everybody (`fieldtune.data.scrub.contacts`)."""
        return contacts(approved_texts(self.knowledge))


def write(
    folder: Path,
    retriever: Retriever,
    deciders: Mapping[str, Decider],
    tuning: Sequence[KnownQuestion],
    held_out: Sequence[KnownQuestion],
    *,
    taught: Sequence[Lesson] = (),
    encoder: Path | None,
    intent: Path | None,
) -> None:
    """Write a version folder, all or nothing.

    Args:
        encoder, intent: model folders to copy into it.
    """
    documents, entries = to_rows(retriever.knowledge)
    card = {
        "format": FORMAT,
        "weights": {language: dict(weights) for language, weights in sorted(retriever.weights.items())},
        "deciders": {language: asdict(decider) for language, decider in sorted(deciders.items())},
        "features": list(FEATURES),
        "sources": len(retriever.knowledge.sources),
        "passages": len(retriever.knowledge.passages),
        "questions": len(retriever.knowledge.questions),
    }
    with staged(folder) as temporary:
        (temporary / "bot.json").write_text(
            json.dumps(card, indent=1, sort_keys=True, allow_nan=False), encoding="utf-8"
        )
        write_rows(temporary / "documents.jsonl", documents)
        write_rows(temporary / "entries.jsonl", entries)
        write_rows(temporary / "tuning.jsonl", map(asdict, tuning))
        write_rows(temporary / "held_out.jsonl", map(asdict, held_out))
        write_rows(temporary / TAUGHT, map(asdict, taught))
        retriever.words_passage.save(temporary / "words_passage")
        retriever.words_question.save(temporary / "words_question")
        retriever.words_source.save(temporary / "words_source")
        if retriever.vectors is not None:
            np.save(temporary / "vectors.npy", retriever.vectors, allow_pickle=False)
        for part, origin in (("encoder", encoder), ("intent", intent)):
            if origin is not None:
                shutil.copytree(origin, temporary / part)


def load(folder: Path) -> Bot:
    """Load a version folder; every file is verified first.

    Raises:
        InputError: no such folder. ArtefactError: damaged, foreign, or written by a newer release.
    """
    verify(folder)
    try:
        card = json.loads((folder / "bot.json").read_text(encoding="utf-8"))
        if card["format"] != FORMAT or card["features"] != list(FEATURES):
            raise ArtefactError(f"a bot of format {FORMAT} at {folder}", "one of another release", "build it again")
        knowledge = from_rows(read_rows(folder / "documents.jsonl"), read_rows(folder / "entries.jsonl"))
        deciders = {language: _decider(row) for language, row in card["deciders"].items()}
        tuning, held_out = (
            tuple(KnownQuestion(**row) for row in read_rows(folder / f"{part}.jsonl"))
            for part in ("tuning", "held_out")
        )
        lessons = taught(folder)
        vectors = np.load(folder / "vectors.npy", allow_pickle=False) if (folder / "vectors.npy").is_file() else None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ArtefactError(
            f"a chatbot version of this release at {folder}", f"{type(error).__name__}: {error}", "build it again"
        ) from error
    encoder, intent = _model(folder / "encoder"), _model(folder / "intent")
    retriever = Retriever(
        knowledge,
        Bm25.load(folder / "words_passage"),
        Bm25.load(folder / "words_question"),
        Bm25.load(folder / "words_source"),
        encoder.encode if isinstance(encoder, Embedder) else None,
        vectors,
        intent if isinstance(intent, Classifier) else None,
        card["weights"],
        vocabulary(encoder),
    )
    return Bot(retriever, deciders, tuning, held_out, lessons, version_of(folder), folder)


def taught(folder: Path) -> tuple[Lesson, ...]:
    """What users taught the version in this folder, or versions before it; nothing where there is no version."""
    file = folder / TAUGHT
    rows = read_rows(file) if file.is_file() else []
    return tuple(Lesson(**{**row, "users": tuple(row.get("users", ()))}) for row in rows)


def load_intent(folder: Path) -> Classifier | None:
    """The classifier in a model folder."""
    model = _model(folder)
    return model if isinstance(model, Classifier) else None


def citable(knowledge: Knowledge) -> list[Document]:
    """Every text a citation may name: the articles, and the FAQ answers as documents of their own."""
    return [*knowledge.documents, *map(own_document, knowledge.entries)]


def _model(folder: Path) -> Any:
    from fieldtune.models import load as load_model

    return load_model(folder) if folder.is_dir() else None


def _decider(row: Mapping[str, Any]) -> Decider:
    answerable, right = (
        Logistic(tuple(row[name]["mean"]), tuple(row[name]["scale"]), tuple(row[name]["weight"]), row[name]["bias"])
        for name in ("answerable", "right")
    )
    return Decider(answerable, right, row["answer_at"], row["sure_at"], row.get("clear_at", 0.0))


def write_rows(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """JSON lines, keys sorted."""
    lines = [json.dumps(dict(row), ensure_ascii=False, sort_keys=True, allow_nan=False) + "\n" for row in rows]
    path.write_text("".join(lines), encoding="utf-8")


def read_rows(path: Path) -> list[dict[str, Any]]:
    """What `write_rows` wrote."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]
