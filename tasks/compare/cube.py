"""Forecasts of all variants and seeds as dense arrays, read from long tables one at a time."""

import math
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, reduce
from hashlib import sha256
from typing import Any

import numpy as np
import pandas as pd

COLUMNS = ("date", "symbol", "variant", "forecast", "target")
LARGE = 1 << 30
"""Bytes of forecasts from which they are kept in a file instead of in memory."""

Tables = Callable[[], Iterable[pd.DataFrame]]
"""Returns the parts of one long table of forecasts, as often as it is called."""


class Parts:
    """A long table of forecasts in parts that are read when they are needed.

    A plain class, because Prefect searches the fields of dataclasses for results of tasks.

    Args:
        read: Returns the parts, in a fixed order.
        hashes: Everything that decides them.
    """

    def __init__(self, read: Tables, hashes: Sequence[str]) -> None:
        self.read, self.hashes = read, tuple(hashes)

    def __call__(self) -> Iterable[pd.DataFrame]:
        """The parts."""
        return self.read()

    @cached_property
    def cube(self) -> "Cube":
        """All parts as arrays, made once for everything that analyses them."""
        return built(self.read)


def table_hash(table: pd.DataFrame) -> str:
    """Hash of a table of forecasts: its rows in their order, and the names of its columns."""
    rows = pd.util.hash_pandas_object(table, index=False).to_numpy().tobytes()
    return sha256(rows + repr([*table]).encode()).hexdigest()


def forecasts_hash(forecasts: pd.DataFrame | Parts) -> str:
    """Hash of a table of forecasts, in parts or whole."""
    hashes = forecasts.hashes if isinstance(forecasts, Parts) else [table_hash(forecasts)]
    return sha256(repr([*hashes]).encode()).hexdigest()


@dataclass(frozen=True, eq=False)
class Cube:
    """Forecasts by variant and seed on all dates and symbols; NaN where there is none.

    Attributes:
        dates: (D,) increasing.
        symbols: (S,) sorted.
        folds: (D,) the fold whose test block holds the date; 0 if the tables have no folds.
        target: (D, S).
        cells: (N, D, S) forecasts; in a file if they are large.
        seeds: By variant, its seeds and the places of their forecasts in ``cells``; with several
            paths the keys are pairs of seed and path.
        paths: P, how many paths of a combinatorial plan forecast each date; 1 without paths.
    """

    dates: pd.Index
    symbols: pd.Index
    folds: np.ndarray
    target: np.ndarray
    cells: np.ndarray
    seeds: dict[Any, dict[Any, int]]
    paths: int = 1

    def mean(self, variant: Any) -> np.ndarray:
        """(D, S) mean forecast over seeds and paths; NaN where one of them has no forecast."""
        places = self.seeds[variant].values()
        total = reduce(np.add, (self.cells[place] for place in places), np.zeros(self.target.shape))
        return total / len(places)


def tables_of(forecasts: pd.DataFrame | Tables) -> Iterable[pd.DataFrame]:
    """The parts of a table, as they are; a whole table is its only part."""
    return [forecasts] if isinstance(forecasts, pd.DataFrame) else forecasts()


def parts_of(forecasts: pd.DataFrame | Tables) -> Iterator[pd.DataFrame]:
    """The tables, checked, without rows whose forecast is missing; fold and seed are 0 if absent.

    Raises:
        ValueError: A column is missing, a forecast is infinite, or there are no rows at all.
    """
    found = False
    for part in tables_of(forecasts):
        check_columns(part)
        found |= len(part) > 0
        table = part[part["forecast"].notna()]
        yield table.assign(**{name: 0 for name in ("fold", "seed") if name not in table})
    if not found:
        raise ValueError(f"forecasts need rows and the columns {', '.join(COLUMNS)}; missing: rows")


def cube_of(forecasts: pd.DataFrame | Tables) -> Cube:
    """The cube of long tables; its arrays cannot be written to.

    Raises:
        ValueError: See :func:`~foldproof.tasks.compare.aligned.align`.
    """
    return forecasts.cube if isinstance(forecasts, Parts) else built(forecasts)


def built(forecasts: pd.DataFrame | Tables) -> Cube:
    """The cube of long tables, which are read twice."""
    dates, symbols, pairs, plans, paths = [], [], [], set[str](), {0}
    seeds: dict[Any, dict[Any, int]] = {}
    count = 0
    for table in parts_of(forecasts):
        dates.append(pd.Series(table["date"].unique()))
        symbols.append(pd.Series(table["symbol"].unique()))
        pairs.append(table[["date", "fold"]].drop_duplicates())
        plans |= set(table["plan"].unique()) if "plan" in table else set()
        paths |= set(table["path"].unique()) if "path" in table else set()
        for variant, *names in table[columns_of(table)].drop_duplicates().itertuples(index=False):
            own, key = seeds.setdefault(variant, {}), key_of(names)
            if key not in own:
                own[key], count = count, count + 1
    check_plans(plans)
    all_dates = pd.factorize(pd.concat(dates), sort=True)[1]
    all_symbols = pd.factorize(pd.concat(symbols), sort=True)[1]
    shape = len(all_dates), len(all_symbols)
    cube = Cube(
        dates=all_dates,
        symbols=all_symbols,
        folds=fold_of_dates(pd.concat(pairs), all_dates),
        target=np.full(shape, np.nan),
        cells=empty((count, *shape)),
        seeds=seeds,
        paths=len(paths),
    )
    known = np.zeros(math.prod(shape), bool)
    for table in parts_of(forecasts):
        fill(cube, known, table)
    for array in (cube.cells, cube.target, cube.folds):
        array.flags.writeable = False
    return cube


