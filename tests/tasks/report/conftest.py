import pytest

from foldproof.tasks.report import Report, Results, report_of
from tests.tasks.report.example import example


@pytest.fixture(scope="session")
def results() -> Results:
    return example(folds=2, test=63, symbols=8, seeds=1, strength=12.0)


@pytest.fixture(scope="session")
def report(results: Results) -> Report:
    return report_of(results)
