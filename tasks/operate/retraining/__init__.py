"""Retraining behind a gate: evidence, rule, decision and record."""
