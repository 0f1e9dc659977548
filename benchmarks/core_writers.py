"""Writers on tasks whose answer is known: sequences of words copied and turned round, and dialogues that fill slots.

Each is a tiny model with random weights, a T5 for sequences and a GPT-2 for dialogues, trained and judged by the share of
answers that are right to the letter on fresh rows; none of them stands among those learnt.
"""

import argparse
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

import fieldtune
from benchmarks.common import peak_gib, report, workspace
from fieldtune.runtime import generator
from fieldtune.tasks import generation

WORDS = (
    "apple river stone cloud bread green horse light music night ocean paper queen radio sugar table uncle voice water "
    "yellow bridge candle doctor engine forest garden hammer island jacket kitchen ladder market needle orange pencil"
).split()
PEOPLE, DAYS = ("two three four five six seven eight nine".split(), "monday tuesday wednesday thursday friday saturday sunday".split())  # fmt: skip
HOURS, NAMES = (["noon", *"five six seven eight nine ten".split()], "anna boris clara david emma frank grace henry irene jacob".split())  # fmt: skip
ASKED = {"people": "for how many people", "day": "on which day", "time": "at what time", "name": "under which name"}
SAYS = {
    "people": ("for {}", "we are {}", "a table for {}"),
    "day": ("on {}", "{} please", "it should be {}"),
    "time": ("at {}", "{} would be good", "around {}"),
    "name": ("my name is {}", "the name is {}", "for {} that is my name"),
}
SETTINGS = {
    "learning_rate": 1e-3,
    "dropout": 0.0,
    "label_smoothing": 0.0,
    "token_budget": 1024,
    "max_length": 96,
    "max_target": 32,
    "refit": False,
}
EPOCHS = {"copy": 20, "reverse": 20, "slots": 9}
ROWS = {"copy": 16000, "reverse": 16000, "slots": 12000}
TEST = 500


def main() -> None:
    """Print for each kind the share of right answers and the seconds of training."""
    kinds: dict[str, Callable[[np.random.Generator], tuple[str, str]]] = {
        "copy": lambda rng: sequence(rng, 1), "reverse": lambda rng: sequence(rng, -1), "slots": booking,
    }  # fmt: skip
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kinds", default=",".join(kinds))
    parser.add_argument("--seed", type=int, default=91)
    parser.add_argument("--quick", action="store_true", help="5 steps instead of the whole run")
    options = parser.parse_args()
    steps = {"max_steps": 5} if options.quick else {}
    found = {}
    with workspace() as folder:
        os.environ["FIELDTUNE_HOME"] = str(folder)
        for kind in options.kinds.split(","):
            count = ROWS[kind]
            rows = drawn(kinds[kind], count + TEST, generator(options.seed))
            started = time.monotonic()
            done = fieldtune.finetune(
                "seq2seq",
                rows[:count],
                model=str(tiny(rows[:count], folder / f"tiny-{kind}", goes_on=kind == "slots")),
                out=folder / kind,
                settings={**SETTINGS, "epochs": EPOCHS[kind], **steps},
                seed=options.seed,
                progress=False,
            )
            seconds = time.monotonic() - started
            told = generation.metrics(fieldtune.load(done.path), rows[count:])
            found[kind] = {"exact_match": told["exact_match"], "train_seconds": seconds, "n": told["n"],
                           "valid_exact_match": done.metrics["exact_match"]}  # fmt: skip
    least = min(one["exact_match"] for one in found.values())
    longest = max(one["train_seconds"] for one in found.values())
    report({**found, "least": least, "longest_seconds": longest, "rows": ROWS, "peak_gib": peak_gib()})


def tiny(rows: pd.DataFrame, folder: Path, *, goes_on: bool) -> Path:
    """A T5, or a GPT-2 that goes on from its source, of two layers with random weights, whose words are those of the rows."""
    from tokenizers import Regex, Tokenizer, models, pre_tokenizers
    from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast, T5Config, T5ForConditionalGeneration

    words = sorted({word for column in rows for text in rows[column] for word in text.split()})
    known = {word: place for place, word in enumerate(["[PAD]", "[END]", "[UNK]", "\n", *words])}
    tokenizer = Tokenizer(models.WordLevel(known, unk_token="[UNK]"))
    lines = pre_tokenizers.Split("\n", "isolated")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([lines, pre_tokenizers.Split(Regex(" +"), "removed")])
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="[PAD]", eos_token="[END]", unk_token="[UNK]"
    ).save_pretrained(folder)  # fmt: skip
    torch.manual_seed(0)
    ids: dict[str, Any] = {"vocab_size": len(known), "eos_token_id": 1, "pad_token_id": 0}
    body = (
        GPT2LMHeadModel(
            GPT2Config(n_embd=128, n_layer=2, n_head=4, n_inner=256, n_positions=128, bos_token_id=1, **ids)
        )
        if goes_on
        else T5ForConditionalGeneration(
            T5Config(d_model=128, d_kv=32, d_ff=256, num_layers=2, num_heads=4, decoder_start_token_id=0, **ids)
        )
    )
    body.save_pretrained(folder)
    return folder


def drawn(make: Callable[[np.random.Generator], tuple[str, str]], count: int, rng: np.random.Generator) -> pd.DataFrame:
    """Rows with different sources."""
    rows: dict[str, str] = {}
    while len(rows) < count:
        source, target = make(rng)
        rows.setdefault(source, target)
    return pd.DataFrame(rows.items(), columns=["source", "target"])


def sequence(rng: np.random.Generator, step: int) -> tuple[str, str]:
    """Three to seven words, none twice, and the same in order or from the last to the first."""
    words = rng.choice(WORDS, int(rng.integers(3, 8)), replace=False).tolist()
    return " ".join(words), " ".join(words[::step])


def booking(rng: np.random.Generator) -> tuple[str, str]:
    """What was said of a table to book, and what comes next: the question for what is missing, or all that was said."""
    values: dict[str, Any] = {
        name: str(rng.choice(pool)) for name, pool in zip(ASKED, (PEOPLE, DAYS, HOURS, NAMES), strict=True)
    }
    said = {name: str(rng.choice(SAYS[name])).format(values[name]) for name in ASKED}
    first = [str(name) for name in rng.permutation(list(ASKED))[: int(rng.integers(0, 4))]]
    left = [name for name in ASKED if name not in first]
    answered = int(rng.integers(0, len(left) + 1))
    turns = [" and ".join(["customer: i want to book a table", *(said[name] for name in first)])]
    turns += [f"agent: {ASKED[name]}\ncustomer: {said[name]}" for name in left[:answered]]
    whole = " ".join(f"{name} {values[name]}" for name in ASKED)
    answer = ASKED[left[answered]] if answered < len(left) else whole
    return "\n".join(turns), answer


if __name__ == "__main__":
    main()
