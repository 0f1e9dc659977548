"""The core's own commands, one file per group; each reads its arguments, calls one function and prints the result."""
