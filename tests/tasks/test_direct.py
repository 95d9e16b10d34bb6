"""Tasks that run without Prefect."""

import pytest
from prefect import task

from foldproof.tasks import direct


@pytest.fixture
def naps(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that were waited."""
    waited: list[float] = []
    monkeypatch.setattr(direct.time, "sleep", waited.append)
    return waited


def failing(times: int, **retries: object):
    """A task that fails ``times`` times, and the calls that it got."""
    calls: list[int] = []

    @task(**retries)
    def count(step: int) -> int:
        calls.append(step)
        if len(calls) <= times:
            raise OSError(f"failure {len(calls)}")
        return len(calls)

    return count, calls


def test_a_task_runs_directly_without_a_prefect_run(naps) -> None:
    count, calls = failing(0)
    assert direct.directly(count)(3) == 1
    assert (calls, naps) == ([3], [])


def test_a_direct_task_is_retried_as_often_as_it_asks(naps) -> None:
    count, calls = failing(2, retries=2, retry_delay_seconds=[1, 5])
    assert direct.directly(count)(3) == 3
    assert (calls, naps) == ([3, 3, 3], [1, 5])


def test_the_last_error_of_a_direct_task_is_raised(naps) -> None:
    count, calls = failing(9, retries=2, retry_delay_seconds=2)
    with pytest.raises(OSError, match="failure 3"):
        direct.directly(count)(3)
    assert (len(calls), naps) == (3, [2, 2])


def test_an_error_that_the_condition_rejects_is_not_retried(naps) -> None:
    seen: list[str] = []

    def condition(_task: object, _run: object, state) -> bool:
        seen.append(str(state.data))
        return False

    count, calls = failing(9, retries=2, retry_condition_fn=condition)
    with pytest.raises(OSError, match="failure 1"):
        direct.directly(count)(3)
    assert (len(calls), seen) == (1, ["failure 1"])


def test_a_plain_function_runs_as_it_is(naps) -> None:
    assert direct.directly(len)("abc") == 3
