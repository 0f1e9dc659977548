"""What can be found and cited: documents, their passages, FAQ entries, and the units that are searched. Pure.

A *source* is what a citation names first: an article (with the FAQ entries that rest on it) or a FAQ entry that
rests on none. A *unit* is one searchable text of a source: a passage, or one wording of a question.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fieldtune.data.scrub import hides
from fieldtune.text.ngrams import lexical_tokens
from fieldtune.text.normalise import equality_key
from fieldtune.text.sentences import spans
from fieldtune_chatbot.chunking import passages
from fieldtune_chatbot.records import (
    Document,
    FaqEntry,
    KnownQuestion,
    MinedPair,
    Passage,
    faq_entry,
    faq_row,
    text_version,
)

_SAME_ANSWER = 0.65


@dataclass(frozen=True)
class Source:
    """`article` is the position of its document, or -1; `entries` are positions of its FAQ entries."""

    id: str
    language: str
    tenant: str
    article: int
    entries: tuple[int, ...]
    intents: frozenset[str]


@dataclass(frozen=True)
class Knowledge:
    """Everything an answer may come from, in a fixed order.

    Attributes:
        passages: (position of the document, passage).
        sentences: (position of the document, sentence), of passages with more than one.
        questions: (position of the entry, wording).
        passage_source, sentence_source, question_source: int64, position of the source of each.
    """

    documents: tuple[Document, ...]
    entries: tuple[FaqEntry, ...]
    sources: tuple[Source, ...]
    passages: tuple[tuple[int, Passage], ...]
    sentences: tuple[tuple[int, Passage], ...]
    questions: tuple[tuple[int, str], ...]
    passage_source: NDArray[np.int64] = field(compare=False)
    sentence_source: NDArray[np.int64] = field(compare=False)
    question_source: NDArray[np.int64] = field(compare=False)

    def passage_texts(self) -> list[str]:
        """What is searched of each passage: title and headings, then the passage itself."""
        return [self._passage_text(place, passage) for place, passage in self.passages]

    def sentence_texts(self) -> list[str]:
        """What is searched of each sentence: the title, then the sentence."""
        result = []
        for place, sentence in self.sentences:
            document = self.documents[place]
            text = document.text[sentence.start : sentence.end]
            result.append(f"{document.title}: {text}" if document.title else text)
        return result

    def _passage_text(self, place: int, passage: Passage) -> str:
        document = self.documents[place]
        head = [part for part in dict.fromkeys((document.title, passage.heading)) if part]
        return "\n".join([*head, document.text[passage.start : passage.end]])

    def question_texts(self) -> list[str]:
        """Every wording of every question."""
        return [wording for _, wording in self.questions]

    def source_text(self, source: int, without: Sequence[int] = ()) -> str:
        """All that is searched of a source in one text, some wordings left out."""
        said = [self._passage_text(*self.passages[unit]) for unit in np.flatnonzero(self.passage_source == source)]
        asked = np.flatnonzero(self.question_source == source).tolist()
        return "\n".join([*said, *(self.questions[unit][1] for unit in asked if unit not in without)])

    def source_texts(self) -> list[str]:
        """`source_text` of every source."""
        texts: list[list[str]] = [[] for _ in self.sources]
        for source, text in zip(self.passage_source.tolist(), self.passage_texts(), strict=True):
            texts[source].append(text)
        for source, text in zip(self.question_source.tolist(), self.question_texts(), strict=True):
            texts[source].append(text)
        return ["\n".join(parts) for parts in texts]

    def source_of(self) -> dict[str, int]:
        """Source id, and the id of every FAQ entry, to the source's position."""
        places = {source.id: place for place, source in enumerate(self.sources)}
        for place, source in enumerate(self.sources):
            places.update({f"faq/{self.entries[entry].id}": place for entry in source.entries})
        return places


def own_document(entry: FaqEntry, tenant: str = "default") -> Document:
    """A FAQ answer as a document of its own, for the citation when no article says it."""
    version = text_version(entry.answer)
    return Document(f"faq/{entry.id}", version, entry.question, entry.answer, entry.language, tenant)


