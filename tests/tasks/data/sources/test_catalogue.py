import inspect
import subprocess
import sys
from datetime import date

import numpy as np
import pytest
from skfolio.datasets import load_sp500_dataset

from foldproof.tasks.data import DataError, DataSpec, TargetSpec, build, load_raw
from foldproof.tasks.data.sources import catalogue


def test_sp500_is_skfolios_table_from_2000_on() -> None:
    raw = load_raw(DataSpec())
    wide = load_sp500_dataset().loc["2000-01-03":]
    got = raw.pivot(index="date", columns="symbol", values="price")
    np.testing.assert_array_equal(got, wide)
    np.testing.assert_array_equal(got.index, wide.index)
    assert got.columns.tolist() == wide.columns.tolist()


def test_sp500_is_read_without_importing_skfolio() -> None:
    code = (
        "import sys; from foldproof.tasks.data import DataSpec, load_raw; load_raw(DataSpec()); "
        "print(*sorted({'skfolio', 'cvxpy', 'sklearn', 'scipy'} & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == ""


def test_sp500_without_skfolio_is_one_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue, "find_spec", lambda _: None)
    with pytest.raises(DataError, match="skfolio, which is not installed: run pip install skfolio"):
        load_raw(DataSpec())


def test_sp500_panel_is_complete_after_the_look_back() -> None:
    panel = build(DataSpec(start=date(2015, 1, 1), end=date(2017, 12, 31)), TargetSpec(5))
    assert panel.values.shape == (755, 20, 14)
    assert panel.member.all()
    assert not np.isnan(panel.values[252:]).any()
    assert not np.isnan(panel.target[:-6]).any()
    assert panel.dates[0] == np.datetime64("2015-01-02")
    assert panel.dates[-1] == np.datetime64("2017-12-29")


def test_sp500_may_start_earlier_when_asked() -> None:
    assert load_raw(DataSpec(start=date(1995, 1, 1)))["date"].min().year == 1995


@pytest.mark.parametrize("fact", ["Survivors", "no volume", "3 decimals"])
def test_sp500_says_what_a_reader_must_know(fact: str) -> None:
    about = build(DataSpec(start=date(2020, 1, 1)), TargetSpec(5)).about
    assert fact in about["notes"]
    assert "trading or commercial use" in about["terms"]
    assert about["source"] == "sp500"
    assert about["warnings"] == []


def test_the_terms_of_use_are_those_of_the_package() -> None:
    said = " ".join((inspect.getdoc(load_sp500_dataset) or "").split())
    for words in ("solely for testing and example purposes", "stale", "trading, or commercial use"):
        assert words in said
