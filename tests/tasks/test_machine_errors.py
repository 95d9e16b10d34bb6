"""Faults of the machine and of the environment, found in errors as libraries raise them."""

import pytest
from prefect.settings.models.api import APISettings
from prefect.settings.models.logging import LoggingSettings
from pydantic import BaseModel

from foldproof.tasks.machine_errors import wrong_setting


def raised(make: type[BaseModel]) -> Exception:
    with pytest.raises(ValueError, match="validation error") as error:
        make()
    return error.value


def test_a_wrong_variable_of_prefect_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT_LOGGING_LEVEL", "loud")
    assert wrong_setting(raised(LoggingSettings)) == (
        "the environment variable PREFECT_LOGGING_LEVEL is 'loud': Input should be 'DEBUG', "
        "'INFO', 'WARNING', 'ERROR' or 'CRITICAL'"
    )


def test_a_wrong_setting_is_found_behind_other_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT_API_REQUEST_TIMEOUT", "soon")
    try:
        raise ImportError("prefect") from raised(APISettings)
    except ImportError as error:
        found = wrong_setting(error)
    assert found.startswith("the environment variable PREFECT_API_REQUEST_TIMEOUT is 'soon': ")


def test_a_wrong_setting_of_a_profile_is_named_without_a_variable() -> None:
    class APISettings(BaseModel):
        request_timeout: float = "soon"  # type: ignore[assignment]
        model_config = {"validate_default": True}

    found = wrong_setting(raised(APISettings))
    assert found.startswith("the setting request_timeout of Prefect is 'soon': ")


def test_errors_of_other_models_are_not_settings() -> None:
    class Rows(BaseModel):
        count: int

    assert wrong_setting(raised(Rows)) == ""
