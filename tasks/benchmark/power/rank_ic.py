"""Dials of the statistical tests: the true rank IC of a leak is reduced."""

from functools import partial

import numpy as np
import pandas as pd
import torch
from scipy import stats
from torch import Tensor, nn

from foldproof.tasks.benchmark.honest.forecaster import by_symbol, keyed
from foldproof.tasks.benchmark.honest.market import Market
from foldproof.tasks.benchmark.power.dial import Dial, mixing
from foldproof.tasks.diagnose.findings.catalogue import LEVEL, by_key
from foldproof.tasks.diagnose.findings.finding import Finding
from foldproof.tasks.diagnose.network.audit import audit_module
from foldproof.tasks.diagnose.statistical.permutation import label_permutation
from foldproof.tasks.diagnose.statistical.placebo import noise_placebo
from foldproof.tasks.diagnose.statistical.screen import CEILING, feature_screen
from foldproof.tasks.split import Fold

MARKET = Market(symbols=16, days=180)
"""About 60 test dates."""
DAYS, SYMBOLS, STEPS = 80, 12, 4
"""Dates, symbols and steps of the windows on which networks are scored."""
PANELS = 5
PERMUTATIONS = 20
RANK_ICS = (0.3, 0.2, 0.15, 0.1, 0.07, 0.05, 0.03, 0.02, 0.01, 0.0)
PAIRED = (0.1, 0.05, 0.03, 0.02, 0.01, 0.005, 0.003, 0.002, 0.001, 0.0)
"""For paired tests: two forecasts of the same samples share their noise."""


def forward_return(rows: pd.DataFrame) -> pd.Series:
    """The next day's return, indexed (date, symbol)."""
    close = keyed(rows)["close"]
    return (by_symbol(close).shift(-1) / close - 1).rename("target")


def relative(values: pd.Series) -> pd.Series:
    """Each date's values scaled to mean 0 and sd 1; missing ones set to 0."""
    by_date = values.groupby(level=0)
    return ((values - by_date.transform("mean")) / by_date.transform("std")).fillna(0.0)


def drawn(index: pd.Index, *seed: int) -> pd.Series:
    """Standard normal noise on ``index``."""
    return pd.Series(np.random.default_rng([*seed, 4]).standard_normal(len(index)), index=index)


def informed(rank_ic: float, seed: int, data: pd.DataFrame, fold: Fold) -> pd.Series:
    """Forecasts with this rank IC for the next return of the given rows."""
    truth = forward_return(data)
    test = truth[truth.index.get_level_values(0).isin(fold.test_dates)]
    own, noise = mixing(rank_ic)
    return own * relative(test) + noise * drawn(test.index, seed)


def placebo(rank_ic: float, seed: int) -> Finding:
    """``noise_placebo`` on :func:`informed` forecasts."""
    return noise_placebo(
        partial(informed, rank_ic, seed), MARKET.rows(seed), MARKET.fold, forward_return,
        prices=("close",), horizon=1, panels=PANELS, seed=seed,
    )  # fmt: skip


def placebo_power(rank_ic: float) -> float:
    """Power of Student's t over panels, whose means have sd 1 / sqrt(dates x (symbols - 1))."""
    dates, symbols = (
        len(MARKET.fold.test_dates),
        14.5,
    )  # two of sixteen are delisted before the test block
    error = np.sqrt((1 - rank_ic**2) / (dates * (symbols - 1)))
    critical = stats.t.isf(LEVEL / 2, PANELS - 1)
    return float(stats.nct.sf(critical, PANELS - 1, rank_ic / error * np.sqrt(PANELS)))


def half_learned(rank_ic: float, seed: int, data: pd.DataFrame, fold: Fold) -> pd.Series:
    """A regression on the training labels, mixed with test labels to this rank IC."""
    rows = keyed(data)
    x = pd.DataFrame({k: drawn(rows.index, seed, k) for k in range(3)})
    dates = rows.index.get_level_values(0)
    known = dates.isin(fold.train_dates) & rows["target"].notna().to_numpy()
    weights = np.linalg.lstsq(x[known].to_numpy(), rows["target"][known].to_numpy(), rcond=None)[0]
    test = dates.isin(fold.test_dates)
    learned = relative(pd.Series(x[test].to_numpy() @ weights, index=rows.index[test]))
    own, rest = mixing(rank_ic)
    return own * relative(rows["target"][test]) + rest * learned


