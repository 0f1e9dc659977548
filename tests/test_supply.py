"""What is installed is what the lock says, under licences that are allowed; the lock is whole."""

import re
from email.message import Message
from importlib.metadata import Distribution
from pathlib import Path
from typing import Any

import pytest
from packaging.licenses import canonicalize_license_expression
from packaging.version import Version

from benchmarks import supply


class Installed(Distribution):
    """A distribution with the metadata that a test gives."""

    def __init__(self, name: str, version: str = "1", **fields: str) -> None:
        self.message = Message()
        for key, value in {"Name": name, "Version": version, **fields}.items():
            self.message[key.replace("_", "-")] = value

    @property
    def metadata(self) -> Any:
        return self.message

    def read_text(self, filename: str) -> str | None:
        return None

    def locate_file(self, path: Any) -> Path:
        return Path(path)


def test_everything_needed_is_pinned_in_the_version_that_is_installed() -> None:
    found = supply.needed()
    assert {"torch", "numpy", "streamlit", "pytest"} <= {one.metadata["Name"] for one in found}
    assert supply.off_the_lock(found, supply.pinned()) == []


def test_a_stranger_and_another_version_are_named() -> None:
    pins = {"torch": Version("2.13.0"), "left-pad": Version("1.0")}
    found = [Installed("torch", "2.13.0+cpu"), Installed("Left_Pad", "1.1"), Installed("stranger"), Installed("pip")]
    assert supply.off_the_lock(found, pins) == [
        "left-pad 1.1 is installed, 1.0 is pinned",
        "stranger 1 is not pinned in constraints.txt",
    ]


def test_the_lock_holds_every_pin_but_torch_with_digests_and_no_address() -> None:
    pins = supply.pinned()
    assert supply.pinned("requirements.lock") == {name: pins[name] for name in pins if name != "torch"}
    lines = (supply.ROOT / "requirements.lock").read_text().splitlines()
    for before, line in zip(lines, [*lines[1:], "next"], strict=True):
        digest = re.fullmatch(r"    --hash=sha256:[0-9a-f]{64}( \\)?", before)
        assert digest or re.fullmatch(r"[\w.-]+==\S+ \\", before), before
        assert before.endswith("\\") == line.startswith("    --hash="), before


def test_every_licence_is_allowed_and_every_exception_is_needed() -> None:
    found = supply.licences(supply.needed())
    assert {name: said for name, said in found.items() if not supply.allowed(name, said)} == {}
    assert {name: found.get(name) for name in supply.EXCEPTIONS} == {
        name: said for name, (said, _) in supply.EXCEPTIONS.items()
    }
    for said in {*found.values(), *supply.ALLOWED}:
        assert canonicalize_license_expression(said) == said  # each is an expression that SPDX knows


@pytest.mark.parametrize(
    ("fields", "right"),
    [
        ({"License_Expression": "GPL-3.0-only OR MIT"}, True),
        ({"License_Expression": "GPL-3.0-only AND MIT"}, False),
        ({"License_Expression": "AGPL-3.0-or-later"}, False),
        ({"License_Expression": "MPL-2.0"}, False),
        ({"Classifier": "License :: OSI Approved :: MIT License"}, True),
        ({"Classifier": "License :: OSI Approved :: GNU General Public License v3 (GPLv3)"}, False),
        ({"License": "Apache 2.0"}, True),
        ({"License": "Proprietary"}, False),
        ({}, False),
    ],
)
def test_a_licence_is_read_wherever_it_stands(fields: dict[str, str], right: bool) -> None:
    assert supply.allowed("some", supply.licence(Installed("some", **fields))) is right
