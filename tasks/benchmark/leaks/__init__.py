"""Pipelines with a planted leak: an audit must flag each."""
