"""The settings of a training run: one frozen table of names, types and defaults; unknown names are refused."""

import difflib
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, TypeVar

from fieldtune.errors import ConfigError
from fieldtune.models import adapter_options

_RANGES: dict[str, tuple[float, float]] = {
    "epochs": (1, math.inf), "max_steps": (0, math.inf), "learning_rate": (0, math.inf),
    "head_learning_rate": (0, math.inf), "token_budget": (1, math.inf), "batch_rows": (2, math.inf),
    "accumulate": (1, math.inf), "max_length": (3, math.inf), "max_target": (2, math.inf), "warmup": (0, 0.99), "weight_decay": (0, math.inf),
    "label_smoothing": (0, 1), "focal_gamma": (0, 20), "hard_negatives": (0, 100), "temperature": (1e-4, math.inf), "dropout": (0, 0.99), "patience": (0, math.inf), "checkpoint_steps": (0, math.inf),
    "memory_rows": (0, math.inf), "keep_strength": (0, math.inf),
    "epsilon": (0, 100), "delta": (0, 0.1),
    "image_size": (0, 2048), "top_layers": (0, math.inf),
    **adapter_options.RANGES,
}  # fmt: skip

_WORDS = {
    "keeps": ("statistics", "replay", "ewc", "lwf", "osf", "none"),
    "adapter_places": adapter_options.PLACES,
    "noisy": ("auto", "keep", "drop"),
}
# What suits a method better than the task's own defaults: few parameters that start near zero learn faster.
_BY_METHOD: dict[str, dict[str, Any]] = {
    "lora": {"learning_rate": 1e-3},
    "dora": {"learning_rate": 1e-3},
    "adalora": {"learning_rate": 2e-3},
    "ia3": {"learning_rate": 1e-2},
    "prefix": {"learning_rate": 5e-3},
    "adapter": {"learning_rate": 1e-3},
    "copy": {"refit": True},  # costs next to nothing, and what was kept apart would be answered from another row
}
_ASIDE = ("track", "track_dir")  # what is told about a run is no part of it


@dataclass(frozen=True)
class Settings:
    """How to train; a task changes the defaults that suit it, and its ``heeds`` says which of them a method reads.

    Attributes:
        epochs: passes over the training rows.
        max_steps: stop after this many optimizer steps; 0 for no limit.
        learning_rate: of the encoder, at the peak.
        head_learning_rate: of the new head, at the peak.
        token_budget: tokens per batch, padding included, for losses per example.
        batch_rows: rows per batch for contrastive losses, whose meaning depends on it; in a batch of one nothing is
            a negative.
        accumulate: batches per optimizer step; the loss is scaled by items, so k small batches equal one large.
        max_length: tokens kept of a text.
        max_target: tokens of a text to be written, at most.
        warmup: share of the steps with a rising learning rate; where it is less than one step, there is none.
        weight_decay: of AdamW.
        label_smoothing: share of the target spread over all classes.
        class_weights: ``none``; ``balanced`` for the inverse class frequency, ``sqrt`` for its square root; or weights by
            name, ``spam=3,ham=1``, where a label that is not named weighs 1.
        focal_gamma: above 0 the focal loss: rows that are known already count little (2 is usual).
        multi_label: of text classification: a row has any number of labels, written ``a|b``.
        hard_negatives: documents to mine per query as negatives, for embedding and reranking; 0 mines none.
        cached_gradients: compute a contrastive batch in pieces, each twice, so that its memory does not grow with it.
        temperature: divides cosine similarities in the contrastive loss.
        dropout: in the encoder; 0 for a deterministic gradient.
        keep_best: end with the weights of the epoch that did best on the validation rows, by the task's own figure, not with
            the last ones; of tuning on text-classification, text-pair and regression.
        patience: stop after so many epochs without a better one; 0 trains all epochs.
        checkpoint_steps: save every so many steps; 0 saves about once a minute.
        image_size: pixels of a picture's longer side as the model sees it; 0 for what suits the pictures.
        augment: show pictures a little differently each time.
        freeze_statistics: batch norm keeps the statistics it starts with.
        top_layers: layers below the head that train with ``--method top``, of texts and pictures.
        noisy: what to do with training rows whose label is likely wrong, see :mod:`fieldtune.train.noise`: ``keep`` them,
            ``drop`` them (text-classification: head, and what tunes the encoder), or ``auto``: what tunes the encoder
            drops them where they are many.
        scrub: hide personal data in the texts before training, see :mod:`fieldtune.data.scrub`.
        track: where to write curves, out of jsonl, tensorboard and wandb, comma-separated; nowhere without.
        track_dir: the folder for them.
        epsilon: of a head trained with differential privacy, see :mod:`fieldtune.train.private`; 0 for without.
        delta: its delta; 0 takes a tenth of one over the rows.
        keeps: of continual: statistics, replay, ewc, lwf, osf or none, see :mod:`fieldtune.train.continual`.
        memory_rows: rows of a class that replay keeps.
        keep_strength: how much ewc and lwf hold on to the past.
        rank: of the matrices of lora and dora; under adalora, the mean over all matrices at the end.
        alpha: lora's and dora's change is multiplied by alpha / rank, adalora's by alpha over the rank it begins with, which is
            half as much again.
        adapter_size: units of a bottleneck adapter.
        adapter_places: bottlenecks after ``feed-forward`` layers, or after ``both`` attention and these.
        prefix_length: learnt keys and values in each attention.
        refit: where validation rows were split off the training rows, train once more on all of them after measuring.
    """

    epochs: int = 5
    max_steps: int = 0
    learning_rate: float = 1e-4
    head_learning_rate: float = 1e-3
    token_budget: int = 1024
    batch_rows: int = 64
    accumulate: int = 1
    max_length: int = 128
    max_target: int = 256
    warmup: float = 0.1
    weight_decay: float = 0.01
    label_smoothing: float = 0.05
    class_weights: str = "none"
    focal_gamma: float = 0.0
    multi_label: bool = False
    hard_negatives: int = 0
    cached_gradients: bool = False
    temperature: float = 0.05
    dropout: float = 0.1
    keep_best: bool = False
    patience: int = 0
    checkpoint_steps: int = 0
    epsilon: float = 0.0
    delta: float = 0.0
    keeps: str = "statistics"
    memory_rows: int = 5
    keep_strength: float = 1.0
    image_size: int = 0
    augment: bool = True
    freeze_statistics: bool = False
    top_layers: int = 1
    refit: bool = False
    noisy: str = "auto"
    rank: int = 8
    alpha: float = 16.0
    adapter_size: int = 16
    adapter_places: str = "feed-forward"
    prefix_length: int = 8
    scrub: bool = True
    track: str = ""
    track_dir: str = "runs"

    def __post_init__(self) -> None:
        for name, words in _WORDS.items():
            if (value := getattr(self, name)) not in words:
                raise ConfigError(f"{name} out of {', '.join(words)}", repr(value), "use one of them")
        if self.class_weights not in ("none", "sqrt", "balanced"):
            label_weights(self.class_weights)
        for name, (least, most) in _RANGES.items():
            value = getattr(self, name)
            if not (math.isfinite(value) and least <= value <= most):
                wanted = f"of at least {least:g}" if most == math.inf else f"from {least:g} to {most:g}"
                raise ConfigError(f"a finite {name} {wanted}", str(value), f"correct --set {name}=...")

    def updated(self, changes: Mapping[str, Any] | None) -> "Settings":
        """These settings with some changed; text values, as the command line gives them, are converted.

        Raises:
            ConfigError: an unknown name, or a value of the wrong kind.
        """
        return updated(self, changes)

    def suited(self, method: str) -> "Settings":
        """These settings with what a method's own defaults change."""
        return replace(self, **_BY_METHOD.get(method, {}))

    def as_dict(self) -> dict[str, Any]:
        """Name -> value, for the fingerprint of a run: all that can change its weights."""
        return {name: value for name, value in asdict(self).items() if name not in _ASIDE}


