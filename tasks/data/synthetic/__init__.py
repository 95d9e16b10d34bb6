"""Simulated panels with a known signal."""
