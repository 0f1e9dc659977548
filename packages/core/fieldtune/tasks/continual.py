"""How text classification goes on learning: new rows, new classes perhaps, and what was known stays known.

The model to go on from is a folder that fieldtune trained with ``--method continual``; from any other encoder the first
block is learnt. How the past is kept is the setting ``keeps``, see :mod:`fieldtune.train.continual`.
"""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import nn

from fieldtune.data.checks import OUT_OF_SCOPE, text_key
from fieldtune.errors import InputError
from fieldtune.models import adapters
from fieldtune.models.features import EncoderFeatures, ProjectedFeatures
from fieldtune.models.memory import Block, Memory, Row
from fieldtune.models.trained import CARD, Classifier, load, load_encoder
from fieldtune.runtime import generator
from fieldtune.tasks import labelled
from fieldtune.tasks.supervised import Headed, inputs_of, supervised
from fieldtune.train import continual
from fieldtune.train.heeds import ENCODED, TUNED, Names
from fieldtune.train.losses import cross_entropy
from fieldtune.train.problem import Problem, Tensors
from fieldtune.train.settings import Settings
from fieldtune.train.tuning import Body, batch_of, trainable, tune
from fieldtune.train.words import words_at_hand

FISHER_ROWS = 200
HELD_OUT = 20  # rows of a class that stay to be measured on
_STATISTICS = ("gram", "sums")
_SAME = ("keeps", "max_length", "scrub")
"""Settings that all blocks share: what is kept of the past was read so."""
_PROJECTION_SEED = 7  # part of the method: blocks that are added up must share their projection


def heeds(settings: Settings) -> Names:
    """The settings that are read, which depends on how the past is kept; validation rows are measured on again later,
    so they are never trained on."""
    if settings.keeps == "statistics":
        return ENCODED - {"refit"} | {"keeps"}
    own = {"replay": ("memory_rows",), "ewc": ("keep_strength",), "lwf": ("keep_strength",)}
    return TUNED - {"refit"} | {"keeps", "label_smoothing", *own.get(settings.keeps, ())}


def learn(
    table: pd.DataFrame,
    model: str,
    settings: Settings,
    *,
    valid: pd.DataFrame | None,
    seed: int,
    folder: Path,
    show: bool,
) -> Classifier:
    """Fit on ``table`` (columns text, label, no out-of-scope rows) after whatever ``model`` has learnt.

    Args:
        valid: rows that will be measured on, which are not rehearsed.

    Raises:
        InputError: ``model`` is a classifier that cannot go on, or one that keeps its past in another way.
    """
    before = _before(model, settings)
    memory = before.memory if before is not None and before.memory is not None else Memory()
    if before is not None:
        memory = _apart(before, memory, table, valid)
    known = before.labels if before is not None else ()
    labels = tuple(sorted({*known, *table["label"]}))
    fresh = sorted(set(table["label"]) - set(known))
    blocks = [*memory.blocks, Block(fresh or sorted(set(table["label"])))]
    if settings.keeps == "statistics":
        made = _statistics(table, labels, known, before, memory, model, settings)
    else:
        made = _tuned(table, labels, before, memory, model, settings, seed=seed, folder=folder, show=show)
    assert made.memory is not None
    made.memory.blocks = blocks
    return made


def _apart(before: Classifier, memory: Memory, table: pd.DataFrame, valid: pd.DataFrame | None) -> Memory:
    """The past without rows that ``table`` now teaches, with another label perhaps, without rows to measure on that ``valid``
    corrects, and without rows to rehearse that it measures; a user may give old rows once more.

    The sums that ``statistics`` keeps are of rows nobody can take out again: a row given again counts twice there, and one
    corrected counts once for either label."""
    valid = table[:0] if valid is None else valid
    learnt, measured = _keys(table), _keys(valid)
    told = dict(zip(map(text_key, valid["text"]), valid["label"], strict=True))
    rows = [row for block in memory.blocks for row in block.held_out]
    corrected = {text_key(text) for text, label in rows if told.get(text_key(text), label) != label}
    blocks = [_measured_on(before, block, _without(block.held_out, learnt | corrected)) for block in memory.blocks]
    return replace(memory, blocks=blocks, rehearsed=_without(memory.rehearsed, learnt | measured))


def _measured_on(before: Classifier, block: Block, rows: list[Row]) -> Block:
    """A block that is measured on fewer rows from now on: what was forgotten counts from the model so far, on these rows."""
    if len(rows) == len(block.held_out):
        return block
    return replace(block, held_out=rows, accuracy=[_accuracy(before, rows)] if rows else [])


def _accuracy(model: Classifier, rows: Sequence[Row]) -> float:
    texts, wanted = zip(*rows, strict=True)
    return float(labelled.correct(model, texts, pd.Series(wanted)).mean())


def _keys(table: pd.DataFrame) -> set[str]:
    return set(map(text_key, table["text"]))


