"""A service as a process of its own, whose model takes so long for a row: ``slow_service.py SECONDS [limit=value ...]``."""

import sys
import time
from collections.abc import Sequence
from typing import Any

from fieldtune.serve.app import Service
from fieldtune.serve.hosts import known_hosts
from fieldtune.serve.keys import Keys
from fieldtune.serve.limits import Limits
from fieldtune.serve.rows import Row
from fieldtune.serve.run import address, listening, run


class Slow:
    """Answers each text with its length, in its own time."""

    inputs = ("text",)
    version = "slow"
    predicts = encodes = True

    def length(self, row: Row) -> int:
        return len(row.texts[0])

    def compute(self, rows: Sequence[Row]) -> list[dict[str, Any]]:
        time.sleep(float(sys.argv[1]) * len(rows))
        return [{"predicted": str(self.length(row)), "truncated": False} for row in rows]

    def facts(self) -> dict[str, Any]:
        return {}


if __name__ == "__main__":
    service = Service(Slow(), Limits().updated(dict(item.split("=") for item in sys.argv[2:])))
    with listening("127.0.0.1", 0) as sock:
        run(service, service.app(Keys([]), known_hosts("127.0.0.1", [])), sock, lambda: print(address(sock)))
