"""Errors of the tracking store: it does not answer, it refuses a request, the disk is full."""

import requests
from mlflow.exceptions import MlflowException
from sqlalchemy.exc import OperationalError

from foldproof.tasks.data.rows import first_line
from foldproof.tasks.machine_errors import chain, disk_full

REFUSALS = frozenset({
    "ALREADY_EXISTS", "BAD_REQUEST", "CUSTOMER_UNAUTHORIZED", "ENDPOINT_NOT_FOUND",
    "FEATURE_DISABLED", "INVALID_PARAMETER_VALUE", "INVALID_STATE", "NOT_FOUND",
    "NOT_IMPLEMENTED", "PERMISSION_DENIED", "RESOURCE_ALREADY_EXISTS", "RESOURCE_DOES_NOT_EXIST",
    "UNAUTHENTICATED",
})  # fmt: skip
"""MLflow's error codes that the same request would get again."""
STORE_ERRORS = (MlflowException, OperationalError, requests.RequestException)
"""What MLflow, its database and its HTTP client raise."""
LONGEST = 300
"""Characters of a reason in a message."""


class NoAnswerError(ValueError):
    """The tracking store does not answer."""


def is_outage(error: BaseException) -> bool:
    """Whether the store did not answer, so that the same request may succeed later.

    A full disk of this machine is not an outage.
    """
    return not disk_full(error) and any(map(no_answer, chain(error)))


def no_answer(error: BaseException) -> bool:
    """The same for one error, without its causes."""
    if isinstance(error, MlflowException):
        return error.error_code not in REFUSALS
    if isinstance(error, requests.RequestException):
        status = error.response.status_code if error.response is not None else 503
        return status >= 500 or status == 429
    return isinstance(error, NoAnswerError | OperationalError)


def reason(error: BaseException) -> str:
    """The first line of the error, without the statement and links that SQLAlchemy adds."""
    text = first_line(error)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."
