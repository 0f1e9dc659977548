"""Every error a user can cause, grouped by what the caller can do about it.

Each says what was expected, what was found and how to fix it; the command line prints that one line.
Knows nothing of where the error happened.
"""

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def naming(file: Path) -> Iterator[None]:
    """An error of the system that names no file, as of a full disk, names this one."""
    try:
        yield
    except OSError as error:
        if error.filename is not None:
            raise
        raise OSError(error.errno, error.strerror or str(error), str(file)) from error


def reason(error: OSError) -> str:
    """What the system said, and of which file; of a folder's copy, which lists every file that failed, the first."""
    if isinstance(error, shutil.Error) and isinstance(error.args[0], list):
        failed = error.args[0]
        return f"{failed[0][2]}, and {len(failed) - 1} more" if len(failed) > 1 else str(failed[0][2])
    return f"{error.strerror or error}{f': {error.filename}' if error.filename else ''}"


class FieldtuneError(Exception):
    """Base of all errors meant for the user's eyes.

    Args:
        expected: what would have been right, e.g. ``"a column 'text'"``.
        found: what was there instead, e.g. ``"columns 'id', 'body' in train.csv"``.
        fix: the next thing to do, e.g. ``"rename it with --text body"``.
    """

    def __init__(self, expected: str, found: str, fix: str) -> None:
        super().__init__(f"expected {expected}; found {found}; fix: {fix}")
        self.expected, self.found, self.fix = expected, found, fix


class InputError(FieldtuneError):
    """The data, a path or an argument is wrong: correct it and run again."""


class DivergedError(InputError):
    """A training met a loss or weights that are no finite numbers: try gentler settings."""


class ConfigError(FieldtuneError):
    """A configuration file or setting is wrong: correct the named key."""


class MissingExtraError(FieldtuneError):
    """An optional dependency is not installed: install the named extra."""


class ArtefactError(FieldtuneError):
    """A stored model, checkpoint or database is damaged or foreign: restore or rebuild it."""


class RefusedError(FieldtuneError):
    """fieldtune declined on purpose (gate, lock, missing promise); nothing was changed."""
