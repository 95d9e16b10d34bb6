"""A forecast taken back to daily returns: what of its change rests on the return of which day."""

import pandas as pd
import torch
from torch import Tensor

from foldproof.tasks.attribute.methods.adaptive import resolved_paths
from foldproof.tasks.attribute.origins.kinks import cuts, kinks, pieces
from foldproof.tasks.attribute.origins.price_result import FromPrices
from foldproof.tasks.attribute.origins.raw_rows import RawNeighbourhood
from foldproof.tasks.attribute.origins.returns import Made, Quotes, reach
from foldproof.tasks.data.spec import DataSpec

SAME = 1e-4
"""Features of the quotes and those of the panel may differ by this share of their size, at most:
float32 holds them to 1e-7, and what was made of other rows differs by more."""


class StopsAtFeaturesError(ValueError):
    """Why a forecast cannot be taken back further than to its features, as a sentence."""


def stops_at_features(data: DataSpec) -> str:
    """Why attributions of a model with these features cannot reach prices; '' where they can."""
    if data.features == "ready":
        return "the features were supplied ready-made, and how they follow from prices is not known"
    if data.features != "price":
        return f"{data.features} makes the features, and has no derivative by prices"
    return ""


def price_attributions(
    around: RawNeighbourhood,
    quotes: Quotes,
    names: tuple[str, ...],
    reference: int,
    place: int,
    spread: float,
    nodes: int = 10,
    columns: Tensor | None = None,
) -> FromPrices:
    r"""Integrated gradients of a forecast by the daily log returns that its features are made of.

    The way runs from the same stocks' returns of ``reference`` on to those of the date, straight in
    log returns, through features, normalizers and network. Both ends were observed, so that the
    change is the one of the forecasts of two dates.

    .. warning::

        A path held flat is no baseline: a volatility of 0 divides, and reversal and beta are the
        same for returns of any size, so that f(0.01 r) = f(r) and all of their effect falls on the
        first steps of the way.

    Drawdown, rise and the largest return have slopes that jump where another day takes the lead.
    These places follow from the ends of the way; quadrature is cut there for the stock that is
    forecast.

    Args:
        around: The date's surroundings, of features in the order of ``names``.
        quotes: The closes that these features were made of, on all rows of the panel.
        names: Keys of :data:`~tasks.data.features.FEATURES`.
        reference: Row of the panel, an earlier one, that takes the place of ``around.first``.
        place: Which of the date's forecasts.
        spread: Standard deviation of forecasts, for the completeness error.
        nodes: Gauss-Legendre nodes, doubled up to 16-fold while completeness is missed.
        columns: Places among the symbols of ``quotes`` of those of ``around``; None for all.

    Raises:
        StopsAtFeaturesError: The forecast has no derivative, as with ranks; the quotes do not make
            these features; a feature is not defined on the reference.
    """
    if not around.differentiable:
        raise StopsAtFeaturesError("the forecast goes through ranks, which have no derivative")
    before, rows = reach(quotes.fill_limit), len(around.values)
    here = quotes.rows(around.first - before, before + rows)
    steps, other = here.steps, quotes.rows(reference - before, before + rows).steps
    read = columns_read(around, place)
    columns = torch.arange(len(quotes.symbols)) if columns is None else columns
    made = Made.near(here, names, rows, columns[read])
    moves = steps.moving(other)
    start = torch.where(moves, other.cells, steps.cells)

    def forecast(cells: Tensor) -> Tensor:
        return around.forecast(around.values.index_copy(1, read, made.values(steps, cells)))[place]

    def forward(points: Tensor, _: Tensor) -> Tensor:
        """(P, 2 K) of cells that move what came and what is left of what was -> (P,)."""
        sums = points.unflatten(1, (2, -1)).sum(1)
        return torch.stack([forecast(steps.cells.masked_scatter(moves, one)) for one in sums])

    values, held = made.values(steps, steps.cells), made.values(steps, start)
    check_made(around, held, values, read, names)
    date, symbol = before + around.date, int(columns[around.symbols[place]])
    first = before - quotes.fill_limit
    then, now = (made.log_prices(steps, cells) for cells in (start, steps.cells))
    found = kinks(then, now, range(first, date + 1), names)
    window = range(first + around.date + 1 - around.window, date + 1)
    newest = kinks(then, now, window, names)
    own = newest[int((read == around.symbols[place]).nonzero())]
    rule = pieces(cuts(own, [place for places in found for place in places]))
    came, went = steps.cells[moves], other.cells[moves]
    inputs, held = (torch.cat(one)[None] for one in ((came, 0 * went), (0 * came, went)))
    paths = resolved_paths(forward, inputs, held, nodes, rule=rule, chunk=1, spread=spread)
    with torch.no_grad():
        change = float(forecast(steps.cells) - forecast(start))
    arrived, gone = (
        torch.zeros_like(steps.cells).masked_scatter(moves, one)
        for one in paths.attributions[0].chunk(2)
    )
    gap = (float(paths.attributions.sum()) - change) / spread
    shift = around.first - reference
    dates = quotes.rows(reference - before, shift + before + rows).dates
    return FromPrices(
        dates,
        quotes.symbols,
        steps,
        other,
        arrived,
        gone,
        shift,
        date,
        symbol,
        change,
        gap,
        paths.nodes,
    )


def prices_or_why(
    data: DataSpec,
    raw: pd.DataFrame,
    around: RawNeighbourhood,
    names: tuple[str, ...],
    reference: int,
    place: int,
    spread: float,
    nodes: int,
    columns: Tensor | None = None,
) -> tuple[FromPrices | None, str]:
    """:func:`price_attributions` from raw rows; or None, and why it stops at the features."""
    stops = stops_at_features(data)
    if stops:
        return None, stops
    quotes = Quotes.of(raw, data.fill_limit)
    try:
        return price_attributions(
            around, quotes, names, reference, place, spread, nodes, columns
        ), ""
    except StopsAtFeaturesError as error:
        return None, str(error)


def columns_read(around: RawNeighbourhood, place: int) -> Tensor:
    """(K,) int64 symbols whose features a forecast follows: its own, and others if coupled."""
    with torch.enable_grad():
        cells = around.values.clone().requires_grad_()
        (slopes,) = torch.autograd.grad(around.forecast(cells)[place], cells)
    read = (slopes != 0).any(-1).any(0)
    read[around.symbols[place]] = True
    return read.nonzero().flatten()


def check_made(
    around: RawNeighbourhood, start: Tensor, values: Tensor, read: Tensor, names: tuple[str, ...]
) -> None:
    """Raise StopsAtFeaturesError unless the quotes make these features, on both ends of the way."""
    given = around.values[:, read]
    wrong = (values - given).abs() > SAME * (1 + given.abs())
    wrong |= values.isnan() != given.isnan()
    for cells, what in (
        (wrong, "the prices at hand make another"),
        (start.isnan() & ~values.isnan(), "on the rows that it is held against there is no"),
    ):
        if cells.any():
            row, _, feature = cells.nonzero()[0].tolist()
            raise StopsAtFeaturesError(
                f"{what} {names[feature]} (row {around.first + row} of the panel and "
                f"{int(cells.sum()) - 1} more cells)"
            )
