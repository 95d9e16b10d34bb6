"""How Prefect keeps results, without a flow around it."""

import base64
import json
import os
import pickle
from collections.abc import Iterator
from pathlib import Path

import pytest
from prefect import task
from prefect.filesystems import LocalFileSystem
from prefect.results import ResultStore
from prefect.settings import (
    PREFECT_RESULTS_LOCAL_STORAGE_PATH,
    PREFECT_TASKS_REFRESH_CACHE,
    temporary_settings,
)

from foldproof.tasks.encoded import MAGIC
from foldproof.tasks.task import ENCODED, ResultKeys, find_kept, kept_under, storage_at
from foldproof.tasks.timing import Timed


class Executed:
    """Runs a command where it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> object:
        return os.mkdir, (str(self.mark),)


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ResultStore]:
    storage = LocalFileSystem(basepath=str(tmp_path / "results"))
    made = ResultStore(result_storage=storage, metadata_storage=ResultKeys(), serializer=ENCODED)
    monkeypatch.setattr("foldproof.tasks.task.get_result_store", lambda: made)
    with temporary_settings({PREFECT_RESULTS_LOCAL_STORAGE_PATH: tmp_path / "results"}):
        yield made


VALUE = Timed({"a": [1, 2.5, None]}, 0.25)


def test_a_result_is_kept_as_one_file_and_found_again(store: ResultStore, tmp_path: Path) -> None:
    assert not store.exists("unit")
    store.write(VALUE, key="unit")
    assert [file.name for file in (tmp_path / "results").iterdir()] == ["unit"]
    assert (tmp_path / "results" / "unit").read_bytes().startswith(MAGIC)
    store.cache.clear()
    assert store.exists("unit")
    assert store.read("unit").result == VALUE


def test_a_file_that_asks_to_be_unpickled_is_neither_read_nor_run(
    store: ResultStore, tmp_path: Path
) -> None:
    store.write(VALUE, key="unit")
    store.cache.clear()
    evil = base64.encodebytes(pickle.dumps(Executed(tmp_path / "OWNED"))).decode()
    record = {
        "metadata": {"storage_key": "unit", "serializer": {"type": "pickle"}}, "result": evil,
    }  # fmt: skip
    for content in (json.dumps(record), evil):
        (tmp_path / "results" / "unit").write_text(content)
        assert not store.exists("unit")
    assert not (tmp_path / "OWNED").exists()
    with pytest.raises(ValueError, match="is not a complete result"):
        store.read("unit")


@pytest.mark.parametrize("address", ["{folder}", "file://{folder}", "memory://shared{folder}"])
def test_results_are_kept_in_a_folder_or_at_an_address(
    address: str, store: ResultStore, tmp_path: Path
) -> None:
    store.result_storage = storage_at(address.format(folder=tmp_path / "shared"))
    assert not store.exists("unit")
    store.write(VALUE, key="unit")
    store.cache.clear()
    assert store.exists("unit")
    assert store.read("unit").result == VALUE
    on_disk = [file.name for file in (tmp_path / "shared").rglob("unit")]
    assert on_disk == ([] if address.startswith("memory") else ["unit"])


def test_half_a_result_does_not_count(store: ResultStore, tmp_path: Path) -> None:
    store.write(VALUE, key="unit")
    store.cache.clear()
    file = tmp_path / "results" / "unit"
    file.write_bytes(file.read_bytes()[:-3])
    assert not store.exists("unit")
    store.write(VALUE, key="unit")
    assert store.exists("unit")


@task(
    persist_result=True, cache_policy=kept_under(lambda _, given: f"sum-{given['a']}-{given['b']}")
)
def add(a: int, b: int = 2) -> int:
    raise AssertionError("not to run")


def test_what_a_task_would_find_is_found_without_running_it(
    store: ResultStore, tmp_path: Path
) -> None:
    """By the task's own key, from its arguments and defaults; half a result does not count."""
    assert find_kept(add, 1) is None
    store.write(3, key="sum-1-2")
    file = tmp_path / "results" / "sum-1-2"
    os.utime(file, (0, 0))
    assert find_kept(add, 1) == 3
    assert find_kept(add, b=2, a=1) == 3
    assert find_kept(add, 1, 3) is None
    assert file.stat().st_atime > 0  # so that clean leaves it
    with temporary_settings({PREFECT_TASKS_REFRESH_CACHE: True}):
        assert find_kept(add, 1) is None
    file.write_bytes(file.read_bytes()[:-3])
    assert find_kept(add, 1) is None


def test_every_kept_result_of_a_task_is_kept_this_way() -> None:
    from foldproof.tasks.attribute.task import attribute
    from foldproof.tasks.batch_study.task import study_cell
    from foldproof.tasks.compare.task import compare_forecasts
    from foldproof.tasks.diagnose.task import (
        audit_folds,
        audit_panel,
        audit_panel_features,
        audit_variant,
        diagnose,
    )
    from foldproof.tasks.train.task import forecast_reference, train

    for work in (
        attribute, study_cell, diagnose, forecast_reference, train, compare_forecasts,
        audit_folds, audit_panel, audit_panel_features, audit_variant,
    ):  # fmt: skip
        assert work.persist_result
        assert work.result_serializer is ENCODED
        assert isinstance(work.cache_policy.key_storage, ResultKeys)
    copied = pickle.loads(pickle.dumps(kept_under(len)))  # type: ignore[arg-type]
    assert isinstance(copied.key_storage, ResultKeys), "it travels to other processes"
