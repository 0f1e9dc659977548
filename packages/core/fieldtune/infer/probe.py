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
from pathlib import Path

import torch

from fieldtune.infer.lean import product
from fieldtune.runtime import home

_WORTH_IT = 1.3  # below this gain the rounding of bfloat16 is not worth having


def compute_dtype() -> torch.dtype:
    """``torch.bfloat16`` where it is faster here, else ``torch.float32``; ``FIELDTUNE_DTYPE`` overrides."""
    forced = os.environ.get("FIELDTUNE_DTYPE")
    if forced in ("float32", "bfloat16"):
        return torch.float32 if forced == "float32" else torch.bfloat16
    if torch.cuda.is_available():
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float32
    file = home() / "machine.json"
    machine = f"{_processor()} {torch.__version__} {torch.get_num_threads()}"
    try:
        known = json.loads(file.read_text())
    except (OSError, ValueError):
        known = {}
    if not isinstance(known, dict) or known.get("machine") != machine:
        known = {"machine": machine, "bfloat16_gain": round(gain(), 2)}
        with contextlib.suppress(OSError):  # a home that cannot be written: measured again next time
            file.parent.mkdir(parents=True, exist_ok=True)
            temporary = file.with_name(f"machine.{os.getpid()}.json")
            temporary.write_text(json.dumps(known))
            temporary.replace(file)
    return torch.bfloat16 if known["bfloat16_gain"] >= _WORTH_IT else torch.float32


def _processor() -> str:
    """What tells this processor from one of other abilities; Linux names them in a file, `platform` often nothing."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    told = sorted({line for line in lines if line.startswith(("model name", "flags", "Features"))})
    return hashlib.sha256("\n".join(told).encode()).hexdigest()[:12]


def gain() -> float:
    """How many times faster a matrix product of the encoder's shape is in bfloat16; at least, where it is not: 2 s at most."""
    plain = _seconds(torch.float32)
    return plain / _seconds(torch.bfloat16, give_up=2 * plain)


def _seconds(dtype: torch.dtype, rounds: int = 20, *, give_up: float = float("inf")) -> float:
    """The fastest of the rounds after two that warm up; processors that only imitate a format need a second each."""
    left = torch.ones((1024, 384), dtype=dtype)
    multiply = product(torch.ones((1536, 384)), torch.ones(1536), dtype)
    times: list[float] = []
    while len(times) < rounds:
        start = time.perf_counter()
        multiply(left)
        times.append(time.perf_counter() - start)
        if len(times) > 1 and min(times) > give_up:
            break
    return min(times)
