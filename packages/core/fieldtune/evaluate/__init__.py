"""How good something is, as pure functions of arrays: no model, no file, no clock.

`report` is the one module here that writes: it turns figures, tables and pictures into one page.
"""