def permutation(rank_ic: float, seed: int) -> Finding:
    """``label_permutation`` on :func:`half_learned` forecasts."""
    data = MARKET.rows(seed)
    keys = pd.MultiIndex.from_frame(data[["date", "symbol"]])
    labelled = data.assign(target=forward_return(data).reindex(keys).to_numpy())
    return label_permutation(
        partial(half_learned, rank_ic, seed), labelled, MARKET.fold, "target",
        permutations=PERMUTATIONS, seed=seed,
    )  # fmt: skip


class Peeking(nn.Module):
    """Noise plus the last value of the next sample of the batch.

    In a batch of one stock in time order that value is the return to forecast.

    Attributes:
        rank_ic: Rank IC of the forecasts in such a batch.
        always: Whether it looks ahead in eval mode too, or in training mode only.
    """

    def __init__(self, rank_ic: float, always: bool) -> None:
        super().__init__()
        self.own, self.noise = mixing(rank_ic)
        self.always = always

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, 1) -> (B,)."""
        honest = x[:, :, 0].sum(1) / STEPS**0.5
        if not self.own or not (self.always or self.training):
            return honest
        return self.own * x[:, -1, 0].roll(-1, 0) + self.noise * honest


def windows_of_noise(seed: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """(B, T, 1) windows of unpredictable returns, dates, symbols, next returns."""
    generator = torch.Generator().manual_seed(seed)
    returns = torch.randn(SYMBOLS, DAYS + STEPS, generator=generator, dtype=torch.float64)
    windows = returns[:, :-1].unfold(1, STEPS, 1).flatten(0, 1).unsqueeze(-1)
    dates, symbols = torch.arange(DAYS).repeat(SYMBOLS), torch.arange(SYMBOLS)
    return windows, dates, symbols.repeat_interleave(DAYS), returns[:, STEPS:].flatten()


def of_network(test: str, rank_ic: float, seed: int) -> Finding:
    """``mode_gap`` on a network that looks ahead in training mode, else on one that always does."""
    windows, dates, symbols, target = windows_of_noise(seed)
    module = Peeking(rank_ic, always=test == "composition_contrast")
    module.train(test == "mode_gap")
    report = audit_module(module, windows, dates, target=target, symbols=symbols, seed=seed)
    return next(f for f in report.findings if f.test == test and f.counts)


def screened(rank_ic: float, seed: int) -> Finding:
    """``feature_screen`` on ten features of noise, one with this rank IC for the target."""
    target = forward_return(MARKET.rows(seed)).dropna()
    own, noise = mixing(rank_ic)
    x = pd.DataFrame({k: drawn(target.index, seed, k) for k in range(10)})
    x[0] = own * relative(target) + noise * x[0]
    return feature_screen(x, target, 1, seed=seed).finding


TEST_DATES = len(MARKET.fold.test_dates)
RANK_IC_DIALS = by_key(
    Dial("T14 rank IC", "noise_placebo", "true rank IC of a leak on returns without any signal",
         RANK_ICS, placebo, placebo_power,
         at=f"{TEST_DATES} test dates, 16 symbols, {PANELS} panels, level {LEVEL:g}"),
    Dial("T15 rank IC", "label_permutation", "true rank IC of test labels in the forecast",
         RANK_ICS, permutation,
         at=f"{TEST_DATES} test dates, 16 symbols, {PERMUTATIONS} permutations, level {LEVEL:g}"),
    Dial("T16 rank IC", "mode_gap", "true rank IC that training mode adds", PAIRED,
         partial(of_network, "mode_gap"), at=f"{DAYS} dates, {SYMBOLS} symbols, level {LEVEL:g}"),
    Dial("T17 rank IC", "composition_contrast", "true rank IC that mixed dates add", PAIRED,
         partial(of_network, "composition_contrast"),
         at=f"{DAYS} dates, {SYMBOLS} symbols, level {LEVEL:g}"),
    Dial("T18 rank IC", "feature_screen", "true rank IC of one of ten features",
         (0.6, 0.5, 0.45, 0.4, 0.35, 0.32, 0.3, 0.2, 0.1, 0.0), screened, honest=None,
         at=f"{MARKET.days} dates, 16 symbols, ceiling {CEILING:g}, level {LEVEL:g}"),
)  # fmt: skip
"""Noise placebo, label permutation, training-mode gap, composition contrast, feature screen."""
