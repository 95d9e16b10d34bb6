"""Flows, deployments and the command line: composition only."""
