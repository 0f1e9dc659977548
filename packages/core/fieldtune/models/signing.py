"""Who wrote a folder: a signature over its manifest by a key that writer and reader hold (HMAC-SHA256, RFC 2104).

A manifest says that nothing was changed since it was written, but who changes a folder can write another manifest. Where
``FIELDTUNE_SIGNING_KEY`` names a file with a key, whatever is saved is signed, and no folder is loaded that is not. Apart from
that are pretrained models that are named and not given as folders: the wheel's (``default``) and the hub's.
"""

import hashlib
import hmac
import os
from pathlib import Path

from fieldtune.errors import ArtefactError, ConfigError

SIGNATURE = "MANIFEST.hmac"
VARIABLE = "FIELDTUNE_SIGNING_KEY"
LEAST = 32
"""Bytes of a key, at least: those of the digest."""


def key() -> bytes | None:
    """The key that the environment names; None where it names none.

    Raises:
        ConfigError: it names no file, or one with too short a key in it.
    """
    name = os.environ.get(VARIABLE)
    if name is None:
        return None
    if not (name := name.strip()):  # a variable that was lost on the way must not switch the check off
        raise ConfigError(f"a file with a key, named by {VARIABLE}", "an empty name", f"name it, or unset {VARIABLE}")
    try:
        found = Path(name).read_bytes().strip()
    except OSError as error:
        raise ConfigError(f"a file with a key, named by {VARIABLE}", f"{name}: {error.strerror}", MAKE) from error
    if len(found) < LEAST:
        raise ConfigError(f"a key of {LEAST} characters or more in {name}", f"{len(found)}", MAKE)
    return found


def signature(manifest: Path, secret: bytes) -> str:
    """What stands in :data:`SIGNATURE` beside a manifest."""
    return _of(manifest, secret) + "\n"


def check(manifest: Path, secret: bytes) -> None:
    """Raise ArtefactError where a manifest is not signed, or not by this key."""
    folder, file = manifest.parent, manifest.with_name(SIGNATURE)
    if not file.is_file():
        raise unsigned(folder)
    with file.open("rb") as handle:
        given = handle.read(2 * len(hashlib.sha256().hexdigest())).strip()
    if not hmac.compare_digest(given, _of(manifest, secret).encode()):
        raise ArtefactError(
            _WANTED, f"another signature in {folder}", "do not load it, or name the key of who wrote it"
        )


def unsigned(folder: Path) -> ArtefactError:
    """The error of a folder that nobody signed."""
    return ArtefactError(_WANTED, f"no {SIGNATURE} in {folder}", f"if you trust it: fieldtune models sign {folder}")


_WANTED = f"a folder signed by the key that {VARIABLE} names"
MAKE = "make one: openssl rand -hex 32 > FILE"


def _of(manifest: Path, secret: bytes) -> str:
    return hmac.new(secret, manifest.read_bytes(), hashlib.sha256).hexdigest()
