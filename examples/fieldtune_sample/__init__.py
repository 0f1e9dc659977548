"""Tidewater (潮汐), an online bank and shop of our own invention: hand-written text and seeded generators.

`python -m fieldtune_sample --out DIR --seed 7` writes the whole company; nothing here is about a real one.
"""
