"""The choice of a number format for this machine: what it costs, whether it is kept, and whether it was the right one.

Every format that it may choose is tried in the same run, in turn: seconds to encode banking77's test questions, and the
accuracy of a head on train. The choice is made in processes of its own, the second of which must find it made.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.common import report, workspace
from benchmarks.few_sets import banking77
from fieldtune.infer.engine import Engine
from fieldtune.models.encoder import load_encoder_folder
from fieldtune.models.trained import load_encoder
from fieldtune.train.head import fitting

FORMATS = ("float32", "bfloat16")
FORCED = "FIELDTUNE_DTYPE"
CHILD = """
import json, time
from fieldtune.infer.probe import compute_dtype
from fieldtune.runtime import set_threads
set_threads()
started = time.monotonic()
print(json.dumps({"chosen": str(compute_dtype()).removeprefix("torch."), "seconds": time.monotonic() - started}))
"""


def main() -> None:
    """Print the choice, its seconds, and of each format the seconds and the accuracy."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="200 questions and two rounds")
    options = parser.parse_args()
    train, test = banking77()
    if options.quick:
        train, test, options.rounds = train[::10], test[:200], 2
    with workspace() as home:
        first, again = asked(home), asked(home)
        os.environ["FIELDTUNE_HOME"] = str(home)
        seconds = {name: min(times) for name, times in swept(test["text"].tolist(), options.rounds).items()}
        accuracy = {name: told(name, train, test) for name in FORMATS}
    chosen = first["chosen"]
    report(
        {
            "chosen": chosen,
            "probe_seconds": first["seconds"],
            "seconds_again": again["seconds"],
            "kept": again["chosen"] == chosen and again["seconds"] < first["seconds"] / 10,
            "over_the_best": seconds[chosen] / min(seconds.values()) - 1,
            "lost": max(accuracy.values()) - accuracy[chosen],
            "encode_seconds": seconds,
            "accuracy": accuracy,
            "texts": len(test),
        }
    )


def asked(home: Path) -> dict[str, Any]:
    """What a fresh process chooses, and the seconds that it took."""
    environment = {name: value for name, value in os.environ.items() if name != FORCED}
    done = subprocess.run(
        [sys.executable, "-c", CHILD], env={**environment, "FIELDTUNE_HOME": str(home)}, check=True,
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    return dict(json.loads(done.stdout))


def swept(texts: list[str], rounds: int) -> dict[str, list[float]]:
    """Seconds to encode the texts, each format once a round after one that warms it up."""
    engines, times = {}, {name: [] for name in FORMATS}
    for name in FORMATS:
        os.environ[FORCED] = name
        engines[name] = Engine(load_encoder_folder("default"))
        engines[name].encode(texts)
    for _ in range(rounds):
        for name in FORMATS:
            started = time.monotonic()
            engines[name].encode(texts)
            times[name].append(time.monotonic() - started)
    return times


@fitting()
def told(name: str, train: Any, test: Any) -> float:
    """Accuracy of logistic regression on vectors in that format."""
    from sklearn.linear_model import LogisticRegression

    os.environ[FORCED] = name
    encoder = load_encoder("default", 128)
    head = LogisticRegression(C=10.0, max_iter=1000).fit(encoder.encode(train["text"].tolist()), train["label"])
    return float(head.score(encoder.encode(test["text"].tolist()), test["label"]))


if __name__ == "__main__":
    main()
