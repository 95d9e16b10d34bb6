"""Causal features and forecast targets of a price panel."""
