"""Ctrl-C that is not lost: a KeyboardInterrupt raised inside a destructor or a library's callback goes nowhere in Python.

So the first press is followed by an alarm, which raises it again until the command is on its way out.
"""

import contextlib
import signal
import sys
import threading
from collections.abc import Iterator
from typing import Any

SECONDS = 0.5
INTERRUPTED = 130
"""The exit code that says so."""
TERMINATED = 128 + signal.SIGTERM
"""And that of SIGTERM."""


@contextlib.contextmanager
def heeded() -> Iterator[None]:
    """In the block a Ctrl-C ends what runs, wherever it falls; nothing is changed where somebody else listens to it."""
    ours = (
        hasattr(signal, "SIGALRM")  # not on Windows
        and threading.current_thread() is threading.main_thread()
        and signal.getsignal(signal.SIGINT) is signal.default_int_handler
        and signal.getsignal(signal.SIGALRM) is signal.SIG_DFL
    )
    if not ours:
        yield
        return
    unraisable, sys.unraisablehook = sys.unraisablehook, _silent
    signal.signal(signal.SIGALRM, _again)
    signal.signal(signal.SIGINT, pressed)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        sys.unraisablehook = unraisable


def pressed(*_: Any) -> None:
    """The handler of Ctrl-C within :func:`heeded`."""
    signal.setitimer(signal.ITIMER_REAL, SECONDS, SECONDS)
    raise KeyboardInterrupt


def _silent(lost: Any) -> None:
    """A press that was lost is no news: the next one is coming."""
    if lost.exc_type is not KeyboardInterrupt:
        sys.__unraisablehook__(lost)


def _again(*_: Any) -> None:
    """Raise once more, unless an interrupt is on its way out and this is its cleaning up, which may take its time."""
    handled = sys.exc_info()[1]
    while handled is not None and not isinstance(handled, KeyboardInterrupt):
        handled = handled.__context__
    if handled is None and signal.getsignal(signal.SIGINT) is pressed:  # else another program part took the key over
        raise KeyboardInterrupt


@contextlib.contextmanager
def terminable() -> Iterator[None]:
    """In the block a SIGTERM raises SystemExit, so that what it leaves is cleaned up, if nobody else listens to it."""
    ours = threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    if ours:
        signal.signal(signal.SIGTERM, _terminated)
    try:
        yield
    finally:
        if ours:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _terminated(*_: Any) -> None:
    raise SystemExit(TERMINATED)
