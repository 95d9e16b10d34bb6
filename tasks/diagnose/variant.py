"""A variant of the comparison as a forecaster that marks its stages, from raw rows to scores."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import torch

from foldproof.models.spec import NetworkSpec, TrainingSpec
from foldproof.models.windows import Windows, eligible
from foldproof.tasks.data import DataSpec, Panel, TargetSpec, features_of, load_raw
from foldproof.tasks.data.features.grid import grid_of, members
from foldproof.tasks.data.panel.layout import labelled, panel_arrays
from foldproof.tasks.data.rows import Rows
from foldproof.tasks.diagnose.data.plan import LABELS
from foldproof.tasks.diagnose.findings.catalogue import DIAGNOSTICS
from foldproof.tasks.diagnose.findings.finding import Finding, Verdict
from foldproof.tasks.diagnose.lookahead.features import STAGE, audit_features
from foldproof.tasks.diagnose.network.coupling import some
from foldproof.tasks.diagnose.trace.trace import Trace
from foldproof.tasks.split import Fold
from foldproof.tasks.train import (
    TrainedUnit,
    Unit,
    fit_statistics,
    network_of,
    normalized,
    score,
    train_unit,
)

SHOWN_DATES, SHOWN_SYMBOLS = 4, 6
"""Sizes of the batch by which the network is tested."""


@dataclass(frozen=True)
class OwnRows:
    """What every variant makes of checked raw rows, features and target, before it normalizes.

    Called as a forecaster it forecasts with its first feature: only what it traces is of interest.

    Attributes:
        data: What turns raw rows into features.
        target: What is forecast.
        window: Rows of a sample.
    """

    data: DataSpec
    target: TargetSpec
    window: int

    def __call__(self, rows: pd.DataFrame, fold: Fold, trace: Trace) -> pd.Series:
        """The first feature, indexed (date, symbol), on the fold's test dates."""
        features = self.marked(rows, fold, trace)[1]
        first = features.iloc[:, 0].dropna()
        return first[first.index.get_level_values(0).isin(fold.test_dates)]

    def marked(
        self, rows: pd.DataFrame, fold: Fold, trace: Trace
    ) -> tuple[Panel, pd.DataFrame]:  # fmt: skip
        """The panel of ``rows`` and its long features, these and the target marked."""
        panel = self.panel(rows)
        features = trace("features", long_features(panel, self.window, fold))
        trace("target", by_cell(panel.target, panel.dates, panel.symbols, panel.label_end))
        return panel, features

    def panel(self, rows: pd.DataFrame) -> Panel:
        """The panel of ``rows``, laid out as in a comparison.

        Raises:
            DataError: Nothing is left to learn from.
        """
        origin = Rows(rows.sort_values(["date", "symbol"], ignore_index=True), "the audited rows")
        names, arrays = panel_arrays(origin, self.data, self.target)
        dates, symbols, values, target, label_end, member = arrays.values()
        return Panel(dates, symbols, names, values, target, label_end, member, "audited")

    def labels(self, rows: pd.DataFrame) -> pd.Series:
        """The target of ``rows``, indexed (date, symbol), without anything else being made."""
        frame = rows.sort_values(["date", "symbol"], ignore_index=True)
        grid = grid_of(frame)
        values, ends = labelled(frame, grid, members(frame, grid), self.target)
        return by_cell(values, grid.dates, grid.symbols, ends)["target"]


@dataclass(frozen=True)
class OwnForecaster:
    """One variant, from checked raw rows to scores; call it as any forecaster.

    Attributes:
        variant: Key of the variant.
        data: What turns raw rows into features.
        target: What is forecast.
        network: The network's spec.
        training: The training's spec.
        seed: Of weights and batches.
    """

    variant: str
    data: DataSpec
    target: TargetSpec
    network: NetworkSpec
    training: TrainingSpec
    seed: int

    @property
    def rows(self) -> OwnRows:
        """What it makes of raw rows first, as every variant does."""
        return OwnRows(self.data, self.target, self.network.window)

    def __call__(self, rows: pd.DataFrame, fold: Fold, trace: Trace) -> pd.Series:
        """Scores indexed (date, symbol) on the fold's test dates that ``rows`` hold."""
        panel, _ = self.rows.marked(rows, fold, trace)
        inside = replace(fold, test=range(fold.test.start, min(fold.test.stop, len(panel.dates))))
        unit = Unit(
            self.variant, inside, self.seed, self.network, self.training, panel.fingerprint, ""
        )
        statistics = trace("input normalizer", fit_statistics(unit, panel))
        # what training decides: the forecasts of the test block are made below, as scores
        trained = trace.train(lambda: decided(train_unit(unit, panel), fold))
        current = replace(trained, unit=unit)
        table = score(current, panel, inside.test, statistics)
        show(trace, current, panel, statistics)
        dates = table["date"].astype("datetime64[us]")
        return table.assign(date=dates).set_index(["date", "symbol"])["forecast"]


def decided(trained: TrainedUnit, fold: Fold) -> TrainedUnit:
    """A trained unit without its forecasts, on the fold that was asked for."""
    return replace(trained, forecasts=pd.DataFrame(), unit=replace(trained.unit, fold=fold))


