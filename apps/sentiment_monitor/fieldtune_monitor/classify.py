"""Topic and tone of documents, by trained models where there are some, else by keywords and the rows' own columns.

A bundle is a folder with one model folder per slot (`tone-en`, `topic-zh`, ...) and `monitor.json`: thresholds and
held-out figures. Every distinct title is scored once. Knows nothing of counts and alerts.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fieldtune.errors import ArtefactError
from fieldtune.models.folder import MANIFEST, verify
from fieldtune_monitor.dedupe import bare_title
from fieldtune_monitor.records import TONES, Document

BUNDLE = "monitor.json"
ENCODER = "model.safetensors"


@dataclass(frozen=True)
class Opinion:
    """What a model says about a title: topic "" where unknown; `tones` is P(tone) by name; negative: P >= threshold."""

    topic: str
    in_scope: bool
    tone: str
    tones: Mapping[str, float]
    negative: bool


@dataclass(frozen=True)
class Judgement:
    """What the monitor makes of a document."""

    topics: tuple[str, ...]
    tone: str
    p_negative: float
    negative: bool


Read = Callable[[Sequence[str], Sequence[str]], list[Opinion]]  # titles, languages -> opinions
Judge = Callable[[Sequence[Document]], list[Judgement]]


def load_bundle(folder: Path) -> Read:
    """A function from titles and their languages to opinions.

    Raises:
        InputError: no such folder. ArtefactError: damaged, or no bundle of the monitor.
    """
    from fieldtune.models import load

    verify(folder)
    slots = _slots(folder)
    models = shared({name: load(folder / name) for name in slots}, folder)
    thresholds = {name: float(about.get("threshold", 0.5)) for name, about in slots.items()}

    def read(titles: Sequence[str], languages: Sequence[str]) -> list[Opinion]:
        return _read(models, thresholds, titles, languages)

    return read


def topics_known(folder: Path) -> tuple[str, ...]:
    """The topics that the models of a bundle tell apart, in order; none where it has no topic model.

    Raises:
        ArtefactError: no bundle of the monitor.
    """
    parts = [about for name, about in _slots(folder).items() if name.startswith("topic-")]
    return tuple(sorted({label for about in parts for label in about.get("labels", ())}))


def _slots(folder: Path) -> dict[str, dict[str, Any]]:
    try:
        return dict(json.loads((folder / BUNDLE).read_text(encoding="utf-8"))["slots"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ArtefactError(
            f"a model of the monitor with {BUNDLE}", f"none in {folder}", "make one with: fieldtune monitor train"
        ) from error


class _Once:
    """Features of the texts read last are remembered: tone and topic read the same titles one after the other."""

    def __init__(self, features: Any) -> None:
        self._features = features
        self._texts: list[str] = []
        self._matrix: Any = None

    def __call__(self, texts: Sequence[str]) -> Any:
        if self._matrix is None or self._texts != list(texts):
            self._texts, self._matrix = list(texts), self._features(texts)
        return self._matrix

    def save(self, folder: Path) -> Any:
        return self._features.save(folder)


def has_encoder(folder: Path) -> bool:
    """Whether the model of a slot reads with an encoder of its own; character n-grams have none."""
    return (folder / ENCODER).is_file()


def shared(models: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The models, those with the same encoder and length of text reading through one copy of it."""
    files = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))["files"]
    copies: dict[tuple[str, int], _Once] = {}
    for name, model in models.items():
        if has_encoder(folder / name):
            key = (files[f"{name}/{ENCODER}"]["sha256"], int(model.card["max_length"]))
            model.features = copies.setdefault(key, _Once(model.features))
    return models


def _read(
    models: Mapping[str, Any], thresholds: Mapping[str, float], titles: Sequence[str], languages: Sequence[str]
) -> list[Opinion]:
    kinds = sorted(set(languages))
    opinions: list[Opinion] = [Opinion("", False, "", {}, False)] * len(titles)
    for language in kinds:
        places = [place for place, name in enumerate(languages) if name == language]
        distinct = sorted({titles[place] for place in places})
        topic_slot, tone_slot = _slot(models, "topic", language), _slot(models, "tone", language)
        topics = _topics(models.get(topic_slot), distinct)
        tones = _tones(models.get(tone_slot), thresholds.get(tone_slot, 0.5), distinct)
        known = {
            title: Opinion(*topic, tone, parts, negative)
            for title, topic, (tone, parts, negative) in zip(distinct, topics, tones, strict=True)
        }
        for place in places:
            opinions[place] = known[titles[place]]
    return opinions


