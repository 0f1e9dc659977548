"""Training in several local processes: each holds the whole model and computes its share of every batch (DDP, gloo).

The calling process starts them, waits, and loads what the first of them saved. Ranks meet through a file and speak over
loopback; checkpoints, messages and the model are the first one's business. Knows nothing of tasks and losses.
"""

import contextlib
import multiprocessing
import os
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

from fieldtune import errors
from fieldtune.interrupts import terminable
from fieldtune.models.folder import staged
from fieldtune.runtime import set_threads

TRAINED = "trained"
_ENVIRONMENT = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "OMP_NUM_THREADS", "GLOO_SOCKET_IFNAME")
_LAST_WORDS = 2.0  # seconds in which the others may say what happened to them too


def together(
    train: Callable[..., Any],
    processes: int,
    card: dict[str, Any],
    given: tuple[Any, ...],
    *,
    folder: Path,
    **named: Any,
) -> Any:
    """What ``train(*given, folder=folder, **named)`` returns, computed by several processes at once.

    Args:
        train: a module's function, found by its name in the new processes.
        card: what the model's folder must say to be loaded again.
        given, named: the other arguments of ``train``.
        folder: of the run; a killed run goes on from its checkpoints.

    Raises:
        FieldtuneError: whatever a process raised; RefusedError: one of them was killed.
    """
    from fieldtune.models.trained import load

    # Forked from a server that has imported the training loop, once: what takes seconds is not done by each of them.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["fieldtune.train.fit"])
    told: Any = context.SimpleQueue()
    with tempfile.TemporaryDirectory() as place:
        rest = (processes, Path(place) / "meeting", dict(os.environ), told, train, card, given, folder, named)
        ranks = [context.Process(target=_rank, args=(rank, *rest), daemon=True) for rank in range(processes)]
        try:
            for process in ranks:
                process.start()
            with terminable():
                _finished(ranks, told)
        except (KeyboardInterrupt, SystemExit):
            _stopped(ranks)
            raise
        finally:
            for process in ranks:
                if process.pid:
                    process.kill()
                    process.join()
    try:
        return load(folder / TRAINED)
    finally:
        told.close()


def _rank(
    rank: int,
    processes: int,
    meeting: Path,
    environment: dict[str, str],
    told: Any,
    train: Callable[..., Any],
    card: dict[str, Any],
    given: tuple[Any, ...],
    folder: Path,
    named: dict[str, Any],
) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to all; the calling process passes it on
    os.environ |= environment  # the server's is of when it started
    threading.Thread(target=_die_with_parent, daemon=True).start()
    if rank:
        sys.stderr = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115  # open until the process ends
    try:
        with joined(rank, processes, meeting):
            model = train(*given, folder=folder, **named)
            if rank == 0:
                model.card = {**model.card, **card}
                with staged(folder / TRAINED) as temporary:
                    model.save(temporary)
    except errors.FieldtuneError as error:
        told.put((type(error).__name__, error.expected, error.found, error.fix))
        sys.exit(1)
    except Exception as error:  # also what the transport says when another rank is gone
        told.put(("", "", f"{type(error).__name__}: {error}", ""))
        sys.exit(1)


@contextlib.contextmanager
def joined(rank: int, processes: int, meeting: Path) -> Iterator[None]:
    """This process as one of several that train together, its share of the threads included.

    Args:
        meeting: a file none of them has made yet.
    """
    import torch

    threads = max(1, set_threads() // processes)
    torch.set_num_threads(threads)
    values = (rank, rank, processes, processes, threads, "lo" if Path("/sys/class/net/lo").exists() else "")
    os.environ |= {name: str(value) for name, value in zip(_ENVIRONMENT, values, strict=True) if value != ""}
    torch.distributed.init_process_group("gloo", init_method=f"file://{meeting}", rank=rank, world_size=processes)
    try:
        yield
    finally:
        torch.distributed.destroy_process_group()


def agreed(flag: bool) -> bool:
    """Whether any of the processes says so: decisions by the clock must be the same for all."""
    return bool(largest(flag))


def largest(number: int) -> int:
    """The largest that any of the processes has, so that a signal heard by one is heard by all."""
    import torch

    if not (torch.distributed.is_available() and torch.distributed.is_initialized()):
        return number
    votes = torch.tensor(number)
    torch.distributed.all_reduce(votes, torch.distributed.ReduceOp.MAX)
    return int(votes)


def total(value: float) -> float:
    """The sum over all processes."""
    import torch

    if not (torch.distributed.is_available() and torch.distributed.is_initialized()):
        return value
    sums = torch.tensor(value, dtype=torch.float64)
    torch.distributed.all_reduce(sums)
    return float(sums)


def _finished(ranks: list[Any], told: Any) -> None:
    """Wait for all; once one ends badly, raise what happened."""
    running = list(ranks)
    while running and not any(process.exitcode for process in ranks):
        wait([process.sentinel for process in running])
        running = [process for process in running if process.is_alive()]
    if not any(process.exitcode for process in ranks):
        return
    deadline = time.monotonic() + _LAST_WORDS
    while any(process.is_alive() for process in ranks) and time.monotonic() < deadline:
        wait([process.sentinel for process in ranks if process.is_alive()], deadline - time.monotonic())
    messages = []
    while not told.empty():
        messages.append(told.get())
    for name, *parts in messages:
        if name:
            raise getattr(errors, name)(*parts)
    killed = [
        f"process {rank} killed by signal {-one.exitcode}" for rank, one in enumerate(ranks) if (one.exitcode or 0) < 0
    ]
    said = killed or [message[2] for message in messages]
    if not said:  # a script without the guard is run again by each process, and ends before it trains
        raise errors.RefusedError(
            f"{len(ranks)} processes to begin",
            "one that ended before it did",
            'in a script, call it under `if __name__ == "__main__":`; else run the same command again',
        )
    raise errors.RefusedError(
        f"all {len(ranks)} processes to train to the end",
        said[0],
        "run the same command again: it goes on from its last checkpoint",
    )


def _stopped(ranks: list[Any]) -> None:
    """Let the processes end with a checkpoint, as each does on SIGTERM; a second signal does not wait for it."""
    for process in ranks:
        if process.is_alive():
            process.terminate()
    for process in ranks:
        if process.pid:
            process.join()


def _die_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