def show(
    trace: Trace, trained: TrainedUnit, panel: Panel, statistics: dict[str, np.ndarray]
) -> None:
    """Show the network with a few dates and symbols of the test block."""
    unit = trained.unit
    values = normalized(unit, panel, statistics).values
    member = torch.from_numpy(np.array(panel.member))
    samples = eligible(values, member, unit.fold.test, unit.network.window)
    target = torch.from_numpy(np.array(panel.target))
    windows = Windows.of(values, target, unit.network.window)
    dates = windows.date(samples)
    chosen = [
        some(samples[dates == date], SHOWN_SYMBOLS) for date in some(dates.unique(), SHOWN_DATES)
    ]
    if chosen:
        batch = torch.cat(chosen)
        network = network_of(trained, len(panel.features))
        x, y = windows.gather(batch), windows.target[batch]
        days = panel.dates[windows.date(batch).numpy()].astype(np.int64)
        trace.network(network, x, torch.from_numpy(days), y, windows.symbol(batch))


def long_features(panel: Panel, window: int, fold: Fold) -> pd.DataFrame:
    """Features of the members, indexed (date, symbol), over the rows that the fold reads."""
    block = slice(max(0, fold.train.start - window + 1), min(fold.test.stop, len(panel.dates)))
    place = np.nonzero(panel.member[block])
    index = index_of(panel.dates[block], panel.symbols, place)
    return pd.DataFrame(panel.values[block][place], index=index, columns=list(panel.features))


def by_cell(
    values: np.ndarray, dates: np.ndarray, symbols: np.ndarray, ends: np.ndarray
) -> pd.DataFrame:
    """Known cells of (D, S) targets and when they become known, indexed (date, symbol)."""
    place = np.nonzero(np.isfinite(values))
    index = index_of(dates, symbols, place)
    known = ends[place[0]].astype("datetime64[us]")
    return pd.DataFrame({"target": values[place], "label_end": known}, index=index)


def index_of(
    dates: np.ndarray, symbols: np.ndarray, cells: tuple[np.ndarray, ...]
) -> pd.MultiIndex:
    """(date, symbol) of cells (row, column) of a panel: by place, which costs no search."""
    levels = [pd.DatetimeIndex(dates.astype("datetime64[us]")), pd.Index(symbols)]
    codes: list[Any] = [*cells]  # arrays will do, and are not copied one by one as lists are
    return pd.MultiIndex(levels, codes, names=["date", "symbol"], verify_integrity=False)


def rows_for_fold(
    rows: pd.DataFrame,
    fold: Fold,
    warm_up: int = 504,
    tested: int = 63,
    after: int = 12,
    trained: int | None = None,
) -> tuple[pd.DataFrame, Fold]:
    """The rows that an audit of a fold needs, and the fold on their own calendar.

    A leak shows at the dates before a cut wherever the cut is, so a quarter of a year of the test
    block does for all cuts, at a fraction of the cost.

    Args:
        rows: Long rows on the fold's calendar.
        fold: Its ranges count rows of its calendar.
        warm_up: Rows before training that features and statistics look back on.
        tested: Rows of the test block that are forecast, from its first on.
        after: Rows after them that are kept, to be changed.
        trained: Rows that are trained on, see :func:`newest`; all by default.
    """
    blocks = (fold.train, fold.validation) if trained is None else newest(fold, trained)
    first = max(0, blocks[0].start - warm_up)
    test = range(fold.test.start, min(fold.test.stop, fold.test.start + tested))
    last = min(len(fold.calendar), test.stop + after)
    calendar = fold.calendar[first:last]
    kept = rows[(rows["date"] >= calendar[0]) & (rows["date"] <= calendar[-1])]
    train, validation, held = (
        range(block.start - first, block.stop - first) for block in (*blocks, test)
    )
    return kept.reset_index(drop=True), Fold(fold.number, train, validation, held, calendar)


def newest(fold: Fold, trained: int) -> tuple[range, range]:
    """The newest ``trained`` rows to train on and half as many to validate on, at most.

    Blocks are as far apart as those of the fold, so that what its purge lets through shows here.
    """
    begin, stop = fold.validation.start, fold.validation.stop
    validation = range(max(begin, stop - (trained + 1) // 2), stop)
    end = fold.train.stop + validation.start - begin
    return range(max(fold.train.start, end - trained), end), validation


def diagnose_features(
    spec: DataSpec, cuts: int = 20, seed: int = 0, rows: pd.DataFrame | None = None
) -> list[Finding]:
    """Whether a feature of a past date moves when later raw rows change.

    How ready-made features were made cannot be tested from the data: that is UNKNOWN. It informs
    only, so that the verdicts on what is tested remain readable.

    Args:
        spec: What turns raw rows into features.
        cuts: Dates after which rows change.
        seed: Of the cuts and of the noise.
        rows: Checked raw rows, of which all features are made anew at every cut; by default those
            of the whole panel.
    """
    transform = features_of(spec)
    if transform is None:
        return [unknown_features()]
    raw = load_raw(spec) if rows is None else rows
    known_at = dict([LABELS]) if set(LABELS) <= set(raw) else {}
    report = audit_features(transform, raw, cuts=cuts, seed=seed, each=1, known_at=known_at)
    return list(report.findings)


def unknown_features() -> Finding:
    """The answer on features whose making is not part of the pipeline."""
    return Finding(
        test="serve_invariance",
        stage=STAGE,
        verdict=Verdict.UNKNOWN,
        evidence="the features are ready-made",
        statistic=DIAGNOSTICS["serve_invariance"].statistic,
        value=float("nan"),
        threshold=DIAGNOSTICS["serve_invariance"].threshold,
        tested="nothing",
        detail="they come ready-made, and how they were made cannot be tested from the data; audit "
        "their code with tasks.diagnose.audit_features",
        counts=False,
    )
