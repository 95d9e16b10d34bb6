"""The measured horizon of labels against the declared one."""

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from foldproof.tasks.data.features.grid import grid_of
from foldproof.tasks.data.features.target import (
    KINDS,
    Labels,
    forward_return,
    volatility,
)
from foldproof.tasks.data.features.target import label_ends as stated_ends
from foldproof.tasks.diagnose import Verdict
from foldproof.tasks.diagnose.data.label_end import declared_against_measured, label_ends


def forward(days, start=1):
    """Return from close d + start to close d + start + days, by the symbol's own rows."""

    def target(f):
        close = f.groupby("symbol")["close"]
        return close.shift(-start - days) / close.shift(-start) - 1

    return target


def of_panel(kind, horizon):
    """Foldproof's own target on long rows."""

    def target(f):
        grid = grid_of(f)
        close = grid.dense(f["close"])
        labels = Labels(forward_return(close, horizon), close, horizon)
        return pd.Series(grid.long(KINDS[kind].compute(labels)), index=f.index)

    return target


def month_end(f):
    """Return to the last close of the month."""
    last = f.groupby(["symbol", f["date"].dt.to_period("M")])["close"].transform("last")
    return last / f["close"] - 1


@pytest.mark.parametrize("days", [1, 3, 10])
def test_a_constant_horizon_is_found_exactly(frame, days):
    whole = frame[frame["symbol"].isin(list("ABC"))]
    measured = label_ends(forward(days), whole)
    assert set(measured.table["ahead"]) == {days + 1}
    assert measured.table["exact"].all()
    assert measured.table["date"].nunique() == 8
    assert int(measured.tested.split()[-2]) <= 2 * 8 + 8


@pytest.mark.parametrize(("guess", "cuts"), [(4, 2 * 3), (1, None), (2, None), (90, None)])
def test_a_right_guess_costs_two_cuts_a_date_and_a_wrong_one_changes_no_result(frame, guess, cuts):
    measured = label_ends(forward(3), frame, dates=3, guess=guess)
    assert set(measured.table["ahead"]) == {4}
    assert measured.table["exact"].all()
    used = int(measured.tested.split()[-2])
    assert used == cuts if cuts else used > 2 * 3


@pytest.mark.parametrize("kind", KINDS)
def test_the_built_in_targets_end_as_declared(frame, kind):
    dates = np.unique(frame["date"].to_numpy())
    ends = pd.Series(stated_ends(dates, 5), index=dates)
    declared = frame["date"].map(ends)
    measured = label_ends(of_panel(kind, 5), frame)
    finding = declared_against_measured(declared, measured)
    assert (finding.verdict, finding.value, finding.stage) == (Verdict.CLEAN, 0.0, "target")
    assert measured.table["ahead"].max() == 6
    assert declared_against_measured(6, measured).verdict is Verdict.CLEAN
    short = declared_against_measured(5, measured)
    assert (short.verdict, short.value, short.ahead) == (Verdict.LEAK, 1.0, 1)
    assert "6 to 6 trading days" in short.detail


def test_a_volatility_of_rows_after_the_label_is_a_leak(frame):
    """The label is declared known after 6 days; its scale is that of 8 days later."""

    def target(f):
        close = grid_of(f).dense(f["close"])
        later = np.full(close.shape, np.nan)
        later[:-8] = volatility(close)[8:]
        return pd.Series(grid_of(f).long(forward_return(close, 5) / later), index=f.index)

    found = declared_against_measured(6, label_ends(target, frame, dates=3))
    assert (found.verdict, found.value) == (Verdict.LEAK, 2.0)


def test_label_ends_agree_with_every_single_cut(frame):
    data = frame[frame["symbol"].isin(list("AE"))].reset_index(drop=True)
    measured = label_ends(month_end, data, dates=12).table
    before, dates = month_end(data), np.unique(data["date"])
    ends = data["date"].copy()
    for cut, following in pairwise(dates):
        now = month_end(data[data["date"] <= cut]).reindex(data.index)
        moves = (data["date"] <= cut) & ~np.isclose(now, before, rtol=0, atol=1e-12)
        ends[moves] = following
    assert measured["label_end"].tolist() == ends[measured.index].tolist()
    assert measured["exact"].all()
    assert measured["ahead"].nunique() > 3


