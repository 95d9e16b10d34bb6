"""The checks on entry: every row is plausible on its own, and the table as a whole."""

from datetime import date

import numpy as np
import pandas as pd
import pandera.pandas as pa
from pandera.errors import SchemaErrors

from foldproof.tasks.data.rows import ROLES, DataError, Rows, free_columns, names_of
from foldproof.tasks.data.sources.parse import STAMP, fault

POSITIVE = pa.Check(
    lambda x: x > 0,
    error="is not positive; an adjusted close is, so correct it or leave the cell empty",
)
FINITE = pa.Check(lambda x: ~np.isinf(x), error="is infinite; correct it or leave the cell empty")
NOT_NEGATIVE = pa.Check(lambda x: x >= 0, error="is negative; correct it or leave the cell empty")


def schema(frame: pd.DataFrame, today: date) -> pa.DataFrameSchema:
    """What every row must satisfy, for the columns that ``frame`` has."""
    past = pa.Check(
        lambda x: x <= pd.Timestamp(today),
        error=f"lies in the future; today is {today}, and a row is known on its date",
    )
    columns = {
        "date": pa.Column(STAMP, past),
        "symbol": pa.Column(),
        "price": pa.Column(float, [POSITIVE, FINITE], nullable=True),
        "volume": pa.Column(float, [NOT_NEGATIVE, FINITE], nullable=True),
        "member": pa.Column(bool),
        "known": pa.Column(STAMP, nullable=True),
        "target": pa.Column(float, FINITE, nullable=True),
        "label_end": pa.Column(STAMP, nullable=True),
    }
    free = [name for name in free_columns(frame) if frame[name].dtype.kind == "f"]
    columns |= {name: pa.Column(None, FINITE, nullable=True) for name in free}
    return pa.DataFrameSchema({name: columns[name] for name in columns if name in frame})


def checked(rows: Rows, today: date) -> Rows:
    """Check every row and put the rows in order of date and symbol.

    Args:
        rows: Parsed rows; the index counts the rows of the origin.
        today: No row may be dated later.

    Raises:
        DataError: The first invariant that does not hold, its first row, how many there are.
    """
    frame = rows.frame
    try:
        schema(frame, today).validate(frame, lazy=True)
    except SchemaErrors as error:
        raise first_failure(rows, error.failure_cases) from None
    twice = frame.duplicated(["date", "symbol"])
    if twice.any():
        raise fault(rows, twice, "symbol", "stands twice on that date; keep one row of each")
    check_knowledge(rows)
    return ordered(rows)


def first_failure(rows: Rows, cases: pd.DataFrame) -> DataError:
    """The first failed check of pandera as an error that names its first row."""
    head = cases.iloc[0]
    same = cases[(cases["column"] == head["column"]) & (cases["check"] == head["check"])]
    bad = pd.Series(rows.frame.index.isin(same["index"]), rows.frame.index)
    return fault(rows, bad, head["column"], head["check"])


def check_knowledge(rows: Rows) -> None:
    """Every row says when it became known, every target when it becomes known: after its date."""
    frame = rows.frame
    if "known" in frame and frame["known"].isna().any():
        raise fault(
            rows, frame["known"].isna(), "known", "is missing; say when the row became known"
        )
    if "target" not in frame:
        return
    given = frame["target"].notna()
    missing = given & frame["label_end"].isna()
    if missing.any():
        why = "is missing; say when the target becomes known, or leave the target empty"
        raise fault(rows, missing, "label_end", why)
    early = given & (frame["label_end"] <= frame["date"])
    if early.any():
        why = "does not lie after the row's date: this target is known already"
        raise fault(rows, early, "label_end", why)


def ordered(rows: Rows) -> Rows:
    """Sort by date and symbol; count the rows that were dated before the symbol's row above."""
    step = rows.frame.groupby("symbol", sort=False)["date"].diff()
    back = int((step < pd.Timedelta(0)).sum()) if rows.in_order else 0
    warnings = [f"{back} rows stood after a later row of their symbol: sorted"] if back else []
    frame = rows.frame.sort_values(["date", "symbol"], ignore_index=True)
    return rows.with_frame(frame, warnings)


def with_content(rows: Rows, ready: bool, named: tuple[str, ...] | None) -> Rows:
    """Refuse columns without a value; leave out ready-made features that never change.

    Args:
        rows: Checked rows.
        ready: Whether the columns without a role are features.
        named: Features that the user named: an empty one is an error, else it is left out.

    Raises:
        DataError: A role or a named feature has no value, or no feature is left.
    """
    frame = rows.frame
    numeric = [name for name in names_of(frame) if frame[name].dtype.kind == "f"]
    empty = [name for name in numeric if frame[name].isna().all()]
    for name in empty:
        if name in ROLES or name in (named or ()):
            raise DataError(
                f"{rows.origin}: column {rows.called(name)!r} has no value in any row; fill it or "
                "name another column"
            )
    if not ready:
        return rows
    free = free_columns(frame)
    constant = [name for name in free if frame[name].min() == frame[name].max()]
    if len(empty) + len(constant) == len(free):
        raise DataError(
            f"{rows.origin}: no ready-made feature: a numeric column without a role, with values "
            "that change, is needed; add some, set features: price, or name your own function"
        )
    kinds = {"constant": constant, "empty": empty}
    warnings = [
        f"{len(left)} {kind} columns left out of the features: {', '.join(left)}"
        for kind, left in kinds.items()
        if left
    ]
    return rows.with_frame(frame.drop(columns=empty + constant), warnings)
