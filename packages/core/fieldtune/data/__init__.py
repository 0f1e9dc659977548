"""Rows in and out: reading, checking, splitting, scrubbing."""