def _slot(models: Mapping[str, Any], task: str, language: str) -> str:
    """The slot for a language; another language's reads it when there is none of its own."""
    own = f"{task}-{language}"
    others = [name for name in sorted(models) if name.startswith(f"{task}-")]
    return own if own in models or not others else others[0]


def _topics(model: Any, titles: Sequence[str]) -> list[tuple[str, bool]]:
    if model is None:
        return [("", False)] * len(titles)
    signs = model.signs(titles)
    inside, _ = model.scope_of(signs)
    best = signs.logits.argmax(axis=1)
    return [(model.labels[label], bool(kept)) for label, kept in zip(best, inside, strict=True)]


def _tones(model: Any, threshold: float, titles: Sequence[str]) -> list[tuple[str, dict[str, float], bool]]:
    if model is None:
        return [("", {}, False)] * len(titles)
    probabilities = np.asarray(model.probabilities(titles), dtype=np.float64)
    labels = list(model.labels)
    column = labels.index("negative") if "negative" in labels else None
    found = []
    for row in probabilities:
        tones = {label: float(p) for label, p in zip(labels, row, strict=True)}
        negative = column is not None and bool(row[column] >= threshold)
        found.append((labels[int(row.argmax())], tones, negative))
    return found


def make_judge(
    read: Read | None,
    by_keywords: Callable[[str], tuple[str, ...]],
    names: Sequence[str],
    keep: int = 100_000,
    untaught: frozenset[str] = frozenset(),
) -> Judge:
    """A function from documents to judgements.

    Args:
        read: the bundle, or None: then topic and tone come from the rows' own columns.
        by_keywords: text -> topics, for stories that no topic model places.
        names: the configured topics; any other topic is dropped.
        keep: distinct titles whose opinion is remembered between calls; what a newsroom puts around one is not read.
        untaught: topics that the model does not know: their keywords count for the stories that it places, too.
    """
    memory: dict[tuple[str, str], Opinion] = {}
    wanted = frozenset(names)

    def judge(documents: Sequence[Document]) -> list[Judgement]:
        keys = [(bare_title(d.title, d.source), d.language) for d in documents]
        if read is not None:
            new = sorted(set(keys) - memory.keys())
            if len(memory) + len(new) > keep:
                memory.clear()
                new = sorted(set(keys))
            memory.update(zip(new, read([t for t, _ in new], [lang for _, lang in new]), strict=True))
        nothing = Opinion("", False, "", {}, False)
        return [
            _judge(d, memory.get(key, nothing), by_keywords, wanted, untaught)
            for d, key in zip(documents, keys, strict=True)
        ]

    return judge


def _judge(
    document: Document,
    opinion: Opinion,
    by_keywords: Callable[[str], tuple[str, ...]],
    wanted: frozenset[str],
    untaught: frozenset[str],
) -> Judgement:
    if opinion.in_scope and opinion.topic in wanted:
        named = by_keywords(document.title) or by_keywords(document.text) if untaught else ()
        topics: tuple[str, ...] = (opinion.topic, *(name for name in named if name in untaught))
    elif not opinion.topic and document.topic in wanted:
        topics = (document.topic,)
    else:
        topics = by_keywords(document.title) or by_keywords(document.text)
    if not opinion.tone:
        sure = float(document.tone == "negative")
        return Judgement(topics, document.tone, sure, bool(sure))
    return Judgement(topics, opinion.tone, opinion.tones.get("negative", 0.0), opinion.negative)


def probability_columns(opinions: Sequence[Opinion]) -> dict[str, list[float]]:
    """p_negative, p_neutral, p_positive for a table."""
    return {f"p_{tone}": [opinion.tones.get(tone, 0.0) for opinion in opinions] for tone in TONES}
