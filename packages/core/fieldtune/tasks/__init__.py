"""One file per task, all of one shape: COLUMNS, DEFAULTS, METHODS, ``train``, ``finish`` and ``evaluate``."""