def test_a_paused_stock_has_a_later_label_than_its_horizon(frame):
    """The next row of a paused stock is more than a trading day away."""
    dates = np.unique(frame["date"])
    paused = (frame["symbol"] == "A") & frame["date"].isin(dates[30:37])
    data = frame[~paused]
    measured = label_ends(forward(1), data, dates=99, runs=300)
    late = declared_against_measured(2, measured)
    assert (late.verdict, late.value) == (Verdict.LEAK, 7.0)
    assert (late.witness.symbol, late.witness.date) == ("A", str(dates[28])[:10])
    by_date = declared_against_measured(2, label_ends(of_panel("return", 1), data, dates=20))
    assert by_date.verdict is Verdict.CLEAN


def test_a_target_scaled_by_the_whole_sample_is_known_at_its_end(frame):
    def scaled(f):
        values = forward(2)(f)
        return values / values.std()

    measured = label_ends(scaled, frame)
    assert set(measured.table["label_end"]) == {frame["date"].max()}
    finding = declared_against_measured(3, measured)
    assert (finding.verdict, finding.value) == (Verdict.LEAK, measured.table["ahead"].max() - 3)


def test_class_labels_are_measured_too(frame):
    def up(f):
        return (forward(4)(f) > 0).astype(int)

    measured = label_ends(up, frame)
    assert measured.table["ahead"].max() == 5
    assert declared_against_measured(4, measured).verdict is Verdict.LEAK
    assert declared_against_measured(5, measured).verdict is Verdict.CLEAN


def test_few_runs_give_a_lower_bound_and_no_clean_verdict(frame):
    measured = label_ends(forward(10), frame, runs=2)
    assert not measured.table["exact"].all()
    assert declared_against_measured(30, measured).verdict is Verdict.UNKNOWN
    assert declared_against_measured(0, measured).verdict is Verdict.LEAK


def test_a_failing_target_or_no_label_is_unknown(frame):
    def refuses(f):
        if f["date"].max() < frame["date"].max() or not f["close"].equals(frame["close"]):
            raise RuntimeError("other data")
        return forward(1)(f)

    finding = declared_against_measured(9, label_ends(refuses, frame))
    assert finding.verdict is Verdict.UNKNOWN
    assert "other data" in finding.evidence
    nothing = label_ends(lambda f: f["close"] * np.nan, frame)
    assert nothing.table.empty
    assert declared_against_measured(9, nothing).verdict is Verdict.UNKNOWN


def test_a_label_that_is_never_known_is_declared_late_enough(frame):
    measured = label_ends(forward(3), frame)
    never = pd.Series(pd.NaT, index=frame.index, dtype="datetime64[ns]")
    assert declared_against_measured(never, measured).verdict is Verdict.CLEAN


def test_unusable_inputs_are_rejected(frame):
    measured = label_ends(forward(1), frame, dates=2)
    declared = frame["date"].drop(measured.table.index[0])
    with pytest.raises(ValueError, match="1 are missing, the first is row"):
        declared_against_measured(declared, measured)
    with pytest.raises(ValueError, match="the declared horizon is -1"):
        declared_against_measured(-1, measured)
    with pytest.raises(ValueError, match="symbol is missing"):
        label_ends(forward(1), frame.drop(columns="symbol"))
    with pytest.raises(ValueError, match="at least 2 dates; it has 1"):
        label_ends(forward(1), frame[frame["date"] == frame["date"].min()])
    with pytest.raises(ValueError, match="a target is one column; the transform returned close, x"):
        label_ends(lambda f: f[["close", "x"]], frame)
    with pytest.raises(ValueError, match="time zone"):
        label_ends(forward(1), frame.assign(date=frame["date"].dt.tz_localize("UTC")))
    with pytest.raises(ValueError, match="at least 1 date and 1 run"):
        label_ends(forward(1), frame, dates=0)
