"""Every regular expression of the packages and applications, timed on texts made to have it backtrack.

Patterns are read off the source; one that is put together from names is taken from its imported module (pages of Streamlit
apart, which run on import; those built from users' words are counted, not timed). Texts are made of a pattern's own signs
and words: one over and over, two in turn, half of them long, each with ends that cannot match. A pattern is applied as its
module does: at the beginning alone where it is only matched, else all over. A child times it, so that one that never ends
is named. The shortest of three runs counts: a busy machine adds, it never takes away.
"""

import argparse
import ast
import importlib
import multiprocessing
import re
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from benchmarks.common import ROOT, report

PLACES = ("packages/core", "apps/chatbot", "apps/sentiment_monitor", "apps/recommender")
_FUNCTIONS = ("compile", "search", "match", "fullmatch", "sub", "subn", "split", "findall", "finditer")
_AT_START = {"match", "fullmatch"}
ENDS = ("", "\n", "!")
USUAL = " \n\t.,-:/'\"<>()[]{}*_#@0a|=&;%+中"
FOREVER = 20.0
"""Seconds after which a text counts as never done."""
Pattern = re.Pattern[Any]


@dataclass(frozen=True)
class Found:
    """A pattern: where it stands, and whether its module only tries it at the beginning of a text."""

    place: str
    pattern: Pattern
    at_start: bool


def collect() -> tuple[list[Found], int]:
    """The patterns, equal ones once, and the number of those that only exist once a user named words."""
    found: dict[tuple[Any, int], Found] = {}
    built = 0
    for folder in PLACES:
        for file in sorted((ROOT / folder).rglob("*.py")):
            own, late = _of_file(file, ".".join(file.relative_to(ROOT / folder).with_suffix("").parts))
            built += late
            for one in own:
                key = (one.pattern.pattern, one.pattern.flags)
                known = found.get(key, one)
                found[key] = Found(known.place, known.pattern, known.at_start and one.at_start)
    return list(found.values()), built


def _of_file(file: Path, module: str) -> tuple[list[Found], int]:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    calls = [call for call in ast.walk(tree) if _is_call(call)]
    names = _names(tree)
    found, late = [], []
    for call in calls:
        pattern = _written(call)
        if pattern is None:
            late.append(call)
            continue
        used = {call.func.attr} if call.func.attr != "compile" else _uses(tree, names.get(id(call), ""))
        found.append(Found(f"{module}:{call.lineno}", pattern, bool(used) and used <= _AT_START))
    if late and "streamlit" not in {
        alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names
    }:
        held = list(_held(module.removesuffix(".__init__"), tree))
        texts = {one.pattern.pattern for one in found}
        put_together = [one for one in held if one.pattern.pattern not in texts]
        return [*found, *put_together], max(0, len(late) - len(put_together))
    return found, len(late)


def _is_call(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Call) and bool(node.args) and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name) and node.func.value.id == "re" and node.func.attr in _FUNCTIONS
    )  # fmt: skip


def _names(tree: ast.Module) -> dict[int, str]:
    """The name that each compiled pattern is given, by the id of its call."""
    return {
        id(node.value): node.targets[0].id
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    }


def _uses(tree: ast.Module, name: str) -> set[str]:
    """How a named pattern is applied; matching from a place on is searching, for a loop may try every place."""
    return {
        node.func.attr if len(node.args) < 2 else "search"
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name) and node.func.value.id == name
    }  # fmt: skip


def _written(call: Any) -> Pattern | None:
    """The pattern where it stands there as a text."""
    if not isinstance(call.args[0], ast.Constant):
        return None
    texts = [ast.unparse(part) for part in (*call.args[1:], *(word.value for word in call.keywords))]
    flags = 0
    for name in re.findall(r"re\.([A-Z]+)", " ".join(texts)):
        flags |= getattr(re, name)
    return re.compile(call.args[0].value, flags)


def _held(module: str, tree: ast.Module) -> Iterator[Found]:
    """The compiled patterns of an imported module, alone or in a list."""
    for name, value in vars(importlib.import_module(module)).items():
        many = value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else (value,)
        for one in many:
            for part in one if isinstance(one, tuple) else (one,):
                if isinstance(part, re.Pattern):
                    used = _uses(tree, name)
                    yield Found(f"{module}.{name}", part, bool(used) and used <= _AT_START)


