"""Logging to MLflow. Only the modules of this folder import it.

This file does not, because the configuration reads ``foldproof.tasks.track.spec`` and importing
MLflow takes seconds.
"""
