"""Attributions of one trained unit, as tables."""
