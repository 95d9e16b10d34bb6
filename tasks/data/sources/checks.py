"""The checks on entry: each row by itself, then the table as a whole."""

from datetime import date
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from foldproof.tasks.data.rows import (
    LARGEST,
    ROLES,
    DataError,
    Rows,
    free_columns,
    names_of,
    require_printable,
)
from foldproof.tasks.data.sources.parse import STAMP, fault

if TYPE_CHECKING:
    from pandera.pandas import DataFrameSchema


def schema(frame: pd.DataFrame, today: date) -> "DataFrameSchema":
    """The conditions on each row, for the columns that ``frame`` has.

    pandera is imported here, since most processes read panels that were checked before.
    """
    import pandera.pandas as pa

    mend = "correct it or leave the cell empty"
    positive = pa.Check(lambda x: x > 0, error=f"is not positive; {mend}")
    finite = pa.Check(lambda x: ~np.isinf(x), error=f"is infinite; {mend}")
    fits = pa.Check(
        lambda x: ~(np.isfinite(x) & (x.abs() > LARGEST)),
        error=f"is beyond {LARGEST:.1e}, the largest number of a panel; rescale the column",
    )
    not_negative = pa.Check(lambda x: x >= 0, error=f"is negative; {mend}")
    past = pa.Check(
        lambda x: x <= pd.Timestamp(today),
        error=f"is in the future (today is {today}); correct it or remove the row",
    )
    columns = {
        "date": pa.Column(STAMP, past),
        "symbol": pa.Column(),
        "price": pa.Column(float, [positive, finite, fits], nullable=True),
        "volume": pa.Column(float, [not_negative, finite, fits], nullable=True),
        "member": pa.Column(bool),
        "known": pa.Column(STAMP, nullable=True),
        "target": pa.Column(float, [finite, fits], nullable=True),
        "label_end": pa.Column(STAMP, nullable=True),
        "industry": pa.Column(),
    }
    free = [name for name in free_columns(frame) if frame[name].dtype.kind == "f"]
    columns |= {name: pa.Column(None, [finite, fits], nullable=True) for name in free}
    return pa.DataFrameSchema({name: columns[name] for name in columns if name in frame})


def checked(rows: Rows, today: date) -> Rows:
    """The rows by date and symbol, each of them checked.

    Args:
        rows: Parsed rows; the index counts the rows of the origin.
        today: No row may be dated later.

    Raises:
        DataError: The first condition that fails, its first row, and the number of such rows.
    """
    from pandera.errors import SchemaErrors

    frame = rows.frame
    try:
        schema(frame, today).validate(frame, lazy=True)
    except SchemaErrors as error:
        cases, head = error.failure_cases, error.failure_cases.iloc[0]
        same = cases[(cases["column"] == head["column"]) & (cases["check"] == head["check"])]
        bad = pd.Series(frame.index.isin(same["index"]), frame.index)
        raise fault(rows, bad, head["column"], head["check"]) from None
    twice = frame.duplicated(["date", "symbol"])
    if twice.any():
        why = "is a duplicate on that date; keep one row per date and symbol"
        within = any("dropped the time of day" in text for text in rows.about.get("warnings", []))
        bars = ", such as the last one of each day" if within else ""
        raise fault(rows, twice, "symbol", why + bars)
    check_knowledge(rows)
    return ordered(rows)


def check_knowledge(rows: Rows) -> None:
    """Raise DataError unless each row has a time of knowledge and each target a later label end."""
    frame = rows.frame
    if "known" in frame and frame["known"].isna().any():
        why = "is missing; enter when the row became known"
        raise fault(rows, frame["known"].isna(), "known", why)
    if "target" in frame:
        given, end = frame["target"].notna(), frame["label_end"]
        missing = "is missing; enter when the target becomes known, or leave the target empty"
        early = "is not after the row's date: this target would already be known"
        for bad, why in ((end.isna(), missing), (end <= frame["date"], early)):
            if (given & bad).any():
                raise fault(rows, given & bad, "label_end", why)


def ordered(rows: Rows) -> Rows:
    """The rows by date and symbol, with a warning that counts those that were out of order."""
    step = rows.frame.groupby("symbol", sort=False)["date"].diff()
    back = int((step < pd.Timedelta(0)).sum()) if rows.in_order else 0
    warnings = [f"{back} rows came after a later row of their symbol: sorted"] if back else []
    frame = rows.frame.sort_values(["date", "symbol"], ignore_index=True)
    return rows.with_frame(frame, warnings)


def with_content(rows: Rows, ready: bool, named: tuple[str, ...] | None) -> Rows:
    """The rows without ready-made features that are empty or constant.

    Args:
        rows: Checked rows.
        ready: Whether the columns without a role are features.
        named: Features that the user lists: if one of them is empty, that is an error.

    Raises:
        DataError: A role or a named feature has no value, or no feature is left.
    """
    frame = rows.frame
    numeric = [name for name in names_of(frame) if frame[name].dtype.kind == "f"]
    empty = [name for name in numeric if frame[name].isna().all()]
    for name in empty:
        if name in ROLES or name in (named or ()):
            raise DataError(
                f"{rows.origin}: column {rows.called(name)!r} is empty; fill it or use another "
                "column"
            )
    if "volume" in frame and not frame["volume"].any():
        raise DataError(
            f"{rows.origin}: column {rows.called('volume')!r} is 0 in every row; set "
            "columns.volume: null, or fill it"
        )
    if not ready:
        return rows
    free = free_columns(frame)
    require_printable(rows.origin, free)
    constant = [name for name in free if frame[name].min() == frame[name].max()]
    if len(empty) + len(constant) == len(free):
        raise DataError(
            f"{rows.origin}: there is no ready-made feature, which is a numeric column without a "
            "role whose values vary; add one, set features: price, or name your own function"
        )
    kinds = {"constant": constant, "empty": empty}
    warnings = [
        f"left {len(dropped)} {kind} columns out of the features: {', '.join(dropped)}"
        for kind, dropped in kinds.items()
        if dropped
    ]
    return rows.with_frame(frame.drop(columns=empty + constant), warnings)
