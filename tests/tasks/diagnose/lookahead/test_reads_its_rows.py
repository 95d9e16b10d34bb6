"""A forecaster that keeps a model of all rows between runs is not called clean."""

import sys

import numpy as np
import pandas as pd
import pytest

from foldproof.models.imported import imported
from foldproof.tasks.diagnose import QUICK, Verdict
from foldproof.tasks.diagnose.imported import audited, own_fold
from foldproof.tasks.diagnose.lookahead.reads_its_rows import fresh_import

DATES = pd.bdate_range("2021-01-01", periods=60)

MODULE = """
import pandas as pd

KEPT = {{}}

def slope(rows):
    return (rows["x"] * rows["y"]).sum() / (rows["x"] ** 2).sum()

def forecast(data, fold):
    key = {key}
    if key not in KEPT:
        KEPT[key] = slope(data[data["date"] {rows}])
    test = data[data["date"].isin(fold.test_dates)].set_index(["date", "symbol"])
    return test["x"] * KEPT[key]
"""
TRAINED = "<= fold.train_dates[-1]"
EVERYTHING = "<= data['date'].max()"
BY_CONTENT = "pd.util.hash_pandas_object(data).sum()"


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Writes a module into a working directory of its own; forgotten afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])

    def written(key, rows):
        (tmp_path / "keeps.py").write_text(MODULE.format(key=key, rows=rows))
        return "keeps:forecast"

    yield written
    sys.modules.pop("keeps", None)


def verdict(name):
    cells = pd.MultiIndex.from_product([DATES, list("ABCD")], names=["date", "symbol"])
    drawn = np.random.default_rng(2).normal(size=(len(cells), 2))
    rows = pd.DataFrame(drawn, columns=["x", "y"], index=cells).reset_index()
    fold = own_fold(DATES.to_numpy().astype("datetime64[D]"), 1)
    return audited(name, rows, fold, None, QUICK)


def test_a_model_of_all_rows_kept_between_runs_is_unknown(write):
    report = verdict(write("'model'", EVERYTHING))
    assert report.verdict is Verdict.UNKNOWN
    assert "keeps something between runs" in report.findings[-1].detail
    assert report.findings[-1].value > 0


def test_a_model_of_all_rows_trained_in_every_run_is_a_leak(write):
    assert verdict(write("object()", EVERYTHING)).verdict is Verdict.LEAK


@pytest.mark.parametrize("key", ["object()", BY_CONTENT], ids=["nothing", "by content"])
def test_a_forecaster_without_state_or_with_a_cache_by_content_is_clean(write, key):
    assert verdict(write(key, TRAINED)).verdict is Verdict.CLEAN


def test_a_fresh_import_replaces_the_module_only_inside_the_context(write):
    name = write("'model'", TRAINED)
    imported(name, "forecaster")
    held = sys.modules["keeps"]
    with fresh_import(name) as new:
        assert sys.modules["keeps"].forecast is new is not held.forecast
    assert sys.modules["keeps"] is held
