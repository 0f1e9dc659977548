"""One training in a process of its own: ``python -m benchmarks.few_child METHOD TRAIN TEST SEED``; CPU seconds, accuracy.

METHOD is one of fieldtune's, or ``setfit``: setfit 1.2.0 as its paper used it (20 pairs a row, one epoch, batches of
16, logistic regression), on the same encoder. SetFit is no dependency of ours: install it apart,
``pip install --target FOLDER --no-deps setfit evaluate datasets dill multiprocess xxhash aiohttp aiohappyeyeballs
aiosignal frozenlist multidict propcache yarl``, and name FOLDER in ``FIELDTUNE_SETFIT``.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.common import ROOT

SETFIT = "FIELDTUNE_SETFIT"


def measure(method: str, train: Path, test: Path, seed: int) -> dict[str, Any]:
    """Run one training on one thread; accuracy, CPU seconds and the most memory it held, in GiB."""
    command = [sys.executable, "-m", "benchmarks.few_child", method, str(train), str(test), str(seed)]
    env = {**os.environ, "FIELDTUNE_THREADS": "1", "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(command, cwd=ROOT, env=env, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} exited {done.returncode}")
    return dict(json.loads(done.stdout.splitlines()[-1]))


def ours(method: str, train: Path, test: Path, seed: int) -> dict[str, Any]:
    """``finetune`` as a user calls it, validation rows split off and all."""
    import fieldtune
    from fieldtune.tasks import text_classification

    table = text_classification.read(test)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["FIELDTUNE_HOME"] = folder  # nothing cached before
        started = time.process_time()
        done = fieldtune.finetune(
            "text-classification", train, method=method, out=Path(folder) / "m", seed=seed, progress=False
        )
        spent = time.process_time() - started
        found = text_classification.metrics(fieldtune.load(done.path), table)
        choice = json.loads((done.path / "fieldtune.json").read_text()).get("choice")
    return {"accuracy": found["accuracy"], "macro_f1": found["macro_f1"], "cpu_seconds": spent, "choice": choice}


def setfit(train: Path, test: Path, seed: int) -> dict[str, Any]:
    """SetFit on the same rows and encoder."""
    sys.path.insert(0, os.environ[SETFIT])
    import pandas as pd
    from datasets import Dataset
    from setfit import SetFitModel, Trainer, TrainingArguments
    from sklearn.metrics import f1_score

    from fieldtune.models.encoder import find

    rows, held_out = pd.read_csv(train), pd.read_csv(test)
    names = sorted(rows["label"].unique())
    started = time.process_time()
    model = SetFitModel.from_pretrained(str(find("default")), labels=names)
    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            output_dir=folder, batch_size=16, num_epochs=1, num_iterations=20, seed=seed, report_to="none",
            save_strategy="no", show_progress_bar=False,
        )  # fmt: skip
        Trainer(model=model, args=arguments, train_dataset=Dataset.from_pandas(rows)).train()
    spent = time.process_time() - started
    found = [str(name) for name in model.predict(held_out["text"].tolist())]
    right = held_out["label"].astype(str).tolist()
    accuracy = sum(a == b for a, b in zip(found, right, strict=True)) / len(right)
    return {"accuracy": accuracy, "macro_f1": f1_score(right, found, average="macro"), "cpu_seconds": spent}


def main() -> None:
    """Print one JSON object."""
    import resource

    from fieldtune.runtime import set_threads

    set_threads(1)
    method, train, test, seed = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4])
    found = setfit(train, test, seed) if method == "setfit" else ours(method, train, test, seed)
    found["peak_gib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(json.dumps(found, default=float))


if __name__ == "__main__":
    main()
