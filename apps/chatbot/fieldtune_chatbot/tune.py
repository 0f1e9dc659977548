"""Models made for this company: an encoder that brings its questions to its answers, and a classifier of intents.

Trains through `fieldtune.pipeline`, which resumes after any interruption. Languages the encoder cannot read are left
out of its training: they would teach it noise. Knows rows; not how a bot uses the models.
"""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from fieldtune import gate
from fieldtune.gate import Verdict
from fieldtune.models import Classifier, Embedder, load, load_encoder
from fieldtune.models.encoder import DEFAULT
from fieldtune.models.folder import MANIFEST, staged
from fieldtune.models.readable import UNKNOWN_LIMIT, unknown_share
from fieldtune.models.trained import OUT_OF_SCOPE
from fieldtune.pipeline import finetune
from fieldtune.retrieval.bm25 import Bm25
from fieldtune.tasks import text_classification
from fieldtune_chatbot.knowledge import Knowledge
from fieldtune_chatbot.records import KnownQuestion

MAX_PAIRS = 6000
_LEAST_PAIRS = 32
_READS = 256
"""Tokens of a text that are read; chunking cuts passages so that they end before."""


def frozen_encoder(model: str, folder: Path) -> Path:
    """The pretrained encoder as a model folder, so that a version is complete without the package it came from."""
    if (folder / MANIFEST).is_file():
        return folder
    encoder = load_encoder(model)
    encoder.card = {"task": "embedding", "method": "full", "frozen": True}
    return _reading(encoder, folder)


def _reading(encoder: Embedder, folder: Path) -> Path:
    """The encoder as a model folder that reads whole passages, also where it was trained on their beginnings."""
    if not (folder / MANIFEST).is_file():
        encoder.card = {**encoder.card, "max_length": _READS}
        with staged(folder) as temporary:
            encoder.save(temporary)
    return folder


