"""Checks of whether an attribution can be trusted, each with a null hypothesis or a pass mark."""
