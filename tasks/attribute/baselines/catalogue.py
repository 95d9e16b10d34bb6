"""The baselines: reference windows that forecasts are compared with, and their pitfalls."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import torch
from torch import Generator, Tensor

from foldproof.models.date_rows import Rows
from foldproof.models.normalizers.scaling import median
from foldproof.models.spec import unknown
from foldproof.models.windows import eligible
from foldproof.tasks.attribute.baselines.sampling import cut, draw


@dataclass(frozen=True, eq=False)
class BaselineInputs:
    """Inputs of a baseline: panel, explained samples, training rows.

    Attributes:
        values: (D, S, F) panel as the network gets it, NaN where missing.
        member: (D, S) bool, in the universe on that day.
        samples: (B,) int64, s * D + d: the windows that are explained.
        length: T, rows of a window.
        train: Date rows of the training block.
        generator: Source of the draws.
        days: Date rows between the window and the earlier window of days_earlier.

    Raises:
        ValueError: ``days`` is below 1.
    """

    values: Tensor
    member: Tensor
    samples: Tensor
    length: int
    train: Rows
    generator: Generator
    days: int = 5

    def __post_init__(self) -> None:
        if self.days < 1:
            raise ValueError(
                f"days must be at least 1: the baseline is an earlier window; it is {self.days}"
            )

    def training(self) -> Tensor:
        """(N,) samples of the training block with a whole window.

        Raises:
            ValueError: No sample has one.
        """
        found = eligible(self.values, self.member, self.train, self.length)
        if not len(found):
            raise ValueError(
                f"rows {self.train.start}..{self.train.stop} hold no complete window of "
                f"{self.length} rows of a member: lengthen the training block or fill gaps"
            )
        return found

    def repeated(self, window: Tensor) -> Tensor:
        """(T, F) -> (B, T, F), without a copy."""
        return window.expand(len(self.samples), *window.shape)


@dataclass(frozen=True)
class Baseline:
    """A reference window without the information that is to be explained.

    Attributes:
        title: A few words for tables and figures.
        formula: The baseline in one line.
        meaning: What attributions against it explain.
        caution: When not to use it.
        function: Returns (B, T, F) baselines of the samples; may contain NaN.
    """

    title: str
    formula: str
    meaning: str
    caution: str
    function: Callable[[BaselineInputs], Tensor]


def zero(inputs: BaselineInputs) -> Tensor:
    """(B, T, F) of 0."""
    return inputs.repeated(inputs.values.new_zeros(inputs.length, inputs.values.shape[2]))


def train_mean(inputs: BaselineInputs) -> Tensor:
    """(B, T, F): by lag and feature, the mean over the training windows."""
    return inputs.repeated(torch.stack([cells.mean(0) for cells in by_lag(inputs)]))


def train_median(inputs: BaselineInputs) -> Tensor:
    """(B, T, F): by lag and feature, the median over the training windows."""
    return inputs.repeated(torch.stack([medians(cells) for cells in by_lag(inputs)]))


def by_lag(inputs: BaselineInputs) -> Iterator[Tensor]:
    """Cells (N, F) of all training windows, for each row of the window, oldest first.

    One row at a time, since all training windows at once are large; in float64, so that the mean
    of a million cells is accurate.
    """
    training = inputs.training()
    days, steps = len(inputs.values), range(1 - inputs.length, 1)
    rows, symbols = training % days, training // days
    return (inputs.values[rows + step, symbols].double() for step in steps)


def cross_section_median(inputs: BaselineInputs) -> Tensor:
    """(B, T, F): each row the median over the members of its date; NaN where no cell is known."""
    known = torch.where(inputs.member.unsqueeze(-1), inputs.values.double(), torch.nan)
    dates = inputs.samples % len(inputs.values)
    steps = torch.arange(1 - inputs.length, 1)
    needed, place = (dates.unsqueeze(1) + steps).unique(return_inverse=True)
    return medians(known[needed], dim=1)[place]


def medians(cells: Tensor, dim: int = 0) -> Tensor:
    """Median along ``dim`` of the finite cells; the mean of the middle two for an even number."""
    return median(torch.where(cells.isfinite(), cells, torch.nan), dim).squeeze(dim)


def train_draw(inputs: BaselineInputs) -> Tensor:
    """(B, T, F): one window of the training block for each sample, drawn with replacement."""
    drawn = draw(inputs.training(), len(inputs.samples), inputs.generator)
    return cut(inputs.values, drawn, inputs.length)


def days_earlier(inputs: BaselineInputs) -> Tensor:
    """(B, T, F): the same stock's window ``days`` rows earlier; NaN where there is none."""
    date = inputs.samples % len(inputs.values) - inputs.days
    whole = date >= inputs.length - 1
    windows = cut(inputs.values, inputs.samples - inputs.days * whole.long(), inputs.length)
    return torch.where(whole.view(-1, 1, 1), windows, torch.nan)


BASELINES: Mapping[str, Baseline] = MappingProxyType(
    {
        "train_draw": Baseline(
            "a training window",
            "x' drawn from the training windows, one for each sample",
            "how a forecast differs from those of the past; the mean over draws compares it with "
            "the whole training distribution",
            "the sign of one sample's attributions depends on its draw",
            train_draw,
        ),
        "cs_median": Baseline(
            "the median stock",
            "x'[d, f] = median over the members of date d, row by row",
            "why a stock is ranked above or below the others of its date",
            "needs the full cross-section; about 0 for ranks and cross-sectional z-scores",
            cross_section_median,
        ),
        "zero": Baseline(
            "zero",
            "x' = 0",
            "comparison with the average, where features are z-scores",
            "far from any data where features are raw; degenerate for a network that rescales the "
            "window",
            zero,
        ),
        "train_mean": Baseline(
            "the mean training window",
            "x'[lag, f] = mean over the training windows",
            "comparison with typical history",
            "constant in time except for noise, so degenerate for a network that rescales the "
            "window; sensitive to tails",
            train_mean,
        ),
        "train_median": Baseline(
            "the median training window",
            "x'[lag, f] = median over the training windows",
            "comparison with typical history",
            "constant in time except for noise, so degenerate for a network that rescales the "
            "window",
            train_median,
        ),
        "days_earlier": Baseline(
            "the same stock, days earlier",
            "x' = the window that ends k dates earlier",
            "what changed the forecast: attributions add up to f(d) - f(d - k)",
            "a date-coupled network had other companions on the earlier date; attributions add up "
            "to the change with today's companions",
            days_earlier,
        ),
    }
)
"""Every baseline by its key; the first two are the default pair."""


def baseline_of(name: str, inputs: BaselineInputs) -> Tensor:
    """Finite baselines (B, T, F) of the type of ``inputs.values``.

    Args:
        name: Key of :data:`BASELINES`.
        inputs: The panel, the samples, the training block.

    Raises:
        ValueError: Unknown baseline, no training window, or a baseline is incomplete.
    """
    if name not in BASELINES:
        raise ValueError(unknown("baseline", name, BASELINES))
    windows = BASELINES[name].function(inputs).to(inputs.values.dtype)
    whole = windows.isfinite().all(2).all(1)
    if not bool(whole.all()):
        lost = (~whole).nonzero().squeeze(1)
        raise ValueError(
            f"baseline {name} is not complete for {len(lost)} of {len(whole)} samples, the first "
            f"at place {int(lost[0])}: leave those out, or use another baseline"
        )
    return windows
