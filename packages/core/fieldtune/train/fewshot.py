"""Contrastive fine-tuning of an encoder on few labelled rows: the idea of SetFit (Tunstall et al. 2022, arXiv 2209.11055).

Rows of a class are drawn together and apart from the others by the supervised contrastive loss (Khosla et al. 2020,
arXiv 2004.11362). Pairs are never listed: a batch of rows holds all of its pairs, so memory is linear in rows. The
name of a class, where it can be read, is a row of that class in every batch. Where the classes lie apart before that, a
third of the words of the other rows is masked anew each time, or so few rows would be learnt by heart, and the encoder
ends between its old and its new weights (Wortsman et al. 2022, arXiv 2109.01903). What follows, a head on the tuned
vectors, is not this module's business.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from fieldtune.batching import Batch
from fieldtune.runtime import generator
from fieldtune.train.problem import Problem, Tensors
from fieldtune.train.run import run
from fieldtune.train.settings import Settings
from fieldtune.train.tuning import Body, in_pieces, vectors_of

MASKED = 0.3
"""Share of the words, at most."""
PER_CLASS = 8
"""At most so many rows of a class in a batch."""
STEPS = (24, 60)
"""Fewest and most steps."""
ROWS_A_STEP = 2.5
"""How far the encoder moves grows with the rows that say where to; below the fewest steps, the steps are shorter."""
TOLD_APART = (0.65, 0.75)
"""Of the rows lie nearest to their own class: up to the first share the encoder goes all the way and sees all words,
from the second on it goes :data:`LEAST_WAY` of it and :data:`MASKED` of them are masked."""
LEAST_WAY = 0.6
SOFTEST, SPREAD = 0.3, 1.5
"""The temperature is ``SPREAD`` over the classes, at most ``SOFTEST``, at least the setting."""


def tune_contrastive(
    encoder: Any,
    texts: Sequence[str],
    targets: NDArray[np.int64],
    names: Mapping[int, str],
    settings: Settings,
    *,
    way: float,
    mask: float,
    seed: int,
    folder: Path,
    show: bool,
) -> None:
    """Tune ``encoder`` in place.

    Args:
        encoder: from :func:`fieldtune.train.tuning.trainable`.
        targets: int64 ``[texts]``, the class of each text.
        names: class -> its name in words, for those that have one worth reading.
        settings: ``batch_rows``, ``temperature`` (the least), ``learning_rate`` (the highest), ``max_steps`` (0: as many as
            the rows are worth) and the usual ones.
        way: how far the weights go from where they are to where training ends, see :func:`way_of`; 1: all the way.
        mask: the share of words to mask, see :func:`mask_of`.
    """
    places = sorted(names)
    known = np.concatenate([targets, np.asarray(places, dtype=np.int64)])
    tokens = encoder.tokens([*texts, *(names[place] for place in places)], settings.max_length)
    module = Body(encoder)
    settings = settings.updated(
        {
            "temperature": max(settings.temperature, softness(len(np.unique(targets)))),
            "learning_rate": settings.learning_rate * min(1.0, len(texts) / ROWS_A_STEP / STEPS[0]),
        }
    )
    for weight in getattr(encoder.body, "embeddings", encoder.body.get_input_embeddings()).parameters():
        weight.requires_grad_(False)  # words that few rows do not hold would drift from those they do
    learnt = [weight for weight in encoder.body.parameters() if weight.requires_grad]
    start = [weight.detach().clone() for weight in learnt]
    plan = batches(known, len(texts), settings.batch_rows, settings.max_steps * settings.accumulate, generator(seed))
    run(
        module,
        problem(encoder, tokens, torch.from_numpy(known), len(texts), settings, mask, seed),
        plan,
        settings,
        body=module,
        seed=seed,
        folder=folder,
        show=show,
        description="few-shot",
    )
    with torch.no_grad():
        for weight, before in zip(learnt, start, strict=True):
            weight.copy_(before.lerp(weight, way))


def told_apart(vectors: NDArray[np.float32], targets: NDArray[np.int64]) -> float | None:
    """The share of rows that lie nearest to the mean of their own class, themselves left out of it; None where none can tell.

    Args:
        vectors: float32 ``[rows, d]`` of unit length, before tuning; of texts that say the same, one.
        targets: int64 ``[rows]``, their classes; a class of one row tells nothing.
    """
    classes, own, counts = np.unique(targets, return_inverse=True, return_counts=True)
    sums = np.zeros((len(classes), vectors.shape[1]), dtype=np.float32)
    np.add.at(sums, own, vectors)
    dots, lengths = vectors @ sums.T, np.linalg.norm(sums, axis=1)
    # A row's cosine to the sum without it, by dot products: copies of all vectors would be most of what few-shot holds.
    itself, mine = np.einsum("ij,ij->i", vectors, vectors), dots[np.arange(len(own)), own]
    rest = np.sqrt(np.maximum(lengths[own] ** 2 - 2 * mine + itself, 1e-12))
    near = dots / np.maximum(lengths, 1e-12)
    near[np.arange(len(own)), own] = (mine - itself) / rest
    told = (near.argmax(axis=1) == own)[counts[own] > 1]
    return float(told.mean()) if len(told) else None


def way_of(told: float | None) -> float:
    """How far the weights go from where they are to where training ends: less far where the encoder knows the classes."""
    return float(np.interp(told or 0.0, TOLD_APART, (1.0, LEAST_WAY)))


def mask_of(told: float | None) -> float:
    """The share of words to mask: none where it does not know them, for the word that tells a class is to be learnt."""
    return float(np.interp(told or 0.0, TOLD_APART, (0.0, MASKED)))


def batches(
    targets: NDArray[np.int64], rows: int, batch_rows: int, max_steps: int, rng: np.random.Generator
) -> list[Batch]:
    """Batches of some rows each of many classes, with the names of these classes.

    Args:
        targets: the class of each row, of ``rows`` texts first and then of names.
        rows: how many texts there are.
        batch_rows: about the most rows in a batch.
        max_steps: batches to draw; 0 takes one for every ``ROWS_A_STEP`` rows, within ``STEPS``.
    """
    texts, names = targets[:rows], {int(place): rows + number for number, place in enumerate(targets[rows:])}
    members = {int(place): np.flatnonzero(texts == place) for place in np.unique(texts)}
    classes = np.asarray(sorted(members))
    share = int(np.clip(batch_rows // len(classes) - 1, 2, PER_CLASS))
    at_once = max(2, batch_rows // (share + 1))

    def draw() -> Batch:
        batch: Batch = []
        for place in rng.permutation(classes)[:at_once].tolist():
            own = members[place]
            batch += rng.choice(own, min(share, len(own)), replace=False).tolist()
            batch += [names[place]] if place in names else []
        return batch

    steps = max_steps or int(np.clip(rows / ROWS_A_STEP, *STEPS))
    return [draw() for _ in range(steps)]


def problem(
    encoder: Any,
    tokens: Sequence[list[int]],
    targets: torch.Tensor,
    rows: int,
    settings: Settings,
    mask: float,
    seed: int,
) -> Problem:
    """The supervised contrastive loss of a batch; an item is a row that has another of its class in the batch."""

    def collate(batch: list[int]) -> Tensors:
        rng = np.random.default_rng([seed, *batch])  # the same batch is masked the same way after a crash
        texts = [masked(encoder, tokens[row], mask, rng) if row < rows else tokens[row] for row in batch]
        return {"targets": targets[batch], **in_pieces(encoder, texts, settings.token_budget)}

    def loss(module: nn.Module, batch: Tensors) -> torch.Tensor:
        return supervised_contrastive(vectors_of(module, batch), batch["targets"], settings.temperature)

    def items(batch: Tensors) -> float:
        _, inverse, counts = batch["targets"].unique(return_inverse=True, return_counts=True)
        return max(1.0, float((counts[inverse] > 1).sum()))

    return Problem(collate, loss, items, divisible=False)


def softness(classes: int) -> float:
    """The temperature that suits so many classes.

    A low one looks at the nearest other class alone. That is what tells many classes apart; of few every one counts,
    and the nearest row of two dozen is chance.
    """
    return min(SOFTEST, SPREAD / classes)


def supervised_contrastive(vectors: torch.Tensor, targets: torch.Tensor, temperature: float) -> torch.Tensor:
    """Summed loss of unit vectors ``[n, d]``: per row the mean of -log p over the other rows of its class (equation 2)."""
    alone = torch.eye(len(vectors), dtype=torch.bool, device=vectors.device)
    scores = (vectors.float() @ vectors.float().T / temperature).masked_fill(alone, -torch.inf)
    chances = torch.log_softmax(scores, dim=1).masked_fill(alone, 0.0)
    same = (targets[:, None] == targets[None, :]) & ~alone
    return -((chances * same).sum(1) / same.sum(1).clamp(min=1)).sum()


def masked(encoder: Any, ids: list[int], share: float, rng: np.random.Generator) -> list[int]:
    """A share of the tokens of a text replaced by the mask token, or left out where there is none; the outer two stay."""
    hidden = rng.random(len(ids)) < share
    hidden[[0, -1]] = False
    mask = encoder.tokenizer.mask_token_id
    if mask is None:
        return [token for token, gone in zip(ids, hidden, strict=True) if not gone]
    return [mask if gone else token for token, gone in zip(ids, hidden, strict=True)]