Table = TypeVar("Table", bound=Any)


def updated(table: Table, changes: Mapping[str, Any] | None) -> Table:
    """A frozen table of settings with some changed; text values, as the command line gives them, are converted.

    Raises:
        ConfigError: an unknown name, or a value of the wrong kind.
    """
    if not isinstance(changes or {}, Mapping):
        raise ConfigError("settings by name", f"{changes!r:.60}", 'give a dictionary: settings={"epochs": 3}')
    kinds = {field.name: type(getattr(table, field.name)) for field in fields(table)}
    values: dict[str, Any] = {}
    for name, value in (changes or {}).items():
        if name not in kinds:
            near = difflib.get_close_matches(str(name), kinds, 1, 0.0)[0]
            raise ConfigError(f"a setting out of {', '.join(kinds)}", repr(name), f"did you mean {near!r}?")
        try:
            values[name] = _READ.get(kinds[name], kinds[name])(value)
        except (TypeError, ValueError, OverflowError) as error:
            raise ConfigError(f"{name} as {kinds[name].__name__}", repr(value), f"--set {name}=...") from error
    return replace(table, **values)


def label_weights(text: str) -> dict[str, float]:
    """``spam=3,ham=1`` -> a weight per label.

    Raises:
        ConfigError: no such list, or a weight that is no positive number.
    """
    weights = {}
    for item in text.split(","):
        name, sign, number = item.rpartition("=")
        try:
            weights[name.strip()] = _number(number)
        except ValueError:
            sign = ""
        if not sign or not 0 < weights[name.strip()] < math.inf:
            raise ConfigError(
                "class_weights none, sqrt, balanced, or LABEL=NUMBER,... above 0",
                repr(text),
                "correct --set class_weights=...",
            )
    return weights


def _count(value: Any) -> int:
    """A whole number, also as text: of 1.9 Python would make 1."""
    whole = int(_figure(value))
    if not isinstance(value, str) and whole != value:
        raise ValueError
    return whole


def _number(value: Any) -> float:
    return float(_figure(value))


def _figure(value: Any) -> Any:
    """What may be read as a number: no truth, and no text as only Python writes numbers (``1_0``), as in tables."""
    if isinstance(value, bool) or "_" in str(value):
        raise ValueError
    return value


def _flag(value: Any) -> bool:
    """True or False, also as texts: any text but an empty one would count as true."""
    words = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
    if str(value).lower() not in words:
        raise ValueError
    return words[str(value).lower()]


_READ: dict[type, Callable[[Any], Any]] = {bool: _flag, int: _count, float: _number}
