"""`python -m fieldtune_sample --out DIR --seed 7`: write the sample company, whole or one part of it.

Every keyword of a part's `generate` is an option here, so the options follow the generators. Knows no generator's
insides; imports only the parts that are asked for.
"""

import argparse
import importlib
import inspect
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from fieldtune.cli_kit import fail, show
from fieldtune.errors import FieldtuneError
from fieldtune.progress import say

PARTS = ("support", "news", "shop")
Generator = Callable[..., None]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code: 0 written, 1 refused with one line on stderr."""
    first = _parser(add_help=False).parse_known_args(arguments)[0]
    chosen = PARTS if first.part == "all" else (first.part,)
    generators = {part: _generator(part) for part in chosen}
    parser = _parser(add_help=True)
    _add_parameters(parser, generators)
    options = vars(parser.parse_args(arguments))
    try:
        written = _write(generators, options)
    except (FieldtuneError, OSError) as error:
        fail(str(error))
        return 1
    show(written, options["json"])
    return 0


def _parser(*, add_help: bool) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m fieldtune_sample",
        description="Write the records of the invented company Tidewater; the same seed gives the same bytes.",
        add_help=add_help,
        allow_abbrev=False,
    )
    parser.add_argument("--out", type=Path, required=add_help, help="folder; each part gets a folder of its own in it")
    parser.add_argument("--seed", type=int, default=7, help="chooses everything random (default 7)")
    parser.add_argument("--part", choices=(*PARTS, "all"), default="all", help="what to write (default all)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    return parser


def _generator(part: str) -> Generator:
    generate: Generator = importlib.import_module(f"fieldtune_sample.{part}").generate
    return generate


def _parameters(generate: Generator) -> Mapping[str, Any]:
    """Keyword -> default of a generator."""
    keywords = inspect.signature(generate).parameters.values()
    return {k.name: k.default for k in keywords if k.kind is inspect.Parameter.KEYWORD_ONLY}


def _add_parameters(parser: argparse.ArgumentParser, generators: Mapping[str, Generator]) -> None:
    """One option per keyword; a keyword that several parts share is one option for all of them."""
    owners: dict[str, dict[str, Any]] = {}
    for part, generate in generators.items():
        for name, default in _parameters(generate).items():
            owners.setdefault(name, {})[part] = default
    for name, defaults in owners.items():
        kind = type(next(iter(defaults.values())))
        told = ", ".join(f"{part}: default {default}" for part, default in defaults.items())
        option = "--" + name.replace("_", "-")
        if kind is bool:
            parser.add_argument(option, dest=name, action=argparse.BooleanOptionalAction, default=None, help=told)
        else:
            parser.add_argument(option, dest=name, type=kind, default=None, help=told)


def _write(generators: Mapping[str, Generator], options: Mapping[str, Any]) -> dict[str, Any]:
    for part, generate in generators.items():
        folder = options["out"] / part
        say(f"writing {folder}")
        given = {name: options[name] for name in _parameters(generate) if options[name] is not None}
        generate(folder, options["seed"], **given)
    return {"out": str(options["out"]), "seed": options["seed"], "parts": list(generators)}


if __name__ == "__main__":
    sys.exit(main())
