"""Everything that `make setup` installs: is it what the lock says, and under a licence that is allowed?

``constraints.txt`` holds the exact versions, ``requirements.lock`` the same with the sha256 of every archive, but for
torch, whose build each machine chooses. Licences are read from the metadata of what is installed; what an archive
carries inside without saying so is not seen.
"""

import re
import tomllib
from collections.abc import Iterable, Mapping
from importlib.metadata import Distribution, distribution

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from benchmarks.standing import ROOT

UNLOCKED = {"fieldtune", "pip"}  # ourselves, and what the interpreter brings
OF_TORCH = ("cuda-", "nvidia-", "triton")  # what a CUDA build of torch brings and itself pins; none with a CPU build

ALLOWED = {
    *("0BSD", "Apache-2.0", "Apache-2.0 WITH LLVM-exception", "BSD-2-Clause", "BSD-3-Clause", "BSL-1.0", "CC0-1.0"),
    *("CNRI-Python", "ISC", "MIT", "MIT-CMU", "PSF-2.0", "Zlib"),
}
EXCEPTIONS = {  # distribution: the licence it may have, and why
    "certifi": ("MPL-2.0", "a list of certificates, used as it is; MPL binds changed files alone"),
    "hypothesis": ("MPL-2.0", "runs tests, is not part of what is shipped"),
    "pathspec": ("MPL-2.0", "of mypy, not part of what is shipped"),
    "psycopg": ("LGPL-3.0-only", "imported as it is and replaceable; only the extra `postgres` asks for it"),
    "psycopg-binary": ("LGPL-3.0-only", "the same, compiled"),
    "tqdm": ("MPL-2.0 AND MIT", "used as it is; MPL binds changed files alone"),
}
SPDX = {  # what older metadata calls a licence
    "3-Clause BSD License": "BSD-3-Clause",
    "Apache 2.0": "Apache-2.0",
    "Apache 2.0 License": "Apache-2.0",
    "Apache License 2.0": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "BSD License": "BSD-3-Clause",
    "FreeBSD": "BSD-2-Clause",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
}


def pinned(file: str = "constraints.txt") -> dict[str, Version]:
    """The versions that a file of ``name==version`` lines holds, by normalised name."""
    lines = re.findall(r"^([\w.-]+)==([^\s;]+)", (ROOT / file).read_text(), re.MULTILINE)
    return {canonicalize_name(name): Version(version) for name, version in lines}


def off_the_lock(installed: Iterable[Distribution], pins: Mapping[str, Version]) -> list[str]:
    """One line for each distribution that is not pinned or is there in another version; a local build counts as its version."""
    found = []
    for name, one in _foreign(installed):
        version = Version(one.version)
        if name not in pins:
            found.append(f"{name} {version} is not pinned in constraints.txt")
        elif Version(version.public) != pins[name]:
            found.append(f"{name} {version} is installed, {pins[name]} is pinned")
    return found


def needed() -> list[Distribution]:
    """What is installed because fieldtune, its extras or its tests ask for it; what a developer added is left out."""
    about = tomllib.loads((ROOT / "pyproject.toml").read_text())
    waiting = [Requirement("fieldtune[all,postgres]"), *map(Requirement, about["dependency-groups"]["dev"])]
    found: dict[tuple[str, str], Distribution] = {}
    while waiting:
        wanted = waiting.pop()
        for extra in {"", *wanted.extras} - {extra for name, extra in found if name == wanted.name}:
            found[wanted.name, extra] = there = distribution(wanted.name)
            asked = map(Requirement, there.requires or ())
            waiting += [one for one in asked if one.marker is None or one.marker.evaluate({"extra": extra})]
    return list({id(one): one for one in found.values()}.values())


def licence(one: Distribution) -> str:
    """The SPDX expression of a distribution, made of its classifiers or its licence line where it has none."""
    about = one.metadata
    if expression := about.get("License-Expression"):
        return str(expression)
    kinds = [line.rsplit(" :: ", 1)[-1] for line in about.get_all("Classifier") or () if line.startswith("License ::")]
    written = (about.get("License") or "none").strip().splitlines()[:1]
    return " AND ".join(SPDX.get(kind, kind) for kind in kinds or written)


def allowed(name: str, expression: str) -> bool:
    """Whether a licence may come in: one side of an OR on the list, or the named exception. Brackets are not read."""
    if name in EXCEPTIONS and expression == EXCEPTIONS[name][0]:
        return True
    return any(all(part in ALLOWED for part in side.split(" AND ")) for side in expression.split(" OR "))


def licences(installed: Iterable[Distribution]) -> dict[str, str]:
    """The licence of everything that is installed but ourselves, by normalised name."""
    return {name: licence(one) for name, one in _foreign(installed)}


def _foreign(installed: Iterable[Distribution]) -> list[tuple[str, Distribution]]:
    named = {canonicalize_name(one.metadata["Name"]): one for one in installed}
    return [(name, named[name]) for name in sorted(named) if name not in UNLOCKED and not name.startswith(OF_TORCH)]
