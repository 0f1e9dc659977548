"""How fast the core is on a processor, each figure beside what users run today, in the same minutes of one process.

``encode`` against sentence-transformers, ``classify`` against the transformers pipeline at batch 32, ``finetune`` against
three ways to use ``Trainer``; and what ``import fieldtune`` costs. ``ratio`` compares wall seconds, ``cpu_ratio`` CPU seconds.
"""

import argparse
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from benchmarks.common import data, report, workspace
from benchmarks.speed_peers import PEAK_FLOPS, Anew, Pooled, Run, answers, flops, interleaved, peak, trainer
from fieldtune.infer.probe import compute_dtype
from fieldtune.models import load_encoder
from fieldtune.models.encoder import load_encoder_folder
from fieldtune.tasks import text_classification as task
from fieldtune.tasks.supervised import Headed
from fieldtune.train.tuning import Body, trainable, tune
from fieldtune.train.words import words_at_hand

EPOCHS = 5
ROUNDS = 5


def banking(part: str, rows: int | None = None) -> pd.DataFrame:
    """``text, label`` of banking77; all rows, or some at random."""
    table = pd.read_csv(data("banking77") / f"{part}.csv.gz").rename(columns={"category": "label"})
    return table if rows is None else table.sample(rows, random_state=0).reset_index(drop=True)


def against(runs: Mapping[str, Run | Anew], rounds: int, work: float, unit: int) -> dict[str, Any]:
    """Medians of all runs, ours compared with the others, and our share of the machine's peak.

    Args:
        work: floating-point operations of one run.
        unit: texts or rows in one run.
    """
    dtype = compute_dtype()
    found: dict[str, Any] = interleaved({**runs, "peak": peak(dtype)}, rounds)
    product, ours = found.pop("peak"), found["ours"]
    for name, figures in found.items():
        figures["per_second"] = unit / figures["seconds"]
        if name != "ours":
            figures["ratio"] = figures["seconds"] / ours["seconds"]
            figures["cpu_ratio"] = figures["cpu_seconds"] / ours["cpu_seconds"]
    return {
        **found,
        "peak_gflops": PEAK_FLOPS / product["seconds"] / 1e9,
        "share_of_peak": work / ours["seconds"] * product["seconds"] / PEAK_FLOPS,
        "cpu_share_of_peak": work / ours["cpu_seconds"] * product["cpu_seconds"] / PEAK_FLOPS,
        "format": str(dtype).removeprefix("torch."),
        "threads": torch.get_num_threads(),
    }


def encode(quick: bool) -> dict[str, Any]:
    """3,080 banking questions into unit vectors."""
    from sentence_transformers import SentenceTransformer

    texts = banking("test", 300 if quick else None)["text"].tolist()
    ours = load_encoder()
    encoder = ours.features.encoder
    theirs = SentenceTransformer(str(encoder.folder))
    runs = {"sentence_transformers": lambda: theirs.encode(texts), "ours": lambda: ours.encode(texts)}
    found = against(runs, 2 if quick else ROUNDS, flops(encoder.body, [*map(len, encoder.tokens(texts))]), len(texts))
    cosines = (theirs.encode(texts, normalize_embeddings=True) * ours.encode(texts)).sum(axis=1)
    wanted = 2.0 if found["format"] == "bfloat16" else 1.4
    return {
        **found, "ratio": found["sentence_transformers"]["ratio"], "wanted": wanted,
        "mean_cosine": cosines.mean(), "least_cosine": cosines.min(),
    }  # fmt: skip


def classify(quick: bool) -> dict[str, Any]:
    """The same questions into 77 intents, by a head on ten rows of each."""
    from transformers import AutoTokenizer, pipeline

    texts = banking("test", 300 if quick else None)["text"].tolist()
    few = banking("train").groupby("label").head(10).reset_index(drop=True)
    with workspace() as folder:
        ours = task.train(few, "head", "default", task.DEFAULTS, seed=0, folder=folder, show=False)
    ours.features = load_encoder().features  # training keeps what it encoded; here every text is encoded
    encoder = ours.features.encoder
    tokenizer = AutoTokenizer.from_pretrained(encoder.folder, local_files_only=True)
    theirs = pipeline("text-classification", model=Pooled.same_as(ours), tokenizer=tokenizer, batch_size=32)
    told: dict[str, list[str]] = {}

    def piped() -> None:
        told["theirs"] = [one["label"] for one in theirs(texts)]

    def own() -> None:
        told["ours"] = [ours.labels[place] for place in ours.probabilities(texts).argmax(axis=1)]

    work = flops(encoder.body, [*map(len, encoder.tokens(texts))])
    found = against({"pipeline": piped, "ours": own}, 2 if quick else ROUNDS, work, len(texts))
    same = np.mean([one == other for one, other in zip(told["theirs"], told["ours"], strict=True)])
    return {**found, "ratio": found["pipeline"]["ratio"], "same_labels": same}


