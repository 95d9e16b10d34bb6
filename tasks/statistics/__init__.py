"""Shared statistics: rank IC, tests of a mean under dependence, agreement of rankings."""
