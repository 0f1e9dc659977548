"""The global generators of random numbers, which belong to the caller."""

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


@contextmanager
def borrowed() -> Iterator[None]:
    """Give the generators of ``random``, numpy and torch back as they were: transformers seeds them all."""
    own, numpys = random.getstate(), np.random.get_state()  # noqa: NPY002  # to leave alone is not to use
    with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        try:
            yield
        finally:
            random.setstate(own)
            np.random.set_state(numpys)  # noqa: NPY002
