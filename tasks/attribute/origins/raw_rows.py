"""From a forecast back to the supplied columns, through the input normalizer."""

import copy
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from foldproof.models.date_rows import Rows, at
from foldproof.models.network import Ensemble, Forecaster
from foldproof.models.normalizers import InputNormalizer, resolve, with_state
from foldproof.tasks.attribute.baselines.sampling import cut
from foldproof.tasks.attribute.methods.adaptive import TOLERANCE, resolved_gradients
from foldproof.tasks.train import TrainedUnit, network_of
from foldproof.tasks.train.inputs import state_of
from foldproof.tasks.train.serving.model import Served

CONTEXT = 1008
"""Rows before a window that its statistics may use: 2^-16 of an exponential memory of 63."""
AFTER = 21
"""Rows after the date, which should have no influence."""
ORIGINS = ("own window", "own earlier rows", "other symbols", "rows not yet known")
"""Positions of a cell relative to the sample that is forecast."""


Index = slice | tuple[slice, Tensor]


@dataclass(frozen=True, eq=False)
class RawNeighbourhood:
    """Every raw cell that can influence a date's forecasts, and the forecasts as a function of it.

    Attributes:
        values: (R, S, F) float64 supplied features; NaN where missing.
        first: Row of the panel at which they begin.
        date: Row of ``values`` at which the windows end.
        window: Rows of a window.
        symbols: (n,) int64 columns of the symbols that are forecast on that date.
        read: (S,) bool: the columns that the forecasts read. The others are not normalized.
        forecast: (R, S, F) -> (n,) forecasts in target units.
        kinks: Where the slopes of the variant jump; empty where they do not.
    """

    values: Tensor
    first: int
    date: int
    window: int
    symbols: Tensor
    read: Tensor
    forecast: Callable[[Tensor], Tensor]
    kinks: str = ""

    @property
    def differentiable(self) -> bool:
        """Whether forecasts have derivatives by the cells; through ranks they have none."""
        with torch.enable_grad():
            return self.forecast(self.values.clone().requires_grad_()).requires_grad

    def start(self, reference: Tensor) -> tuple[Tensor, Tensor]:
        """The cells (R, S, F) that move, and the rows at the start of the path.

        A cell that is missing in the reference or in the values does not move, nor one in a column
        that no forecast reads.
        """
        moves = self.values.isfinite() & reference.isfinite() & self.read.unsqueeze(-1)
        return moves, torch.where(moves, reference, self.values)

    def origin(self, symbol: int) -> Tensor:
        """(R, S) indices into ORIGINS of all cells, relative to the forecast of one symbol."""
        places = torch.full(self.values.shape[:2], ORIGINS.index("other symbols"))
        places[: self.date + 1, symbol] = ORIGINS.index("own earlier rows")
        places[self.date - self.window + 1 : self.date + 1, symbol] = ORIGINS.index("own window")
        places[self.date + 1 :] = ORIGINS.index("rows not yet known")
        return places


@dataclass(frozen=True, eq=False)
class ByOrigin:
    """The change of a forecast since reference rows, by origin and feature.

    Attributes:
        signed: (4, F) sums of attributions, in target units; they add up to ``change`` plus the
            error.
        absolute: (4, F) sums of their absolute values; for Shapley values their sizes.
        change: The forecast less that on the reference rows.
        gap: Sum of the attributions less the change, in spreads of the forecasts; 0 for Shapley
            values.
        nodes: Gauss-Legendre nodes used; 0 for Shapley values.
        cells: (R, S, F) float64 attributions; None for Shapley values.
    """

    signed: Tensor
    absolute: Tensor
    change: float
    gap: float = 0.0
    nodes: int = 0
    cells: Tensor | None = None

    @property
    def resolved(self) -> bool:
        """Whether the attributions add up to the change, within the tolerance."""
        return abs(self.gap) <= TOLERANCE