def _without(rows: Sequence[Row], keys: set[str]) -> list[Row]:
    return [(text, label) for text, label in rows if text_key(text) not in keys]


def remembered(model: Classifier, valid: pd.DataFrame) -> pd.DataFrame:
    """Validation rows with those of earlier blocks, each text once, so that calibration and figures are of all that was
    learnt."""
    earlier = [row for block in _past(model).blocks[:-1] for row in block.held_out]
    rows = {text_key(text): (text, label) for text, label in _without(earlier, _keys(valid))}
    if not rows:
        return valid
    return pd.concat([valid, pd.DataFrame([*rows.values()], columns=["text", "label"])], ignore_index=True)


def measure(model: Classifier, valid: pd.DataFrame) -> dict[str, Any]:
    """Measure every block again and write it into the model's memory: accuracy by block, and the forgetting.

    A block that came without rows to measure on takes no part; the forgetting is left out where no earlier one had any.
    """
    memory = _past(model)
    inside = valid[valid["label"] != OUT_OF_SCOPE]
    kept = inside.groupby("label", sort=True).head(HELD_OUT)
    memory.blocks[-1].held_out = list(zip(kept["text"], kept["label"], strict=True))
    for block in memory.blocks:
        if block.held_out:
            block.accuracy.append(_accuracy(model, block.held_out))
    steps = len(memory.blocks)
    grid = np.full((steps, steps), np.nan)
    for place, block in enumerate(memory.blocks):
        grid[steps - len(block.accuracy) :, place] = block.accuracy
    grid = grid[:, [block is memory.blocks[-1] or bool(block.accuracy) for block in memory.blocks]]
    lost = {"forgetting": continual.forgetting(grid)} if steps == 1 or grid.shape[1] > 1 else {}
    last = [block.accuracy[-1] for block in memory.blocks if block.accuracy]
    return {"blocks": steps, **lost, "accuracy_by_block": last}


def _past(model: Classifier) -> Memory:
    return model.memory or Memory([Block(list(model.labels))])


def _before(model: str, settings: Settings) -> Classifier | None:
    """The classifier to go on from; None where ``model`` is an encoder.

    Raises:
        InputError: a model of another kind, or settings that what it learnt so far does not fit.
    """
    card = Path(model) / CARD
    if not card.is_file():
        return None
    before = load(model)
    run = json.loads(card.read_text(encoding="utf-8")).get("run", {})
    if not isinstance(before, Classifier) or before.memory is None:
        raise InputError(
            "an encoder, or a model of --method continual", f"another model at {model}", "start with an encoder"
        )
    for name in _SAME:
        learnt, asked = (str(value).lower() for value in (run["settings"][name], getattr(settings, name)))
        if learnt != asked:
            raise InputError(f"{name}={learnt}, as {model} was trained", asked, f"--set {name}={learnt}")
    return before


def _statistics(
    table: pd.DataFrame,
    labels: tuple[str, ...],
    known: Sequence[str],
    before: Classifier | None,
    memory: Memory,
    model: str,
    settings: Settings,
) -> Classifier:
    if before is not None:
        assert isinstance(before.features, ProjectedFeatures)
        frozen: Any = before.features.features
        projection = before.features.projection
        past = continual.Statistics(projection, *(memory.tensors[name] for name in _STATISTICS))
    else:
        frozen = load_encoder(model, settings.max_length).features
        past = continual.Statistics.empty(frozen.encoder.dimensions, generator(_PROJECTION_SEED))
    past.moved([labels.index(label) for label in known], len(labels))
    past.add(frozen(table["text"].tolist()), labelled.places(labels, table["label"]))
    tensors = {name: getattr(past, name) for name in _STATISTICS}
    features = ProjectedFeatures(frozen, past.projection)
    kept = Memory(memory.blocks, [], tensors)
    return Classifier(features, past.weight(), np.zeros(len(labels), np.float32), labels, memory=kept)


def _tuned(
    table: pd.DataFrame,
    labels: tuple[str, ...],
    before: Classifier | None,
    memory: Memory,
    model: str,
    settings: Settings,
    *,
    seed: int,
    folder: Path,
    show: bool,
) -> Classifier:
    rows = _with_rehearsal(table, memory)
    texts, targets = rows["text"].tolist(), labelled.places(labels, rows["label"])
    encoder = trainable(model, "full", settings)
    if settings.keeps == adapters.SUBSPACE and before is not None:
        adapters.adapted(encoder, adapters.SUBSPACE, {})
    start = _start(texts, targets, labels, before, model, settings, seed)
    module = Headed(Body(encoder), *start, settings.dropout)
    tokens = encoder.tokens(texts, settings.max_length)
    made = _problem(module, tokens, torch.from_numpy(targets), encoder, texts, labels, before, memory, settings)
    with words_at_hand(encoder, tokens):
        tune(module, made, tokens, settings, seed=seed, folder=folder, show=show)
    adapters.forget(encoder.body)
    done = Classifier(EncoderFeatures(encoder, settings.max_length), *module.weights(), labels)
    done.memory = Memory(memory.blocks, memory.rehearsed, {})
    if settings.keeps == "replay":
        done.memory.rehearsed = [*memory.rehearsed, *_exemplars(done, table, settings.memory_rows)]
    if settings.keeps == "ewc":
        # Of the labels alone: with the pull back in the loss, the past would be counted once more in every block.
        plain = supervised(inputs_of(encoder, tokens), torch.from_numpy(targets), cross_entropy)
        done.memory.tensors = _importance(module, plain, len(texts), memory, seed)
    return done


