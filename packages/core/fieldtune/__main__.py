"""``python -m fieldtune``: the command line."""

from fieldtune.cli import main

main()
