"""Where the commands keep their files: below ``.foldproof`` in the working directory."""

from pathlib import Path

HOME = Path(".foldproof")
"""Everything that stays on disk, with Prefect's results and both embedded databases."""

IN_USE = HOME / "in-use"
"""Locked by commands while they run, and by ``foldproof clean``."""

RESULTS = HOME / "results"
"""Results of units, which the shell, served runs and workers of a pool share."""
PANELS = HOME / "panels"
AUDITS = HOME / "audits"
STUDIES = HOME / "studies"
BENCHMARK = HOME / "benchmark"
EXPLANATIONS = HOME / "explanations"
SCORES = HOME / "scores"
MONITORING = HOME / "monitoring"
REPORTS = HOME / "reports"
"""Reports that ``foldproof open`` downloads from a tracking server."""
LOGS = HOME / "serve"
"""Logs of the servers that ``foldproof serve`` and ``foldproof ui`` start."""
