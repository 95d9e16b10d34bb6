"""Exact tests: does anything computed before a cut depend on rows after it?"""
