"""Findings, verdicts, and the catalogue of all leak tests."""
