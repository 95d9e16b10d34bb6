"""A case of the benchmark: a forecaster that leaks or not, and where the audit must find the leak.

The cases are in cases.py and more_cases.py.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from types import MappingProxyType
from typing import Any

from foldproof.tasks.benchmark.honest.forecaster import (
    HONEST,
    Column,
    Parts,
    Rescoring,
    rescored,
    with_feature,
)
from foldproof.tasks.benchmark.honest.market import Market
from foldproof.tasks.diagnose.findings.finding import LeakReport
from foldproof.tasks.diagnose.forecaster import audit_forecaster
from foldproof.tasks.diagnose.spec import FULL, QUICK
from foldproof.tasks.diagnose.trace.run import Forecast


@dataclass(frozen=True)
class Case:
    """A planted leak or an honest pipeline.

    Attributes:
        key: Its name.
        title: One line for readers.
        forecast: The forecaster.
        stages: Where the leak enters: a finding must name one of these. Empty for an honest one.
        market: The market it runs on.
        options: Facts about the data that a user would pass to ``audit_forecaster``.
    """

    key: str
    title: str
    forecast: Forecast
    stages: tuple[str, ...] = ()
    market: Market = field(default_factory=Market)
    options: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def leaks(self) -> bool:
        """Whether it leaks."""
        return bool(self.stages)

    def audit(self, seed: int, **options: Any) -> LeakReport:
        """The audit of the case on the market drawn with ``seed``."""
        given = {"seed": seed, "horizon": self.market.horizon, **self.options, **options}
        audit = replace(QUICK if given.pop("quick", False) else FULL, **given)
        return audit_forecaster(self.forecast, self.market.rows(seed), self.market.fold, audit)


def pipeline_case(
    key: str,
    title: str,
    *stages: str,
    base: Parts = HONEST,
    added: Column | None = None,
    rescoring: Rescoring | None = None,
    market: Market | None = None,
    options: Mapping[str, Any] | None = None,
    **parts: Any,
) -> Case:
    """A case made of an honest pipeline in which some parts are replaced.

    Args:
        key: Its name.
        title: One line for readers.
        stages: Where the leak enters; none for an honest one.
        base: The pipeline whose parts are replaced.
        added: One more feature.
        rescoring: A change of the scores of the linear model, given the targets.
        market: The market it runs on.
        options: Facts about the data that a user would pass to ``audit_forecaster``.
        parts: Replacements by the names of the attributes of ``Parts``.
    """
    if added is not None:
        parts["features"] = partial(with_feature, added)
    if rescoring is not None:
        parts["score"] = partial(rescored, rescoring)
    forecast = replace(base, **parts).forecaster
    return Case(key, title, forecast, stages, market or Market(), options or MappingProxyType({}))
