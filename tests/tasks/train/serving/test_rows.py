import re

import numpy as np
import pandas as pd
import pytest

from foldproof.tasks.data import ColumnsSpec, DataError, DataSpec
from foldproof.tasks.train.serving.rows import as_input, columns_read, inputs_of, short_history

READY = DataSpec(source="linear", features="ready")
FEATURES = ("f0", "f1")


def rows(**columns: object) -> pd.DataFrame:
    """Two dates of two symbols, newest first, with some columns replaced or left out."""
    table = {
        "date": ["2020-01-03", "2020-01-03", "2020-01-02", "2020-01-02"],
        "symbol": ["B", "A", "B", "A"],
        "f0": [4.0, 3.0, 2.0, np.nan],
        "f1": [4, 3, 2, 1],
        "note": ["not", "a", "feature", ""],
    } | columns
    return pd.DataFrame({name: value for name, value in table.items() if value is not None})


def test_rows_come_typed_in_order_and_without_what_is_not_read() -> None:
    frame = inputs_of(rows(), READY, FEATURES)
    dates = pd.to_datetime(["2020-01-02", "2020-01-02", "2020-01-03", "2020-01-03"])
    assert frame["date"].tolist() == dates.tolist()
    assert frame["symbol"].tolist() == ["A", "B", "A", "B"]
    assert frame["f1"].tolist() == [1.0, 2.0, 3.0, 4.0]
    assert list(frame) == ["date", "symbol", "f0", "f1"]


def test_an_index_of_dates_and_symbols_serves_as_columns() -> None:
    indexed = rows().set_index(["date", "symbol"])
    pd.testing.assert_frame_equal(
        inputs_of(indexed, READY, FEATURES), inputs_of(rows(), READY, FEATURES)
    )


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"f1": None}, "the input: no column 'f1' (which the model reads)"),
        ({"f1": None, "F1": [1.0, 2, 3, 4]}, "did you mean F1?"),
        ({"symbol": None}, "no column 'symbol'"),
        (
            {"f0": ["1", "2", "much", "4"]},
            "row 3 of the input (2020-01-02, B): f0 'much' is not a number",
        ),
        (
            {"f0": ["a", "b", "c", "d"]},
            "row 1 of the input (2020-01-03, B): f0 'a' is not a number",
        ),
        ({"f0": [1.0, np.inf, 0, 0]}, "row 2 of the input (2020-01-03, A): f0 'inf' is infinite"),
        (
            {"date": ["2020-01-03", "03/13/2020", "2020-01-02", "2020-01-02"]},
            "row 2 of the input (A): date '03/13/2020' is not an ISO date",
        ),
        (
            {"date": ["2020-01-03", None, "2020-01-02", "2020-01-02"]},
            "row 2 of the input (A): date is missing",
        ),
        (
            {"symbol": ["B", "B", "B", "A"]},
            "row 2 of the input (2020-01-03, B): symbol 'B' is a duplicate on that date",
        ),
        (
            {"date": ["2999-01-03", "2020-01-03", "2020-01-02", "2020-01-02"]},
            "row 1 of the input (2999-01-03, B): date '2999-01-03' is in the future",
        ),
    ],
)
def test_the_error_for_a_wrong_input_names_column_and_row(
    columns: dict[str, object], said: str
) -> None:
    with pytest.raises(DataError, match=re.escape(said)):
        inputs_of(rows(**columns), READY, FEATURES)


def test_empty_input_and_duplicate_columns_are_refused() -> None:
    with pytest.raises(DataError, match="the input has no rows"):
        inputs_of(rows().head(0), READY, FEATURES)
    with pytest.raises(DataError, match="duplicate column 'f0'"):
        inputs_of(rows().set_axis(["date", "symbol", "f0", "f0", "f1"], axis=1), READY, FEATURES)


def test_the_columns_read_depend_on_the_features() -> None:
    prices = DataSpec()
    assert columns_read(prices, ("return_1",)) == ("date", "symbol", "price")
    assert columns_read(prices, ("volume_change_21",)) == ("date", "symbol", "price", "volume")
    own = DataSpec(source="file", path="x.csv", columns=ColumnsSpec(member="in_index"),
                   features="package.module:function")  # fmt: skip
    assert columns_read(own, ("anything",)) == ("date", "symbol", "member")
    assert columns_read(READY, FEATURES) == ("date", "symbol", "f0", "f1")


def test_a_user_s_feature_function_gets_every_column_but_labels() -> None:
    own = DataSpec(features="package.module:function")
    frame = inputs_of(rows(target=[1.0, 2, 3, 4], label_end=["2020-02-01"] * 4), own, ("x",))
    assert list(frame) == ["date", "symbol", "f0", "f1", "note"]


def test_the_error_for_too_short_history_says_what_is_needed_and_missing() -> None:
    frame = inputs_of(rows(), READY, FEATURES)
    said = str(short_history(frame, 12))
    assert "any of the 2 symbols on 2020-01-03" in said
    assert "at least 12 trading dates" in said
    assert "the longest, A, has 2: fill f0 in 1 rows" in said
    whole = frame.assign(f0=1.0)
    assert "the longest, A, has 2: provide more history" in str(short_history(whole, None))


OWN = DataSpec(source="file", path="x.csv", columns=ColumnsSpec("Date", "Ticker", "Adj Close"))


def test_a_model_of_a_file_reads_the_columns_of_that_file() -> None:
    """The unadjusted column named like a role is not read."""
    table = rows().rename(columns={"date": "Date", "symbol": "Ticker", "f1": "Adj Close"})
    frame = inputs_of(table.assign(price=99.0), OWN, ("return_1",))
    assert list(frame) == ["date", "symbol", "price"]
    assert frame["price"].tolist() == [1.0, 2.0, 3.0, 4.0]
    roles = rows().rename(columns={"f1": "price"})
    pd.testing.assert_frame_equal(inputs_of(roles, OWN, ("return_1",)), frame)


def test_a_model_of_a_file_names_a_missing_column_as_the_file_does() -> None:
    table = rows().rename(columns={"date": "Date", "symbol": "Ticker"})
    with pytest.raises(DataError, match=re.escape("the input: no column 'Adj Close' (which the")):
        inputs_of(table, OWN, ("return_1",))
    with pytest.raises(DataError, match="Adj Close 'x' is not a number"):
        inputs_of(table.assign(**{"Adj Close": ["x", 1, 2, 3]}), OWN, ("return_1",))


def test_the_input_example_has_the_names_of_the_file() -> None:
    found = as_input(inputs_of(rows().rename(columns={"f1": "price"}), OWN, ("return_1",)), OWN)
    assert list(found) == ["Date", "Ticker", "Adj Close"]
    assert list(as_input(rows(), READY)) == list(rows())
