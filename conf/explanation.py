"""The typed description of a request to explain a model's forecasts."""

from collections.abc import Sequence
from datetime import date as date_of_day
from typing import ClassVar

from foldproof.conf.form import Description
from foldproof.conf.load import described
from foldproof.models.spec import at_least, within
from foldproof.tasks.track.spec import TrackingSpec


class ExplainRequest(Description):
    """A logged model and the forecasts to explain."""

    __bounds__: ClassVar = at_least(1, "back") | within("[1, 1000]", "nodes")

    model: str
    """latest (the best variant of the newest comparison), a run's id or its first characters, or
    models:/name/version."""
    symbol: str | None = None
    """The symbol to explain; by default those with the highest and the lowest forecast."""
    date: date_of_day | None = None
    """The date to explain; by default the newest one with a forecast."""
    back: int = 21
    """Trading days before the date; the change of the forecast since then is explained."""
    rows: str | None = None
    """Parquet or CSV file of raw rows; by default the source that the model was trained on."""
    nodes: int = 10
    """Gauss-Legendre nodes, doubled if the attributions do not add up."""
    prices: bool = True
    """Whether to attribute to the daily returns behind the features as well. It takes seconds, or
    up to a minute if the normalizer couples stocks or looks far back."""
    tracking: TrackingSpec = TrackingSpec()
    """Where the model and its explanation are logged."""


def load_explanation(model: str, overrides: Sequence[str] = ()) -> ExplainRequest:
    """The request for ``model`` with settings such as ``symbol=AAPL date=2022-03-01``.

    Raises:
        ConfigError: An unknown key, or a value out of bounds.
    """
    fault = f"{model} cannot be explained"
    return described(ExplainRequest, {"model": model}, overrides, fault)
