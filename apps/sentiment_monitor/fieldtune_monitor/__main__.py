"""``python -m fieldtune_monitor ...`` is ``fieldtune monitor ...``."""

import sys

from fieldtune.cli import main

sys.argv.insert(1, "monitor")
main()
