"""What is repeated, what is not, and how long."""

import sqlite3

import pytest
import requests
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import (
    INVALID_PARAMETER_VALUE,
    RESOURCE_DOES_NOT_EXIST,
    TEMPORARILY_UNAVAILABLE,
)
from sqlalchemy.exc import OperationalError

from foldproof.tasks.machine_errors import disk_full
from foldproof.tasks.track.outage import LONGEST, is_outage, reason
from foldproof.tasks.track.outbox.task import LONGEST_DELAY, delays
from foldproof.tasks.track.spec import TrackingSpec
from foldproof.tasks.track.store import DownError, TrackingError

LOCKED = OperationalError("insert ...", {}, sqlite3.OperationalError("database is locked"))
FULL = OperationalError("insert ...", {}, sqlite3.OperationalError("database or disk is full"))


def answered(status: int) -> requests.HTTPError:
    response = requests.Response()
    response.status_code = status
    return requests.HTTPError("status", response=response)


def caused(error: Exception) -> TrackingError:
    found = TrackingError("the store failed")
    found.__cause__ = error
    return found


@pytest.mark.parametrize(
    "error",
    [
        MlflowException("API request to http://... failed with exception"),
        MlflowException("locked", TEMPORARILY_UNAVAILABLE),
        requests.ConnectionError("refused"),
        answered(503),
        DownError("no tracking server answers"),
        LOCKED,
        caused(LOCKED),
    ],
)
def test_a_store_that_does_not_answer_is_an_outage(error: Exception) -> None:
    assert is_outage(error)


@pytest.mark.parametrize(
    "error",
    [
        MlflowException("no such key", INVALID_PARAMETER_VALUE),
        MlflowException("no such run", RESOURCE_DOES_NOT_EXIST),
        answered(403),
        TrackingError("the experiment was deleted"),
        FULL,
        caused(FULL),
        caused(MlflowException(str(FULL), TEMPORARILY_UNAVAILABLE)),
        ValueError("a fault of ours"),
        OSError(28, "No space left on device"),
    ],
)
def test_an_error_that_would_come_again_is_none(error: Exception) -> None:
    assert not is_outage(error)


def test_a_full_disk_is_found_among_the_causes() -> None:
    assert disk_full(caused(FULL))
    assert not disk_full(caused(LOCKED))


def test_a_reason_is_one_line_without_the_statement() -> None:
    assert reason(LOCKED) == "(sqlite3.OperationalError) database is locked"
    assert reason(ValueError("x" * 1000)) == "x" * LONGEST + "..."
    assert reason(KeyError()) == "KeyError"


@pytest.mark.parametrize("patience", [0.0, 0.5, 3.0, 120.0, 3600.0])
def test_repetitions_add_up_to_the_patience(patience: float) -> None:
    found = delays(patience)
    assert sum(found) == patience
    assert max(found, default=0.0) <= LONGEST_DELAY
    assert found[:2] in ([], [0.5], [1.0, 2.0])


def test_patience_is_not_negative() -> None:
    with pytest.raises(ValueError, match="patience must be at least 0; it is -1"):
        TrackingSpec(patience=-1)
