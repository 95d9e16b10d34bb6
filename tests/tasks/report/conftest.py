import pytest

from foldproof.tasks.report.comparison.page import report_of
from foldproof.tasks.report.results import Results
from foldproof.tasks.report.template import Report
from tests.tasks.report.example import example


@pytest.fixture(scope="session")
def results() -> Results:
    return example(folds=2, test=63, symbols=8, seeds=1, strength=12.0)


@pytest.fixture(scope="session")
def report(results: Results) -> Report:
    return report_of(results)
