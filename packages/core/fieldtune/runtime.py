"""The one place for threads, the clock and random generators.

Everything else receives ``now`` and a generator as arguments; only composition roots and faces call this module.
"""

import os
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from fieldtune.errors import ConfigError


def set_threads(count: int | None = None) -> int:
    """Give torch, FAISS, LightGBM, scikit-learn and tokenizers the same number of threads, and NumPy's products one.

    Each of these brings an OpenMP runtime; without one number they fight for the cores.
    Call it before the first of them is imported: the environment variables are read at import.
    The products of NumPy and SciPy are many and small here, and OpenBLAS wakes its threads for each: measured on two
    cores, [20, 384] with [384, 3000] takes 36 ms on two threads and 3 ms on one. Large products are torch's and FAISS's.

    Args:
        count: threads to use; None takes ``FIELDTUNE_THREADS`` or the cores this process may use.

    Returns:
        The number set.

    Raises:
        ConfigError: ``FIELDTUNE_THREADS`` is no number of threads.
    """
    asked = os.environ.get("FIELDTUNE_THREADS", "").strip() or "0"
    if not asked.isdecimal():
        raise ConfigError("FIELDTUNE_THREADS as a number of threads", repr(asked), "set it to 4, or unset it")
    chosen = count or int(asked) or cores()
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, str(chosen))
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # SciPy's, when it is imported
    threadpool_limits(1, user_api="blas")  # NumPy's, which is there already
    # Threads that spin while they wait steal the cores from other processes: measured, four times slower on busy cores.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")  # forked workers and Rust threads do not mix
    return chosen


def cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def now() -> datetime:
    """The current time, aware, in UTC."""
    return datetime.now(UTC)


def generator(seed: int) -> np.random.Generator:
    """A random generator of its own for one seed; nothing here touches numpy's global state."""
    return np.random.default_rng(seed)


def iso(time: datetime) -> str:
    """ISO 8601 in UTC with seconds, as stored in every table: sorts as text in order of time."""
    return time.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def home() -> Path:
    """Where the registry, the feedback and what was learnt of this machine lie: ``FIELDTUNE_HOME`` or ``.fieldtune``."""
    return Path(os.environ.get("FIELDTUNE_HOME", ".fieldtune"))
