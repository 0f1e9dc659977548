"""Active learning from a folder and a table: pool -> doubts -> the next rows, and whether enough are labelled."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fieldtune.data.checks import text_key
from fieldtune.data.given import texts_of
from fieldtune.data.hiding import TOKENS
from fieldtune.data.queue import Queue, Turn
from fieldtune.data.raw import extension
from fieldtune.data.read import KINDS, read_table
from fieldtune.data.tables import NAME_IT, training_table
from fieldtune.data.tagged import parted, tagged, tagged_table, tags_in
from fieldtune.errors import InputError
from fieldtune.evaluate.calibration import softmax
from fieldtune.infer.cache import Cache
from fieldtune.models.features import EncoderFeatures
from fieldtune.models.tagger import Tagger
from fieldtune.models.trained import Classifier, load
from fieldtune.runtime import generator
from fieldtune.text.normalise import normalise
from fieldtune.text.shown import some_of
from fieldtune.train.active import agreement, choose_rows, doubt, due, enough

_PLANE = 256
_PIECE = 1024  # texts judged at a time: the vectors of their words are held


@dataclass(frozen=True)
class Judged:
    """What a model makes of texts.

    Attributes:
        doubts: ``[texts]``, how unsure it is of each, 0 to 1; of a sequence of tags, of its least sure word.
        guesses: the label of each text, or the tags of its words, separated by spaces.
        sure: the probability of each guess; of tags, of the least sure one.
    """

    doubts: NDArray[np.float64]
    guesses: list[str]
    sure: list[float]


def judge(model: Classifier | Tagger, texts: Sequence[str]) -> Judged:
    """Ask a model about any number of texts, in pieces."""
    pieces = [_words(model, piece) if isinstance(model, Tagger) else _texts(model, piece) for piece in _pieces(texts)]
    return Judged(
        np.concatenate([piece.doubts for piece in pieces]),
        [guess for piece in pieces for guess in piece.guesses],
        [sure for piece in pieces for sure in piece.sure],
    )


def vectors_of(model: Classifier | Tagger, texts: Sequence[str]) -> NDArray[np.float32]:
    """Unit vectors of texts, ``[texts, d]``; of a text whose words are labelled, the direction of its words together."""
    if not isinstance(model, Tagger):
        return unit(model.features(texts))
    return np.concatenate([_sums(model, piece) for piece in _pieces(texts)])


def _pieces(texts: Sequence[str]) -> list[Sequence[str]]:
    return [texts[start : start + _PIECE] for start in range(0, max(len(texts), 1), _PIECE)]


def _texts(model: Classifier, texts: Sequence[str]) -> Judged:
    probabilities = model.probabilities(texts)
    guesses = [model.labels[place] for place in probabilities.argmax(axis=1)] if len(texts) else []
    sure = probabilities.max(axis=1).tolist() if len(texts) else []
    return Judged(doubt(probabilities), guesses, sure)


def _words(model: Tagger, texts: Sequence[str]) -> Judged:
    sentences = parted(texts)["tokens"].tolist()
    logits, doubts = model.logits(sentences), np.zeros(len(texts))
    tags, sure = model.decode(logits, [len(words) for words in sentences])
    np.maximum.at(doubts, _owners(sentences), doubt(softmax(logits, model.temperature)))
    return Judged(doubts, [" ".join(one) for one in tags], [float(one.min()) if len(one) else 1.0 for one in sure])


def _sums(model: Tagger, texts: Sequence[str]) -> NDArray[np.float32]:
    sentences = parted(texts)["tokens"].tolist()
    vectors = unit(model.features(sentences))
    sums = np.zeros((len(texts), vectors.shape[1]), dtype=np.float32)
    np.add.at(sums, _owners(sentences), vectors)
    return unit(sums)


def _owners(sentences: Sequence[Sequence[str]]) -> NDArray[np.int64]:
    """Of each word, the place of its sentence."""
    return np.repeat(np.arange(len(sentences)), [len(words) for words in sentences])


def unit(found: Any) -> NDArray[np.float32]:
    """Rows of unit length; n-grams are thrown on few dimensions at random, which keeps angles (Johnson and Lindenstrauss 1984)."""
    if not isinstance(found, np.ndarray):
        found = found @ generator(0).standard_normal((found.shape[1], _PLANE), dtype=np.float32)
    return np.asarray(found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-12), dtype=np.float32)


@dataclass(frozen=True)
class Pool:
    """Texts that may be asked for, each once, and the model that judges them.

    Attributes:
        texts: in the order of the table.
        places: their rows in it, as the file numbers them.
        model: of texts or of words; embeddings of texts are kept between runs.
    """

    texts: list[str]
    places: list[int]
    model: Classifier | Tagger

    @property
    def tags(self) -> bool:
        """Whether words are labelled, not texts."""
        return isinstance(self.model, Tagger)

    @property
    def kind(self) -> str:
        """Of what its labels are, see :class:`fieldtune.data.queue.Queue`."""
        return "words" if self.tags else "texts"

    def parts(self, cells: Iterable[str]) -> list[str]:
        """The labels in answers: each of them, or the tags of its words."""
        return [label for cell in cells for label in (tags_in(cell) if self.tags else [cell])]

    def check(self, text: str, answer: str, where: str) -> None:
        """Raises InputError for an answer that does not label the text: tags that are not those of its words."""
        if self.tags:
            tagged(text, answer, where)

    def table(self, labelled: pd.DataFrame) -> pd.DataFrame:
        """Answers (columns text, label) as the model's task reads them to train on: of words with columns tokens and tags.

        Raises:
            InputError: see :meth:`check`.
        """
        if not self.tags:
            return labelled
        rows = [
            (text, *tagged(text, answer, f"the answer to {text!r:.60}, which --answers can correct"))
            for text, answer in zip(labelled["text"], labelled["label"], strict=True)
        ]
        return pd.DataFrame(rows, columns=["text", "tokens", "tags"])

    def known(self, table: Path, rename: Mapping[str, str]) -> list[str]:
        """The texts of a training table of the model's task; of words these, blanks between.

        Raises:
            InputError: what the task does not read.
        """
        if self.tags:
            columns = read_table(table).columns if extension(table) in KINDS else ()
            worded = TOKENS in columns and rename.get("text") not in columns
            return [" ".join(tokens) for tokens in tagged_table(table, rename={} if worded else rename)["tokens"]]
        return list(training_table(table, "text-classification", rename=rename)["text"])

    def key(self, text: str) -> str:
        """Equal for texts that say the same; where words are labelled, however a table parts them."""
        return "".join(normalise(text).split()) if self.tags else text_key(text)

    @classmethod
    def read(cls, table: Path, folder: Path, text: str) -> "Pool":
        """Load both.

        Raises:
            InputError: the model labels neither texts nor words, or the table has no such column.
        """
        model = load(folder)
        if not isinstance(model, Classifier | Tagger):
            kind = getattr(model, "card", {}).get("task", "something else")
            raise InputError("a model that labels texts or words", f"one for {kind}", "give another --model")
        if isinstance(model.features, EncoderFeatures):
            model.features = model.features.kept(Cache())
        first: dict[str, tuple[Any, str]] = {}
        rows = read_table(table, [text], hint=NAME_IT, every_row=True, numbered=True)
        for number, one in texts_of(rows[text], str(table)).items():
            if one.strip():
                first.setdefault(text_key(one), (number, one))
        if not first:
            raise InputError(f"texts in column {text!r}", f"none in {table}", "check the table")
        places, texts = zip(*first.values(), strict=True)
        return cls(list(texts), list(places), model)


def strangers(pool: Pool, answers: pd.DataFrame) -> list[str]:
    """What is odd about answers (columns text, label): texts that the pool does not hold, labels that are new to its model."""
    known = {text_key(text) for text in pool.texts}
    elsewhere = [text for text in answers["text"] if text_key(text) not in known]
    new = [repr(label) for label in dict.fromkeys(pool.parts(answers["label"])) if label not in pool.model.labels]
    found = []
    if elsewhere:
        found.append(f"{len(elsewhere)} answers to texts that are not in the pool, kept too: {elsewhere[0]!r:.60}")
    if new:
        found.append(f"labels that the model does not know yet: {some_of(new, 10)}")
    return found


def next_rows(pool: Pool, queue: Queue, known: list[str], strategy: str, count: int, seed: int) -> list[dict[str, Any]]:
    """At most ``count`` rows: those that still wait, then new ones, which are put into the queue.

    Args:
        known: texts with a label that the queue does not hold.

    Returns:
        Per row its place in the table, text, the model's guess and its probability.
    """
    waiting = queue.waiting()[:count]
    closed = queue.known() | {pool.key(text) for text in known}
    free = [place for place, text in enumerate(pool.texts) if closed.isdisjoint((text_key(text), pool.key(text)))]
    texts = [pool.texts[place] for place in free]
    if texts and len(waiting) < count:
        turn = generator(seed + len(closed))  # another draw each turn, the same after a crash
        chosen = choose_rows(
            strategy,
            judge(pool.model, texts).doubts,
            lambda rows: vectors_of(pool.model, [texts[row] for row in rows]),
            lambda: vectors_of(pool.model, [*queue.labelled()["text"], *known]),
            count - len(waiting),
            turn,
        )
        new = [(pool.places[free[row]], texts[row]) for row in chosen]
        queue.ask(new)
        waiting += new
    return _shown(pool.model, waiting)


def turn(pool: Pool, queue: Queue, known: int, watched: int, seed: int) -> tuple[list[float], bool]:
    """Compare the model with the one compared last, once it has learnt from more, see :func:`fieldtune.train.active.due`.

    Args:
        known: labels there are, for a model that does not say from how many it learnt, or says it of its last block alone.
        watched: texts that it is asked about, see :func:`_watched`.

    Returns:
        The agreements since the texts last changed, and whether they are enough.
    """
    rows = None if pool.model.card.get("method") == "continual" else pool.model.card.get("rows")
    before, labels = queue.turns(), rows if isinstance(rows, int) else known
    if due(before[-1].labels if before else None, labels):
        texts = _watched(pool.texts, watched, seed)
        now = dict(zip(texts, judge(pool.model, list(texts.values())).guesses, strict=True))
        queue.remember(Turn(labels, now, _agreement(before[-1].predicted, now) if before else None))
    agreements: list[float] = []
    for one in queue.turns():
        agreements = [] if one.agreement is None else [*agreements, one.agreement]
    return agreements, enough(agreements)


def _watched(texts: Sequence[str], count: int, seed: int) -> dict[str, str]:
    """Texts by their digests, the least of them: so a pool that lost and won some shares most of its texts."""
    salt = str(seed).encode()[:16]
    keyed = {
        blake2b(text_key(text).encode("utf-8", "surrogatepass"), digest_size=16, salt=salt).hexdigest(): text
        for text in texts
    }
    return dict(sorted(keyed.items())[:count])


def _agreement(before: Mapping[str, str], now: Mapping[str, str]) -> float | None:
    """Of two models on the texts that both were asked about; None of fewer than half."""
    both = [key for key in now if key in before]
    if 2 * len(both) < max(len(before), len(now)):
        return None
    return agreement([before[key] for key in both], [now[key] for key in both])


def _shown(model: Classifier | Tagger, rows: list[tuple[int, str]]) -> list[dict[str, Any]]:
    found = judge(model, [text for _, text in rows])
    told = zip(rows, found.guesses, found.sure, strict=True)
    return [
        {"row": place, "text": text, "predicted": guess, "probability": sure} for (place, text), guess, sure in told
    ]
