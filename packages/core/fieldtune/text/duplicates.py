"""Which texts are copies of one story, with small edits: MinHash signatures and an index of them.

Similarity is the Jaccard share of common 5-character shingles of the `equality_key`: it knows letters, not
meaning. Signatures may be stored: the permutations are fixed for good, whatever the version of numpy.
"""

import heapq
from collections.abc import Hashable, Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from fieldtune.errors import InputError
from fieldtune.text.normalise import equality_key

Signatures = NDArray[np.uint32]
SHINGLE = 5
ROWS = 4
"""Rows of a band. With 32 bands a pair of similarity s is a candidate with 1 - (1 - s^4)^32: .9998 at .7."""

_EMPTY = np.uint32(0xFFFFFFFF)
_PIECE = 4096
"""Rows compared at once: 32 pairs of each fit into memory."""
_CHUNK = 1 << 15
"""Shingles hashed at once: their 64-bit hashes stay in the processor's cache."""


def signatures(texts: Sequence[str], permutations: int = 128) -> Signatures:
    """MinHash (Broder 1997) of each text, uint32 [n, permutations]; row i depends on texts[i] alone.

    A text without letters gets all ones.
    """
    keys = [equality_key(text) for text in texts]
    found = np.full((len(keys), permutations), _EMPTY, dtype=np.uint32)
    filled = [i for i, key in enumerate(keys) if key]
    factors, offsets = _mixed(2 * permutations).reshape(2, permutations)
    factors |= np.uint64(1)
    for rows in _chunks(filled, keys):
        shingles, starts = _shingles([keys[i] for i in rows])
        for p in range(permutations):
            # Multiply-add-shift: the upper half of the smallest is the smallest upper half.
            smallest = np.minimum.reduceat(shingles * factors[p] + offsets[p], starts)
            found[rows, p] = smallest >> np.uint64(32)
    return found


def similarity(one: Signatures, other: Signatures) -> NDArray[np.float64]:
    """Estimated Jaccard similarity, over the last axis; standard error at most .045 with 128 permutations."""
    share: NDArray[np.float64] = np.mean(one == other, axis=-1, dtype=np.float64)
    return share


def nearly(
    rows: Sequence[Sequence[str]],
    others: Sequence[Sequence[str]],
    *,
    equal: tuple[Sequence[Hashable], Sequence[Hashable]],
    threshold: float,
) -> NDArray[np.bool_]:
    """Which rows are nearly one of the others, bool [rows]: every text of it is that similar to the other's.

    Args:
        rows, others: texts, a sequence per column: ``rows[column][row]``. Rows with a text without letters are nearly none.
        equal: of each row, and of each other, what must be equal besides.
        threshold: of the similarity as 128 permutations estimate it.

    The others are read in pieces, so memory grows with the rows alone. Of a piece only the first with a band in common is
    compared: where a table is all of one pattern, pairs would otherwise be as many as its rows squared.
    """
    numbers: dict[Hashable, int] = {}
    groups = [np.array([numbers.setdefault(one, len(numbers)) for one in side], dtype=np.uint64) for side in equal]
    drawn, keys = _banded(rows, groups[0])
    found = np.zeros(len(drawn), dtype=bool)
    waiting = np.flatnonzero((drawn != _EMPTY).any(axis=2).all(axis=1))
    for start in range(0, len(groups[1]) if len(waiting) else 0, _PIECE):
        piece = slice(start, start + _PIECE)
        other, theirs = _banded([column[piece] for column in others], groups[1][piece])
        for first in range(0, len(waiting), _PIECE):
            some = waiting[first : first + _PIECE]
            mine, its = _pairs(keys[some], theirs)
            alike = similarity(drawn[some[mine]], other[its]).min(axis=1) >= threshold
            found[some[mine[alike]]] = True
        waiting = waiting[~found[waiting]]
    return found


def repeats(rows: Sequence[Sequence[str]], *, equal: Sequence[Hashable], threshold: float) -> NDArray[np.bool_]:
    """Which rows are nearly an earlier one, bool [rows]. Args as of :func:`nearly`.

    As there, a row is compared with the first one in each of its bands, so time grows with the rows alone.
    """
    numbers: dict[Hashable, int] = {}
    drawn, keys = _banded(rows, np.array([numbers.setdefault(one, len(numbers)) for one in equal], dtype=np.uint64))
    found = np.zeros(len(drawn), dtype=bool)
    told = np.flatnonzero((drawn != _EMPTY).any(axis=2).all(axis=1))
    if not len(told):
        return found
    mine, its = (told[side] for side in _pairs(keys[told], keys[told]))
    mine, its = mine[its < mine], its[its < mine]
    for start in range(0, len(mine), 32 * _PIECE):
        row, other = (side[start : start + 32 * _PIECE] for side in (mine, its))
        found[row[similarity(drawn[row], drawn[other]).min(axis=1) >= threshold]] = True
    return found


