"""One JSON object a line on stderr. What users wrote and the keys they hold are in none of them.

Of an exception only its type and place are told: its message may quote a text.
"""

import json
import logging
import sys
import traceback
from datetime import UTC, datetime
from typing import Any

LOGGER = logging.getLogger("fieldtune.serve")
FIELDS = "fields"


class Lines(logging.Formatter):
    """Time, level, event, and the fields given with it."""

    def format(self, record: logging.LogRecord) -> str:
        time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line: dict[str, Any] = {"time": time, "level": record.levelname.lower(), "event": record.getMessage().strip()}
        line.update(getattr(record, FIELDS, {}))
        if record.exc_info and record.exc_info[1] is not None:
            line["error"] = place(record.exc_info[1])
        return json.dumps(line, ensure_ascii=True)


def place(error: BaseException) -> str:
    """Type of an exception, and file, line and function that raised it: enough to find the defect, no text."""
    frames = traceback.extract_tb(error.__traceback__)
    where = f" in {frames[-1].filename.rpartition('/')[2]}:{frames[-1].lineno} {frames[-1].name}" if frames else ""
    return type(error).__name__ + where


def event(name: str, level: int = logging.INFO, **fields: Any) -> None:
    """Log one event of the service."""
    LOGGER.log(level, name, extra={FIELDS: fields})


def start() -> None:
    """Write the lines of the service and of its HTTP server to stderr; what other libraries say is left alone."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Lines())
    for name, level in (("fieldtune.serve", logging.INFO), ("uvicorn", logging.WARNING), ("asyncio", logging.ERROR)):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [handler], False
        logger.setLevel(level)
