"""One version folder from knowledge and models: index, learnt weights and threshold.

Knows what a version holds; not where models come from, nor which version ships.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fieldtune.retrieval.bm25 import Bm25
from fieldtune_chatbot import bot, learning, tune
from fieldtune_chatbot.cleaning import Cleaner
from fieldtune_chatbot.knowledge import Knowledge
from fieldtune_chatbot.learning import BOTH, WORDS, Split
from fieldtune_chatbot.records import Lesson
from fieldtune_chatbot.retrieve import Encode, Retriever, approved_texts


@dataclass(frozen=True)
class Models:
    """What a version reads with.

    Attributes:
        encoder, intent: model folders, or None to go without.
        languages: those the encoder reads.
        computed: vectors of this very encoder that are known already, by text.
    """

    encoder: Path | None = None
    intent: Path | None = None
    languages: Collection[str] = ()
    computed: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)


def make_version(
    knowledge: Knowledge, parts: Split, folder: Path, models: Models, taught: Sequence[Lesson] = ()
) -> None:
    """Index everything with these models, learn weights and threshold, write the folder."""
    retriever = index(knowledge, models)
    start = BOTH if models.encoder else WORDS
    seen = learning.see(retriever, parts.tuning)
    retriever.weights = learning.fit_weights(retriever, seen, start, models.languages)
    deciders = learning.fit_deciders(retriever, seen)
    bot.write(
        folder, retriever, deciders, parts.tuning, parts.held_out, taught=taught, encoder=models.encoder,
        intent=models.intent,
    )  # fmt: skip


def index(knowledge: Knowledge, models: Models) -> Retriever:
    """A retriever over the knowledge, with default weights."""
    embedder = tune.as_embedder(models.encoder) if models.encoder else None
    encode, known_words = embedder.encode if embedder else None, tune.vocabulary(embedder)
    clean = Cleaner(approved_texts(knowledge), known_words)
    units = unit_texts(knowledge, clean)
    vectors = _vectors(knowledge, units, encode, models) if encode else None
    classifier = bot.load_intent(models.intent) if models.intent else None
    weights = {"any": BOTH if embedder else WORDS}
    return Retriever(
        knowledge, Bm25.build(knowledge.passage_texts()), Bm25.build([clean(text) for text in knowledge.question_texts()]),
        Bm25.build(knowledge.source_texts()), encode, vectors, classifier, weights, known_words,
    )  # fmt: skip


def unit_texts(knowledge: Knowledge, clean: Callable[[str], str]) -> list[str]:
    """What is embedded of every unit, in the order of the vectors."""
    wordings = [clean(text) for text in knowledge.question_texts()]
    return [*knowledge.passage_texts(), *knowledge.sentence_texts(), *wordings]


def _vectors(
    knowledge: Knowledge,
    texts: Sequence[str],
    encode: Encode,
    models: Models,
) -> NDArray[np.float32]:
    """float32[units, d]: the units that the encoder can read; zeros for the others, which words alone find."""
    owners = np.concatenate([knowledge.passage_source, knowledge.sentence_source, knowledge.question_source])
    can = [place for place, owner in enumerate(owners) if knowledge.sources[int(owner)].language in models.languages]
    missing = list(dict.fromkeys(texts[place] for place in can if texts[place] not in models.computed))
    read = encode(missing)
    by_text = {**models.computed, **dict(zip(missing, read, strict=True))}
    vectors = np.zeros((len(texts), read.shape[1]), np.float32)
    for place in can:
        vectors[place] = by_text[texts[place]]
    return vectors


def part(folder: Path, name: str) -> Path | None:
    """The model folder of this name inside a version folder, if it has one."""
    return folder / name if (folder / name).is_dir() else None
