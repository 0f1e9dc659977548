"""What speed is measured against: training as transformers' users write it, the machine's own products, and the clock."""

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    DataCollatorWithPadding,
    PreTrainedModel,
    PrinterCallback,
    Trainer,
    TrainingArguments,
)
from transformers.modeling_outputs import SequenceClassifierOutput
from transformers.utils import logging

from fieldtune.infer.lean import product
from fieldtune.models.encoder import load_encoder_folder, pool

logging.set_verbosity(
    logging.CRITICAL
)  # it says of a new head that it is new, and of `Pooled` that it is no model of theirs

Run = Callable[[], Any]


class Anew(NamedTuple):
    """A run that uses up what it works on: ``make`` gives the next one, off the clock."""

    make: Callable[[], Run]


def interleaved(runs: Mapping[str, Run | Anew], rounds: int) -> dict[str, dict[str, float]]:
    """Each run once to warm up, then all in turn; medians of wall and CPU seconds."""
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in runs}
    for number in range(rounds + 1):
        for name, given in runs.items():
            run = given.make() if isinstance(given, Anew) else given
            wall, cpu = time.perf_counter(), time.process_time()
            run()
            if number:
                taken[name].append((time.perf_counter() - wall, time.process_time() - cpu))
    return {
        name: {"seconds": statistics.median(wall), "cpu_seconds": statistics.median(cpu)}
        for name, (wall, cpu) in ((name, zip(*pairs, strict=True)) for name, pairs in taken.items())
    }


def peak(dtype: torch.dtype) -> Run:
    """Twenty products of the encoder's shape, as fast as torch does them here; ``PEAK_FLOPS`` in all."""
    multiply, x = product(torch.ones(1536, 384), torch.zeros(1536), dtype), torch.ones(4096, 384, dtype=dtype)

    def run() -> None:
        with torch.inference_mode():
            for _ in range(20):
                multiply(x)

    return run


PEAK_FLOPS = 20 * 2 * 4096 * 384 * 1536


def flops(body: Any, lengths: Sequence[int]) -> float:
    """Floating-point operations of one forward pass over texts of these lengths, padding not counted.

    Products with weights, and attention's two; a training step counts three times as many (Kaplan et al. 2020).
    """
    config, counted = body.config, np.asarray(lengths, dtype=float)
    weights = sum(weight.numel() for name, weight in body.encoder.named_parameters() if weight.ndim == 2)
    attention = 4 * config.hidden_size * config.num_hidden_layers * (counted**2).sum()
    return float(2 * weights * counted.sum() + attention)


def trainer(folder: Path, texts: list[str], targets: Sequence[int], out: Path, classes: int, **options: Any) -> Trainer:
    """transformers' ``Trainer`` on a classifier over the same encoder.

    Args:
        options: of ``TrainingArguments``; ``padded_to`` pads every text to so many tokens instead of its batch's longest.
    """
    padded = options.pop("padded_to", None)
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    padding = {"padding": "max_length"} if padded else {"padding": False}
    read = tokenizer(texts, truncation=True, max_length=padded or 128, **padding)
    rows = [
        {"input_ids": ids, "attention_mask": mask, "labels": target}
        for ids, mask, target in zip(read["input_ids"], read["attention_mask"], targets, strict=True)
    ]
    made = Trainer(
        model=AutoModelForSequenceClassification.from_pretrained(
            folder, num_labels=classes, local_files_only=True, dtype=torch.float32
        ),
        args=TrainingArguments(
            str(out), learning_rate=1e-4, save_strategy="no", logging_strategy="no", disable_tqdm=True,
            report_to="none", remove_unused_columns=False, dataloader_pin_memory=False,
            use_cpu=not torch.cuda.is_available(), **options,
        ),
        train_dataset=rows,
        data_collator=DataCollatorWithPadding(tokenizer),
    )  # fmt: skip
    made.remove_callback(PrinterCallback)  # stdout belongs to the result
    return made


class Pooled(PreTrainedModel):
    """The function of our classifier as a model that the transformers pipeline takes: mean of the tokens, unit length,
    linear head."""

    _supports_sdpa = True

    def __init__(self, config: Any, body: Any, head: torch.nn.Linear) -> None:
        super().__init__(config)
        self.body, self.head = body, head

    @classmethod
    def same_as(cls, classifier: Any) -> "Pooled":
        """Over a body of its own."""
        body = load_encoder_folder(classifier.features.encoder.folder).body
        head = torch.nn.Linear(classifier.weight.shape[1], len(classifier.labels))
        head.load_state_dict({"weight": torch.from_numpy(classifier.weight), "bias": torch.from_numpy(classifier.bias)})
        config = body.config
        config.id2label, config.label2id = (
            dict(enumerate(classifier.labels)),
            {label: place for place, label in enumerate(classifier.labels)},
        )
        return cls(config, body, head).eval()

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor, **_: Any) -> SequenceClassifierOutput:
        hidden = self.body(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        vectors = torch.nn.functional.normalize(pool(hidden, attention_mask, "mean"), dim=1)
        return SequenceClassifierOutput(logits=self.head(vectors))


def answers(made: Trainer, texts: list[str]) -> list[int]:
    """The class that a trained ``Trainer`` gives each text."""
    model, tokenizer, found = made.model.eval(), made.data_collator.tokenizer, []
    with torch.inference_mode():
        for start in range(0, len(texts), 64):
            batch = tokenizer(
                texts[start : start + 64], truncation=True, max_length=128, padding=True, return_tensors="pt"
            )
            found += model(**batch.to(model.device)).logits.argmax(1).tolist()
    return found
