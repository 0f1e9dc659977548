"""Processes of their own for tests, forked from a server that has imported the heavy libraries once.

A fresh Python spends some five seconds on importing torch and transformers before it does anything. These are real
processes all the same: with a folder, an environment and outputs of their own, and killed by signals. Where what is
imported is itself the question, or how a process starts, a test starts a fresh one.
"""

import gc
import multiprocessing
import os
import runpy
import sys
import tempfile
from collections.abc import Mapping
from multiprocessing.process import BaseProcess
from multiprocessing.reduction import DupFd
from pathlib import Path
from typing import Any

from tests.conftest import Ran

_HEAVY = [
    "fieldtune.pipeline",
    "fieldtune.train.fit",
    "fieldtune.models.generator",
    "fieldtune.evaluate.report",
    "fieldtune_chatbot.build",
    "fieldtune_chatbot.wire",
    "fieldtune_monitor.wire",
    "fieldtune_recommender.training",
    "fieldtune_recommender.wire",
    "optuna",
    "sklearn.linear_model",
    "sklearn.svm",
]
FIELDTUNE = ("-c", "import sys; from fieldtune.cli import main; sys.argv[0] = 'fieldtune'; main()")
"""How the console script `fieldtune` begins."""
_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(_HEAVY)


def begin(
    *words: object,
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
    out: Any = None,
    err: Any = None,
) -> BaseProcess:
    """Start what ``python WORDS`` would run, and return at once.

    Args:
        words: as Python takes them: ``-c CODE``, ``-m MODULE`` or a file, and arguments.
        folder: where it runs; the current one without.
        environment: its variables; those of this process without.
        out, err: open files or descriptors for what it says; without, nobody hears it.
    """
    with Path(os.devnull).open("w") as nowhere:
        process = _CONTEXT.Process(
            target=_Begun(
                tuple(map(str, words)), str(folder or Path.cwd()), dict(environment or os.environ),
                *(file if isinstance(file, int) else (file or nowhere).fileno() for file in (out, err)),
            ), daemon=True,
        )  # fmt: skip
        process.start()
    return process


def run(*words: object, folder: Path | None = None, environment: Mapping[str, str] | None = None) -> Ran:
    """Run it to its end."""
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        process = begin(*words, folder=folder, environment=environment, out=out, err=err)
        process.join()
        for file in (out, err):
            file.seek(0)
        return Ran(int(process.exitcode or 0), out.read(), err.read())


class _Begun:
    """What the new process does; its outputs travel with it."""

    def __init__(self, words: tuple[str, ...], folder: str, environment: dict[str, str], *outputs: int) -> None:
        self.words, self.folder, self.environment, self.outputs = words, folder, environment, outputs

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "outputs": [DupFd(number) for number in self.outputs]}

    def __call__(self) -> None:
        gc.freeze()  # what was imported before is no garbage, and every training searches for some
        for own, given in zip((1, 2), self.outputs, strict=True):
            os.dup2(given.detach(), own)  # type: ignore[attr-defined]
        os.environ.clear()
        os.environ.update(self.environment)
        os.chdir(self.folder)
        what, *rest = self.words
        if what == "-c":
            sys.argv = ["-c", *rest[1:]]
            exec(compile(rest[0], "<string>", "exec"), {"__name__": "__main__"})
        elif what == "-m":
            sys.argv = rest
            runpy.run_module(rest[0], run_name="__main__", alter_sys=True)
        else:
            sys.argv = [what, *rest]
            runpy.run_path(what, run_name="__main__")
