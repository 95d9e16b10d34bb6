import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks.report import Report, Results
from tasks.track.spec import TrackingSpec
from tasks.track.store import Store, open_store
from tests.tasks.report.example import example, without


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """MLflow 3.17 calls what SQLAlchemy 2.1 is about to drop; that is not for us to mend."""
    ours = Path(__file__).parent
    old = pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SADeprecationWarning")
    for item in items:
        if ours in item.path.parents:
            item.add_marker(old)


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
def report() -> Report:
    return Report("<!doctype html><title>report</title>", {"ranking": b"\x89PNG not looked at"})
