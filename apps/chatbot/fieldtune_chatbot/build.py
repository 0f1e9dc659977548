"""From a company's files to a bot that serves: mine, split, train, index, decide, compare, publish.

Every costly result lies under ``STORE/.build/<fingerprint of the inputs>`` as soon as it is whole, so the same command
continues after any interruption and ends in the same bits. Knows the order of the work; each step lives elsewhere.
"""

import hashlib
import json
import shutil
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fieldtune import feedback, gate, registry
from fieldtune.data.read import write_table
from fieldtune.data.scrub import contacts, hides
from fieldtune.errors import InputError
from fieldtune.gate import Verdict
from fieldtune.models.folder import MANIFEST, digest, locked, recover, staged
from fieldtune.progress import say
from fieldtune.retrieval.bm25 import Bm25
from fieldtune.runtime import generator
from fieldtune.text.normalise import equality_key
from fieldtune_chatbot import bot, corrections, ingest, learning, mining, tune
from fieldtune_chatbot.bot import Bot
from fieldtune_chatbot.cleaning import Cleaner
from fieldtune_chatbot.knowledge import Knowledge, organise, pseudo_known, with_known, with_mined
from fieldtune_chatbot.learning import BOTH, WORDS, Split
from fieldtune_chatbot.records import FaqEntry, KnownQuestion, Lesson
from fieldtune_chatbot.retrieve import Encode, Retriever, approved_texts
from fieldtune_chatbot.store import keep_documents, open_chatbot

APP = "chatbot"
CURRENT = "current"
_PSEUDO = 600
_SERVED, _SCORES = "served.json", "scores.json"


@dataclass(frozen=True)
class Inputs:
    """What a bot is built from; everything but the articles may be missing."""

    documents: Path
    faq: Path | None = None
    dialogues: Path | None = None
    questions: Path | None = None


@dataclass(frozen=True)
class Settings:
    """How to build.

    Attributes:
        model: pretrained encoder: ``default``, a folder or a hub name.
        max_steps: optimizer steps for the encoder; 0 leaves it as it is.
        seed: of the training and the comparison.
        publish_mined: serve answers mined from dialogues that nobody has approved.
    """

    model: str = "default"
    max_steps: int = 60
    seed: int = 0
    publish_mined: bool = False

    def __post_init__(self) -> None:
        if self.max_steps < 0:
            raise InputError("--max-steps of 0 or more", str(self.max_steps), "0 leaves the encoder as it is")


@dataclass(frozen=True)
class Built:
    """The verdict, what went in, the winning method for intents, and the file of mined answers to look through."""

    verdict: Verdict
    counts: Mapping[str, int] = field(default_factory=dict)
    intent: str = ""
    review: str = ""


def build(inputs: Inputs, store: Path, settings: Settings, *, now: datetime, progress: bool = True) -> Built:
    """Build, compare and publish; see the module.

    Raises:
        InputError: a file that cannot be used. RefusedError: another build is writing to `store`, or by the end
            something else serves than at the beginning, e.g. after a rollback or a retraining.
    """
    check(inputs)
    store = Path(store)
    serving = registry.serving(APP, store)
    taught = _taught(serving if serving != store.resolve() else store / CURRENT)
    # What cannot be read is refused before anything is written.
    found = gather(inputs, taught, publish_mined=settings.publish_mined)
    knowledge = found.knowledge
    if progress and found.skipped:
        say(f"note: {len(found.skipped)} files have no text or are of kinds not read here, e.g. {found.skipped[0]}")
    if progress and found.lost:
        say(f"note: {len(found.lost)} questions or FAQ entries name articles that are not there, e.g. {found.lost[0]}")
    parts = learning.split(found.known)
    if progress and not parts.held_out:
        say("note: no known questions and no similar wordings: weights and threshold are defaults, not learnt")
    store.mkdir(parents=True, exist_ok=True)
    review = _for_review(found, store, progress)
    with locked(store / CURRENT):
        work = _work(store, fingerprint(inputs, settings, taught))
        begun = _served_at_first(serving, work)
        previous = begun if begun != store.resolve() and begun.is_dir() else None
        candidates, intent = _candidates(knowledge, parts, taught, previous, work, settings, progress)
        with open_chatbot(store).begin() as connection:
            keep_documents(connection, bot.citable(knowledge), "default", now)
        verdict = _publish(candidates, store, work, settings, now, begun)
        _install(candidates[verdict.winner], store)
        shutil.rmtree(work)
    return Built(verdict, found.counts, intent, review)