def organise(documents: Sequence[Document], entries: Sequence[FaqEntry]) -> Knowledge:
    """Sources and units out of documents and FAQ entries, in the order given."""
    articles = {document.id: place for place, document in enumerate(documents)}
    rests_on: dict[int, list[int]] = {}
    alone: list[int] = []
    for number, entry in enumerate(entries):
        place = articles.get(entry.document)
        alone.append(number) if place is None else rests_on.setdefault(place, []).append(number)
    sources = [
        _source(document.id, document.language, document.tenant, place, rests_on.get(place, []), entries)
        for place, document in enumerate(documents)
    ]
    sources += [
        _source(f"faq/{entries[number].id}", entries[number].language, "default", -1, [number], entries)
        for number in alone
    ]
    owner = {entry: place for place, source in enumerate(sources) for entry in source.entries}
    cut = [(place, passage) for place, document in enumerate(documents) for passage in passages(document.text)]
    lines = [(place, line) for place, passage in cut for line in _sentences(documents[place].text, passage)]
    asked = [(number, text) for number, entry in enumerate(entries) for text in (entry.question, *entry.similar)]
    return Knowledge(
        tuple(documents),
        tuple(entries),
        tuple(sources),
        tuple(cut),
        tuple(lines),
        tuple(asked),
        np.asarray([place for place, _ in cut], np.int64),
        np.asarray([place for place, _ in lines], np.int64),
        np.asarray([owner[number] for number, _ in asked], np.int64),
    )


def _sentences(text: str, passage: Passage) -> list[Passage]:
    inside = spans(text[passage.start : passage.end])
    found = [Passage(passage.start + start, passage.start + end) for start, end in inside]
    return found if len(found) > 1 else []


def _source(
    identity: str, language: str, tenant: str, article: int, numbers: Sequence[int], entries: Sequence[FaqEntry]
) -> Source:
    intents = frozenset(entries[number].intent for number in numbers if entries[number].intent)
    return Source(identity, language, tenant, article, tuple(numbers), intents)


def with_mined(
    entries: Sequence[FaqEntry], pairs: Sequence[MinedPair], *, least_support: int = 2, most_similar: int = 12
) -> tuple[list[FaqEntry], list[FaqEntry]]:
    """FAQ entries with the wordings customers used, and new entries for somebody to approve.

    A pair whose answer says what an approved one says (token F1 of .65) adds its questions to that entry; a pair
    with an answer of its own makes an entry of origin ``dialogue``, given `least_support` conversations and no personal
    data in the answer.
    """
    answers = [(entry.language, Counter(lexical_tokens(entry.answer))) for entry in entries]
    taken = {(entry.language, equality_key(text)) for entry in entries for text in (entry.question, *entry.similar)}
    result, new = list(entries), []
    for pair in pairs:
        wordings = []
        for text in (pair.question, *pair.similar):
            key = (pair.language, equality_key(text))
            if key not in taken and key[1]:
                taken.add(key)
                wordings.append(text)
        number = _approved(pair, answers)
        if number is not None:
            room = max(0, most_similar - len(result[number].similar))
            result[number] = replace(result[number], similar=(*result[number].similar, *wordings[:room]))
        elif wordings and pair.support >= least_support and not hides(pair.answer):
            new.append(_mined_entry(pair, wordings[: most_similar + 1]))
    return result, new


def _mined_entry(pair: MinedPair, wordings: Sequence[str]) -> FaqEntry:
    identity = f"mined-{text_version(pair.language + equality_key(wordings[0]))}"
    return FaqEntry(
        identity, wordings[0], pair.answer, similar=tuple(wordings[1:]), language=pair.language, origin="dialogue"
    )


def _approved(pair: MinedPair, answers: Sequence[tuple[str, Counter[str]]]) -> int | None:
    """The entry whose answer is most like the pair's; None below the limit."""
    said = Counter(lexical_tokens(pair.answer))
    best, best_share = None, _SAME_ANSWER
    for number, (language, known) in enumerate(answers):
        if language == pair.language:
            share = 2 * sum((said & known).values()) / max(said.total() + known.total(), 1)
            if share > best_share:
                best, best_share = number, share
    return best


