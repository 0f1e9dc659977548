"""SIGTERM or Ctrl-C while training: a checkpoint after the step at hand, then the end that the signal would have had; a
second one ends at once.

Where the program that called us listens to a signal itself, or trains in another thread, nothing is changed for it.
"""

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from typing import Any

from transformers import TrainerCallback

from fieldtune.interrupts import TERMINATED, pressed
from fieldtune.train.processes import largest

_FREE = {signal.SIGTERM: (signal.SIG_DFL,), signal.SIGINT: (signal.default_int_handler, pressed)}
"""The signals that are heard, and their handlers where nobody else listens."""


class Stop(TrainerCallback):
    """Asks for a checkpoint once a signal was heard, and leaves when it is written.

    Attributes:
        asked: the signal that this process heard; 0 for none.
        agreed: the one that all processes know of: what one hears while they agree counts after the next step.
        handlers: of the signals that are heard, as they were before.
    """

    def __init__(self) -> None:
        self.asked = self.agreed = 0
        self.handlers: dict[int, Any] = {}

    def heard(self, number: int, _: Any) -> None:
        """The signals' handler; it may interrupt a print, so it prints nothing through Python's buffers."""
        if self.asked or self.agreed:
            self._at_once(number)
        self.asked = number
        os.write(2, b"stopping after this step, with a checkpoint; a second signal stops at once\n")

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> Any:
        self.agreed = largest(self.asked)
        control.should_save = control.should_save or bool(self.agreed)
        return control

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if self.agreed:
            self.leave()

    def leave(self) -> None:
        """End as the signal heard would have ended it; nothing, if there was none."""
        number = self.agreed or self.asked
        if number == signal.SIGINT:
            raise KeyboardInterrupt
        if number:
            raise SystemExit(TERMINATED)

    def _at_once(self, number: int) -> None:
        """Without another step; Ctrl-C as an exception, which cleans up."""
        if number == signal.SIGTERM:
            os._exit(TERMINATED)
        self.quiet()
        self.handlers[number](number, None)

    def listen(self) -> None:
        """Take over the signals that nobody else listens to."""
        for number, free in _FREE.items():
            if signal.getsignal(number) in free:
                self.handlers[number] = signal.signal(number, self.heard)

    def quiet(self) -> None:
        """Give them back."""
        for number, handler in self.handlers.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def stoppable() -> Iterator[Stop]:
    """Listen to SIGTERM and Ctrl-C while the block runs, as far as nobody else does."""
    stop = Stop()
    if threading.current_thread() is threading.main_thread():
        stop.listen()
    try:
        yield stop
    finally:
        stop.quiet()