def _taught(folder: Path) -> list[Lesson]:
    """What users taught the version in this folder, without those who were erased since."""
    with registry.open_home().begin() as connection:
        erased = feedback.erased(connection)
    return corrections.kept(bot.taught(folder), erased)


def check(inputs: Inputs) -> None:
    """Complain about missing files before anything is read."""
    for option, path in asdict(inputs).items():
        if path is not None and not Path(path).exists():
            raise InputError(f"--{option} to name something", f"nothing at {path}", "check the path")


def fingerprint(inputs: Inputs, settings: Settings, taught: Sequence[Lesson] = ()) -> str:
    """A hash of every input byte, what users taught, the settings and the release: equal ones give equal bots."""
    from fieldtune.pipeline import versions

    hashed = hashlib.sha256(
        json.dumps([asdict(settings), versions(), [asdict(one) for one in taught]], sort_keys=True).encode()
    )
    for option, path in sorted(asdict(inputs).items()):
        files = [path] if path and path.is_file() else sorted(path.rglob("*")) if path else []
        for file in files:
            if file.is_file():
                name = file.relative_to(path).as_posix() if file != path else ""
                hashed.update(f"{option}\n{name}\n{digest(file)}\n".encode())
    return hashed.hexdigest()[:16]


@dataclass(frozen=True)
class Gathered:
    """What the files hold, and what users taught since.

    Attributes:
        known: known questions to tune and judge on, those of users included; without a list of them, other wordings of
            the FAQ stand in.
        skipped: files that were not read. lost: articles that questions or entries name and that are not there.
        review: entries of mined answers that nobody has approved; not part of `knowledge`.
    """

    knowledge: Knowledge
    known: tuple[KnownQuestion, ...]
    counts: Mapping[str, int]
    skipped: tuple[str, ...]
    lost: tuple[str, ...]
    review: tuple[FaqEntry, ...] = ()


def gather(inputs: Inputs, taught: Sequence[Lesson] = (), *, publish_mined: bool = False) -> Gathered:
    """Read the files, mine the dialogues, put it all in order; what users taught comes last and has the last word."""
    documents, skipped = ingest.read_documents(inputs.documents)
    entries: list[FaqEntry] = ingest.read_faq(inputs.faq) if inputs.faq else []
    known = ingest.read_questions(inputs.questions) if inputs.questions else []
    counts = {"documents": len(documents), "faq": len(entries), "known_questions": len(known)}
    new: list[FaqEntry] = []
    if inputs.dialogues:
        told = [*(document.text for document in documents), *(entry.answer for entry in entries)]
        pairs = mining.mine(ingest.read_dialogues(inputs.dialogues), keep=contacts(told))
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
    return Gathered(knowledge, tuple(asked.values()), counts, tuple(skipped), tuple(lost), tuple(new))


def _for_review(found: Gathered, store: Path, progress: bool) -> str:
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


def _work(store: Path, key: str) -> Path:
    """The folder of this build; unfinished builds of other inputs are cleared away."""
    folder = store / ".build" / key
    for other in folder.parent.glob("*"):
        if other.name != key:
            shutil.rmtree(other)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _candidates(
    knowledge: Knowledge,
    parts: Split,
    taught: Sequence[Lesson],
    previous: Path | None,
    work: Path,
    settings: Settings,
    progress: bool,
) -> tuple[dict[str, Path], str]:
    """The version folders to compare, the simplest first: words alone, frozen encoder, tuned encoder, old models."""
    folders: dict[str, Path] = {}
    frozen = tune.frozen_encoder(settings.model, work / "encoder-frozen")
    judged = [row.question for row in (*parts.tuning, *parts.held_out)]
    plain = index(knowledge, Models())
    leave_out = frozenset(knowledge.questions[unit][1] for text in judged for unit in plain.same_wordings(text))
    samples: dict[str, list[str]] = {}
    for document in knowledge.documents:
        samples.setdefault(document.language, []).append(document.text)
    languages = tune.readable(frozen, samples)
    intent, chosen = tune.train_intent(
        knowledge, parts.train, parts.tuning, work, model=settings.model, leave_out=leave_out,
        rng=generator(settings.seed), seed=settings.seed, progress=progress,
    )  # fmt: skip
    table = tune.training_pairs(knowledge, parts.train, languages, generator(settings.seed), leave_out=leave_out)
    tuned = tune.tune_encoder(
        table, work / "encoder-tuned", model=settings.model, max_steps=settings.max_steps, seed=settings.seed,
        progress=progress,
    )  # fmt: skip
    makers = {"plain": Models(), "frozen": Models(frozen, intent, languages)}
    if tuned is not None:
        makers["tuned"] = Models(tuned, intent, languages)
    if previous:
        encoder = part(previous, "encoder")
        makers["previous"] = Models(
            encoder, part(previous, "intent"), tune.readable(encoder, samples) if encoder else set()
        )
    for name, models in makers.items():
        folders[name] = work / f"bot-{name}"
        recover(folders[name])
        if not (folders[name] / MANIFEST).is_file():
            if progress:
                say(f"indexing and tuning: {name}")
            make_version(knowledge, parts, folders[name], models, taught)
    return folders, chosen.winner if chosen else ""


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


