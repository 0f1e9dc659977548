"""NumPy's and SciPy's products take one thread after ``set_threads``, FAISS and torch the number that was asked for; the
number format is measured on what computes."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from fieldtune.infer import probe
from fieldtune.infer.probe import compute_dtype, gain, processor_dtype

PROGRAM = """
import json
from fieldtune.runtime import set_threads
set_threads(2)
import faiss, numpy, scipy.linalg, torch
from threadpoolctl import threadpool_info
known = [(one["filepath"].split("site-packages/")[-1], one["num_threads"]) for one in threadpool_info()]
print(json.dumps({"torch": torch.get_num_threads(), "faiss": faiss.omp_get_max_threads(), "known": known}))
"""


def test_products_of_numpy_take_one_thread_and_the_others_as_many_as_asked() -> None:
    free = {"PATH": "", "PYTHONPATH": ":".join(sys.path)}
    done = subprocess.run([sys.executable, "-c", PROGRAM], env=free, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    assert (found["torch"], found["faiss"]) == (2, 2)
    of_numpy = [count for path, count in found["known"] if path.startswith(("numpy", "scipy")) and "openblas" in path]
    if not of_numpy:
        pytest.skip("this NumPy brings no OpenBLAS")
    assert set(of_numpy) == {1}


def test_looking_which_format_is_fast_leaves_the_threads_as_they_were() -> None:
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        assert gain(rounds=2) > 0
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize(("gained", "expected"), [(0.5, torch.float32), (3.0, torch.bfloat16)])
def test_what_runs_on_the_processor_is_measured_there_though_there_is_a_gpu(
    home: Path, monkeypatch: pytest.MonkeyPatch, gained: float, expected: torch.dtype
) -> None:
    monkeypatch.delenv("FIELDTUNE_DTYPE", raising=False)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: True)
    monkeypatch.setattr(probe, "gain", lambda: gained)
    assert compute_dtype() is torch.bfloat16
    assert processor_dtype() is expected