@dataclass(frozen=True, eq=False)
class FixedStatistics:
    """A trained forecaster with fixed weights and statistics.

    Attributes:
        variant: Key of the variant.
        network: In eval mode, float64; its parameters need no gradient.
        state: Statistics of the input normalizer.
        window: Rows of a window.
        scale: Target units per unit of the network.
        train: Rows that the statistics were fitted on; None where they are constants.
    """

    variant: str
    network: Forecaster | Ensemble
    state: dict[str, Tensor]
    window: int
    scale: float
    train: Rows | None = None

    @classmethod
    def of(cls, trained: TrainedUnit) -> "FixedStatistics":
        """The forecaster of a unit."""
        unit = trained.unit
        some = next(array for name, array in trained.weights.items() if "weight_ih_l0" in name)
        network = network_of(trained, some.shape[1]).double().requires_grad_(False)
        state = state_of(trained.statistics)
        window, scale = unit.network.window, trained.target_scale
        return cls(unit.variant, network, state, window, scale, unit.fold.train)

    @classmethod
    def serving(cls, served: Served) -> "FixedStatistics":
        """A model that scores raw rows."""
        network = copy.deepcopy(served.network).double().requires_grad_(False)
        return cls(served.variant, network, served.statistics, served.window, served.target_scale)


def neighbourhood_of(
    model: FixedStatistics, values: Tensor, member: Tensor, date: int, symbols: Tensor
) -> RawNeighbourhood:
    """Rows that the forecasts of a date can depend on: rows before, all symbols, rows after.

    Statistics that were fitted on the training rows are constants. Where a normalizer fits on
    other rows too, its fit is part of the function, and the rows run to the end of the panel.

    Args:
        model: The forecaster.
        values: (D, S, F) float64 supplied features.
        member: (D, S) bool.
        date: Row at which the windows end.
        symbols: (n,) int64 columns: all that are scored on the date where the network couples them.

    Raises:
        ValueError: There are fewer rows up to the date than a window has.
    """
    days, window = len(values), model.window
    if not window <= date + 1 <= days:
        raise ValueError(f"a window of {window} rows must end within {days} rows, at row {date}")
    variant, train = with_state(resolve(model.variant), model.state), model.train
    normalizer = variant.input
    whole = train is not None and follows_later_rows(normalizer, values, member, train)
    first, last = date - window + 1, min(days, date + 1 + AFTER)
    before = 0 if variant.unbounded else max(0, first - CONTEXT)
    every = slice(None)

    def follows(rows: slice, kept: Index, others: Index) -> bool:
        """Whether normalized cells depend on other cells of the rows."""
        return normalizer is not None and normalized_follow(
            normalizer, values[rows], member[rows], model.state, kept, others
        )

    earlier = first - before
    if earlier and follows(slice(before, last), slice(earlier, None), slice(earlier)):
        first = before
    last = days if whole else last
    read = torch.zeros(values.shape[1], dtype=torch.bool)
    read[symbols] = True
    if whole or follows(slice(first, last), (every, read), (every, ~read)):
        read[:] = True
    members = member[first:last, read]
    ends = (read.cumsum(0) - 1)[symbols] * (last - first) + date - first
    dates = torch.full_like(symbols, date)

    def forecast(region: Tensor) -> Tensor:
        scaled = region[:, read]
        if normalizer is not None:
            state = model.state
            if whole and train is not None:
                rows = torch.cat([values[:first], region, values[last:]])
                state = normalizer.fit(rows, member, train)
            scaled = normalizer.apply(scaled, members, state).values
        return model.network(cut(scaled, ends, window), dates) * model.scale

    kinks = variant.kinks or "it divides by values around 0" * variant.positive
    return RawNeighbourhood(
        values[first:last], first, date - first, window, symbols, read, forecast, kinks
    )


