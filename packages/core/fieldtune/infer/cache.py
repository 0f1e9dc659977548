"""Embeddings kept between runs: a text is encoded once per encoder, whoever asks again.

An entry is found by what decides its value (weights, tokenizer, pooling, length, number format) and a hash of the
text; the text itself is not kept. One SQLite file under ``FIELDTUNE_HOME`` serves threads and processes at once.
It knows nothing of encoders and batches: :class:`fieldtune.infer.engine.Engine` asks it.
"""

import hashlib
import json
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fieldtune.data.scrub import scrub
from fieldtune.errors import InputError
from fieldtune.progress import say
from fieldtune.runtime import home
from fieldtune.wal import empty_log

FILE = "embeddings.sqlite"
LIMIT = 2**30
"""Bytes of the file: some 650,000 vectors of 384 numbers."""
_SCHEMA = """CREATE TABLE IF NOT EXISTS vectors (
    space BLOB NOT NULL, text BLOB NOT NULL, vector BLOB NOT NULL, digest BLOB NOT NULL, PRIMARY KEY (space, text))"""
_NAMES = ("_name_or_path", "transformers_version")  # of a configuration: these change no vector
_AT_ONCE = 500
_SAID = set[Path]()
_KEPT = 0.75  # of the limit, once it was passed: so that not every call has to make room


class Cache:
    """Vectors by space and text.

    Attributes:
        file: the database; made when something is first kept, thrown away when it is damaged.
        limit: bytes it may take; what was kept longest goes first.
    """

    def __init__(self, file: Path | None = None, limit: int = LIMIT) -> None:
        self.file, self.limit = file or home() / FILE, limit

    def get(self, space: bytes, texts: Sequence[str]) -> dict[str, NDArray[np.float32]]:
        """The vectors known of these texts; one that was damaged counts as not known."""
        keys = {_key(text): text for text in texts}
        found: dict[str, NDArray[np.float32]] = {}

        def read(database: sqlite3.Connection) -> None:
            for some in _pieces(list(keys)):
                marks = ",".join("?" * len(some))
                query = f"SELECT text, vector, digest FROM vectors WHERE space = ? AND text IN ({marks})"
                for key, vector, digest in database.execute(query, [space, *some]):
                    if digest == _digest(space, key, vector):
                        found[keys[key]] = np.frombuffer(vector, dtype=np.float32)

        if self.file.is_file():
            self._do(read, writes=False)
        return found

    def put(self, space: bytes, texts: Sequence[str], vectors: NDArray[np.float32]) -> None:
        """Keep ``vectors``, float32 ``[texts, dimensions]``: all of them or, killed half-way, none."""

        def rows() -> Iterator[tuple[bytes, bytes, bytes, bytes]]:
            for text, vector in zip(texts, np.ascontiguousarray(vectors, dtype=np.float32), strict=True):
                key, raw = _key(text), vector.tobytes()
                yield space, key, raw, _digest(space, key, raw)

        def write(database: sqlite3.Connection) -> None:
            database.executemany("INSERT OR REPLACE INTO vectors VALUES (?, ?, ?, ?)", rows())
            _make_room(database, self.limit)

        self._do(write)

    def forget(self, texts: Sequence[str]) -> int:
        """Delete what is kept of these texts, as they stand and without personal data, as models read them; whatever the
        encoder. Returns how many vectors that were.

        Raises:
            InputError: the file cannot be written; then nothing is deleted.
        """
        gone, known = 0, sorted({one for text in texts for one in (text, scrub(text).text)})

        def delete(database: sqlite3.Connection) -> None:
            nonlocal gone
            database.execute("PRAGMA secure_delete=ON")  # its bytes too, not only its place
            gone = database.executemany(
                "DELETE FROM vectors WHERE text = ?", [(_key(text),) for text in known]
            ).rowcount

        try:
            if self.file.is_file():
                if texts:
                    self._work(delete)
                with closing(_connect(self.file)) as database:
                    empty_log(database)
        except (OSError, sqlite3.OperationalError) as error:
            raise InputError(
                f"to delete vectors from {self.file}", str(error), "end what holds it, or make it writable; then repeat"
            ) from error
        return gone

    def _do(self, work: Callable[[sqlite3.Connection], None], writes: bool = True) -> None:
        """The same for what can be done without: a file that cannot be used costs time, never a run."""
        try:
            self._work(work, writes)
        except (OSError, sqlite3.OperationalError) as error:
            _say_once(f"note: embeddings are not kept: {error} ({self.file})", self.file)

    def _work(self, work: Callable[[sqlite3.Connection], None], writes: bool = True) -> None:
        """One transaction on a connection of its own, so threads share none; a damaged file is thrown away whole."""
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            with closing(_connect(self.file)) as database:
                database.execute("BEGIN IMMEDIATE" if writes else "BEGIN")
                work(database)
                database.execute("COMMIT")
        except sqlite3.OperationalError:
            raise
        except sqlite3.DatabaseError as error:
            say(f"note: {self.file} is damaged and begun anew: {error}")
            for suffix in ("", "-wal", "-shm"):
                self.file.with_name(self.file.name + suffix).unlink(missing_ok=True)


