"""A variant of the comparison as a traced forecaster, from raw rows to scores."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import torch

from foldproof.models.spec import NetworkSpec, TrainingSpec
from foldproof.tasks.data import DataSpec, Panel, TargetSpec, features_of, load_raw
from foldproof.tasks.data.features.grid import grid_of, members
from foldproof.tasks.data.panel.layout import ends_of, labelled, panel_arrays
from foldproof.tasks.data.rows import Rows
from foldproof.tasks.diagnose.data.plan import LABELS
from foldproof.tasks.diagnose.findings.finding import Finding
from foldproof.tasks.diagnose.findings.verdicts import unknown_finding
from foldproof.tasks.diagnose.lookahead.features import STAGE, audit_features
from foldproof.tasks.diagnose.lookahead.trained_unit import sampled
from foldproof.tasks.diagnose.trace.trace import Trace
from foldproof.tasks.split import Fold
from foldproof.tasks.train import TrainedUnit, Unit, fit_statistics, network_of, score, train_unit

BATCH_DATES, BATCH_SYMBOLS = 4, 6
"""Size of the batch that tests the network."""


@dataclass(frozen=True)
class OwnRows:
    """Features and target of checked raw rows, before normalization: the same for every variant.

    As a forecaster it returns its first feature; only the stages it traces matter.

    Attributes:
        data: How raw rows become features.
        target: What is forecast.
        window: Rows of a sample.
    """

    data: DataSpec
    target: TargetSpec
    window: int

    def __call__(self, rows: pd.DataFrame, fold: Fold, trace: Trace) -> pd.Series:
        """The first feature, indexed (date, symbol), on the fold's test dates."""
        features = self.traced(rows, fold, trace)[1]
        first = features.iloc[:, 0].dropna()
        return first[first.index.get_level_values(0).isin(fold.test_dates)]

    def traced(self, rows: pd.DataFrame, fold: Fold, trace: Trace) -> tuple[Panel, pd.DataFrame]:
        """The panel of ``rows`` and its long features; features and target are traced."""
        panel = self.panel(rows)
        features = trace("features", long_features(panel, self.window, fold))
        trace("target", by_cell(panel.target, panel.dates, panel.symbols, panel.label_end))
        return panel, features

    def panel(self, rows: pd.DataFrame) -> Panel:
        """The panel of ``rows``, built as in a comparison.

        Raises:
            DataError: No row is left to train on.
        """
        origin = Rows(rows.sort_values(["date", "symbol"], ignore_index=True), "the audited rows")
        names, arrays = panel_arrays(origin, self.data, self.target)
        dates, symbols, values, target, label_end, member = arrays.values()
        return Panel(dates, symbols, names, values, target, label_end, member, "audited")

    def labels(self, rows: pd.DataFrame) -> pd.Series:
        """The target of ``rows``, indexed (date, symbol), without building the features."""
        frame = rows.sort_values(["date", "symbol"], ignore_index=True)
        grid = grid_of(frame)
        values = labelled(frame, grid, members(frame, grid), self.target, self.data.fill_limit)
        ends = ends_of(frame, grid, self.target)
        return by_cell(values, grid.dates, grid.symbols, ends)["target"]


@dataclass(frozen=True)
class OwnForecaster:
    """One variant, from checked raw rows to scores, as a forecaster to audit.

    Attributes:
        variant: Key of the variant.
        data: How raw rows become features.
        target: What is forecast.
        network: Spec of the network.
        training: Spec of the training.
        seed: Seed of weights and batches.
    """

    variant: str
    data: DataSpec
    target: TargetSpec
    network: NetworkSpec
    training: TrainingSpec
    seed: int

    @property
    def rows(self) -> OwnRows:
        """The step from raw rows to features and target, which all variants share."""
        return OwnRows(self.data, self.target, self.network.window)

    def __call__(self, rows: pd.DataFrame, fold: Fold, trace: Trace) -> pd.Series:
        """Scores indexed (date, symbol) on the test dates of the fold that are in ``rows``."""
        panel, _ = self.rows.traced(rows, fold, trace)
        inside = replace(fold, test=range(fold.test.start, min(fold.test.stop, len(panel.dates))))
        unit = Unit(
            self.variant, inside, self.seed, self.network, self.training, panel.fingerprint, ""
        )
        statistics = trace("input normalizer", fit_statistics(unit, panel))
        original = replace(unit, fold=fold)  # a trained model holds no forecasts and no test range
        trained = trace.train(
            lambda: replace(train_unit(unit, panel), forecasts=pd.DataFrame(), unit=original)
        )
        current = replace(trained, unit=unit)
        table = score(current, panel, inside.test, statistics)
        trace_network(trace, current, panel, statistics)
        dates = table["date"].astype("datetime64[us]")
        return table.assign(date=dates).set_index(["date", "symbol"])["forecast"]