def follows_later_rows(
    normalizer: InputNormalizer | None, values: Tensor, member: Tensor, train: Rows
) -> bool:
    """Whether fitted statistics depend on rows that are not trained on: changes them to test.

    These are the rows after the training block, and those between its parts if it has several.
    """
    if normalizer is None:
        return False
    other = torch.ones(len(values), dtype=torch.bool)
    other[: train.start] = False
    other[at(train)] = False
    changed = values.clone()
    changed[other] = 1 - 2 * changed[other]
    before, after = (normalizer.fit(one, member, train) for one in (values, changed))
    return any(not torch.equal(before[name], after[name]) for name in before)


def normalized_follow(
    normalizer: InputNormalizer,
    values: Tensor,
    member: Tensor,
    state: dict[str, Tensor],
    kept: Index,
    others: Index,
) -> bool:
    """Whether the normalized cells ``kept`` depend on the cells ``others``: changes them to test.

    Args:
        normalizer: Of the input.
        values: (D, S, F).
        member: (D, S) bool.
        state: Its statistics.
        kept: Index of cells of ``values``.
        others: Index of other cells.
    """
    changed = values.clone()
    changed[others] = 1 - 2 * changed[others]
    one, two = (normalizer.apply(v, member, state).values[kept] for v in (values, changed))
    return not torch.equal(one.nan_to_num(), two.nan_to_num())


def rows_at(values: Tensor, first: int, count: int) -> Tensor:
    """(count, S, F) rows of ``values`` (D, S, F) from ``first`` on; NaN where it has none."""
    rows = values.new_full((count, *values.shape[1:]), torch.nan)
    begin, end = max(0, first), min(len(values), first + count)
    if begin < end:
        rows[begin - first : end - first] = values[begin:end]
    return rows


def supplied_attributions(
    neighbourhood: RawNeighbourhood, reference: Tensor, place: int, spread: float, nodes: int = 10
) -> ByOrigin:
    r"""Integrated gradients of a forecast by every supplied cell that can influence it.

    The path runs from reference rows, such as the same stocks' rows of an earlier date, through
    the input normalizer with its statistics (cross-sectional, rolling), the window and hidden
    normalizers and the network. So the attributions separate what a forecast takes from its own
    window, from the rows by which that window was normalized, from other symbols, and, where
    something leaks, from rows that were not yet known.

    Args:
        neighbourhood: The raw neighbourhood of the date.
        reference: (R, S, F) rows to start from.
        place: Index of the forecast among the date's forecasts.
        spread: Standard deviation of the unit's forecasts, the unit of the completeness error.
        nodes: Gauss-Legendre nodes, doubled up to 16-fold while completeness is missed.

    Raises:
        ValueError: The forecast has no derivative by its cells, as with ranks.
    """
    values = neighbourhood.values
    moves, start = neighbourhood.start(reference)

    def forward(points: Tensor) -> Tensor:
        """(P, K) moving cells, placed among the cells that do not move -> (P,)."""
        regions = [values.masked_scatter(moves, point) for point in points]
        return torch.stack([neighbourhood.forecast(region)[place] for region in regions])

    inputs, before = (rows[moves].unsqueeze(0) for rows in (values, start))
    paths = resolved_gradients(forward, inputs, before, nodes, chunk=1, spread=spread)
    with torch.no_grad():
        now, then = (neighbourhood.forecast(rows)[place] for rows in (values, start))
    cells = torch.zeros_like(values).masked_scatter(moves, paths.attributions[0])
    change, origin = float(now - then), neighbourhood.origin(int(neighbourhood.symbols[place]))
    zeros = values.new_zeros(len(ORIGINS), values.shape[-1])
    signed, absolute = (
        zeros.index_add(0, origin.flatten(), one.flatten(0, 1)) for one in (cells, cells.abs())
    )
    gap = (float(cells.sum()) - change) / spread
    return ByOrigin(signed, absolute, change, gap, paths.nodes, cells)
