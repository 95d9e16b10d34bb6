"""Benchmark of the audit: planted leaks and honest pipelines."""
