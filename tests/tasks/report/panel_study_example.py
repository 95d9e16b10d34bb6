"""A finished study of panels with planted gains, for what shows and logs one."""

from typing import Any

from foldproof.tasks.report.panel_study.results import PanelStudyResults, study_results
from tests.tasks.panel_study.outcomes import STATISTICS, panels

FACTS: dict[str, Any] = {
    "title": "A study <with> made-up numbers",
    "question": "Does it matter?",
    "study_id": "0123456789ab",
    "config": {"study": "normalization", "seeds": [0, 1], "tracking": {"uri": None}},
    "config_yaml": "study: normalization\n",
    "plan": "The plan is study.yaml, last changed by commit 0123. All of it was run.",
    "commit": "0123",
    "links": {"real0": ("run0", "http://127.0.0.1:5000/#/run0")},
    "missing": {"toronto": "package universal-portfolios is not installed"},
    "seconds": {"real0": 1.0},
    "cpu": {"real0": 60.0},
    "code_version": "code",
}
"""What a study knows besides the scores of its panels."""


def panel_study_example() -> PanelStudyResults:
    """Six panels; one more is missing."""
    return study_results(panels(), STATISTICS, **FACTS)
