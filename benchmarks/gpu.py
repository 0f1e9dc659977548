"""The core on a GPU, beside sentence-transformers and a plain ``Trainer`` on the same one; without a GPU it says so.

Encoding in sentences a second; fine-tuning in tokens a second; and the share of the GPU's own matrix-product peak that
each reaches (model FLOP utilisation). Questions of banking77, repeated until the GPU has something to do. What takes
seconds to import is imported where there is a GPU.
"""

import argparse
import sys
from typing import Any

import torch

from benchmarks.common import report, workspace

SIDE = 8192
TIMES = 20


def main() -> None:
    """Measure, or say that there is nothing to measure on."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer texts, one round")
    options = parser.parse_args()
    if not torch.cuda.is_available():
        print("no GPU here: nothing was measured", file=sys.stderr)
        report({"gpu": False})
        return
    rounds = 1 if options.quick else 5
    found = {"gpu": torch.cuda.get_device_name(), "encode": encode(options.quick, rounds)}
    report({**found, "finetune": finetune(options.quick, rounds)})


def encode(quick: bool, rounds: int) -> dict[str, Any]:
    """Distinct sentences into vectors, against ``SentenceTransformer.encode`` at its default and at 256 rows a batch."""
    from sentence_transformers import SentenceTransformer

    from benchmarks.core_speed import banking
    from benchmarks.speed_peers import flops
    from fieldtune.models import load_encoder

    texts = [f"{number} {text}" for number in range(2 if quick else 20) for text in banking("test")["text"]]
    ours = load_encoder()
    encoder = ours.features.encoder
    theirs = SentenceTransformer(str(encoder.folder))
    runs = {
        "sentence_transformers": lambda: theirs.encode(texts),
        "sentence_transformers_256": lambda: theirs.encode(texts, batch_size=256),
        "ours": lambda: ours.encode(texts),
    }
    found = measured(runs, rounds, flops(encoder.body, [*map(len, encoder.tokens(texts))]), len(texts))
    cosines = (theirs.encode(texts[:3000], normalize_embeddings=True) * ours.encode(texts[:3000])).sum(axis=1)
    return {**found, "mean_cosine": cosines.mean(), "ratio": found["sentence_transformers"]["ratio"]}


def finetune(quick: bool, rounds: int) -> dict[str, Any]:
    """One epoch of banking77, at our token budget, against a plain ``Trainer`` with dynamic padding."""
    from benchmarks.core_speed import banking, ours_for, peer_for

    table = banking("train", 500 if quick else None)
    with workspace() as folder:
        run, work, tokens = ours_for(table, {"token_budget": 16384})
        runs = {"plain": peer_for(table, folder / "plain", {"per_device_train_batch_size": 16}), "ours": run}
        found = measured(runs, rounds, work, tokens)
    return {**found, "ratio": found["plain"]["ratio"]}


def measured(runs: dict[str, Any], rounds: int, work: float, unit: int) -> dict[str, Any]:
    """Rates of all, ratios to ours, and our share of the GPU's peak."""
    from benchmarks.speed_peers import interleaved

    found: dict[str, Any] = interleaved({**runs, "peak": products}, rounds)
    highest = TIMES * 2 * SIDE**3 / found.pop("peak")["seconds"]
    for figures in found.values():
        figures["per_second"] = unit / figures["seconds"]
        figures["ratio"] = figures["seconds"] / found["ours"]["seconds"]
    return {**found, "peak_tflops": highest / 1e12, "utilisation": work / found["ours"]["seconds"] / highest}


def products() -> None:
    """Large products in bfloat16: what this GPU can do at most."""
    left = torch.ones((SIDE, SIDE), device="cuda", dtype=torch.bfloat16)
    for _ in range(TIMES):
        left @ left
    torch.cuda.synchronize()


if __name__ == "__main__":
    main()
