"""Attributions of a text classifier's answer to the words of the text, with two checks of each.

Integrated gradients (Sundararajan et al. 2017, arXiv 1703.01365) follow the score from a text whose every word is
padding to the text itself; occlusion cuts out one word at a time and needs no gradient, so it also explains n-grams.
*Completeness*: the weights of integrated gradients must add up to the difference of the two scores. *Deletion*
(Petsiuk et al. 2018, arXiv 1806.07421): cutting words in the order of their weights must hurt the score more than
cutting them in random order. Both figures come with every explanation.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from fieldtune.errors import InputError
from fieldtune.explain.words import Span, without, word_of
from fieldtune.models.encoder import pool
from fieldtune.models.trained import Classifier
from fieldtune.text.words import spans as words

STEPS = 32
RANDOM_ORDERS = 20
METHODS = ("gradients", "occlusion")
Floats = NDArray[np.float64]
Score = Callable[[Sequence[str]], Floats]


@dataclass(frozen=True)
class Explanation:
    """Why a text got a label.

    Attributes:
        text: the text.
        label: the label whose score is explained: the predicted one, or the one asked for.
        method: one of :data:`METHODS`.
        spans: start and end of each word.
        weights: what each word adds to the score of the label, ``[words]``; negative where it speaks against it.
        score: of the text: its logit less the mean of all logits, so that what raises every class counts for none.
        completeness_error: how far the weights are from adding up, as a share; None for occlusion, which promises none.
        deletion: mean score while the words are cut out, heaviest first; the lower, the better the order.
        deletion_random: the same in random orders, on average.
        cut: words beyond what the model reads, which weigh nothing.
    """

    text: str
    label: str
    method: str
    spans: tuple[Span, ...]
    weights: tuple[float, ...]
    score: float
    completeness_error: float | None
    deletion: float
    deletion_random: float
    cut: int

    @property
    def words(self) -> list[str]:
        """The words themselves."""
        return [self.text[start:end] for start, end in self.spans]


def explain(
    model: Classifier,
    text: str,
    *,
    rng: np.random.Generator,
    label: str | None = None,
    method: str | None = None,
    steps: int = STEPS,
) -> Explanation:
    """Explain one prediction.

    Args:
        model: a classifier of texts.
        text: what to explain.
        rng: draws the random orders that deletion is compared with.
        label: whose score to explain; None for the predicted label.
        method: ``"gradients"`` (needs an encoder) or ``"occlusion"``; None takes the first the model allows.
        steps: points on the path of integrated gradients, placed by Gauss and Legendre.

    Raises:
        InputError: no word in the text, a label the model does not know, or gradients of n-grams.
    """
    encoder = getattr(model.features, "encoder", None)
    method = method or ("gradients" if encoder is not None else "occlusion")
    spans = words(text)
    _check(model, spans, label, method, encoder)
    place = model.labels.index(label) if label is not None else int(model.logits([text])[0].argmax())

    def score(texts: Sequence[str]) -> Floats:
        logits = model.logits(list(texts)).astype(np.float64)
        return np.asarray(logits[:, place] - logits.mean(axis=1))

    if method == "gradients":
        weights, error, cut = integrated_gradients(model, text, spans, place, steps)
    else:
        weights, error, cut = occlusion(score, text, spans), None, 0
    orders = [np.argsort(-weights, kind="stable"), *(rng.permutation(len(spans)) for _ in range(RANDOM_ORDERS))]
    deleted = [deletion(score, text, spans, order) for order in orders]
    return Explanation(
        text,
        model.labels[place],
        method,
        tuple(spans),
        tuple(weights.tolist()),
        float(score([text])[0]),
        error,
        deleted[0],
        float(np.mean(deleted[1:])),
        cut,
    )


def integrated_gradients(
    model: Classifier, text: str, spans: Sequence[Span], place: int, steps: int
) -> tuple[Floats, float, int]:
    """Weights per word, the relative completeness error, and how many words the model does not read."""
    features: Any = model.features
    encoder = features.encoder
    encoded = encoder.tokenizer(
        text, truncation=True, max_length=features.max_length, padding=False, return_offsets_mapping=True
    )
    owners = np.asarray(word_of(encoded["offset_mapping"], spans))
    ids = torch.tensor([encoded["input_ids"]])
    table = encoder.body.get_input_embeddings()
    end = table(ids).detach()
    padding = table(torch.tensor([encoder.tokenizer.pad_token_id or 0])).detach()
    start = torch.where(torch.from_numpy(owners >= 0)[None, :, None], padding, end)

    def score(embedded: torch.Tensor) -> torch.Tensor:
        mask = torch.ones(embedded.shape[:2], dtype=torch.long)
        hidden = encoder.body(inputs_embeds=embedded, attention_mask=mask).last_hidden_state
        vectors = torch.nn.functional.normalize(pool(hidden, mask, encoder.pooling), dim=1)
        logits = vectors @ torch.from_numpy(model.weight).T + torch.from_numpy(model.bias)
        return logits[:, place] - logits.mean(dim=1)

    points, shares = np.polynomial.legendre.leggauss(steps)
    total = torch.zeros_like(end)
    for point, share in zip((points + 1) / 2, shares / 2, strict=True):
        embedded = (start + float(point) * (end - start)).requires_grad_()
        (gradient,) = torch.autograd.grad(score(embedded).sum(), embedded)
        total += float(share) * gradient
    by_token = ((end - start) * total).sum(-1)[0].double().numpy()
    weights = np.bincount(owners[owners >= 0], by_token[owners >= 0], len(spans)).astype(np.float64)
    with torch.inference_mode():
        change = float(score(end)[0] - score(start)[0])
    error = abs(by_token.sum() - change) / max(abs(change), 1e-6)
    return weights, float(error), len(spans) - len(set(owners[owners >= 0].tolist()))


def occlusion(score: Score, text: str, spans: Sequence[Span]) -> Floats:
    """What the score loses without each word (Zeiler and Fergus 2014), ``[words]``."""
    found = score([text, *(without(text, [span]) for span in spans)])
    return np.asarray(found[0] - found[1:])


def deletion(score: Score, text: str, spans: Sequence[Span], order: Sequence[int] | NDArray[np.int_]) -> float:
    """Mean score while the words are cut out in this order, the whole text and the empty one included."""
    cut = [without(text, [spans[word] for word in order[:count]]) for count in range(len(spans) + 1)]
    return float(score(cut).mean())


def _check(model: Classifier, spans: Sequence[Span], label: str | None, method: str, encoder: Any) -> None:
    if not spans:
        raise InputError("a text with words", "none in it", "give another --text")
    if label is not None and label not in model.labels:
        raise InputError(f"a label out of {', '.join(model.labels[:10])}", repr(label), "choose one of them")
    if method not in METHODS:
        raise InputError(f"a method out of {', '.join(METHODS)}", repr(method), "choose one of them")
    if method == "gradients" and encoder is None:
        raise InputError("a model with an encoder for gradients", "one that counts n-grams", "use --method occlusion")
