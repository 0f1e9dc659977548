"""Finders of personal data: each takes a text in half-width signs and yields (start, end). Pure; they hide nothing.

Every repetition in their patterns is bounded or free of choice, so time is linear in the text, whatever it holds.
"""
