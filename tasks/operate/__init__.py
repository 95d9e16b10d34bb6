"""Nightly operation of a registered model: retraining behind a gate, scoring, monitoring."""

from foldproof.tasks.operate.spec import Bound, GateSpec, MonitorSpec, OperationSpec, ScoreSpec

__all__ = ["Bound", "GateSpec", "MonitorSpec", "OperationSpec", "ScoreSpec"]
