"""Values that a table may hold by mistake: jumps, carried prices, codes for missing values.

Nothing is changed: a warning names symbol, date and size, and the setting that silences it.
"""

import re
from collections.abc import Iterator

import numpy as np
import pandas as pd

from foldproof.tasks.data.rows import Rows, free_columns
from foldproof.tasks.data.spec import ChecksSpec

SHOWN = 3
"""Examples in a warning, the largest ones."""
SPLIT = 0.03
"""Largest relative distance of a move from 2 at which it looks like a 2-for-1 split."""
LONG_GAP = pd.Timedelta(days=10)
"""After a longer time without a price the warning names the date before."""
CODE = re.compile(r"-?9{3,}(\.0|\.9+)?|-?99\.9{1,}|-?(32768|65535|21474836(47|48)|4294967295)\.0")
"""Numbers that stand for a missing value: nines only, or the end of a type's range."""
HUGE = 1e29
"""Larger numbers are the end of a floating-point type's range, as 3.4e38."""
ISOLATED = 2.0
"""A code is at least this many times as large as the next value of its column."""


def suspicious(rows: Rows, checks: ChecksSpec) -> Rows:
    """The same rows, with a warning for each kind of suspicious value.

    Args:
        rows: Checked rows, by date.
        checks: The bounds.
    """
    return rows.with_frame(rows.frame, [*codes(rows), *jumps(rows, checks), *stale(rows, checks)])


def codes(rows: Rows) -> Iterator[str]:
    """A warning for each column whose extreme looks like a code for a missing value."""
    frame = rows.frame
    for name in ("price", "volume", "target", *free_columns(frame)):
        if name not in frame or frame[name].dtype.kind != "f":
            continue
        values = frame[name].to_numpy(np.float64)
        for code in (np.nanmax(values), np.nanmin(values)):
            if not is_code(code, values):
                continue
            at = np.flatnonzero(values == code)
            first = frame.iloc[at[0]]
            yield (
                f"{rows.called(name)} is {code:.12g} in {len(at)} rows, first "
                f"{first['symbol']} on {first['date']:%Y-%m-%d}: if this is a code for a missing "
                "value, leave these cells empty"
            )


def is_code(extreme: float, values: np.ndarray) -> bool:
    """Whether an extreme of (N,) ``values`` looks like a code and stands far from all others."""
    if not (abs(extreme) > HUGE or CODE.fullmatch(repr(float(extreme)))):
        return False
    others = values[(values != extreme) & ~np.isnan(values)]
    return len(others) > 0 and abs(extreme) >= ISOLATED * np.abs(others).max()


def jumps(rows: Rows, checks: ChecksSpec) -> Iterator[str]:
    """A warning for prices that differ from the symbol's previous price by a large factor."""
    if checks.max_jump is None or "price" not in rows.frame:
        return
    seen = rows.frame.loc[rows.frame["price"].notna(), ["date", "symbol", "price"]]
    before = seen.groupby(pd.factorize(seen["symbol"])[0])[["date", "price"]].shift()
    ratio = (seen["price"] / before["price"]).to_numpy()
    size = np.maximum(ratio, 1 / ratio)
    large = (size >= checks.max_jump) | (np.abs(size / 2 - 1) <= SPLIT)
    if not large.any():
        return
    at = np.flatnonzero(large)
    shown = np.sort(at[np.argsort(-size[at], kind="stable")[:SHOWN]])
    examples = ", ".join(
        f"{row.symbol} x{ratio[place]:.3g} on {row.date:%Y-%m-%d}"
        + (f" (before: {last:%Y-%m-%d})" if row.date - last > LONG_GAP else "")
        for place, row, last in zip(
            shown, seen.iloc[shown].itertuples(), before["date"].iloc[shown], strict=True
        )
    )
    count = f"{len(at)} prices differ" if len(at) > 1 else "1 price differs"
    yield (
        f"{count} from the symbol's previous price by a factor of {checks.max_jump:g} or more, or "
        f"of about 2: {examples}{', ...' if len(at) > SHOWN else ''}: a split, another unit or a "
        "reused symbol looks like this; use adjusted prices, or raise data.checks.max_jump if they "
        "are right"
    )


def stale(rows: Rows, checks: ChecksSpec) -> Iterator[str]:
    """A warning for symbols that repeat one price, with volume 0 where there is a volume."""
    if checks.max_stale is None or "price" not in rows.frame:
        return
    frame = rows.frame[rows.frame["price"].notna()]
    order = np.argsort(pd.factorize(frame["symbol"])[0], kind="stable")
    symbol, price = pd.factorize(frame["symbol"])[0][order], frame["price"].to_numpy()[order]
    repeated = np.zeros(len(frame), bool)
    repeated[1:] = (symbol[1:] == symbol[:-1]) & (price[1:] == price[:-1])
    if "volume" in frame:
        repeated &= ~(frame["volume"].to_numpy()[order] > 0)
    places = np.arange(len(frame))
    start = np.maximum.accumulate(np.where(repeated, 0, places))
    last = np.append(~repeated[1:], True) & repeated
    long = np.flatnonzero(last & (places - start > checks.max_stale))
    if not len(long):
        return
    largest = long[np.argsort(start[long] - long, kind="stable")[:SHOWN]]
    examples = ", ".join(
        f"{row['symbol']} {row['price']:.6g} on {end - start[end]} dates from "
        f"{frame.iloc[order[start[end] + 1]]['date']:%Y-%m-%d} to {row['date']:%Y-%m-%d}"
        for end, row in ((end, frame.iloc[order[end]]) for end in largest)
    )
    names = len({*symbol[long].tolist()})
    without = " without volume" if "volume" in frame else ""
    yield (
        f"{names} symbols repeat a price on more than {checks.max_stale} dates in a row{without}: "
        f"{examples}{', ...' if len(long) > SHOWN else ''}: if they were delisted or halted, "
        "remove these rows; if not, raise data.checks.max_stale"
    )
