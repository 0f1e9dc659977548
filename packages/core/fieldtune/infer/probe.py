"""Which number format is fast on this machine: measured once, remembered in FIELDTUNE_HOME.

bfloat16 is several times faster than float32 on processors with AVX512-BF16 or AMX and far slower on the others,
so it is measured, not assumed. One answer per home keeps results the same from run to run.
"""

import contextlib
import hashlib
import json
import os
import platform
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from fieldtune.infer.lean import product
from fieldtune.runtime import home

_WORTH_IT = 1.3  # below this gain the rounding of bfloat16 is not worth having


def compute_dtype() -> torch.dtype:
    """``torch.bfloat16`` where it is faster on what encodes texts here, else ``torch.float32``; ``FIELDTUNE_DTYPE`` overrides."""
    if torch.cuda.is_available() and _forced() is None:
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float32
    return processor_dtype()


def processor_dtype() -> torch.dtype:
    """The same of the processor, for what runs there whether there is a GPU or not."""
    forced = _forced()
    if forced is not None:
        return forced
    file = home() / "machine.json"
    machine = f"{_processor()} {torch.__version__} {torch.get_num_threads()}"
    try:
        known = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        known = {}
    if not isinstance(known, dict) or known.get("machine") != machine:
        known = {"machine": machine, "bfloat16_gain": round(gain(), 2)}
        with contextlib.suppress(OSError):  # a home that cannot be written: measured again next time
            file.parent.mkdir(parents=True, exist_ok=True)
            temporary = file.with_name(f"machine.{os.getpid()}.json")
            temporary.write_text(json.dumps(known), encoding="utf-8")
            temporary.replace(file)
    return torch.bfloat16 if known["bfloat16_gain"] >= _WORTH_IT else torch.float32


def _forced() -> torch.dtype | None:
    return {"float32": torch.float32, "bfloat16": torch.bfloat16}.get(os.environ.get("FIELDTUNE_DTYPE", ""))


def _processor() -> str:
    """What tells this processor from one of other abilities; Linux names them in a file, `platform` often nothing."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    told = sorted({line for line in lines if line.startswith(("model name", "flags", "Features"))})
    return hashlib.sha256("\n".join(told).encode()).hexdigest()[:12]


def gain(rounds: int = 20) -> float:
    """How many times faster a matrix product of the encoder's shape is in bfloat16.

    One thread, by its own clock, the two in turn, the fastest round of each: by the clock on the wall and two threads, one
    reading in ten beside other work was wrong by a factor of four. Processors that only imitate bfloat16 need a second
    for a product, so there two rounds do.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        plain, quick = _timed(torch.float32), _timed(torch.bfloat16)
        times = [(plain(), quick()) for _ in range(2)]  # what warms up is never the fastest
        while len(times) < rounds and _fastest(times, 1) <= 2 * _fastest(times, 0):
            times.append((plain(), quick()))
    finally:
        torch.set_num_threads(threads)
    return _fastest(times, 0) / _fastest(times, 1)


def _fastest(times: Sequence[tuple[float, float]], place: int) -> float:
    return min(pair[place] for pair in times)


def _timed(dtype: torch.dtype) -> Callable[[], float]:
    """A product in that format, which returns the seconds that its thread computed."""
    left = torch.ones((1024, 384), dtype=dtype)
    multiply = product(torch.ones((1536, 384)), torch.ones(1536), dtype)

    def run() -> float:
        start = time.thread_time()
        multiply(left)
        return time.thread_time() - start

    return run