def finetune(quick: bool) -> dict[str, Any]:
    """banking77: rates on the same rows, round after round; then whole runs, with their accuracy."""
    bfloat16 = compute_dtype() is torch.bfloat16
    kinds: dict[str, dict[str, Any]] = {
        "plain": {"per_device_train_batch_size": 16},
        "padded_to_128": {"per_device_train_batch_size": 16, "padded_to": 128},
        "best": {
            "per_device_train_batch_size": 32, "train_sampling_strategy": "group_by_length", "bf16": bfloat16,
        },
    }  # fmt: skip
    table = banking("train", 96 if quick else 480)
    with workspace() as folder:
        runs = {name: peer_for(table, folder / name, options) for name, options in kinds.items()}
        ours, work, _ = ours_for(table)
        found = against({**runs, "ours": ours}, 1 if quick else 3, work, len(table))
        # What a run does once before its first step weighs on one epoch of few rows: the share is that of a whole run.
        ours, work, _ = ours_for(table, {"epochs": EPOCHS})
        whole_run = against({"ours": ours}, 1 if quick else 3, work, EPOCHS * len(table))
        whole = {} if quick else _whole(folder, {name: kinds[name] for name in ("plain", "best")})
    ratios = {f"ratio_{name}": found[name]["ratio"] for name in kinds}
    share = {"share_of_peak": whole_run["share_of_peak"], "share_of_peak_one_epoch": found["share_of_peak"]}
    return {**found, **ratios, **whole, **share, "whole_run": whole_run}


def peer_for(table: pd.DataFrame, out: Path, options: dict[str, Any]) -> Run:
    """One epoch by ``Trainer`` with these options."""
    targets = pd.factorize(table["label"])[0].tolist()
    made = trainer(
        load_encoder_folder().folder, table["text"].tolist(), targets, out, 77, num_train_epochs=1, **options
    )
    return lambda: made.train()


def ours_for(table: pd.DataFrame, changes: dict[str, Any] | None = None) -> tuple[Anew, float, int]:
    """One epoch by the pieces that ``task.train`` is made of, without the head's start; its operations and tokens."""
    settings = task.DEFAULTS.updated({"epochs": 1, **(changes or {})})
    targets = torch.from_numpy(pd.factorize(table["label"])[0])

    def make() -> Run:
        encoder = trainable("default", "full", settings)
        tokens = encoder.tokens(table["text"].tolist(), settings.max_length)
        start = np.zeros((77, encoder.dimensions), np.float32), np.zeros(77, np.float32)
        module = Headed(Body(encoder), *start, settings.dropout)
        made = task.problem(tokens, targets, torch.ones(77), encoder, settings.label_smoothing)

        def run() -> None:
            with words_at_hand(encoder, tokens), workspace() as checkpoints:
                tune(module, made, tokens, settings, seed=0, folder=checkpoints, show=False)

        return run

    encoder = load_encoder_folder()
    lengths = [*map(len, encoder.tokens(table["text"].tolist(), settings.max_length))]
    return Anew(make), settings.epochs * 3 * flops(encoder.body, lengths), sum(lengths)


def _whole(folder: Path, kinds: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Twenty rows of each intent, five epochs: seconds from rows to a trained model, accuracy on the official test."""
    table, test = banking("train").groupby("label").head(20).reset_index(drop=True), banking("test")["text"].tolist()
    labels = sorted(table["label"].unique())
    wanted = [labels.index(label) for label in banking("test")["label"]]

    def theirs(name: str) -> Run:
        targets = [labels.index(label) for label in table["label"]]
        made = trainer(
            load_encoder_folder().folder, table["text"].tolist(), targets, folder / f"whole-{name}", len(labels),
            num_train_epochs=EPOCHS, **kinds[name],
        )  # fmt: skip
        made.train()
        return lambda: answers(made, test)

    def ours(_: str) -> Run:
        settings, out = task.DEFAULTS.updated({"epochs": EPOCHS}), folder / "whole"
        made = task.train(table, "full", "default", settings, seed=0, folder=out, show=False)
        return lambda: made.logits(test).argmax(axis=1)

    found: dict[str, dict[str, float]] = {}
    for name, train in {**dict.fromkeys(kinds, theirs), "ours": ours}.items():
        started, cpu = time.perf_counter(), time.process_time()
        told = train(name)
        taken = {"seconds": time.perf_counter() - started, "cpu_seconds": time.process_time() - cpu}
        found[name] = {**taken, "accuracy": float(np.mean(np.asarray(told()) == wanted))}
    best = max(found[name]["accuracy"] for name in kinds)
    return {"whole": found, "accuracy": found["ours"]["accuracy"], "accuracy_of_the_best_trainer": best}


def light(_: bool) -> dict[str, Any]:
    """``import fieldtune`` in a fresh process."""
    code = (
        "import sys, time; started = time.perf_counter(); import fieldtune; "
        "print(time.perf_counter() - started, 'torch' in sys.modules)"
    )
    told = [subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True) for _ in range(5)]
    seconds, torch_too = zip(*(done.stdout.split() for done in told), strict=True)
    return {"seconds": statistics.median(map(float, seconds)), "imports_torch": "True" in torch_too}


WHAT = {"encode": encode, "classify": classify, "finetune": finetune, "import": light}


def main() -> None:
    """Measure one thing and print it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=WHAT)
    parser.add_argument("--quick", action="store_true", help="few rows, one or two rounds")
    options = parser.parse_args()
    report(WHAT[options.what](options.quick))


if __name__ == "__main__":
    main()
