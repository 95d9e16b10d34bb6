"""A case of the lab: a forecaster of known honesty, and what the audit is expected to say."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from foldproof.tasks.benchmark.honest.market import Market
from foldproof.tasks.diagnose.findings.finding import LeakReport
from foldproof.tasks.diagnose.forecaster import audit_forecaster
from foldproof.tasks.diagnose.spec import FULL, QUICK
from foldproof.tasks.diagnose.trace.run import Forecast
from foldproof.tasks.split import Fold


@dataclass(frozen=True)
class Case:
    """A planted leak or a clean control.

    Attributes:
        key: Its name.
        title: One line for readers.
        forecast: The forecaster.
        stages: Where the leak enters: a finding must name one of these. Empty for a control.
        market: The market it runs on.
        fold: Its fold, or None for the market's own.
        options: What a user would tell ``audit_forecaster`` about the data.
        source: Where the leak is described.
    """

    key: str
    title: str
    forecast: Forecast
    stages: tuple[str, ...] = ()
    market: Market = field(default_factory=Market)
    fold: Fold | None = None
    options: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    source: str = "catalogue of leaks"

    @property
    def leaks(self) -> bool:
        """Whether it leaks."""
        return bool(self.stages)

    def audit(self, seed: int, **options: Any) -> LeakReport:
        """The audit of the case on the market that ``seed`` draws."""
        data = self.market.rows(seed)
        given = {"seed": seed, "horizon": self.market.horizon, **self.options, **options}
        audit = replace(QUICK if given.pop("quick", False) else FULL, **given)
        return audit_forecaster(self.forecast, data, self.fold or self.market.fold, audit)


def by_key(*cases: Case) -> Mapping[str, Case]:
    """``cases`` by their key.

    Raises:
        ValueError: A key stands twice.
    """
    found = {case.key: case for case in cases}
    if len(found) < len(cases):
        raise ValueError(f"each case needs a key of its own; there are {len(cases)} cases")
    return MappingProxyType(found)
