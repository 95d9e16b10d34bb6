"""Nightly operation of a registered model: retraining behind a gate, scoring, monitoring."""
