"""Running a model day by day: promotion with a gate, scoring within bounds, monitoring."""

from foldproof.tasks.operate.spec import Bound, GateSpec, MonitorSpec, OperationSpec, ScoreSpec

__all__ = ["Bound", "GateSpec", "MonitorSpec", "OperationSpec", "ScoreSpec"]
