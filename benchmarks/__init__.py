"""One script per claim; each prints one JSON object. `make accept` shows the table, `make bench` measures again."""
