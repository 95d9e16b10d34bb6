"""One forecast explained: the change since earlier rows, feature by feature."""

import numpy as np
import pandas as pd
import pytest

from foldproof.tasks.attribute.explain import ExplainError, Explanation, explain_forecast
from foldproof.tasks.attribute.origins.origins import ORIGINS
from foldproof.tasks.data import DataSpec
from foldproof.tasks.train.serving.model import read_served, write_served

READY = DataSpec(source="file", path="rows.csv", features="ready", min_history=1)


@pytest.fixture(scope="session")
def rows(panel):
    """The panel's features as long rows."""
    days, symbols, _ = panel.values.shape
    frame = pd.DataFrame(panel.values.reshape(days * symbols, -1), columns=list(panel.features))
    return frame.assign(
        date=np.repeat(panel.dates, symbols).astype("datetime64[us]"),
        symbol=np.tile(panel.symbols, days),
    )


@pytest.fixture
def served(trained, panel, tmp_path):
    def of(variant):
        files = write_served(trained(variant), panel.features, READY, tmp_path)
        return read_served(files["weights"], files["notes"])

    return of


def explained(model, rows, *asked, **more):
    return explain_forecast(model, model.inputs(rows), *asked, **more)


@pytest.mark.parametrize("variant", ["zscore", "cs_zscore", "batch_norm_date", "revin"])
def test_attributions_add_up_to_the_change_of_the_models_own_scores(served, rows, panel, variant):
    model = served(variant)
    found = explain_forecast(model, model.inputs(rows), "S3", panel.dates[140], back=30)
    then, now = (
        model.score(rows[rows["date"] <= panel.dates[end]]).set_index("symbol")["score"]
        for end in (110, 140)
    )
    assert found.forecast == pytest.approx(now["S3"], rel=1e-5)
    assert found.before == pytest.approx(then["S3"], abs=1e-4 * found.spread + 1e-7)
    assert found.totals().sum() == pytest.approx(now["S3"] - then["S3"], abs=2e-4 * found.spread)
    assert found.trusted
    assert found.rank == 1 + (now > now["S3"]).sum()
    assert (found.count, found.spread) == (8, pytest.approx(now.std(ddof=0), rel=1e-5))
    assert (found.date, found.against) == (str(panel.dates[140]), str(panel.dates[110]))


def test_planted_features_come_first(served, rows):
    found = explained(served("zscore"), rows, "S0")
    assert isinstance(found, Explanation)
    assert set(found.totals().index[:2]) == {"planted", "lagged"}
    assert found.shares().to_dict() == {"own window": 1.0, **dict.fromkeys(ORIGINS[1:], 0.0)}
    by_lag = pd.DataFrame(found.by_lag, columns=found.features).abs()
    assert by_lag["planted"].idxmax() == len(by_lag) - 1, "the newest row"
    assert by_lag["lagged"].idxmax() == len(by_lag) - 2, "one row earlier"
    assert found.by_lag.sum() == pytest.approx(found.totals().sum())


def test_ranks_are_explained_by_shapley_values(served, rows):
    found = explained(served("cs_rank"), rows, "S5")
    sizes = found.totals().abs()
    assert sizes[["planted", "lagged"]].max() > 2 * sizes["noise"]
    assert found.by_lag is None
    assert found.shares()["other symbols"] > 0
    assert found.totals().sum() == pytest.approx(found.forecast - found.before)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"symbol": "S9"}, "no symbol 'S9' in the rows; there are S0, S1"),
        (
            {"date": np.datetime64("2031-01-01")},
            "no forecast of S0 on 2031-01-01: forecasts exist on",
        ),
        ({"date": np.datetime64("2020-01-03")}, "from 2020-01-05 to 2020-06-08"),
        ({"back": 0}, "at least 1 date; it is 0"),
        ({"back": 158}, "158 dates before 2020-06-08 there is no whole window of 5"),
    ],
)
def test_invalid_requests_list_the_available_forecasts(served, rows, asked, message):
    with pytest.raises(ExplainError, match=message):
        explained(served("zscore"), rows, **{"symbol": "S0"} | asked)


def test_a_symbol_without_a_whole_window_has_no_forecast(served, rows):
    young = rows[(rows["symbol"] != "S1") | (rows["date"] > "2020-06-06")]
    with pytest.raises(ExplainError, match="S1 has no whole window"):
        explained(served("zscore"), young, "S1")


@pytest.mark.parametrize("variant", ["zscore", "cs_rank"])
def test_ready_made_features_give_the_reason_for_stopping(served, rows, variant):
    model = served(variant)
    found = explained(model, rows, "S0", raw=rows)
    assert found.prices is None
    assert "the features are ready-made" in found.stops
    assert explained(model, rows, "S0").stops == ""
