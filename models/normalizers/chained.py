"""Two input normalizers, one after the other."""

from dataclasses import dataclass

from torch import Tensor

from foldproof.models.date_rows import Rows
from foldproof.models.normalizers.variant import Axis, InputNormalizer, Scaled, independent


@dataclass(frozen=True)
class Chained:
    """``second`` of the values that ``first`` returns.

    The order matters: a rolling z-score of cross-sectional z-scores measures how unusual a stock's
    rank among its peers is for this stock; the reverse compares today's surprises across stocks.
    """

    first: InputNormalizer
    second: InputNormalizer

    @property
    def independent(self) -> Axis | None:
        """The axis that both share, if they do."""
        axes = {independent(self.first), independent(self.second)}
        return axes.pop() if len(axes) == 1 else None

    def fit(self, values: Tensor, member: Tensor, rows: Rows) -> dict[str, Tensor]:
        """State of both, the second's fitted on what the first returns at ``rows``."""
        one = self.first.fit(values, member, rows)
        two = self.second.fit(self.first.apply(values, member, one).values, member, rows)
        return {f"first.{name}": value for name, value in one.items()} | {
            f"second.{name}": value for name, value in two.items()
        }

    def apply(self, values: Tensor, member: Tensor, state: dict[str, Tensor]) -> Scaled:
        """Normalize (D, S, F); the slope is the product of both slopes."""
        one = self.first.apply(values, member, state_below("first.", state))
        two = self.second.apply(one.values, member, state_below("second.", state))
        return Scaled(two.values, one.slope * two.slope)


def state_below(prefix: str, state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The entries of ``state`` under ``prefix``, which their names lose."""
    own = {name: value for name, value in state.items() if name.startswith(prefix)}
    return {name.removeprefix(prefix): value for name, value in own.items()}
