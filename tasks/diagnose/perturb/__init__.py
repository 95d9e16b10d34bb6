"""Rows changed after a cut, and outputs compared before and after."""