def with_known(knowledge: Knowledge, known: Sequence[KnownQuestion]) -> list[FaqEntry]:
    """The entries with known questions as further wordings, each at the entry of its document that fits it best.

    Documents without an entry get none: nobody has written what to say. Whoever tunes or judges on a known question
    hides its wording from it.
    """
    wordings, places = Wordings(knowledge.entries), knowledge.source_of()
    for row in known:
        place = places.get(row.document)
        numbers = knowledge.sources[place].entries if place is not None and row.answerable else ()
        if numbers and equality_key(row.question):
            same = [number for number in numbers if knowledge.entries[number].answer == row.answer]
            wordings.give(row.question, same or numbers)
    return wordings.entries


class Wordings:
    """FAQ entries between which wordings move: whoever knows where one belongs takes it from where it was.

    What the company approved as an entry's own question stays with its answer; one that was mined or taught does not.
    """

    def __init__(self, entries: Sequence[FaqEntry]) -> None:
        self._entries: list[FaqEntry | None] = list(entries)
        self._asked_in: dict[str, set[int]] = {}
        for number, entry in enumerate(entries):
            for text in (entry.question, *entry.similar):
                self._asked_in.setdefault(equality_key(text), set()).add(number)

    @property
    def entries(self) -> list[FaqEntry]:
        """Those that are left, in their order."""
        return [entry for entry in self._entries if entry is not None]

    def approved(self, question: str) -> bool:
        """Whether it is the own question of an entry the company approved."""
        key = equality_key(question)
        held = [self._entries[number] for number in self._asked_in.get(key, ())]
        return any(entry and entry.origin == "faq" and equality_key(entry.question) == key for entry in held)

    def give(self, question: str, numbers: Sequence[int]) -> None:
        """Make it a wording of that of the entries `numbers` which shares most words with it, unless one has it."""
        self.take(question, keep=numbers)
        holders = self._asked_in.setdefault(equality_key(question), set())
        left = {number: entry for number in numbers if (entry := self._entries[number]) is not None}
        if left and holders.isdisjoint(left):
            best = max(left, key=lambda number: (_likeness(question, left[number]), -number))
            self._entries[best] = replace(left[best], similar=(*left[best].similar, question))
            holders.add(best)

    def take(self, question: str, keep: Sequence[int] = ()) -> None:
        """Remove it from all entries but `keep`; an entry left without a question goes."""
        key = equality_key(question)
        for number in self._asked_in.get(key, set()) - set(keep):
            entry = self._entries[number]
            if entry is None or (entry.origin == "faq" and equality_key(entry.question) == key):
                continue
            asked = [text for text in (entry.question, *entry.similar) if equality_key(text) != key]
            self._entries[number] = replace(entry, question=asked[0], similar=tuple(asked[1:])) if asked else None
            self._asked_in[key] = self._asked_in[key] - {number}


def _likeness(question: str, entry: FaqEntry) -> float:
    asked = set(lexical_tokens(question))
    return max(
        len(asked & held) / max(len(asked | held), 1)
        for held in (set(lexical_tokens(text)) for text in (entry.question, *entry.similar, entry.answer))
    )


def pseudo_known(knowledge: Knowledge, limit: int) -> list[KnownQuestion]:
    """Other wordings of FAQ questions as known questions, spread evenly over the entries.

    Used when the company has no list of known questions; whoever tunes on them hides a wording from itself.
    """
    rows = []
    for unit, (number, wording) in enumerate(knowledge.questions):
        entry = knowledge.entries[number]
        if wording != entry.question:
            source = knowledge.sources[int(knowledge.question_source[unit])]
            language = entry.language or source.language
            rows.append(KnownQuestion(wording, source.id, entry.answer, True, entry.intent, language))
    step = max(1, -(-len(rows) // limit))
    return rows[::step]


def to_rows(knowledge: Knowledge) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Documents and entries as JSON rows; passages and sources follow from them."""
    return [vars(document) for document in knowledge.documents], [faq_row(entry) for entry in knowledge.entries]


def from_rows(documents: Sequence[Mapping[str, Any]], entries: Sequence[Mapping[str, Any]]) -> Knowledge:
    """The knowledge that `to_rows` wrote."""
    return organise([Document(**row) for row in documents], [faq_entry(row) for row in entries])
