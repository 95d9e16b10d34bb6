"""Appending new rows to a stored panel instead of building it again."""
