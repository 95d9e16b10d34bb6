"""The rows that count: once they were known, between start and end, with enough history."""

from datetime import date

import numpy as np
import pandas as pd

from foldproof.tasks.data.rows import DataError, Rows


def as_known(rows: Rows) -> Rows:
    """Move every row to the first trading date on or after it became known, never earlier.

    If that puts two rows of a symbol on one date, the row with the later original date is kept.
    Targets stay on their own date, because they describe what follows it and have a label_end.
    Forward returns are computed from the prices as they were known.

    Raises:
        DataError: Every row became known after the last date.
    """
    if "known" not in rows.frame:
        return rows
    frame = rows.frame
    calendar = np.unique(frame["date"].to_numpy())
    due = np.maximum(frame["date"].to_numpy(), frame["known"].to_numpy())
    at = np.searchsorted(calendar, due)
    inside = at < len(calendar)
    if not inside.any():
        raise DataError(
            f"{rows.origin}: every row became known after the last date, "
            f"{frame['date'].max():%Y-%m-%d}; check columns.known"
        )
    labels = frame[[name for name in ("date", "symbol", "target", "label_end") if name in frame]]
    moved = frame.drop(columns=["known", "target", "label_end"], errors="ignore")[inside]
    moved = moved.assign(date=calendar[at[inside]]).sort_values(["date", "symbol"], kind="stable")
    late = int((due > frame["date"].to_numpy()).sum())
    kept = moved.drop_duplicates(["date", "symbol"], keep="last", ignore_index=True)
    warnings = []
    if late:
        warnings.append(
            f"{late} rows became known after their date and count from the next trading date on; "
            f"{len(moved) - len(kept)} of them were replaced by a newer row by then, "
            f"{int((~inside).sum())} became known after the last date"
        )
    return rows.with_frame(kept.merge(labels, on=["date", "symbol"], how="left"), warnings)


def between(rows: Rows, start: date | None, end: date | None) -> Rows:
    """The rows from ``start`` to ``end``, both included.

    Raises:
        DataError: No row is left.
    """
    day = rows.frame["date"]
    inside = day.between(pd.Timestamp(start or day.min()), pd.Timestamp(end or day.max()))
    if not inside.any():
        raise DataError(
            f"{rows.origin}: no row from {start or 'the first date'} to {end or 'the last date'}; "
            f"the rows run from {day.min():%Y-%m-%d} to {day.max():%Y-%m-%d}"
        )
    return rows.with_frame(rows.frame[inside].reset_index(drop=True))


def with_history(rows: Rows, least: int) -> Rows:
    """The rows of symbols with at least ``least`` observed rows.

    Raises:
        DataError: No symbol is left.
    """
    frame = rows.frame
    observed = frame["price"].notna() if "price" in frame else pd.Series(True, frame.index)
    counts = observed.groupby(frame["symbol"]).sum()
    short = counts[counts < least]
    if len(short) == len(counts):
        raise DataError(
            f"{rows.origin}: none of {len(counts)} symbols has {least} observed rows (min_history);"
            f" the longest has {counts.max()}: lower min_history or provide more history"
        )
    if short.empty:
        return rows
    names = ", ".join(short.index[:5]) + (", ..." if len(short) > 5 else "")
    warning = f"dropped {len(short)} symbols with fewer than {least} observed rows: {names}"
    kept = frame[~frame["symbol"].isin(short.index)].reset_index(drop=True)
    return rows.with_frame(kept, [warning])