def _say_once(message: str, file: Path) -> None:
    """Once a file and process: each further batch would say it again."""
    if file not in _SAID:
        _SAID.add(file)
        say(message)


def _connect(file: Path) -> sqlite3.Connection:
    database = sqlite3.connect(file, timeout=30, isolation_level=None)
    database.execute("PRAGMA journal_mode=WAL")
    database.execute("PRAGMA synchronous=NORMAL")  # a power cut may lose entries, never damage them
    database.execute(_SCHEMA)
    return database


def _make_room(database: sqlite3.Connection, limit: int) -> None:
    """Delete the oldest entries once there are more bytes than ``limit``."""
    page, pages, free = (
        database.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_size", "page_count", "freelist_count")
    )
    used = page * (pages - free)
    if used > limit:
        (count,) = database.execute("SELECT count(*) FROM vectors").fetchone()
        oldest = "SELECT rowid FROM vectors ORDER BY rowid LIMIT ?"
        database.execute(
            f"DELETE FROM vectors WHERE rowid IN ({oldest})", [int(count * (1 - _KEPT * limit / used)) + 1]
        )


def space_of(encoder: Any, max_length: int, dtype: str) -> bytes:
    """What decides the vector of a text: 16 bytes over weights, tokenizer, pooling, length and number format.

    Args:
        encoder: a :class:`fieldtune.models.encoder.Encoder`.
    """
    config = {key: value for key, value in encoder.body.config.to_dict().items() if key not in _NAMES}
    settings = [max_length, dtype, encoder.pooling, config]
    hashed = hashlib.sha256(json.dumps(settings, sort_keys=True, default=str).encode())  # processors have it built in
    for name, tensor in sorted(encoder.body.state_dict().items()):
        hashed.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
        hashed.update(tensor.detach().cpu().contiguous().numpy().data)
    hashed.update(_tokenizer(encoder.tokenizer))
    return hashed.digest()[:16]


def _tokenizer(tokenizer: Any) -> bytes:
    """All that makes tokens of a text; padding and truncation, which stand before it, are set anew at every call."""
    written: str = tokenizer.backend_tokenizer.to_str()
    return (written.partition('"added_tokens"')[2] or written).encode()


def _key(text: str) -> bytes:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def _digest(space: bytes, key: bytes, vector: bytes) -> bytes:
    return hashlib.blake2b(space + key + vector, digest_size=8).digest()


def _pieces(keys: list[bytes]) -> Iterator[list[bytes]]:
    for start in range(0, len(keys), _AT_ONCE):
        yield keys[start : start + _AT_ONCE]
