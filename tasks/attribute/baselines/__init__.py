"""Baselines: the reference inputs of attributions."""
