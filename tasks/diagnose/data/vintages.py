"""What a newer download says differently about the past: restated, rescaled, added, gone."""

import numpy as np
import pandas as pd

from foldproof.tasks.diagnose.findings.finding import Finding, Verdict, Witness
from foldproof.tasks.diagnose.lookahead.point_in_time import answer
from foldproof.tasks.diagnose.perturb.compare import day, numbers
from foldproof.tasks.diagnose.perturb.keys import require_unique, samples_of
from foldproof.tasks.diagnose.perturb.rows import KEYS

FACTOR_ROUNDING = 1e-6
"""Values adjusted by one factor agree with it up to the digits that vendors round to."""


def vintages(
    data_old: pd.DataFrame, data_new: pd.DataFrame, tolerance: float = 1e-9
) -> list[Finding]:
    """Compare two downloads on the dates that both cover.

    The newer one is what a backtest reads; the older one is what was known. Columns whose values
    differ by one factor a symbol only (prices adjusted for a later split or dividend) are told
    apart: their returns are the same, features of their level are not.

    Args:
        data_old: Long rows with ``date``, ``symbol`` and columns, each date and symbol once.
        data_new: The same, taken later. Columns of both are compared.
        tolerance: Differences up to this share of the larger value are rounding.

    Returns:
        One finding on restated cells, one on rows added to or gone from the dates that both cover
        and, where there are any, one on rescaled columns, which informs only.

    Raises:
        ValueError: A key is missing or stands twice, or no date or column is common.
    """
    old, new = indexed(data_old, "data_old"), indexed(data_new, "data_new")
    columns = [name for name in old if name in new]
    if not columns:
        raise ValueError("data_old and data_new have no column in common besides date and symbol")
    old, new = common_dates(old, new)
    both = old.index.intersection(new.index)
    left, right = old.loc[both], new.loc[both]
    differs = {str(name): differing(left[name], right[name], tolerance) for name in columns}
    scaled = [name for name in differs if one_factor(left[name], right[name], differs[name])]
    first, last = old.index[0][0], old.index[-1][0]
    tested = f"{len(both)} rows from {day(first)} to {day(last)}, {len(columns)} columns"
    kept = {name: cells for name, cells in differs.items() if name not in scaled}
    found = [
        restated(kept, left, right, tested, "cells that were restated [cells]"),
        other_rows(old.index, new.index, tested),
    ]
    if scaled:
        moved = {name: differs[name] for name in scaled}
        found.append(
            restated(moved, left, right, tested, "cells that were rescaled [cells]", False)
        )
    return found


def indexed(data: pd.DataFrame, name: str) -> pd.DataFrame:
    """``data`` by date and symbol, sorted."""
    keys = samples_of(data, name)
    require_unique(keys, name)
    columns = [column for column in data if column not in KEYS]
    return data[columns].set_axis(keys, axis=0).sort_index()


def common_dates(old: pd.DataFrame, new: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Both tables from the later of their first dates to the earlier of their last.

    Raises:
        ValueError: There is no such date.
    """
    dates = [frame.index.get_level_values("date") for frame in (old, new)]
    if not len(old) or not len(new):
        raise ValueError(f"a vintage is empty: data_old has {len(old)} rows, data_new {len(new)}")
    first, last = max(one[0] for one in dates), min(one[-1] for one in dates)
    inside = [np.asarray((one >= first) & (one <= last)) for one in dates]
    if not inside[0].any() or not inside[1].any():
        raise ValueError(
            f"the vintages cover no date in common: data_old {day(dates[0][0])} to "
            f"{day(dates[0][-1])}, data_new {day(dates[1][0])} to {day(dates[1][-1])}"
        )
    return old[inside[0]], new[inside[1]]


def differing(old: pd.Series, new: pd.Series, tolerance: float) -> np.ndarray:
    """(k,) bool: cells that differ by more than rounding, or are missing in one of both."""
    left, right = numbers(old), numbers(new)
    same = (left == right) | (np.isnan(left) & np.isnan(right))
    with np.errstate(invalid="ignore"):
        close = np.abs(left - right) <= tolerance * np.maximum(np.abs(left), np.abs(right))
    return ~(same | close)


def one_factor(old: pd.Series, new: pd.Series, differs: np.ndarray) -> bool:
    """Whether every symbol's values differ by one factor, seen in two values or more."""
    if not differs.any() or not pd.api.types.is_float_dtype(new):
        return False
    left, right = numbers(old), numbers(new)
    there = np.isfinite(left) & np.isfinite(right) & (left != 0) & (right != 0)
    if (differs & ~there).any():
        return False
    symbol = old.index.get_level_values("symbol")[there]
    ratios = pd.Series(right[there] / left[there]).groupby(np.asarray(symbol))
    spread = (ratios.max() - ratios.min()) / ratios.mean().abs()
    return bool((spread <= FACTOR_ROUNDING).all() and (ratios.size() > 1).all())


def restated(
    differs: dict[str, np.ndarray],
    old: pd.DataFrame,
    new: pd.DataFrame,
    tested: str,
    statistic: str,
    counts: bool = True,
) -> Finding:
    """The finding on cells that both vintages have and that differ."""
    by_column = {name: int(cells.sum()) for name, cells in differs.items() if cells.any()}
    value = sum(by_column.values())
    witness = None
    if value:
        worst = max(by_column, key=lambda name: by_column[name])
        row = int(differs[worst].argmax())
        date, symbol = old.index[row]
        before, after = (float(numbers(one[worst].iloc[[row]])[0]) for one in (old, new))
        witness = Witness("", day(date), str(symbol), worst, before, after)
    listed = ", ".join(f"{name} {count}" for name, count in by_column.items())
    note = "" if counts else "; by one factor a symbol: returns are the same, levels are not"
    return answer(
        Verdict.LEAK if value else Verdict.CLEAN, float(value), tested,
        f"the newer vintage differs in {listed}{note}" if value else "no cell differs",
        witness, statistic=statistic, counts=counts,
    )  # fmt: skip


def other_rows(old: pd.Index, new: pd.Index, tested: str) -> Finding:
    """The finding on rows of the common dates that only one vintage has."""
    added, gone = new.difference(old), old.difference(new)
    value = len(added) + len(gone)
    witness = None
    if value:
        date, symbol = (added if len(added) else gone)[0]
        witness = Witness(date=day(date), symbol=str(symbol), column="row")
    return answer(
        Verdict.LEAK if value else Verdict.CLEAN, float(value), tested,
        f"{len(added)} rows were added to past dates and {len(gone)} are gone: the universe of "
        "the newer vintage was not known" if value else "both have the same rows",
        witness, statistic="rows of past dates that were added or are gone [rows]",
    )  # fmt: skip
