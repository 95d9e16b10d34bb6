"""Processes that flows start: servers, workers, child commands."""
