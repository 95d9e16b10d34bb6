"""Certificates of normalization variants: each claim of a variant against its measurement."""