def _banded(columns: Sequence[Sequence[str]], groups: NDArray[np.uint64]) -> tuple[Signatures, NDArray[np.uint64]]:
    """Signatures [rows, columns, permutations], and band keys [rows, bands] of all columns and the group together."""
    drawn = [signatures(column) for column in columns]
    keys = np.broadcast_to(_finish(groups + np.uint64(1))[:, None], (len(groups), drawn[0].shape[1] // ROWS))
    for signature in drawn:
        keys = _finish(keys ^ _band_keys(signature))
    return np.stack(drawn, axis=1), keys


def _pairs(ours: NDArray[np.uint64], theirs: NDArray[np.uint64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Row numbers, ours and theirs: each of ours with the first of theirs in each band, every pair once."""
    known, first = np.unique(theirs, return_index=True)
    place = np.minimum(np.searchsorted(known, ours), len(known) - 1)
    mine, band = np.nonzero(known[place] == ours)
    its = first[place[mine, band]] // theirs.shape[1]
    both = np.unique(mine * len(theirs) + its)
    return both // len(theirs), both % len(theirs)


class StoryIndex:
    """Recent signatures, searchable by similarity: the memory of what has been told already.

    Holds the signatures themselves, so it is rebuilt from a store with `add_many`. Not thread-safe. Some 6
    kB per signature: evict.
    """

    def __init__(self, threshold: float = 0.7, permutations: int = 128) -> None:
        """Raises InputError: threshold outside [.5, 1] (below, the bands would miss pairs)."""
        if not 0.5 <= threshold <= 1:
            raise InputError("a similarity threshold from .5 to 1", f"{threshold}", "use .7")
        self.threshold, self.permutations = threshold, permutations
        self._next = 0
        self._ids: dict[int, str] = {}
        self._signatures: dict[int, Signatures] = {}
        self._keys: dict[int, list[int]] = {}
        self._bands: dict[int, list[int]] = {}
        self._oldest: list[tuple[float, int]] = []

    def __len__(self) -> int:
        return len(self._ids)

    def add(self, story: str, signature: Signatures, at: float = 0.0) -> None:
        """Remember `signature` under the id `story`, told at `at` (seconds since the epoch, for `evict`).

        A story may have many signatures. A signature of an empty text is not remembered.
        """
        self.add_many([story], signature[None, :], [at])

    def add_many(self, stories: Sequence[str], signatures: Signatures, at: Iterable[float]) -> None:
        """`add` for rows of signatures [n, permutations]: same result, faster."""
        self._check(signatures)
        keys = _band_keys(signatures).tolist()
        for story, row, row_keys, when in zip(stories, signatures, keys, at, strict=True):
            if (row == _EMPTY).all():
                continue
            slot, self._next = self._next, self._next + 1
            self._ids[slot], self._signatures[slot], self._keys[slot] = story, row.copy(), row_keys
            heapq.heappush(self._oldest, (when, slot))
            for key in row_keys:
                self._bands.setdefault(key, []).append(slot)

    def match(self, signature: Signatures) -> str | None:
        """The id of the most similar story at or above the threshold (of equals the first added), else
        None."""
        self._check(signature[None, :])
        keys = _band_keys(signature[None, :])[0].tolist()
        candidates = sorted({slot for key in keys for slot in self._bands.get(key, ())})
        if not candidates:
            return None
        near = similarity(np.stack([self._signatures[slot] for slot in candidates]), signature)
        best = int(near.argmax())
        return self._ids[candidates[best]] if near[best] >= self.threshold else None

    def evict(self, before: float) -> int:
        """Forget every signature told before that time; return how many."""
        forgotten = 0
        while self._oldest and self._oldest[0][0] < before:
            self._forget(heapq.heappop(self._oldest)[1])
            forgotten += 1
        return forgotten

    def _forget(self, slot: int) -> None:
        del self._ids[slot], self._signatures[slot]
        for key in self._keys.pop(slot):
            rest = self._bands[key]
            rest.remove(slot)
            if not rest:
                del self._bands[key]

    def _check(self, signatures: Signatures) -> None:
        if signatures.ndim != 2 or signatures.shape[1] != self.permutations:
            raise InputError(
                f"signatures of {self.permutations} permutations",
                f"shape {signatures.shape}",
                "make them with fieldtune.text.duplicates.signatures",
            )


def _band_keys(rows: Signatures) -> NDArray[np.uint64]:
    """uint64 [n, bands]: the hash of each band, its place in the signature included."""
    bands = rows.shape[1] // ROWS
    cut = rows[:, : bands * ROWS].reshape(len(rows), bands, ROWS).astype(np.uint64)
    hashed = np.broadcast_to(np.arange(1, bands + 1, dtype=np.uint64), cut.shape[:2])
    for column in range(ROWS):
        hashed = _finish(hashed ^ cut[:, :, column])
    return hashed


def _chunks(rows: Sequence[int], keys: Sequence[str]) -> Iterable[list[int]]:
    chunk: list[int] = []
    size = 0
    for row in rows:
        chunk.append(row)
        size += len(keys[row])
        if size >= _CHUNK:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk


def _shingles(keys: Sequence[str]) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """Hashes of all shingles of the (non-empty) keys in a row, and where each key's begin.

    A key shorter than a shingle is one shingle, filled up with zeros.
    """
    gap = "\0" * (SHINGLE - 1)
    joined = "".join(key + gap for key in keys).encode("utf-32-le", "surrogatepass")
    points = np.frombuffer(joined, dtype="<u4").astype(np.uint64)
    lengths = np.array([len(key) for key in keys])
    counts = np.maximum(lengths - SHINGLE + 1, 1)
    starts = np.cumsum(counts) - counts
    begins = np.cumsum(lengths + SHINGLE - 1) - (lengths + SHINGLE - 1)
    places = np.arange(counts.sum()) + np.repeat(begins - starts, counts)
    hashed = np.zeros(len(places), dtype=np.uint64)
    for offset in range(SHINGLE):
        hashed = _finish(hashed ^ points[places + offset])
    return hashed, starts


def _mixed(count: int) -> NDArray[np.uint64]:
    """SplitMix64 from seed 0 (Steele, Lea and Flood 2014): the fixed constants of the permutations."""
    return _finish(np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15))


def _finish(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """SplitMix64's finaliser: every input bit moves every output bit. Maps 0 to 0."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))
