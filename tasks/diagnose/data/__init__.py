"""Leak tests of rows, labels and splits."""