def trace_network(
    trace: Trace, trained: TrainedUnit, panel: Panel, statistics: dict[str, np.ndarray]
) -> None:
    """Trace the network with samples of a few dates and symbols of the test block."""
    batch, windows = sampled(trained.unit, panel, statistics, BATCH_DATES, BATCH_SYMBOLS)
    if len(batch):
        network = network_of(trained, len(panel.features))
        inputs, target = windows.gather(batch), windows.target[batch]
        days = panel.dates[windows.date(batch).numpy()].astype(np.int64)
        names = panel.symbols[windows.symbol(batch).numpy()]
        trace.network(network, inputs, torch.from_numpy(days), target, names)


def long_features(panel: Panel, window: int, fold: Fold) -> pd.DataFrame:
    """Features of universe members, indexed (date, symbol), on the rows that the fold reads."""
    block = slice(max(0, fold.train.start - window + 1), min(fold.test.stop, len(panel.dates)))
    place = np.nonzero(panel.member[block])
    index = index_of(panel.dates[block], panel.symbols, place)
    return pd.DataFrame(panel.values[block][place], index=index, columns=list(panel.features))


def by_cell(
    values: np.ndarray, dates: np.ndarray, symbols: np.ndarray, ends: np.ndarray
) -> pd.DataFrame:
    """Targets (D, S) that are not missing and when they become known, indexed (date, symbol)."""
    place = np.nonzero(np.isfinite(values))
    index = index_of(dates, symbols, place)
    known = ends[place[0]].astype("datetime64[us]")
    return pd.DataFrame({"target": values[place], "label_end": known}, index=index)


def index_of(
    dates: np.ndarray, symbols: np.ndarray, cells: tuple[np.ndarray, ...]
) -> pd.MultiIndex:
    """(date, symbol) of cells (row, column) of a panel, built from positions without a search."""
    levels = [pd.DatetimeIndex(dates.astype("datetime64[us]")), pd.Index(symbols)]
    codes: list[Any] = [*cells]  # arrays work too and, unlike lists, are not copied entry by entry
    return pd.MultiIndex(levels, codes, names=["date", "symbol"], verify_integrity=False)


def rows_for_fold(
    rows: pd.DataFrame,
    fold: Fold,
    warm_up: int = 504,
    tested: int = 63,
    after: int = 12,
    trained: int | None = None,
) -> tuple[pd.DataFrame, Fold]:
    """The rows that an audit of a fold needs, and the fold on their calendar.

    A leak shows just before a cut, wherever the cut is. So a quarter of a year of the test block is
    enough for all cuts, at a fraction of the cost.

    Args:
        rows: Long rows on the calendar of the fold.
        fold: Its ranges count rows of its calendar.
        warm_up: Rows before training, for features and statistics that look back.
        tested: Rows of the test block to forecast, from its first one.
        after: Later rows to keep, which the audit changes.
        trained: Rows to train on, see :func:`newest`; all by default.
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
    """Up to ``trained`` newest rows to train on and half as many to validate on.

    The gap between them is that of the fold, so that a missing purge shows here too.
    """
    begin, stop = fold.validation.start, fold.validation.stop
    validation = range(max(begin, stop - (trained + 1) // 2), stop)
    end = fold.train.stop + validation.start - begin
    return range(max(fold.train.start, end - trained), end), validation


def diagnose_features(
    spec: DataSpec, cuts: int = 20, rows: pd.DataFrame | None = None
) -> list[Finding]:
    """Whether features of past dates move when later raw rows change.

    Ready-made features are UNKNOWN, since their computation cannot be tested from the data. That
    finding only informs, so that it does not hide the verdict on everything else.

    Args:
        spec: How raw rows become features.
        cuts: Number of dates after which rows change.
        rows: Checked raw rows, whose features are computed again at every cut; by default those of
            the whole panel.
    """
    transform = features_of(spec)
    if transform is None:
        reason = (
            "the features are ready-made: their computation cannot be tested from the data; audit "
            "their code with foldproof.tasks.diagnose.audit_features"
        )
        return [unknown_finding("serve_invariance", STAGE, reason, "nothing", counts=False)]
    raw = load_raw(spec) if rows is None else rows
    known_at = dict([LABELS]) if set(LABELS) <= set(raw) else {}
    report = audit_features(transform, raw, cuts=cuts, each=1, known_at=known_at)
    return list(report.findings)
