"""Python runs this at the start of every process of a benchmark: at its end the process notes which files it imported.

``benchmarks.run`` puts this folder on the path and reads the notes, see ``benchmarks.standing``. It knows nothing else.
"""

import atexit
import os
import sys
from pathlib import Path


def note() -> None:
    """Write the files of all imported modules, one a line, into ``FIELDTUNE_IMPORTED``."""
    files = {getattr(module, "__file__", None) for module in list(sys.modules.values())}
    folder = Path(os.environ["FIELDTUNE_IMPORTED"])
    if folder.is_dir():  # a service that outlives its benchmark notes nothing
        (folder / str(os.getpid())).write_text("\n".join(sorted(filter(None, files))))


if "FIELDTUNE_IMPORTED" in os.environ:
    atexit.register(note)
