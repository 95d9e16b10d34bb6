"""The windows that forecasts are held against: what each baseline means, and its trap."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import torch
from torch import Generator, Tensor

from foldproof.models.spec import unknown
from foldproof.models.windows import eligible
from foldproof.tasks.attribute.baselines.sampling import cut, draw


@dataclass(frozen=True, eq=False)
class BaselineInputs:
    """What baselines are made from.

    Attributes:
        values: (D, S, F) panel as the network is fed, NaN where missing.
        member: (D, S) bool, in the universe on that day.
        samples: (B,) int64, s * D + d: the windows that are explained.
        length: T, rows of a window.
        train: Date rows of the training block.
        generator: Makes the draws.
        days: How much earlier the earlier window ends, in date rows.

    Raises:
        ValueError: ``days`` is below 1.
    """

    values: Tensor
    member: Tensor
    samples: Tensor
    length: int
    train: range
    generator: Generator
    days: int = 5

    def __post_init__(self) -> None:
        if self.days < 1:
            raise ValueError(f"days must be at least 1: an earlier window; it is {self.days}")

    def training(self) -> Tensor:
        """(N,) samples of the training block with a whole window.

        Raises:
            ValueError: There is none.
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
    """A window that stands for "nothing to see".

    Attributes:
        title: A few words for tables and figures.
        formula: The baseline in one line.
        meaning: What attributions against it explain.
        caution: When not to take it.
        function: Makes (B, T, F) baselines for the samples of a ground; may contain NaN.
    """

    title: str
    formula: str
    meaning: str
    caution: str
    function: Callable[[BaselineInputs], Tensor]


def zero(ground: BaselineInputs) -> Tensor:
    """(B, T, F) of 0."""
    return ground.repeated(ground.values.new_zeros(ground.length, ground.values.shape[2]))


def train_mean(ground: BaselineInputs) -> Tensor:
    """(B, T, F): by lag and feature, the mean over the training windows."""
    return ground.repeated(torch.stack([cells.mean(0) for cells in by_lag(ground)]))


def train_median(ground: BaselineInputs) -> Tensor:
    """(B, T, F): by lag and feature, the median over the training windows."""
    return ground.repeated(torch.stack([medians(cells) for cells in by_lag(ground)]))


def by_lag(ground: BaselineInputs) -> Iterator[Tensor]:
    """Cells (N, F) of all training windows, for each row of the window, oldest first.

    One row at a time, since all training windows at once are large; in float64, which keeps the
    mean of a million cells.
    """
    training = ground.training()
    days, steps = len(ground.values), range(1 - ground.length, 1)
    rows, symbols = training % days, training // days
    return (ground.values[rows + step, symbols].double() for step in steps)


def cross_section_median(ground: BaselineInputs) -> Tensor:
    """(B, T, F): each row the median over the members of its date; NaN where there is none."""
    seen = torch.where(ground.member.unsqueeze(-1), ground.values.double(), torch.nan)
    dates = ground.samples % len(ground.values)
    steps = torch.arange(1 - ground.length, 1)
    needed, place = (dates.unsqueeze(1) + steps).unique(return_inverse=True)
    return medians(seen[needed], dim=1)[place]


def medians(cells: Tensor, dim: int = 0) -> Tensor:
    """Median along ``dim`` of the finite cells, the middle of two where their number is even."""
    known = cells.isfinite()
    count = known.sum(dim, keepdim=True)
    ordered = torch.where(known, cells, torch.inf).sort(dim).values
    lower, upper = ((count - 1).clamp_min(0) // 2, count // 2)
    upper = upper.clamp_max(cells.shape[dim] - 1)
    middle = (ordered.gather(dim, lower) + ordered.gather(dim, upper)) / 2
    return torch.where(count > 0, middle, torch.nan).squeeze(dim)


def train_draw(ground: BaselineInputs) -> Tensor:
    """(B, T, F): one window of the training block for each sample, drawn with replacement."""
    drawn = draw(ground.training(), len(ground.samples), ground.generator)
    return cut(ground.values, drawn, ground.length)


def days_earlier(ground: BaselineInputs) -> Tensor:
    """(B, T, F): the same stock's window ``days`` rows before; NaN where the panel is too short."""
    date = ground.samples % len(ground.values) - ground.days
    whole = date >= ground.length - 1
    windows = cut(ground.values, ground.samples - ground.days * whole.long(), ground.length)
    return torch.where(whole.view(-1, 1, 1), windows, torch.nan)


BASELINES: Mapping[str, Baseline] = MappingProxyType(
    {
        "train_draw": Baseline(
            "a training window",
            "x' drawn from the training windows, one for each sample",
            "what sets a forecast apart from those of the past; a mean over draws is the forecast "
            "against the whole training distribution",
            "the sign of one sample's attributions follows its draw",
            train_draw,
        ),
        "cs_median": Baseline(
            "the median stock",
            "x'[d, f] = median over the members of date d, row by row",
            "why a stock is ranked above or below the others of its date",
            "needs the full cross-section; of ranks and cross-sectional z-scores it is about 0",
            cross_section_median,
        ),
        "zero": Baseline(
            "zero",
            "x' = 0",
            "against the average, where features are z-scores",
            "far from any data where features are raw; nothing to a network that rescales the "
            "window",
            zero,
        ),
        "train_mean": Baseline(
            "the mean training window",
            "x'[lag, f] = mean over the training windows",
            "against typical history",
            "constant along time but for noise, so nothing to a network that rescales the window; "
            "tails move it",
            train_mean,
        ),
        "train_median": Baseline(
            "the median training window",
            "x'[lag, f] = median over the training windows",
            "against typical history",
            "constant along time but for noise, so nothing to a network that rescales the window",
            train_median,
        ),
        "days_earlier": Baseline(
            "the same stock, days earlier",
            "x' = the window that ends k dates before",
            "what changed the forecast: attributions add up to f(d) - f(d - k)",
            "a date-coupled network has other companions on the earlier date: there they add up to "
            "the change with today's companions",
            days_earlier,
        ),
    }
)
"""Every baseline by its key; the first two are the default pair."""


def check_baseline(name: str) -> None:
    """Raise ValueError, naming the nearest keys, unless ``name`` is one of :data:`BASELINES`."""
    if name not in BASELINES:
        raise ValueError(unknown("baseline", name, BASELINES))


def baseline_of(name: str, ground: BaselineInputs) -> Tensor:
    """Baselines (B, T, F) of the type of ``ground.values``, finite.

    Args:
        name: Key of :data:`BASELINES`.
        ground: The panel, the samples, the training block.

    Raises:
        ValueError: There is no such baseline, no training window, or a baseline is not complete.
    """
    check_baseline(name)
    windows = BASELINES[name].function(ground).to(ground.values.dtype)
    whole = windows.isfinite().all(2).all(1)
    if not bool(whole.all()):
        lost = (~whole).nonzero().squeeze(1)
        raise ValueError(
            f"baseline {name} is not complete for {len(lost)} of {len(whole)} samples, the first "
            f"at place {int(lost[0])}: leave those out, or take another baseline"
        )
    return windows
