"""Figures and text on attributions."""
