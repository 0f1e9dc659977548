"""Attributions of a text classifier's answer to the words of the text, with two checks of each.

Integrated gradients (Sundararajan et al. 2017, arXiv 1703.01365) follow the score from a text whose every word is
padding to the text itself; occlusion cuts out one word at a time and needs no gradient, so it also explains n-grams.
*Completeness*: the weights of integrated gradients must add up to the difference of the two scores. *Deletion*
(Petsiuk et al. 2018, arXiv 1806.07421): cutting words in the order of their weights must hurt the score more than
cutting them in random order. Both figures come with every explanation.

What it costs grows with the length of the text and no faster: words that the model does not read are left alone, of a
long text neighbours are cut out together, and the deletion curve is looked at in a limited number of places.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray

from fieldtune.data.scrub import traced
from fieldtune.errors import InputError
from fieldtune.explain.words import Span, apart, without, word_of
from fieldtune.models import asked
from fieldtune.models.encoder import encodable, pool
from fieldtune.models.features import EncoderFeatures, NgramFeatures, ProjectedFeatures
from fieldtune.models.trained import Classifier
from fieldtune.text.shown import some_of
from fieldtune.text.words import spans as words

STEPS = 32
RANDOM_ORDERS = 8
PLACES = 32
"""At most so many points of a deletion curve are looked at."""
GROUPS = 256
"""Occlusion cuts out at most so many pieces, one after the other."""
_BATCH = 64  # texts with something cut out of them that are held at a time
METHODS = ("gradients", "occlusion")
Floats = NDArray[np.float64]
Score = Callable[[Iterable[str]], Floats]


@dataclass(frozen=True)
class Explanation:
    """Why a text got a label.

    Attributes:
        text: the text as it was written; what is hidden from the model counts as one word of it.
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
    differentiable = isinstance(model.features, EncoderFeatures)
    method = method or ("gradients" if differentiable else "occlusion")
    given, (text, spans, places) = text, _parted(model, text)
    _check(model, spans, label, method, differentiable)
    place = model.labels.index(label) if label is not None else int(model.logits([text])[0].argmax())

    def score(texts: Iterable[str]) -> Floats:
        given, found = iter(texts), []
        while batch := list(islice(given, _BATCH)):
            logits = model.logits(batch).astype(np.float64)
            found.append(logits[:, place] - logits.mean(axis=1))
        return np.concatenate(found)

    seen = read(model.features, text, spans)
    known = [spans[word] for word in seen]
    shown = text[: known[-1][1]] if known else ""  # no word behind it moves up where one is cut out
    weights, error = np.zeros(len(spans)), None
    if method == "gradients":
        weights, error = integrated_gradients(model, text, spans, place, steps)
    else:
        weights[seen] = occlusion(score, shown, known)
    orders = [np.argsort(-weights[seen], kind="stable"), *(rng.permutation(len(seen)) for _ in range(RANDOM_ORDERS))]
    deleted = [deletion(score, shown, known, order) for order in orders]
    return Explanation(
        given,
        model.labels[place],
        method,
        tuple(places),
        tuple(weights.tolist()),
        float(score([text])[0]),
        error,
        deleted[0],
        float(np.mean(deleted[1:])),
        len(spans) - len(seen),
    )


def _parted(model: Classifier, text: str) -> tuple[str, list[Span], list[Span]]:
    """The text as the model reads it, where its words are, and where they are in the text as it was written."""
    if not asked.hides(model):
        return text, words(text), words(text)
    hidden, places = traced(text)
    return hidden, *apart(words(hidden), places)


def read(features: Any, text: str, spans: Sequence[Span]) -> list[int]:
    """The places of the words that a model reads: of an encoder, those with a token before it stops; n-grams read all."""
    if isinstance(features, NgramFeatures):
        return list(range(len(spans)))
    return sorted({owner for owner in _tokens(features, text, spans)[1] if owner >= 0})


def integrated_gradients(
    model: Classifier, text: str, spans: Sequence[Span], place: int, steps: int
) -> tuple[Floats, float]:
    """Weights per word, 0 where the model does not read it, and the relative completeness error."""
    encoder = cast(EncoderFeatures, model.features).encoder
    numbers, belongs = _tokens(model.features, text, spans)
    ids, owners = torch.tensor([numbers]), np.asarray(belongs)
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
    return weights, float(error)


def occlusion(score: Score, text: str, spans: Sequence[Span]) -> Floats:
    """What the score loses without each word (Zeiler and Fergus 2014), ``[words]``.

    Of more than :data:`GROUPS` words, neighbours are cut out together and share alike what is lost.
    """
    groups = np.array_split(np.arange(len(spans)), max(min(len(spans), GROUPS), 1))
    whole = score([text])[0]
    found = score(without(text, [spans[word] for word in group]) for group in groups)
    return np.concatenate(
        [np.full(len(group), (whole - one) / max(len(group), 1)) for group, one in zip(groups, found, strict=True)]
    )


def deletion(score: Score, text: str, spans: Sequence[Span], order: Sequence[int] | NDArray[np.int_]) -> float:
    """Mean score while the words are cut out in this order, from the whole text to none of its words.

    Of more than :data:`PLACES` such texts, that many are looked at, evenly spread.
    """
    counts = np.linspace(0, len(spans), min(len(spans) + 1, PLACES)).round().astype(int)
    cut = (without(text, [spans[word] for word in order[:count]]) for count in counts)
    return float(score(cut).mean())


def _tokens(features: Any, text: str, spans: Sequence[Span]) -> tuple[list[int], list[int]]:
    """What an encoder reads of a text: its token ids, and the word of each, see :func:`word_of`."""
    inner = features.features if isinstance(features, ProjectedFeatures) else features
    tokenizer = inner.encoder.tokenizer if isinstance(inner, EncoderFeatures) else inner.tokenizer
    found = tokenizer(
        encodable(text), truncation=True, max_length=inner.max_length, padding=False, return_offsets_mapping=True
    )
    return found["input_ids"], word_of(found["offset_mapping"], spans)


def _check(model: Classifier, spans: Sequence[Span], label: str | None, method: str, differentiable: bool) -> None:
    if not spans:
        raise InputError("a text with words", "none in it", "give another --text")
    if label is not None and label not in model.labels:
        raise InputError(f"a label out of {some_of(model.labels, 10)}", repr(label), "choose one of them")
    if method not in METHODS:
        raise InputError(f"a method out of {', '.join(METHODS)}", repr(method), "choose one of them")
    if method == "gradients" and not differentiable:
        raise InputError(
            "a model with an encoder for gradients",
            "one that counts n-grams, or whose encoder is a graph or projected",
            "use --method occlusion",
        )
