"""Align forecasts on common cells: the dates x symbols that every variant scored, seed means."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from foldproof.tasks.statistics.rank_ic import LEAST_NAMES

COLUMNS = ("date", "symbol", "variant", "forecast", "target")


class NothingCommon(ValueError):
    """No date can be ranked on the symbols that all variants forecast; counts the cells of each."""


@dataclass(frozen=True, eq=False)
class Aligned:
    """Forecasts of V variants on the dates x symbols that all of them scored; NaN elsewhere.

    Every date has at least three names, and targets that differ.

    Attributes:
        dates: (D,) datetime64, increasing.
        symbols: (S,) names.
        folds: (D,) the fold whose test block holds the date; 0 if the table has no folds.
        variants: V names, in the order of the table.
        target: (D, S).
        forecasts: (V, D, S), mean over seeds.
        coverage: (V,) share of the variant's scored cells that are compared.
    """

    dates: np.ndarray
    symbols: np.ndarray
    folds: np.ndarray
    variants: tuple[str, ...]
    target: np.ndarray
    forecasts: np.ndarray
    coverage: np.ndarray


def align(forecasts: pd.DataFrame) -> Aligned:
    """Align a long table of forecasts on common cells.

    A cell counts for a variant if all its seeds forecast it and its target is known.

    Args:
        forecasts: date, symbol, variant, forecast, target; fold, seed and plan are optional.

    Raises:
        NothingCommon: No cell is common to all.
        ValueError: Columns are missing, forecasts are infinite or duplicated, variants disagree on
            a target, plans differ, or a date is in two folds.
    """
    check_columns(forecasts)
    check_plan(forecasts)
    table = forecasts[forecasts["forecast"].notna()]
    table = table.assign(**{name: 0 for name in ("fold", "seed") if name not in table})
    variant, variants = pd.factorize(table["variant"])
    date, dates = pd.factorize(table["date"], sort=True)
    symbol, symbols = pd.factorize(table["symbol"], sort=True)
    cell = date * len(symbols) + symbol
    shape = (len(dates), len(symbols))
    where = variant * (shape[0] * shape[1]) + cell
    check_duplicates(table, where)
    target = common_target(table, cell, shape)
    mean = mean_over_seeds(table, where, variant, (len(variants), *shape))
    scored = np.isfinite(mean) & np.isfinite(target)
    common = rankable(scored.all(axis=0), target)
    if not common.any():
        cells = dict(zip(variants, scored.sum(axis=(1, 2)), strict=True))
        counts = ", ".join(f"{name} {count}" for name, count in cells.items())
        raise NothingCommon(
            f"no date has {LEAST_NAMES} symbols with different targets that all variants forecast: "
            f"{counts}. Leave out the variant with too few forecasts"
        )
    rows, columns = common.any(axis=1), common.any(axis=0)
    keep = np.ix_(rows, columns)
    return Aligned(
        dates=np.asarray(dates)[rows],
        symbols=np.asarray(symbols)[columns],
        folds=fold_of_dates(table, date, dates)[rows],
        variants=tuple(map(str, variants)),
        target=np.where(common, target, np.nan)[keep],
        forecasts=np.where(common, mean, np.nan)[:, rows][:, :, columns],
        coverage=common.sum() / np.maximum(scored.sum(axis=(1, 2)), 1),
    )


def check_columns(forecasts: pd.DataFrame) -> None:
    """Raise ValueError unless the table has rows, its columns, and no infinite forecast."""
    missing = [name for name in COLUMNS if name not in forecasts]
    if missing or forecasts.empty:
        raise ValueError(
            f"forecasts need rows and the columns {', '.join(COLUMNS)}; "
            f"missing: {', '.join(missing) or 'rows'}"
        )
    infinite = np.isinf(forecasts["forecast"].to_numpy())
    if infinite.any():
        row = forecasts.iloc[int(np.argmax(infinite))]
        raise ValueError(
            f"{int(infinite.sum())} forecasts are infinite, the first of variant {row['variant']} "
            f"on {row['date']} for {row['symbol']}"
        )


def check_plan(forecasts: pd.DataFrame) -> None:
    """Raise ValueError if a ``plan`` column names several plans of folds."""
    plans = forecasts["plan"].unique().tolist() if "plan" in forecasts else []
    if len(plans) > 1:
        raise ValueError(
            f"forecasts of {len(plans)} plans of folds cannot be compared ({', '.join(plans)}): "
            "run all variants on the same plan"
        )


def check_duplicates(table: pd.DataFrame, where: np.ndarray) -> None:
    """Raise ValueError if a variant forecasts a date and symbol twice with the same seed."""
    pairs = pd.DataFrame({"where": where, "seed": table["seed"].to_numpy()})
    duplicated = pairs.duplicated().to_numpy()
    if duplicated.any():
        row = table.iloc[int(np.argmax(duplicated))]
        raise ValueError(
            f"{int(duplicated.sum())} duplicate forecasts, the first of variant "
            f"{row['variant']} on {row['date']} for {row['symbol']}: test blocks must not overlap "
            "(set step to at least the test block), and a seed must not repeat"
        )


def common_target(table: pd.DataFrame, cell: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """(D, S) targets; ValueError if two rows of a cell disagree."""
    given = table["target"].to_numpy(np.float64)
    target = np.full(shape[0] * shape[1], np.nan)
    target[cell] = given
    same = (target[cell] == given) | (np.isnan(target[cell]) & np.isnan(given))
    if not same.all():
        row = table.iloc[int(np.argmin(same))]
        raise ValueError(
            f"variants disagree on {int((~same).sum())} targets, the first on {row['date']} for "
            f"{row['symbol']} (variant {row['variant']}): the forecasts come from different panels"
        )
    return target.reshape(shape)


def mean_over_seeds(
    table: pd.DataFrame, where: np.ndarray, variant: np.ndarray, shape: tuple[int, int, int]
) -> np.ndarray:
    """(V, D, S) mean forecast over seeds; NaN where a seed has no forecast."""
    size = shape[0] * shape[1] * shape[2]
    total = np.bincount(where, table["forecast"].to_numpy(np.float64), minlength=size)
    count = np.bincount(where, minlength=size).reshape(shape)
    seeds = table["seed"].groupby(variant).nunique().to_numpy()
    complete = count == seeds[:, None, None]
    return np.where(complete, total.reshape(shape) / np.maximum(count, 1), np.nan)


def rankable(common: np.ndarray, target: np.ndarray) -> np.ndarray:
    """(D, S) bool: the common cells on dates with enough symbols and different targets."""
    low = np.where(common, target, np.inf).min(axis=1)
    high = np.where(common, target, -np.inf).max(axis=1)
    return common & ((common.sum(axis=1) >= LEAST_NAMES) & (high > low))[:, None]


def fold_of_dates(table: pd.DataFrame, date: np.ndarray, dates: pd.Index) -> np.ndarray:
    """(D,) the fold of each date; ValueError if a date is in two."""
    pairs = pd.DataFrame({"date": date, "fold": table["fold"].to_numpy()}).drop_duplicates()
    twice = pairs["date"].duplicated()
    if twice.any():
        first = pairs.loc[twice, "date"].iloc[0]
        folds = sorted(pairs.loc[pairs["date"] == first, "fold"].tolist())
        raise ValueError(
            f"{dates[first]} is in the test blocks of folds {folds}: test blocks must not overlap; "
            "set step to at least the test block"
        )
    return pairs.set_index("date")["fold"].sort_index().to_numpy()
