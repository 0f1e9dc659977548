"""What the speed benchmarks count and compare with."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.common import ROOT
from benchmarks.speed_peers import Pooled, flops, interleaved
from fieldtune.models import Classifier, load_encoder
from fieldtune.models.encoder import load_encoder_folder, pad


def test_operations_are_those_that_torch_counts(tiny_encoder: Path) -> None:
    body = load_encoder_folder(tiny_encoder).body
    body.set_attn_implementation("eager")
    ids, mask = pad([[3] * 9] * 5, 0)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        body(input_ids=ids, attention_mask=mask)
    pooler = 2 * 5 * 32 * 32  # runs in transformers' body, and nobody reads it
    assert flops(body, [9] * 5) == counter.get_total_flops() - pooler


def test_the_pipelines_model_is_the_same_function_as_ours(tiny_encoder: Path) -> None:
    rng = np.random.default_rng(0)
    features = load_encoder(tiny_encoder).features
    weight, bias = rng.normal(size=(3, 32)).astype(np.float32), rng.normal(size=3).astype(np.float32)
    ours = Classifier(features, weight, bias, ("a", "b", "c"))
    texts = ["my card is lost", "refund"]
    ids, mask = pad(features.encoder.tokens(texts), features.encoder.tokenizer.pad_token_id)
    with torch.inference_mode():
        theirs = Pooled.same_as(ours)(ids, mask).logits.numpy()
    np.testing.assert_allclose(ours.logits(texts), theirs, atol=1e-5)


def test_runs_take_turns_and_the_first_is_not_counted() -> None:
    order: list[str] = []
    found = interleaved({name: lambda name=name: order.append(name) for name in "ab"}, 2)  # type: ignore[misc]
    assert "".join(order) == "ababab"
    assert set(found["a"]) == {"seconds", "cpu_seconds"}


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU is here")
def test_without_a_gpu_it_says_so() -> None:
    ran = subprocess.run([sys.executable, "-m", "benchmarks.gpu"], cwd=ROOT, capture_output=True, text=True)
    assert (ran.returncode, json.loads(ran.stdout)) == (0, {"gpu": False})
    assert "no GPU" in ran.stderr
