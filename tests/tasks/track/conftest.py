import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from foldproof.tasks.attribute import Attribution
from foldproof.tasks.report.results import Results
from foldproof.tasks.report.template import Report
from foldproof.tasks.track.spec import TrackingSpec
from foldproof.tasks.track.store import Store, open_store
from tests.tasks.report.example import example, without

OTHERS_WARNINGS = (
    "ignore::sqlalchemy.exc.SADeprecationWarning",  # MLflow calls what SQLAlchemy 2.1 will drop
    "ignore:.*Any type hint is inferred",  # of its own classes, when pyfunc is first imported
    "ignore:.*Add type hints to the `predict` method",  # the signature is given instead
    "ignore:Operation with range is deprecated",  # MLflow under pandas 3, on an input example
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Warnings that MLflow brings upon itself are not errors here."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            for text in OTHERS_WARNINGS:
                item.add_marker(pytest.mark.filterwarnings(text))


@pytest.fixture(scope="session", autouse=True)
def quiet() -> Iterator[pytest.MonkeyPatch]:
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        patch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
        patch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
        yield patch


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory, quiet: pytest.MonkeyPatch) -> Path:
    """A migrated database: making one takes seconds, copying it does not."""
    path = tmp_path_factory.mktemp("template") / "mlflow.db"
    open_store(TrackingSpec(uri=f"sqlite:///{path}", experiment="template"))
    return path


@pytest.fixture(scope="module")
def shared(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A store for tests that only read what was logged once."""
    folder = tmp_path_factory.mktemp("shared")
    shutil.copy(template, folder / "mlflow.db")
    return open_store(TrackingSpec(uri=f"sqlite:///{folder / 'mlflow.db'}", experiment="shared"))


@pytest.fixture
def spec(template: Path, tmp_path: Path) -> TrackingSpec:
    """A store of its own for every test."""
    shutil.copy(template, tmp_path / "mlflow.db")
    return TrackingSpec(uri=f"sqlite:///{tmp_path / 'mlflow.db'}", experiment="test")


@pytest.fixture
def store(spec: TrackingSpec) -> Store:
    return open_store(spec)


@pytest.fixture(scope="session")
def results() -> Results:
    """Three variants are enough to log."""
    logged = ("none", "zscore", "full_sample_zscore")
    everything = example(folds=2, test=63, symbols=5, seeds=2)
    return without(everything, *(name for name in everything.variants if name not in logged))


@pytest.fixture(scope="session")
def lean(results: Results) -> Results:
    """The same without attributions: quick to log where what is logged does not matter."""
    return replace(results, attribution=Attribution.joined([]))


@pytest.fixture(scope="session")
def report() -> Report:
    return Report("<!doctype html><title>report</title>", {"ranking": b"\x89PNG not looked at"})
