"""The last answers, for texts that come again exactly: keyed by a digest, so no text is kept. Knows no model."""

import hashlib
from collections import OrderedDict
from typing import Generic, TypeVar

Answer = TypeVar("Answer")


class Recent(Generic[Answer]):
    """Least recently used of at most ``size`` answers go first; of size 0 it remembers nothing."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._answers: OrderedDict[bytes, Answer] = OrderedDict()

    def __len__(self) -> int:
        return len(self._answers)

    def get(self, parts: tuple[str, ...]) -> Answer | None:
        """The answer to exactly these texts, if it is still known."""
        key = _key(parts)
        if key in self._answers:
            self._answers.move_to_end(key)
        return self._answers.get(key)

    def put(self, parts: tuple[str, ...], answer: Answer) -> None:
        """Remember an answer."""
        if not self.size:
            return
        self._answers[_key(parts)] = answer
        self._answers.move_to_end(_key(parts))
        while len(self._answers) > self.size:
            self._answers.popitem(last=False)


def _key(parts: tuple[str, ...]) -> bytes:
    hashed = hashlib.sha256()
    for part in parts:
        data = part.encode("utf-8", "surrogatepass")
        hashed.update(len(data).to_bytes(8, "big") + data)
    return hashed.digest()
