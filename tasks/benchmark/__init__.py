"""Benchmark of the audit: planted leaks and clean controls."""
