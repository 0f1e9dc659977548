"""What every application does to text: compare, tell the language, cut into pieces, find copies.

Pure: text in, values out. Knows no model, file or clock.
"""
