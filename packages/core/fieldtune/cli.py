"""The entry of ``fieldtune``: hears Ctrl-C from the first moment, before the third of a second that its imports take.

So nothing but the standard library may be imported above; what a command is stands in :mod:`fieldtune.command_line`.
"""

import sys

from fieldtune.interrupts import INTERRUPTED, heeded


def main() -> None:
    """Run one command: exit 0 on success, 1 with one line on stderr when it failed, 2 for wrong usage, 130 on Ctrl-C."""
    try:
        with heeded():
            from fieldtune.command_line import run

            code = run()
    except KeyboardInterrupt:
        told = "interrupted; the same command again goes on from the last checkpoint, if one was written"
        print(f"error: {told}", file=sys.stderr)
        code = INTERRUPTED
    sys.exit(code)