def texts(pattern: Pattern, length: int) -> Iterator[str]:
    """Texts of about ``length`` signs out of what the pattern itself is written with."""
    source = pattern.pattern if isinstance(pattern.pattern, str) else pattern.pattern.decode("latin1")
    words = sorted({word for word in re.split(r"[^\w]+", source) if 1 < len(word) < 20})[:12]
    signs = [*dict.fromkeys(sign for sign in source if not sign.isalnum())][:20]
    letters = [*dict.fromkeys(sign for sign in source if sign.isalnum())][:8]
    units = [*USUAL, *signs, *letters, *words, *(f"{word} " for word in words), *(f"<{word} " for word in words)]
    units += [one + other for one in "a0 " for other in dict.fromkeys([*signs, *USUAL])]
    units += [
        "<a ",
        "</",
        "](",
        "[a](",
        "![a](",
        "**a",
        "__a",
        "``a",
        "a.b@",
        "1.1.",
        "x=1&",
        "a, b",
        "-\n",
        "\n ",
        "**",
        "``",
    ]
    for unit in dict.fromkeys(units):
        again = unit * (length // len(unit))
        yield from (again + end for end in ENDS)
        yield from (start + again for start in (*words[:2], "a"))
    for one in (" ", "a", "0", "\n", "*", "`", "_"):
        yield from (one * (length // 2) + other * (length // 2) + "!" for other in (*signs[:8], " ", "a"))


def slowest(found: Found, length: int, tell: Any) -> tuple[float, str]:
    """Milliseconds of the worst text, and how that text begins."""
    worst, shown = 0.0, ""
    for text in texts(found.pattern, length):
        tell(text[:16])
        took = _took(found, text, 1)
        if took > worst:
            took = min(took, _took(found, text, 2)) if 5 < took < 1000 else took
            worst, shown = max((worst, shown), (took, text[:16]))
        if worst > 500:
            break  # bad enough: each further text would take as long
    return worst, shown


def _took(found: Found, text: Any, runs: int) -> float:
    pattern = found.pattern
    text = text if isinstance(pattern.pattern, str) else text.encode("utf-8")
    best = float("inf")
    for _ in range(runs):
        started = time.process_time()
        pattern.match(text)
        pattern.fullmatch(text)
        if not found.at_start:
            for _match in pattern.finditer(text):
                pass
        best = min(best, time.process_time() - started)
    return best * 1000


def _work(connection: Connection, patterns: list[Found], length: int) -> None:
    for found in patterns:
        connection.send((None, slowest(found, length, lambda text: connection.send((text, None)))))


def measure(patterns: list[Found], length: int) -> dict[str, tuple[float, str]]:
    """Place -> the worst, by children that are killed when one text takes forever."""
    context, took, left = multiprocessing.get_context("fork"), {}, list(patterns)
    while left:
        ours, theirs = context.Pipe()
        child = context.Process(target=_work, args=(theirs, left, length), daemon=True)
        child.start()
        text = ""
        while left and ours.poll(FOREVER):
            said, worst = ours.recv()
            text = said or text
            if worst is not None:
                took[left.pop(0).place] = worst
                if worst[0] > 50:
                    print(f"{list(took)[-1]}: {worst[0]:.0f} ms on {worst[1]!r} ...", file=sys.stderr, flush=True)
        child.kill()
        child.join()
        if left:
            took[left.pop(0).place] = (FOREVER * 1000, text)
    return took


def main() -> None:
    """Print how many patterns there are, the slowest of them, and those above the limit."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--length", type=int, default=10_000)
    parser.add_argument("--limit", type=float, default=50.0, help="milliseconds")
    parser.add_argument("--quick", action="store_true", help="a fifth of the length")
    options = parser.parse_args()
    length = options.length // 5 if options.quick else options.length
    patterns, built = collect()
    took = measure(patterns, length)
    order = sorted(took, key=lambda name: -took[name][0])
    report({
        "patterns": len(took), "at_start_only": sum(one.at_start for one in patterns), "built_from_users_words": built,
        "length": length, "slowest_ms": took[order[0]][0], "slow": [name for name in order if took[name][0] > options.limit],
        "too_slow": sum(took[name][0] > options.limit for name in order),
        "first": {name: {"ms": took[name][0], "text": took[name][1]} for name in order[:8]},
    })  # fmt: skip


if __name__ == "__main__":
    main()
