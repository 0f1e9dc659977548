"""SIGTERM while training: a checkpoint after the step at hand and exit code 143; a second one ends the process at once.

Where the program that called us listens to SIGTERM itself, or trains in another thread, nothing is changed.
"""

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from typing import Any

from transformers import TrainerCallback

from fieldtune.train.processes import agreed

EXIT = 128 + signal.SIGTERM


class Stop(TrainerCallback):
    """Asks for a checkpoint once SIGTERM was heard, and leaves when it is written."""

    asked = False

    def heard(self, *_: Any) -> None:
        """The signal's handler; it may interrupt a print, so it prints nothing through Python's buffers."""
        if self.asked:
            os._exit(EXIT)
        self.asked = True
        os.write(2, b"SIGTERM: stopping after this step, with a checkpoint; once more stops at once\n")

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> Any:
        self.asked = agreed(self.asked)
        control.should_save = control.should_save or self.asked
        return control

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if self.asked:
            raise SystemExit(EXIT)


@contextlib.contextmanager
def stoppable() -> Iterator[Stop]:
    """Listen to SIGTERM while the block runs, if nobody else does."""
    stop = Stop()
    free = threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    if free:
        signal.signal(signal.SIGTERM, stop.heard)
    try:
        yield stop
    finally:
        if free:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
