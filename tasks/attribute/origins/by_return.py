"""Integrated gradients of a forecast by the daily returns that its features are made of."""

import torch
from torch import Tensor

from foldproof.tasks.attribute.methods.adaptive import resolved_gradients
from foldproof.tasks.attribute.origins.kinks import cuts, kinks, pieces
from foldproof.tasks.attribute.origins.price_result import FromPrices
from foldproof.tasks.attribute.origins.raw_rows import RawNeighbourhood
from foldproof.tasks.attribute.origins.returns import FeatureFunction, Quotes, reach
from foldproof.tasks.data.spec import DataSpec

SAME = 1e-4
"""Allowed relative difference between features of the quotes and of the panel: float32 keeps them
to 1e-7, and features of other rows differ by more."""


class StopsAtFeaturesError(ValueError):
    """Why a forecast cannot be attributed to prices, as a sentence without a full stop."""


def stops_at_features(data: DataSpec) -> str:
    """Why attributions of a model with these features cannot reach prices; '' where they can."""
    if data.features == "ready":
        return "the features are ready-made, so their derivative by prices is unknown"
    if data.features != "price":
        return f"{data.features} makes the features, and its derivative by prices is unknown"
    return ""


def price_attributions(
    neighbourhood: RawNeighbourhood,
    quotes: Quotes,
    names: tuple[str, ...],
    reference: int,
    place: int,
    spread: float,
    nodes: int = 10,
    columns: Tensor | None = None,
) -> FromPrices:
    r"""Integrated gradients of a forecast by the daily log returns that its features are made of.

    The path runs from the same stocks' returns up to ``reference`` to those up to the date, in a
    straight line in log returns, through features, normalizers and network. Both ends were
    observed, so the change is the difference between the forecasts of two dates.

    .. warning::

        A flat price path is no baseline: it has a volatility of 0, which some features divide by,
        and reversal and beta do not depend on the size of returns, so that f(0.01 r) = f(r) and
        their whole effect falls on the first steps of the path.

    The slopes of drawdown, rise and the largest return jump where the extreme moves to another day.
    These places follow from the ends of the path; quadrature is split there for the stock that is
    forecast.

    Args:
        neighbourhood: The raw neighbourhood of the date, with features in the order of ``names``.
        quotes: The closes that these features were made of, on all rows of the panel.
        names: Keys of :data:`~foldproof.tasks.data.features.features.FEATURES`.
        reference: Earlier row of the panel that corresponds to ``neighbourhood.first``.
        place: Index of the forecast among the date's forecasts.
        spread: Standard deviation of forecasts, the unit of the completeness error.
        nodes: Gauss-Legendre nodes, doubled up to 16-fold while completeness is missed.
        columns: Places of the neighbourhood's symbols among those of ``quotes``; None for all.

    Raises:
        StopsAtFeaturesError: The forecast has no derivative, as with ranks; the quotes do not
            reproduce these features; a feature is undefined on the reference.
    """
    if not neighbourhood.differentiable:
        raise StopsAtFeaturesError(
            "the forecast uses rolling medians or ranks, which have no derivative"
        )
    before, rows = reach(quotes.fill_limit), len(neighbourhood.values)
    here = quotes.rows(neighbourhood.first - before, before + rows)
    steps, other = here.steps, quotes.rows(reference - before, before + rows).steps
    read = columns_read(neighbourhood, place)
    columns = torch.arange(len(quotes.symbols)) if columns is None else columns
    features = FeatureFunction.near(here, names, rows, columns[read])
    moves = steps.moving(other)
    start = torch.where(moves, other.cells, steps.cells)

    def forecast(cells: Tensor) -> Tensor:
        region = neighbourhood.values.index_copy(1, read, features.values(steps, cells))
        return neighbourhood.forecast(region)[place]

    def forward(points: Tensor) -> Tensor:
        """(P, 2 K): returns that entered the look-back, then those that left it -> (P,)."""
        sums = points.unflatten(1, (2, -1)).sum(1)
        return torch.stack([forecast(steps.cells.masked_scatter(moves, one)) for one in sums])

    values, earlier = features.values(steps, steps.cells), features.values(steps, start)
    given = neighbourhood.values[:, read]
    check_features(given, earlier, values, neighbourhood.first, names)
    date, own = before + neighbourhood.date, neighbourhood.symbols[place]
    first = before - quotes.fill_limit
    then, now = (features.log_prices(steps, cells) for cells in (start, steps.cells))
    all_kinks = kinks(then, now, range(first, date + 1), names)
    window = range(first + neighbourhood.date + 1 - neighbourhood.window, date + 1)
    own_kinks = kinks(then, now, window, names)[int((read == own).nonzero())]
    rule = pieces(cuts(own_kinks, [place for places in all_kinks for place in places]))
    new, old = steps.cells[moves], other.cells[moves]
    inputs, baseline = (torch.cat(one)[None] for one in ((new, 0 * old), (0 * new, old)))
    paths = resolved_gradients(forward, inputs, baseline, nodes, rule=rule, chunk=1, spread=spread)
    with torch.no_grad():
        change = float(forecast(steps.cells) - forecast(start))
    came, left = (
        torch.zeros_like(steps.cells).masked_scatter(moves, one)
        for one in paths.attributions[0].chunk(2)
    )
    gap = (float(paths.attributions.sum()) - change) / spread
    shift = neighbourhood.first - reference
    dates = quotes.rows(reference - before, shift + before + rows).dates
    return FromPrices(
        dates, quotes.symbols, steps, other, came, left, shift, date, int(columns[own]), change,
        gap, paths.nodes,
    )  # fmt: skip


def columns_read(neighbourhood: RawNeighbourhood, place: int) -> Tensor:
    """(K,) int64 symbols whose features a forecast depends on: its own, and others if coupled."""
    with torch.enable_grad():
        cells = neighbourhood.values.clone().requires_grad_()
        (slopes,) = torch.autograd.grad(neighbourhood.forecast(cells)[place], cells)
    read = (slopes != 0).any(-1).any(0)
    read[neighbourhood.symbols[place]] = True
    return read.nonzero().flatten()


def check_features(
    given: Tensor, start: Tensor, values: Tensor, first: int, names: tuple[str, ...]
) -> None:
    """Raise StopsAtFeaturesError unless the quotes give these features at both ends of the path."""
    wrong = (values - given).abs() > SAME * (1 + given.abs())
    wrong |= values.isnan() != given.isnan()
    undefined = start.isnan() & ~values.isnan()
    for cells, what in (
        (wrong, "the supplied prices give another value of"),
        (undefined, "the reference rows have no value of"),
    ):
        if cells.any():
            row, _, feature = cells.nonzero()[0].tolist()
            raise StopsAtFeaturesError(
                f"{what} {names[feature]} (row {first + row} of the panel and "
                f"{int(cells.sum()) - 1} more cells)"
            )