def _with_rehearsal(table: pd.DataFrame, memory: Memory) -> pd.DataFrame:
    """New rows and those rehearsed, the latter repeated until old classes are about as frequent as new ones."""
    if not memory.rehearsed:
        return table
    old = pd.DataFrame(memory.rehearsed, columns=["text", "label"])
    wanted = table["label"].value_counts().mean() / old["label"].value_counts().mean()
    return pd.concat([table, *[old] * int(np.clip(round(wanted), 1, 20))], ignore_index=True)


def _start(
    texts: list[str],
    targets: NDArray[np.int64],
    labels: tuple[str, ...],
    before: Classifier | None,
    model: str,
    settings: Settings,
    seed: int,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The head to begin with: what is known stays, a new class begins at the mean direction of its rows."""
    if before is None:
        from fieldtune.train.head import probe

        frozen = load_encoder(model, settings.max_length).features
        return probe(frozen(texts), targets, [text_key(text) for text in texts], len(labels), seed)
    vectors = before.features(texts)
    norm = float(np.linalg.norm(before.weight, axis=1).mean())
    weight = np.zeros((len(labels), before.weight.shape[1]), dtype=np.float32)
    bias = np.full(len(labels), before.bias.mean(), dtype=np.float32)
    for place, label in enumerate(labels):
        if label in before.labels:
            old = before.labels.index(label)
            weight[place], bias[place] = before.weight[old], before.bias[old]
        else:
            mean = vectors[targets == place].mean(axis=0)
            weight[place] = mean / max(float(np.linalg.norm(mean)), 1e-12) * norm
    return weight, bias


def _problem(
    module: nn.Module,
    tokens: Sequence[list[int]],
    targets: torch.Tensor,
    encoder: Any,
    texts: list[str],
    labels: tuple[str, ...],
    before: Classifier | None,
    memory: Memory,
    settings: Settings,
) -> Problem:
    """Cross-entropy, and what keeps the past: a pull back (ewc) or the old model's answers (lwf). An item is a row."""
    teacher, old = torch.zeros(len(texts), 0), torch.zeros(0, dtype=torch.long)
    if settings.keeps == "lwf" and before is not None:
        teacher = torch.from_numpy(before.logits(texts))
        old = torch.tensor([labels.index(label) for label in before.labels])
    importance = {name: torch.from_numpy(value) for name, value in memory.tensors.items()}
    anchor = {name: weight.detach().clone() for name, weight in module.named_parameters() if name in importance}

    def collate(rows: list[int]) -> Tensors:
        ids, mask = batch_of(encoder, tokens, rows)
        return {"ids": ids, "mask": mask, "targets": targets[rows], "teacher": teacher[rows]}

    def loss(module: nn.Module, batch: Tensors) -> torch.Tensor:
        logits = module(batch["ids"], batch["mask"]).float()
        found = cross_entropy(logits, batch["targets"], smoothing=settings.label_smoothing)
        if len(old):
            found = found + settings.keep_strength * continual.distillation(
                logits[:, old.to(logits.device)], batch["teacher"]
            )
        if importance:  # once per item, so that a batch may be cut at will
            for held in (importance, anchor):  # a Trainer moved the module after they were made; once there, they stay
                held |= {name: value.to(logits.device) for name, value in held.items()}
            moved = continual.moved_weights(module, importance, anchor)
            found = found + settings.keep_strength * moved * len(batch["targets"])
        return found

    return Problem(collate, loss, lambda batch: float(len(batch["targets"])))


def _importance(
    module: nn.Module, problem: Problem, count: int, memory: Memory, seed: int
) -> dict[str, NDArray[np.float32]]:
    """Fisher information of the encoder's layers (word tables apart) on a sample of the rows, added to that of before."""
    rows = generator(seed).permutation(count)[:FISHER_ROWS].tolist()
    found = continual.fisher(module.cpu().eval(), problem, rows)
    return {
        name: value.numpy() + memory.tensors.get(name, np.zeros((), np.float32))
        for name, value in found.items()
        if name.startswith("encoder.") and "embeddings" not in name
    }


def _exemplars(model: Classifier, table: pd.DataFrame, count: int) -> list[tuple[str, str]]:
    chosen: list[tuple[str, str]] = []
    for label, rows in table.groupby("label", sort=True):
        texts = rows["text"].tolist()
        chosen += [(texts[row], str(label)) for row in continual.herded(model.features(texts), count)]
    return chosen
