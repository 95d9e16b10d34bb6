"""The typed description of an explanation of a model's forecasts, from the command line."""

from collections.abc import Sequence
from datetime import date as date_of_day
from typing import ClassVar

from foldproof.conf.form import Description
from foldproof.conf.load import described
from foldproof.models.spec import at_least, within
from foldproof.tasks.track.spec import TrackingSpec


class ExplainRequest(Description):
    """A logged model, and which of its forecasts to explain."""

    __bounds__: ClassVar = at_least(1, "back") | within("[1, 1000]", "nodes")

    model: str
    """latest (the best variant of the newest comparison), a run's id or the beginning of it, or
    models:/name/version."""
    symbol: str | None = None
    """Whom to explain; by default the highest and the lowest forecast of the date."""
    date: date_of_day | None = None
    """The newest date with a forecast, by default."""
    back: int = 21
    """Trading days before the date: what changed since then is explained."""
    rows: str | None = None
    """Parquet or CSV of raw rows, as the model takes them; by default those it was made from."""
    nodes: int = 10
    """Gauss-Legendre nodes, doubled where the attributions do not add up."""
    prices: bool = True
    """Whether it goes on from the features to the daily returns that they were made of. Seconds;
    up to a minute where a normalizer mixes stocks or looks far back."""
    tracking: TrackingSpec = TrackingSpec()
    """Where the model is logged, and its explanation."""


def load_explanation(model: str, overrides: Sequence[str] = ()) -> ExplainRequest:
    """The request for ``model`` with settings such as ``symbol=AAPL date=2022-03-01``.

    Raises:
        ConfigError: An unknown key, or a value out of bounds.
    """
    given = {"model": model}
    return described(ExplainRequest, given, overrides, f"{model} cannot be explained")
