"""From a company's files to a bot that serves: mine, split, train, index, decide, compare, publish.

Every costly result lies under ``STORE/.build/<fingerprint of the inputs>`` as soon as it is whole, so the same command
continues after any interruption and ends in the same bits. Knows the order of the work; each step lives elsewhere.
"""

import hashlib
import json
import shutil
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from fieldtune import feedback, gate, registry
from fieldtune.errors import InputError
from fieldtune.gate import Verdict
from fieldtune.models.folder import MANIFEST, digest, locked, recover, staged
from fieldtune.progress import say
from fieldtune.runtime import generator
from fieldtune_chatbot import bot, corrections, gathering, ingest, learning, tune, versions
from fieldtune_chatbot.bot import Bot
from fieldtune_chatbot.gathering import Inputs
from fieldtune_chatbot.knowledge import Knowledge
from fieldtune_chatbot.learning import Split
from fieldtune_chatbot.records import Lesson
from fieldtune_chatbot.store import keep_documents, open_chatbot

APP = "chatbot"
CURRENT = "current"
_SERVED, _SCORES = "served.json", "scores.json"


@dataclass(frozen=True)
class Settings:
    """How to build.

    Attributes:
        model: pretrained encoder: ``default``, a folder or a hub name.
        max_steps: optimizer steps for the encoder; 0 leaves it as it is.
        seed: of the training and the comparison.
        publish_mined: serve answers mined from dialogues that nobody has approved.
        hosts: whose web addresses articles may tell, their subdomains included; None: all.
    """

    model: str = "default"
    max_steps: int = 60
    seed: int = 0
    publish_mined: bool = False
    hosts: tuple[str, ...] | None = None

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
    gathering.check(inputs)
    store = Path(store)
    serving = registry.serving(APP, store)
    taught = _taught(serving if serving != store.resolve() else store / CURRENT)
    # What cannot be read is refused before anything is written.
    found = gathering.gather(inputs, taught, publish_mined=settings.publish_mined, hosts=settings.hosts)
    knowledge = found.knowledge
    if progress:
        for note in ingest.skipped_notes(found.skipped):
            say(note)
    if progress and found.lost:
        say(f"note: {len(found.lost)} questions or FAQ entries name articles that are not there, e.g. {found.lost[0]}")
    parts = learning.split(found.known)
    if progress:
        say(f"note: {learning.basis(parts.tuning)}")
    store.mkdir(parents=True, exist_ok=True)
    review = gathering.for_review(found, store, progress)
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
    tuned_on = sum(row.answerable for row in parts.tuning)
    return Built(verdict, {**found.counts, "tuned_on": tuned_on}, intent, review)


def _taught(folder: Path) -> list[Lesson]:
    """What users taught the version in this folder, without those who were erased since."""
    with registry.open_home().begin() as connection:
        erased = feedback.erased(connection)
    return corrections.kept(bot.taught(folder), erased)


def fingerprint(inputs: Inputs, settings: Settings, taught: Sequence[Lesson] = ()) -> str:
    """A hash of every input byte, what users taught, the settings and the release: equal ones give equal bots."""
    from fieldtune.fingerprint import versions

    hashed = hashlib.sha256(
        json.dumps([asdict(settings), versions(), [asdict(one) for one in taught]], sort_keys=True).encode()
    )
    for option, path in sorted(asdict(inputs).items()):
        files = [path] if path and path.is_file() else ingest.article_files(path)[0] if path else []
        for file in files:
            name = file.relative_to(path).as_posix() if file != path else ""
            hashed.update(f"{option}\n{name}\n{digest(file)}\n".encode())
    return hashed.hexdigest()[:16]


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
    plain = versions.index(knowledge, versions.Models())
    leave_out = frozenset(knowledge.questions[unit][1] for text in judged for unit in plain.same_wordings(text))
    samples = _samples(knowledge)
    unknown = tune.unknown_shares(frozen, samples)
    languages = tune.readable(unknown)
    if progress:
        for note in _unread_notes(unknown, languages):
            say(note)
    intent, chosen = tune.train_intent(
        knowledge, parts.train, parts.tuning, work, model=settings.model, leave_out=leave_out,
        rng=generator(settings.seed), seed=settings.seed, progress=progress,
    ) if languages else (None, None)  # fmt: skip
    table = tune.training_pairs(knowledge, parts.train, languages, generator(settings.seed), leave_out=leave_out)
    tuned = tune.tune_encoder(
        table, work / "encoder-tuned", model=settings.model, max_steps=settings.max_steps, seed=settings.seed,
        progress=progress,
    )  # fmt: skip
    makers = {"plain": versions.Models()}
    if languages:
        makers["frozen"] = versions.Models(frozen, intent, languages)
    if tuned is not None:
        makers["tuned"] = versions.Models(tuned, intent, languages)
    if previous:
        encoder = versions.part(previous, "encoder")
        reads = tune.readable(tune.unknown_shares(encoder, samples)) if encoder else set()
        makers["previous"] = versions.Models(encoder if reads else None, versions.part(previous, "intent"), reads)
    for name, models in makers.items():
        folders[name] = work / f"bot-{name}"
        recover(folders[name])
        if not (folders[name] / MANIFEST).is_file():
            if progress:
                say(f"indexing and tuning: {name}")
            versions.make_version(knowledge, parts, folders[name], models, taught)
    return folders, chosen.winner if chosen else ""


def _samples(knowledge: Knowledge) -> dict[str, list[str]]:
    """Articles, entries and wordings by language: what an encoder has to read."""
    said = [(document.language, document.text) for document in knowledge.documents]
    said += [(entry.language, entry.answer) for entry in knowledge.entries]
    said += [(knowledge.entries[number].language, wording) for number, wording in knowledge.questions]
    samples: dict[str, list[str]] = {}
    for language, text in said:
        samples.setdefault(language, []).append(text)
    return samples


def _unread_notes(unknown: Mapping[str, float], languages: Collection[str]) -> list[str]:
    """A line for each language that the encoder cannot read."""
    advice = "words alone find answers there; name a multilingual or Chinese encoder with --model"
    return [
        f"warning: the encoder cannot read {share:.0%} of the tokens of the articles and entries in {language!r}: {advice}"
        for language, share in sorted(unknown.items())
        if language not in languages
    ]


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
    return Verdict(True, "frozen" if "frozen" in candidates else "plain", f"{reason}: nothing tuned ships", ())


def _judged(version: Bot) -> learning.Scores:
    seen = learning.see(version.retriever, learning.judging_rows(version.held_out))
    return learning.experience(version.retriever, version.deciders, seen)


def _install(winner: Path, store: Path) -> None:
    """A copy of the winner in the store itself, so that the folder works without a registry."""
    with staged(store / CURRENT) as temporary:
        shutil.copytree(winner, temporary, dirs_exist_ok=True)
        (temporary / MANIFEST).unlink()
