"""Attributions carried back through normalization and features to raw rows and daily returns."""