def columns_of(table: pd.DataFrame) -> list[str]:
    """The columns that name one series of forecasts."""
    return ["variant", "seed", *(["path"] if "path" in table else [])]


def key_of(names: Sequence[Any]) -> Any:
    """The key of a seed, or of a seed and a path."""
    return names[0] if len(names) == 1 else tuple(names)


def empty(shape: tuple[int, ...]) -> np.ndarray:
    """An array of NaN, in an unnamed file if it is large."""
    size = 8 * math.prod(shape)
    if size < LARGE:
        return np.full(shape, np.nan)
    with tempfile.TemporaryFile() as file:  # the array keeps the file open
        cells = np.memmap(file, np.float64, "w+", shape=shape)
    for part in cells:
        part[:] = np.nan
    return cells


def fill(cube: Cube, known: np.ndarray, table: pd.DataFrame) -> None:
    """Put a table's forecasts and targets into ``cube``.

    Args:
        cube: The forecasts so far.
        known: (D * S,) whether an earlier row has the cell; changed.
        table: Rows of the cube's dates, symbols, variants and seeds.
    """
    row = cube.dates.get_indexer(pd.Index(table["date"]))
    column = cube.symbols.get_indexer(pd.Index(table["symbol"]))
    cell = row * len(cube.symbols) + column
    names = table[columns_of(table)]
    number, series = pd.factorize(pd.MultiIndex.from_frame(names))
    places = np.array([cube.seeds[one[0]][key_of(one[1:])] for one in series], np.int64)
    where = places[number] * cube.target.size + cell
    flat = cube.cells.reshape(-1)
    check_duplicates(table, pd.Series(where).duplicated().to_numpy() | ~np.isnan(flat[where]))
    flat[where] = table["forecast"].to_numpy(np.float64)
    given, target = table["target"].to_numpy(np.float64), cube.target.reshape(-1)
    before = np.where(known[cell], target[cell], given)
    target[cell] = given
    check_targets(table, equal(before, given) & equal(target[cell], given))
    known[cell] = True


def equal(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Where two arrays agree; NaN agrees with NaN."""
    return (one == other) | (np.isnan(one) & np.isnan(other))


def check_columns(forecasts: pd.DataFrame) -> None:
    """Raise ValueError unless the table has its columns and no infinite forecast."""
    missing = [name for name in COLUMNS if name not in forecasts]
    if missing:
        raise ValueError(
            f"forecasts need rows and the columns {', '.join(COLUMNS)}; "
            f"missing: {', '.join(missing)}"
        )
    infinite = np.isinf(forecasts["forecast"].to_numpy())
    if infinite.any():
        row = forecasts.iloc[int(np.argmax(infinite))]
        raise ValueError(
            f"{int(infinite.sum())} forecasts are infinite, the first of variant {row['variant']} "
            f"on {row['date']} for {row['symbol']}"
        )


def check_plans(plans: set[str]) -> None:
    """Raise ValueError if the forecasts are of several plans of folds."""
    if len(plans) > 1:
        raise ValueError(
            f"forecasts of {len(plans)} plans of folds cannot be compared "
            f"({', '.join(sorted(plans))}): run all variants on the same plan"
        )


def check_duplicates(table: pd.DataFrame, duplicated: np.ndarray) -> None:
    """Raise ValueError if a variant forecasts a date and symbol twice with the same seed."""
    if duplicated.any():
        row = table.iloc[int(np.argmax(duplicated))]
        raise ValueError(
            f"{int(duplicated.sum())} duplicate forecasts, the first of variant "
            f"{row['variant']} on {row['date']} for {row['symbol']}: test blocks must not overlap "
            "(set step to at least the test block), and a seed must not repeat"
        )


def check_targets(table: pd.DataFrame, same: np.ndarray) -> None:
    """Raise ValueError if two rows of a cell disagree on its target."""
    if not same.all():
        row = table.iloc[int(np.argmin(same))]
        raise ValueError(
            f"variants disagree on {int((~same).sum())} targets, the first on {row['date']} for "
            f"{row['symbol']} (variant {row['variant']}): the forecasts come from different panels"
        )


def fold_of_dates(pairs: pd.DataFrame, dates: pd.Index) -> np.ndarray:
    """(D,) the fold of each date; ValueError if a date is in two."""
    pairs = pairs.drop_duplicates()
    twice = pairs["date"].duplicated()
    if twice.any():
        first = pairs.loc[twice, "date"].iloc[0]
        folds = sorted(pairs.loc[pairs["date"] == first, "fold"].tolist())
        raise ValueError(
            f"{first} is in the test blocks of folds {folds}: test blocks must not overlap; "
            "set step to at least the test block"
        )
    return pairs.set_index("date")["fold"].reindex(dates).to_numpy()
