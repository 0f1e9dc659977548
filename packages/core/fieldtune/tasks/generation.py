"""What the tasks share whose answer is written: a reply to a source text. Methods: copy (the nearest known one), full.

The loss counts the tokens of the reply alone; an item is one such token, so k small batches equal one large.
"""

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import nn
from transformers import AddedToken

from fieldtune.data.checks import Finding, check_table, text_key
from fieldtune.data.split import tenth
from fieldtune.evaluate import generation
from fieldtune.models import generator as writing
from fieldtune.models.copier import Copier
from fieldtune.models.features import EncoderFeatures
from fieldtune.models.generator import Generator
from fieldtune.models.trained import load_encoder
from fieldtune.text import detokenise
from fieldtune.train.heeds import ENCODED, TUNED, Names
from fieldtune.train.problem import Problem, Tensors
from fieldtune.train.quick import quicken
from fieldtune.train.run import by_tokens, run, training_dtype
from fieldtune.train.settings import Settings
from fieldtune.train.tuning import set_dropout
from fieldtune.train.words import writing_at_hand

METHODS = ("copy", "full")
RIVALS = ("copy",)
SHARED = ("full",)
FIGURE = "rouge_l"
DEFAULTS = Settings(epochs=10, learning_rate=1e-4, head_learning_rate=5e-4, token_budget=2048)
Writer = Generator | Copier
Places = Callable[[torch.Tensor], torch.Tensor]


def heeds(method: str, settings: Settings) -> Names:
    """The settings a method reads."""
    return ENCODED if method == "copy" else TUNED | {"max_target", "label_smoothing"}


def check(table: pd.DataFrame) -> list[Finding]:
    """What :func:`check_table` finds in texts, and sources that got several replies, which a model can only average."""
    found = check_table(table, "seq2seq")
    keys = table["source"].map(text_key)
    several = table.groupby(keys, sort=False)["target"].nunique()
    rows = tuple(np.flatnonzero(keys.isin(several.index[several > 1])).tolist())
    if rows:
        message = f"rows share a source but not the target: {len(rows)} rows"
        found.append(Finding("conflicting-targets", "warning", message, rows))
    return found


def split(table: pd.DataFrame, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """A tenth of the rows for validation; all rows of one source on one side."""
    keys = [text_key(source) for source in table["source"]]
    return tenth(table, keys, seed)


def train(
    table: pd.DataFrame, method: str, model: str, settings: Settings, *, seed: int, folder: Path, show: bool
) -> Writer:
    """Fit on ``table`` (columns source, target)."""
    sources, targets = table["source"].tolist(), table["target"].tolist()
    if method == "copy":
        features = load_encoder(model, settings.max_length).features
        assert isinstance(features, EncoderFeatures)
        return Copier(features, features(sources), targets)
    made = start(model, targets, settings)
    pairs = writing.tokenised(made, sources, targets)
    plan = by_tokens([len(source) + len(target) for source, target in pairs], settings, seed)
    set_dropout(made.body, settings.dropout)
    if not torch.cuda.is_available():
        quicken(made.body, training_dtype())
    twice = made.kind == "encoder-decoder"  # an encoder taken twice; other kinds keep their words in ways of their own
    known = made.body.encoder if twice else made.body
    with (
        writing_at_hand(made.body, writing.padding(made.tokenizer), *zip(*pairs, strict=True))
        if twice
        else nullcontext() as places
    ):
        run(
            made.body, problem(made, pairs, settings.label_smoothing, places), plan, settings,
            body=known, seed=seed, folder=folder, show=show,
        )  # fmt: skip
    return made


def start(model: str, targets: Sequence[str], settings: Settings) -> Generator:
    """The model before training: slots of the targets are tokens of their own, and what is written in lower case learns how it was written."""
    body, tokenizer, kind = writing.start_body(model)
    fresh = sorted({slot for target in targets for slot in generation.SLOT.findall(target)})
    _name(body, tokenizer, fresh)
    lower = tokenizer.decode(tokenizer("A", add_special_tokens=False)["input_ids"]).strip() == "a"
    written = detokenise.learn(targets) if lower else None
    return Generator(body, tokenizer, kind, settings.max_length, settings.max_target, written)


def _name(body: Any, tokenizer: Any, names: list[str]) -> None:
    """Make tokens of names, each beginning at the mean of its pieces."""
    pieces = {name: tokenizer(name, add_special_tokens=False)["input_ids"] for name in names}
    if not tokenizer.add_tokens([AddedToken(name, normalized=False) for name in names]):
        return
    parts = [body.encoder, body.decoder] if body.config.model_type == "encoder-decoder" else [body]
    for part in parts:
        part.resize_token_embeddings(len(tokenizer), mean_resizing=False)
        with torch.no_grad():
            for layer in (part.get_input_embeddings(), part.get_output_embeddings()):
                for name, ids in pieces.items() if layer is not None else ():
                    layer.weight[tokenizer.convert_tokens_to_ids(name)] = layer.weight[ids].mean(0)


def problem(
    model: Generator, pairs: list[tuple[list[int], list[int]]], smooth: float, places: Places | None = None
) -> Problem:
    """Cross-entropy summed over the tokens of the replies; each is an item.

    Args:
        places: token ids -> where the model's output has them, when it has not all of them.
    """

    def collate(rows: list[int]) -> Tensors:
        return writing.batch_of(model, [pairs[row] for row in rows])

    def loss(module: nn.Module, batch: Tensors) -> torch.Tensor:
        logits, wanted = writing.scores(module, model.kind, batch)
        wanted = places(wanted) if places else wanted
        return nn.functional.cross_entropy(logits.float(), wanted, reduction="sum", label_smoothing=smooth)

    return Problem(collate, loss, lambda batch: float((batch["labels"] != -100).sum()))


def finish(model: Writer, valid: pd.DataFrame) -> dict[str, Any]:
    """Nothing to calibrate; returns the metrics on validation rows."""
    return metrics(model, valid)


def adopt(model: Writer, measured: Writer) -> None:
    """Nothing to take over from the model that was measured."""


def metrics(model: Writer, table: pd.DataFrame) -> dict[str, Any]:
    """rouge_l, exact_match, slot_accuracy and n; of a model that writes also log_loss, nats a token."""
    found: dict[str, Any] = dict(generation.report(table["target"].tolist(), model.generate(table["source"].tolist())))
    if isinstance(model, Generator):
        found["log_loss"] = float(model.log_loss(table["source"].tolist(), table["target"].tolist()).mean())
    return found


def correct(model: Writer, table: pd.DataFrame) -> NDArray[np.float64]:
    """ROUGE-L per row: what the gate compares."""
    return generation.per_row(table["target"].tolist(), model.generate(table["source"].tolist()))


def predict(model: Writer, table: pd.DataFrame) -> pd.DataFrame:
    """predicted: the reply to each source."""
    return pd.DataFrame({"predicted": model.generate(table["source"].tolist())})