def unknown_shares(encoder: Path, texts: Mapping[str, Sequence[str]]) -> dict[str, float]:
    """Share of tokens that the encoder does not know, per language with texts; of 500 of them, spread evenly."""
    model = load(encoder)
    return {
        language: unknown_share(model, list(sample[:: -(-len(sample) // 500)]))
        for language, sample in texts.items()
        if sample
    }


def readable(shares: Mapping[str, float]) -> set[str]:
    """The languages of which the encoder knows at least four tokens in five."""
    return {language for language, share in shares.items() if share <= UNKNOWN_LIMIT}


def training_pairs(
    knowledge: Knowledge,
    known: Sequence[KnownQuestion],
    languages: Collection[str],
    rng: np.random.Generator,
    *,
    leave_out: Collection[str] = (),
) -> pd.DataFrame:
    """query, positive, negative: wordings with their answers, known questions with their passage.

    The negative is the passage or answer of another source that shares most words with the query. `leave_out` are
    wordings too near to questions that will judge the result.
    """
    rows = _faq_pairs(knowledge, languages) + _known_pairs(knowledge, known, languages)
    rows = [row for row in rows if row[0] not in leave_out]
    if len(rows) > MAX_PAIRS:
        rows = [rows[place] for place in sorted(rng.permutation(len(rows))[:MAX_PAIRS].tolist())]
    texts = knowledge.passage_texts() + [entry.answer for entry in knowledge.entries]
    places = knowledge.source_of()
    owners = [*knowledge.passage_source.tolist(), *(places[f"faq/{entry.id}"] for entry in knowledge.entries)]
    negatives = _hard_negatives([(query, source) for query, _, source in rows], texts, owners)
    return pd.DataFrame(
        [(query, positive, negative) for (query, positive, _), negative in zip(rows, negatives, strict=True)],
        columns=["query", "positive", "negative"],
        dtype=str,
    )


Row = tuple[str, str, int]


def _faq_pairs(knowledge: Knowledge, languages: Collection[str]) -> list[Row]:
    rows = []
    for (number, wording), source in zip(knowledge.questions, knowledge.question_source.tolist(), strict=True):
        entry = knowledge.entries[number]
        if entry.language in languages:
            rows.append((wording, entry.answer, source))
            if wording != entry.question:
                rows.append((wording, entry.question, source))
    return rows


def _known_pairs(knowledge: Knowledge, known: Sequence[KnownQuestion], languages: Collection[str]) -> list[Row]:
    """Each known question with the passage of its document that shares most words with it and its answer."""
    places = knowledge.source_of()
    texts = knowledge.passage_texts()
    words = Bm25.build(texts)
    rows = []
    for row in known:
        source = places.get(row.document, -1)
        inside = np.flatnonzero(knowledge.passage_source == source)
        if not row.answerable or row.language not in languages or source < 0 or not len(inside):
            continue
        scores = words.scores(f"{row.question}\n{row.answer}")[inside]
        rows.append((row.question, texts[int(inside[np.argmax(scores)])], source))
    return rows


def _hard_negatives(asked: Sequence[tuple[str, int]], texts: Sequence[str], owners: Sequence[int]) -> list[str]:
    words = Bm25.build(texts)
    _, found = words.search([query for query, _ in asked], 20)
    owner = np.asarray(owners)
    negatives = []
    for (_, source), places in zip(asked, found, strict=True):
        others = places[owner[places] != source]
        negatives.append(texts[int(others[0])] if len(others) else texts[int(np.argmax(owner != source))])
    return negatives


def tune_encoder(
    table: pd.DataFrame, out: Path, *, model: str, max_steps: int, seed: int, progress: bool
) -> Path | None:
    """Fine-tune the encoder on the pairs; None when there are too few of them or no steps to spend."""
    if len(table) < _LEAST_PAIRS or max_steps <= 0:
        return None
    # Dialogues and FAQ come here scrubbed, and the company's own contacts stay in its articles.
    settings = {
        "scrub": False,
        "batch_rows": 32,
        "max_steps": max_steps,
        "epochs": 2,
        "max_length": 96,
        "learning_rate": 5e-5,
    }
    trained = finetune(
        "embedding", table, model=model, method="full", out=out.with_name(f"{out.name}-trained"), settings=settings,
        seed=seed, progress=progress,
    ).path  # fmt: skip
    return _reading(as_embedder(trained), out)


def train_intent(
    knowledge: Knowledge,
    known: Sequence[KnownQuestion],
    tuning: Sequence[KnownQuestion],
    work: Path,
    *,
    model: str,
    leave_out: Collection[str] = (),
    rng: np.random.Generator,
    seed: int,
    progress: bool,
) -> tuple[Path | None, Verdict | None]:
    """The better of two intent classifiers, character n-grams or a head on the frozen encoder; None without intents.

    `tuning` calibrates them, fits the in-scope threshold (its unanswerable questions) and decides between them.
    """
    train = intent_rows(knowledge, known, leave_out)
    valid = _rows([(row.question, row.intent if row.answerable else OUT_OF_SCOPE) for row in tuning])
    if train["label"].nunique() < 2 or len(train) < _LEAST_PAIRS:
        return None, None
    valid = valid[valid["label"].isin([*train["label"].unique(), OUT_OF_SCOPE])].reset_index(drop=True)
    inside = valid[valid["label"] != OUT_OF_SCOPE]
    folders, scores = {}, {}
    for method in ("linear", "head"):
        folders[method] = finetune(
            "text-classification", train, valid=valid if len(inside) else None, model=model if method == "head" else DEFAULT,
            method=method,
            out=work / f"intent-{method}", settings={"scrub": False}, seed=seed, progress=progress,
        ).path  # fmt: skip
        trained = load(folders[method])
        if isinstance(trained, Classifier) and len(inside):
            scores[method] = text_classification.correct(trained, inside)
    if not scores:
        return folders["linear"], None
    verdict = gate.decide(scores, rng)
    return folders[verdict.winner], verdict


def intent_rows(knowledge: Knowledge, known: Sequence[KnownQuestion], leave_out: Collection[str] = ()) -> pd.DataFrame:
    """text, label: every wording with its entry's intent, every known question with its own; labels seen twice."""
    rows = [
        (wording, knowledge.entries[number].intent)
        for number, wording in knowledge.questions
        if knowledge.entries[number].intent and wording not in leave_out
    ]
    taught = [row for row in known if row.answerable and row.intent and row.question not in leave_out]
    rows += [(row.question, row.intent) for row in taught]
    table = _rows(rows).drop_duplicates("text", ignore_index=True)
    often = table["label"].value_counts()
    return table[table["label"].isin(often[often > 1].index)].reset_index(drop=True)


def _rows(rows: Sequence[tuple[str, str]]) -> pd.DataFrame:
    return pd.DataFrame([(text, label) for text, label in rows if label], columns=["text", "label"], dtype=str)


def as_embedder(folder: Path) -> Embedder:
    """The encoder of a folder written by `frozen_encoder` or `tune_encoder`."""
    model = load(folder)
    if not isinstance(model, Embedder):
        raise TypeError(f"{folder} holds a classifier")
    return model


def vocabulary(embedder: Embedder | None) -> tuple[str, ...]:
    """English words the encoder's tokenizer knows whole, in its order, which is by frequency: right as they stand."""
    encoder = getattr(embedder.features, "encoder", None) if embedder else None
    return whole_words(encoder.tokenizer.get_vocab()) if encoder is not None else ()


def whole_words(vocabulary: Mapping[str, int]) -> tuple[str, ...]:
    """The English words of more than three letters in a tokenizer's vocabulary (token -> number), in its order.

    SentencePiece and byte-level BPE mark the start of a word, WordPiece what continues one.
    """
    marks = [mark for mark in ("\u2581", "\u0120") if any(token.startswith(mark) for token in vocabulary)]
    tokens = sorted(vocabulary, key=lambda token: vocabulary[token])
    words = [token[1:] for token in tokens if token[0] in marks] if marks else tokens
    return tuple(dict.fromkeys(word.lower() for word in words if word.isascii() and word.isalpha() and len(word) > 3))
