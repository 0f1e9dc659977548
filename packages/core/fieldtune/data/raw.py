"""The bytes of a file, unpacked within limits, and its text; every complaint names the file and the line. Knows no table."""

import codecs
import contextlib
import gzip
import io
import re
import zlib
from pathlib import Path
from typing import Any

from fieldtune.errors import InputError

UNPACKED = 2**31
"""Bytes that a packed file may unpack to; more than :data:`SMALL` of them only where they are not :data:`RATIO` times its
own: tables of texts are some 3 to 30 times as large as their ``.gz``."""
SMALL, RATIO = 2**25, 100
SAVE = {".csv": "CSV UTF-8 in the spreadsheet", ".tsv": "UTF-8 text in the spreadsheet"}
"""How a program that wrote such a file writes it as UTF-8."""
_PIECE = 2**20
_SAMPLE = 2**12
_PARTS = frozenset(" ,;|\t\r\n")
_ALONE = re.compile(r"(?<![^\x00-\x7f])[\u3000-\uffff](?![^\x00-\x7f])")
_ZIPPED = b"PK\x03\x04"  # so do workbooks of spreadsheets begin, which are archives
_NAMES = {"utf-8-sig": "UTF-8"}
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


class TwiceError(ValueError):
    """A field that an object of JSON says twice."""


def extension(path: Path | str) -> str:
    """What a file's name says of its format, ``.gz`` apart; empty where it says nothing."""
    suffixes = [suffix for suffix in Path(path).suffixes if suffix.lower() != ".gz"]
    return suffixes[-1].lower() if suffixes else ""


def read_bytes(path: Path) -> bytes:
    """The file's bytes, unpacked when it ends in ``.gz``."""
    try:
        raw = path.read_bytes()
        return _unpacked(raw, path) if path.suffix.lower() == ".gz" else raw
    except FileNotFoundError as error:
        raise InputError("a file", f"nothing at {path}", "check the path") from error
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"a readable file at {path}", str(error), "check the file and its permissions") from error


def most_of(packed: int, small: int = SMALL) -> int:
    """Bytes that a packed file of so many may unpack to; ``small`` ones need no proportion."""
    return min(UNPACKED, max(small, RATIO * packed))


def _unpacked(raw: bytes, path: Path) -> bytes:
    """What a ``.gz`` file holds. It is unpacked once before to count, in pieces, so a bomb costs no memory."""
    most, size = most_of(len(raw)), 0
    with gzip.GzipFile(fileobj=io.BytesIO(raw)) as packed:
        while piece := packed.read(_PIECE):
            size += len(piece)
            if size > most:
                raise InputError(
                    f"a .gz file that unpacks to at most {most:,} bytes",
                    f"more in the {len(raw):,} bytes of {path}",
                    "unpack it yourself if you trust it, and give the plain file",
                )
    return gzip.decompress(raw)


def once(fields: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of JSON (``object_pairs_hook``).

    Raises:
        TwiceError: it says a field twice, of which one would be lost; names the first that is said again.
    """
    found = dict[str, Any]()
    for name, value in fields:
        if name in found:
            raise TwiceError(f"the field {name!r:.80} twice")
        found[name] = value
    return found


def decode(raw: bytes, path: Path, encoding: str = "utf-8-sig") -> str:
    """The text of a file read from ``path``: UTF-8, or UTF-16 where its byte mark says so, unless another is named.

    Raises:
        InputError: it is in another encoding (which line shows it, and how to convert) or no text, or the encoding is unknown.
    """
    if raw.startswith(_ZIPPED):
        raise InputError(f"text in {path}", "a workbook or another zip archive", f"save it as {SAVE['.csv']}")
    first = raw.partition(b"\n")[0]
    if encoding == "utf-8-sig" and raw.startswith(_UTF16) and not raw.startswith(codecs.BOM_UTF32_LE):
        encoding = "utf-16"
    if not encoding.lower().startswith("utf-16") and (b"\0" in first or first.startswith(_UTF16)):
        expected, wide = f"{_NAMES.get(encoding, encoding)} text in {path}", _wide(raw)
        if not wide:
            check = "check that it is the file you mean, and that it is whole"
            raise InputError(expected, "no text: zero bytes in its first line", check)
        raise InputError(expected, wide.upper()[:6], _as_utf8(path, wide))
    try:
        return raw.decode(encoding)
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise InputError(
            f"{_NAMES.get(encoding, encoding)} text in {path}",
            f"another encoding at line {line} (byte {raw[error.start]:#04x})",
            _as_utf8(path, _likely(raw)),
        ) from error
    except LookupError as error:
        raise InputError("a known encoding", repr(encoding), "try utf-8, gb18030 or latin-1") from error


def _wide(raw: bytes) -> str:
    """The encoding of several bytes a letter, as iconv calls it, in which the beginning reads as text; empty where in none."""
    for encoding in ("utf-16", "utf-32") if raw.startswith(_UTF16) else ("utf-16le", "utf-16be"):
        with contextlib.suppress(UnicodeDecodeError):
            text = codecs.getincrementaldecoder(encoding)().decode(raw[:_SAMPLE])
            seen = sum(letter.isprintable() or letter.isspace() for letter in text)
            # any bytes are letters of some script: what parts words, cells or lines is there in texts alone
            if seen > 0.9 * len(text) and sum(letter in _PARTS for letter in text) > 1:  # one is a stray zero byte
                return encoding
    return ""


def _accented(alone: re.Match[str]) -> bool:
    """Whether a Chinese character that stands alone is an accent and what is behind it: a letter, or two within a word (Größe)."""
    before, behind = (
        alone.string[max(0, alone.start() - 1) : alone.start()],
        alone.string[alone.end() : alone.end() + 1],
    )
    return alone[0].encode("gb18030")[1] < 0x80 or (before.isalpha() and behind.isalpha())


def _likely(raw: bytes) -> str:
    """The encoding such a text is most likely in: as its mark says, or bytes above 127 that are Chinese characters nearly all, or of the West."""
    if raw.startswith(_UTF16):
        return "utf-16"
    with contextlib.suppress(UnicodeDecodeError):
        text = raw[:_PIECE].decode("gb18030", "strict" if len(raw) <= _PIECE else "ignore")
        beyond = [letter for letter in text if ord(letter) > 127]
        chinese = sum("\u3000" <= letter <= "\u9fff" or "\uff00" <= letter <= "\uffef" for letter in beyond)
        if chinese > 0.8 * len(beyond) and sum(map(_accented, _ALONE.finditer(text))) < 0.5 * chinese:
            return "gb18030"
    return "cp1252"


def _as_utf8(path: Path, found: str) -> str:
    return f"save it as {SAVE.get(extension(path), 'UTF-8 in the editor')}, or convert it: iconv -f {found} -t utf-8"