def _served_at_first(serving: Path, work: Path) -> Path:
    """What served when this build began, however often it was interrupted since.

    A build that was interrupted late may itself have put into service what serves now. Anything else came from others:
    then the comparison starts anew with what serves now.
    """
    noted = json.loads((work / _SERVED).read_text(encoding="utf-8")) if (work / _SERVED).is_file() else {}
    if str(serving) in noted.values():
        return Path(noted["at_first"])
    (work / _SCORES).unlink(missing_ok=True)
    shutil.rmtree(work / "bot-previous", ignore_errors=True)
    _note(work / _SERVED, {"at_first": str(serving)})
    return serving


def _note(path: Path, value: Any) -> None:
    temporary = path.with_suffix(".partial")
    temporary.write_text(json.dumps(value), encoding="utf-8")
    temporary.replace(path)


def part(folder: Path, name: str) -> Path | None:
    """The model folder of this name inside a version folder, if it has one."""
    return folder / name if (folder / name).is_dir() else None


def _publish(
    candidates: dict[str, Path], store: Path, work: Path, settings: Settings, now: datetime, begun: Path
) -> Verdict:
    """Compare on the held-out questions; the models that served before give way only to surely better ones.

    Refused models or not, what serves afterwards has read the articles and entries of today.

    Raises:
        RefusedError: by now neither what served when the build `begun` serves, nor what this very build published.
    """
    if not (work / _SCORES).is_file():
        _note(work / _SCORES, {name: _judged(bot.load(folder)).tolist() for name, folder in candidates.items()})
    noted = json.loads((work / _SCORES).read_text(encoding="utf-8"))
    scores = {name: np.asarray(values) for name, values in noted.items()}
    rng = generator(settings.seed)
    if len(scores["plain"]):
        verdict = gate.decide(scores, rng, "previous" if "previous" in scores else None)
    else:
        verdict = _unmeasured(candidates)
        scores = {verdict.winner: np.zeros(1)}
    details: dict[str, Any] = {"held_out": len(next(iter(scores.values()))), "verdict": verdict.as_dict()}
    own = registry.version_folder(f"{APP}-{registry.version_of(candidates[verdict.winner])}")
    _note(work / _SERVED, {"at_first": str(begun), "published": str(own)})
    published = registry.publish(
        APP, store, {verdict.winner: candidates[verdict.winner]}, {verdict.winner: scores[verdict.winner]},
        rng=rng, now=now, details=details, scored=own if registry.serving(APP, store) == own else begun,
    )  # fmt: skip
    return Verdict(verdict.promoted, verdict.winner, verdict.reason, verdict.standings, published.version)


def _unmeasured(candidates: Mapping[str, Path]) -> Verdict:
    """Without known questions nothing tuned ships: what served before stays, else the encoder as it came."""
    reason = "no known questions to compare on (add --questions FILE)"
    if "previous" in candidates:
        return Verdict(False, "previous", f"{reason}: the models that serve stay", ())
    return Verdict(True, "frozen", f"{reason}: nothing tuned ships", ())


def _judged(version: Bot) -> learning.Scores:
    seen = learning.see(version.retriever, learning.judging_rows(version.held_out))
    return learning.experience(version.retriever, version.deciders, seen)


def _install(winner: Path, store: Path) -> None:
    """A copy of the winner in the store itself, so that the folder works without a registry."""
    with staged(store / CURRENT) as temporary:
        shutil.copytree(winner, temporary, dirs_exist_ok=True)
        (temporary / MANIFEST).unlink()
