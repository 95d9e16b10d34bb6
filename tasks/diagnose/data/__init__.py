"""Leak tests of rows, labels, splits and universes."""
