"""bitext support: replies written for phrasings never seen, against copying the reply of the nearest known question."""

import argparse
import time

import pandas as pd

import fieldtune
from benchmarks.common import data, interval, peak_gib, report, workspace
from fieldtune.data.checks import text_key
from fieldtune.data.split import stratified
from fieldtune.evaluate.generation import per_row, slot_accuracy
from fieldtune.runtime import generator


def main() -> None:
    """ROUGE-L and slot accuracy of both on the same held-out phrasings of every intent, and whether writing pays."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--rows", type=int, default=120, help="of each intent, that the writer learns from")
    parser.add_argument("--quick", action="store_true", help="20 steps instead of the whole run")
    options = parser.parse_args()
    table = pd.read_csv(next(data("bitext_support").glob("train.csv*")), dtype=str).dropna(
        subset=["instruction", "response"]
    )
    table = table.rename(columns={"instruction": "source", "response": "target"})
    keys = [text_key(text) for text in table["source"]]
    rows, held_out = stratified(table["intent"].tolist(), 0.2, generator(0), keys)
    known, test = (table.iloc[part].reset_index(drop=True) for part in (rows, held_out))
    test = test.iloc[:20] if options.quick else test
    length = {"max_length": 64}
    writing = length | {"epochs": options.epochs, "max_target": 224} | ({"max_steps": 20} if options.quick else {})
    # The rival copies from all that is known; the writer learns from a part, as hours of training allow.
    runs = {"copy": (known, length), "full": (known.groupby("intent").head(options.rows), writing)}
    found, scores = {}, {}
    with workspace() as folder:
        for method, (train, settings) in runs.items():
            started = time.monotonic()
            done = fieldtune.finetune(
                "seq2seq", train[["source", "target"]].reset_index(drop=True), method=method, out=folder / method,
                settings=settings, progress=False,
            )  # fmt: skip
            trained = time.monotonic()
            replies = fieldtune.load(done.path).generate(test["source"].tolist())
            wanted = test["target"].tolist()
            scores[method] = per_row(wanted, replies)
            slots = [value for pair in zip(wanted, replies, strict=True) if (value := slot_accuracy(*pair)) is not None]
            found[method] = {
                "rouge_l": float(scores[method].mean()),
                "slot_accuracy": sum(slots) / len(slots),
                "rows": len(train),
                "train_seconds": trained - started,
                "write_seconds": time.monotonic() - trained,
                "examples": replies[:3],
            }
    gain = scores["full"] - scores["copy"]
    better = all(found["full"][name] > found["copy"][name] for name in ("rouge_l", "slot_accuracy"))
    report(
        {
            "n": len(test), **found, "gain_rouge_l": float(gain.mean()), "interval": interval(gain, generator(0)),
            "better": better, "peak_gib": peak_gib(),
        }
    )  # fmt: skip


if __name__ == "__main__":
    main()
