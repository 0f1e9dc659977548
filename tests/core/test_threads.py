"""NumPy's and SciPy's products take one thread after ``set_threads``, FAISS and torch the number that was asked for."""

import json
import subprocess
import sys

import pytest
import torch

from fieldtune.infer.probe import gain

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
