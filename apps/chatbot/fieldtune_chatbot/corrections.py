"""Thumbs and corrections as new wordings of what is approved, with a check that they mean it. Pure.

A thumb up says the cited source answers the question; a thumb down that nothing should have been claimed; a correction
names the right source, or gives the right answer. An answer that a user typed teaches nothing: anybody may type
anything, so it waits until somebody approves it (`waiting`). Knows rows and rankings; not how a version is built.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from fieldtune.data.scrub import hides
from fieldtune.feedback import user_hash
from fieldtune.text.language import detect
from fieldtune.text.ngrams import lexical_tokens
from fieldtune.text.normalise import equality_key
from fieldtune_chatbot.knowledge import Knowledge, Wordings
from fieldtune_chatbot.records import FaqEntry, KnownQuestion, Lesson, text_version

PLAUSIBLE_PLACE = 20
"""A right source that a user names is nearly always among the first so many that the bot itself finds."""
LARGEST_ODD_SHARE = 0.15
"""Above this share of implausible statements the whole batch is refused: somebody is guessing, or means harm."""
ENOUGH = 30
"""Statements from which on a share of them says something; of fewer, the implausible ones are only left out."""


def lessons(said: Sequence[tuple[str, Mapping[str, Any], str]]) -> list[Lesson]:
    """(kind, payload, user) rows as lessons; users who contradict each other are settled by majority, a tie by nobody.

    A correction counts as two votes: who corrects an answer has often put the thumb down first. One that names a source
    is about that source, whatever answer was typed beside it; one that only gives an answer votes against every source.
    A correction out of whose answer personal data was taken is passed over.
    """
    votes: dict[str, Counter[Lesson]] = {}
    users: dict[tuple[str, str, str], set[str]] = {}
    for kind, payload, user in said:
        question = str(payload.get("question", "")).strip()
        document, answer = str(payload.get("document", "")), str(payload.get("answer", "")).strip()
        if kind == "thumb_up" and payload.get("outcome", "answer") == "answer":
            document, answer = document or str(payload.get("chosen", "")), ""
        elif kind == "thumb_down" and payload.get("outcome") == "answer":
            document, answer = "", ""
        elif kind != "correction" or not (document or answer) or hides(answer):
            continue
        elif document:
            answer = ""
        if key := equality_key(question):
            lesson = Lesson(question, document, answer, str(payload.get("intent", "")))
            votes.setdefault(key, Counter())[lesson] += 2 if kind == "correction" else 1
            users.setdefault((key, document, answer), set()).add(user_hash(user))
    won = [winner for counted in votes.values() if (winner := _majority(counted)) is not None]
    return [
        replace(one, users=tuple(sorted(users[equality_key(one.question), one.document, one.answer]))) for one in won
    ]


def _majority(counted: Counter[Lesson]) -> Lesson | None:
    by_source: Counter[tuple[str, str]] = Counter()
    for lesson, count in counted.items():
        by_source[lesson.document, lesson.answer] += count
    (best, count), *others = by_source.most_common(2)
    if others and others[0][1] == count:
        return None
    return next(lesson for lesson in counted if (lesson.document, lesson.answer) == best)


def waiting(
    knowledge: Knowledge, said: Sequence[tuple[str, Mapping[str, Any], str]], erased: Collection[str] = ()
) -> list[FaqEntry]:
    """The answers that users typed in (kind, payload, user) rows, as entries for somebody to approve; each once.

    Left out are those out of which personal data was taken, those of erased users, and those to an approved entry's own
    question: who approved that answer has to change it.

    Args:
        erased: hashes of users (`fieldtune.feedback.erased`).
    """
    wordings = Wordings(knowledge.entries)
    found: dict[tuple[str, str], FaqEntry] = {}
    for kind, payload, user in said:
        question, answer = (str(payload.get(name, "")).strip() for name in ("question", "answer"))
        key = equality_key(question), equality_key(answer)
        typed = kind == "correction" and all(key) and not hides(answer) and user_hash(user) not in erased
        if typed and not wordings.approved(question):
            found.setdefault(key, _entry(Lesson(question, _article(payload), answer, str(payload.get("intent", "")))))
    return list(found.values())


def _article(payload: Mapping[str, Any]) -> str:
    """The article that a row names; a FAQ entry is none, an approved answer does not rest on it."""
    document = str(payload.get("document", ""))
    return "" if document.startswith("faq/") else document


def kept(taught: Sequence[Lesson], erased: Collection[str] = ()) -> list[Lesson]:
    """The lessons that still count: not those that only erased users gave, nor answers that users typed.

    Args:
        erased: hashes of users (`fieldtune.feedback.erased`).
    """
    return [one for one in taught if not one.answer and (not one.users or not set(one.users) <= set(erased))]


def unlearnt(knowledge: Knowledge, gone: Sequence[Lesson]) -> list[FaqEntry]:
    """The entries without what these lessons brought.

    A wording that the company's files hold too comes back with the next build.
    """
    wordings = Wordings(knowledge.entries)
    for lesson in gone:
        wordings.take(lesson.question)
    return wordings.entries


def odd(places: Sequence[int | None]) -> list[bool]:
    """Which statements are implausible.

    Args:
        places: where the bot itself ranks the source a user names, from 0; None when it does not find it at all.
    """
    return [place is None or place >= PLAUSIBLE_PLACE for place in places]


def learnt(knowledge: Knowledge, taught: Sequence[Lesson]) -> list[FaqEntry]:
    """The entries with what was taught: wordings at the source users name, and at no other; a new entry, which says a
    passage of the article, where an article had none.

    The own question of an entry keeps its answer: who approved it has to change it. An answer that a user typed is in
    no entry.
    """
    wordings, places = Wordings(knowledge.entries), knowledge.source_of()
    new = []
    for lesson in taught:
        if wordings.approved(lesson.question) or lesson.answer:
            continue
        source = places.get(lesson.document)
        if not lesson.document:  # it should not have been answered: nobody's wording
            wordings.take(lesson.question)
        elif source is None:
            continue
        elif numbers := knowledge.sources[source].entries:
            wordings.give(lesson.question, numbers)
        elif passage := _passage(knowledge, source, lesson.question):
            wordings.take(lesson.question)
            new.append(_entry(replace(lesson, answer=passage)))
    made = {entry.id: entry for entry in new}
    return [*(entry for entry in wordings.entries if entry.id not in made), *made.values()]


def as_known(taught: Sequence[Lesson]) -> list[KnownQuestion]:
    """What users asked, with the source they confirmed, or none, as known questions to choose weights and threshold on.

    Real questions are worded otherwise than collected ones; learning from them is most of what feedback brings.
    """
    return [
        KnownQuestion(row.question, row.document, "", bool(row.document), row.intent, detect(row.question), told=True)
        for row in taught
        if not row.answer
    ]


def _passage(knowledge: Knowledge, source: int, question: str) -> str:
    """The passage of the article nearest in words to the question: what is said until someone writes an answer."""
    asked = set(lexical_tokens(question))
    held = [knowledge.passages[unit] for unit in (knowledge.passage_source == source).nonzero()[0].tolist()]
    texts = [knowledge.documents[place].text[passage.start : passage.end] for place, passage in held]
    return max(texts, key=lambda text: len(asked & set(lexical_tokens(text))), default="")


def _entry(lesson: Lesson) -> FaqEntry:
    """The lesson's question and answer as an entry that rests on its article."""
    language = detect(lesson.question)
    identity = f"taught-{text_version(language + equality_key(lesson.question))}"
    return FaqEntry(
        identity, lesson.question, lesson.answer, lesson.intent, (), language, lesson.document, origin="feedback"
    )
