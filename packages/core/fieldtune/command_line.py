"""All of ``fieldtune ...``: mounts the core's commands and those of the applications that are installed."""

import contextlib
import io
import os
import sys
from typing import Annotated, Any

import typer

from fieldtune import __version__
from fieldtune.applications import APPLICATIONS, application, sample
from fieldtune.cli_kit import fail
from fieldtune.commands import data, doctor, explain, feedback, label, models, search, serve, training
from fieldtune.errors import FieldtuneError, reason
from fieldtune.interrupts import INTERRUPTED
from fieldtune.runtime import set_threads

DEBUG = "--debug"
USAGE: Any = typer.BadParameter.__mro__[1]  # Click's UsageError, of whichever Click this Typer brings


def build() -> typer.Typer:
    """The whole command line."""
    app = typer.Typer(
        help="Fine-tune on your own records; run a support bot, an opinion monitor and a recommender on them.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        epilog="Add --debug to any command to see a traceback.",
    )
    app.callback()(_root)
    company = sample()
    if company is not None:
        app.command("demo")(company.demo)
    for group in (training, search, label, models, serve, explain, feedback, data, doctor):
        group.register(app)
    for name in APPLICATIONS:
        module = application(name)
        if module is not None:
            app.add_typer(module.app, name=name)
    return app


def run() -> int:
    """The exit code of the command that ``sys.argv`` names; its errors are one line on stderr.

    Raises:
        KeyboardInterrupt: Ctrl-C.
    """
    debug = DEBUG in sys.argv
    sys.argv = [argument for argument in sys.argv if argument != DEBUG]
    _quiet()
    _printable()
    try:
        set_threads()
        code = build()(standalone_mode=False, prog_name="fieldtune")  # usage errors are said below, as all errors are
    except USAGE as error:
        return _misused(error)
    except FieldtuneError as error:
        return _failed(str(error), error, debug)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        told = f"expected files that can be read and written; found {reason(error)}; fix: check path, rights and space"
        return _failed(told, error, debug)
    except Exception as error:  # a defect of ours: still one line, and how to see more
        return _failed(
            f"unexpected {type(error).__name__}: {error}; run again with --debug and report it", error, debug
        )
    if code == INTERRUPTED:  # what Typer makes of Ctrl-C
        raise KeyboardInterrupt
    return code if isinstance(code, int) else 0


def _version(asked: bool) -> None:
    if asked:
        print(f"fieldtune {__version__}")
        raise typer.Exit


def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None: ...


def _misused(error: Any) -> int:
    """Exit 2 with the one line that every error is; a group without a command has shown its help already."""
    words = error.ctx.command_path if error.ctx else "fieldtune"
    if type(error).__name__ != "NoArgsIsHelpError":
        fail(f"expected a command as `{words} --help` shows it; found {error.format_message()}; fix: correct it")
    return 2


def _quiet() -> None:
    """Libraries below are told to keep their remarks and their own progress bars to themselves."""
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("TQDM_DISABLE", "1")


def _printable() -> None:
    """What a terminal or a pipe of another encoding cannot hold is written as an escape, instead of ending half printed."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError):  # a stream whose file was changed below it stays as it is
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="backslashreplace")


def _failed(message: str, error: Exception, debug: bool) -> int:
    if debug:
        raise error
    fail(message)
    return 1
