"""A user's own forecaster, file and fold, and the messages on mistakes."""

import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from foldproof.tasks.data import DataError
from foldproof.tasks.diagnose import QUICK
from foldproof.tasks.diagnose.imported import (
    audited,
    labels_named,
    long_rows,
    own_fold,
    require_columns,
    require_dates,
)

DATES = pd.bdate_range("2021-01-01", periods=60)


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A working directory of its own, whose modules are forgotten afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    known = {*sys.modules}
    yield tmp_path
    for name in {*sys.modules} - known:
        del sys.modules[name]


def module(here, name, text):
    (here / f"{name}.py").write_text(text)
    return name


def rows():
    cells = [(date, name) for date in DATES for name in "ABC"]
    made = pd.DataFrame(cells, columns=["day", "name"])
    return made.assign(x=np.arange(len(made)) % 7, known=made["day"] + pd.Timedelta(days=2))


@pytest.mark.parametrize("kind", ["parquet", "csv"])
def test_rows_of_a_file(tmp_path, kind):
    path = tmp_path / f"rows.{kind}"
    shuffled = rows().sample(frac=1, random_state=0)
    getattr(shuffled, f"to_{kind}")(path, index=False)
    read = long_rows(str(path), "day", "name", DATES[3].date())
    assert list(read) == ["date", "symbol", "x", "known"]
    assert read[["date", "symbol"]].equals(read[["date", "symbol"]].sort_values(["date", "symbol"]))
    assert len(read) == 57 * 3
    assert read["known"].dtype == read["date"].dtype == "datetime64[us]"
    expected = rows().set_index(["day", "name"])["x"]
    assert read.set_index(["date", "symbol"])["x"].to_dict() == {
        key: value for key, value in expected.to_dict().items() if key[0] >= DATES[3]
    }


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda d: d.rename(columns={"day": "d"}), "no column 'day'; there are d, name, x, known"),
        (lambda d: d.assign(day="soon"), "column 'day' must hold ISO dates; it holds 'soon'"),
        (
            lambda d: d.assign(day=d["day"].astype(str).where(d.index != 4, "2021-13-45")),
            "'2021-13-45'",
        ),
        (lambda d: d.assign(day=d["day"].where(d.index != 4)), "column 'day' lacks 1 dates"),
        (lambda d: pd.concat([d, d.iloc[[7]]]), "1 are duplicates, such as B on 2021-01-05"),
        (lambda d: d.iloc[:0].astype({"day": "datetime64[us]"}), "there are no rows"),
    ],
)
def test_rows_that_cannot_be_used(tmp_path, change, said):
    path = tmp_path / "rows.csv"
    change(rows()).to_csv(path, index=False)
    with pytest.raises(DataError) as caught:
        long_rows(str(path), "day", "name", None)
    assert said in str(caught.value)
    assert str(path) in str(caught.value)


def test_the_form_of_a_file_is_named_where_it_is_the_cause(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text("date;symbol;x\n" + "".join(f"2020-01-0{k};A;{k},5\n" for k in range(1, 9)))
    with pytest.raises(DataError, match=r"separated by semicolons; the decimal sign is a comma"):
        long_rows(str(path), "date", "symbol", None)


def test_no_row_from_the_start_date_on(tmp_path):
    path = tmp_path / "rows.csv"
    rows().to_csv(path, index=False)
    with pytest.raises(DataError, match="there are no rows from 2030-01-01 on"):
        long_rows(str(path), "day", "name", pd.Timestamp("2030-01-01").date())


@pytest.mark.parametrize(("count", "horizon"), [(40, 1), (400, 1), (400, 5), (401, 19)])
def test_the_default_fold_is_purged_and_leaves_later_dates(count, horizon):
    dates = pd.bdate_range("2020-01-01", periods=count).to_numpy().astype("datetime64[D]")
    fold = own_fold(dates, horizon)
    # a label from the next row on, over `horizon` rows, is known horizon + 1 rows later
    assert fold.validation.start - (fold.train.stop - 1) > horizon + 1
    assert fold.test.start - (fold.validation.stop - 1) > horizon + 1
    assert len(fold.test) >= 5
    assert count - fold.test.stop >= 2


@pytest.mark.parametrize(("count", "horizon"), [(39, 1), (100, 5)])
def test_too_few_dates_for_a_fold(count, horizon):
    dates = pd.bdate_range("2020-01-01", periods=count).to_numpy()
    with pytest.raises(DataError, match=rf"{count} dates are too few.*at least \d+"):
        own_fold(dates, horizon)


def test_missing_columns_are_refused_with_the_nearest_name():
    require_columns(rows(), "prices", ("x",))
    with pytest.raises(DataError, match=r"known_at: there is no column 'knwon'.*known"):
        require_columns(rows(), "known_at", ("knwon",))


@pytest.mark.parametrize(("value", "said"), [("soon", "it holds 'soon'"), (7, "it holds '7'")])
def test_a_column_of_knowledge_times_must_hold_dates(tmp_path, value, said):
    path = tmp_path / "rows.csv"
    frame = rows()
    frame["late"] = frame["known"].astype(str).where(frame.index != 5, "soon")
    frame.assign(late=frame["late"] if value == "soon" else 7).to_csv(path, index=False)
    read = long_rows(str(path), "day", "name", None)
    require_dates(read, "known_at", ("known",))
    with pytest.raises(DataError, match=f"known_at: column 'late' must hold ISO dates; {said}"):
        require_dates(read, "known_at", ("late",))


def test_a_target_is_a_column_or_a_function(here):
    name = module(here, "targets", "def twice(rows):\n    return 2 * rows['x']\n")
    data = rows().rename(columns={"day": "date", "name": "symbol"})
    assert labels_named(None, data) is None
    assert labels_named("x", data) == "x"
    made = labels_named(f"{name}:twice", data)(data)
    assert made.index.names == ["date", "symbol"]
    assert made.tolist() == (2.0 * data["x"]).tolist()
    with pytest.raises(DataError, match="there is no column 'y'"):
        labels_named("y", data)
    with pytest.raises(DataError, match="column 'symbol' must hold numbers"):
        labels_named("symbol", data)


def test_a_forecaster_that_fails_is_no_leak(here):
    name = module(here, "fails", "def forecast(data, fold):\n    return data['nothing']\n")
    data = rows().rename(columns={"day": "date", "name": "symbol"})
    fold = own_fold(DATES.to_numpy().astype("datetime64[D]"), 1)
    with pytest.raises(DataError, match="fails:forecast cannot be audited: KeyError: 'nothing'"):
        audited(f"{name}:forecast", data, fold, None, replace(QUICK, cuts=2))
