from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

from foldproof.tasks.data import Panel
from foldproof.tasks.operate.monitoring.realised import realised, realised_mean
from foldproof.tasks.statistics.mean_test import dates_needed
from tests.champion import panel as built


@pytest.fixture(scope="module")
def panel() -> Panel:
    return built()


def scores(panel: Panel, rows: range, seed: int = 0, version: str = "1") -> pd.DataFrame:
    """Half the target and half noise."""
    noise = np.random.default_rng(seed).standard_normal((len(rows), len(panel.symbols)))
    values = panel.target[list(rows)].astype(float) / 0.02 + noise
    return pd.DataFrame(
        {
            "date": np.repeat(panel.dates[list(rows)].astype("datetime64[us]"), len(panel.symbols)),
            "symbol": np.tile(panel.symbols, len(rows)),
            "score": values.ravel(),
            "version": version,
        }
    )


def day(panel: Panel, row: int) -> date:
    return date.fromisoformat(str(panel.dates[row]))


def test_realised_rank_ic_is_the_rank_correlation_of_each_date(panel: Panel) -> None:
    rows = range(300, 320)
    found = realised(scores(panel, rows), panel, day(panel, 400))
    table = scores(panel, rows).pivot(index="date", columns="symbol", values="score")
    expected = [
        spearmanr(values, panel.target[row]).statistic
        for row, values in zip(rows, table.to_numpy(), strict=True)
    ]
    np.testing.assert_allclose(found["rank_ic"].to_numpy(float), expected, atol=1e-12)
    assert found["date"].tolist() == [pd.Timestamp(panel.dates[row]) for row in rows]


@pytest.mark.parametrize("row", [300, 310, 319])
def test_a_label_counts_from_the_night_on_which_it_is_known(panel: Panel, row: int) -> None:
    """Labels of a date are known on the next: tonight's own date has none yet."""
    found = realised(scores(panel, range(300, 320)), panel, day(panel, row))
    assert len(found) == row - 300


def test_a_future_label_that_the_panel_has_changes_nothing(panel: Panel) -> None:
    night = day(panel, 310)
    table = scores(panel, range(300, 320))
    late = panel.label_end > np.datetime64(night)
    other = replace(panel, target=np.where(late[:, None], -panel.target, panel.target))
    honest = realised(table, panel, night)
    pd.testing.assert_frame_equal(realised(table, other, night), honest, check_exact=True)
    assert not realised(table, other, day(panel, 320)).equals(
        realised(table, panel, day(panel, 320))
    )


def test_each_date_has_the_version_that_scored_it(panel: Panel) -> None:
    table = pd.concat([scores(panel, range(300, 305)), scores(panel, range(305, 312), version="2")])
    found = realised(table, panel, day(panel, 400))
    assert found["version"].tolist() == ["1"] * 5 + ["2"] * 7
    assert found["date"].is_monotonic_increasing


def test_dates_that_cannot_be_ranked_are_left_out(panel: Panel) -> None:
    table = scores(panel, range(300, 303))
    table.loc[table["date"] == pd.Timestamp(panel.dates[301]), "score"] = np.nan
    stranger = table.head(3).assign(symbol=["X", "Y", "Z"])
    night = day(panel, 400)
    assert len(realised(pd.concat([table, stranger]), panel, night)) == 2
    assert realised(table.head(2), panel, night).empty  # two names order nothing
    assert realised(table.head(0), panel, night).empty
    equal = realised(table.assign(score=1.0), panel, night)
    assert equal["rank_ic"].tolist() == [0.0] * 3


def test_mean_of_a_constant_and_of_too_few_dates() -> None:
    constant = realised_mean(np.full(20, 0.03), 1, 0.05)
    assert (constant.dates, constant.mean, constant.low, constant.high) == (
        20, pytest.approx(0.03), pytest.approx(0.03), pytest.approx(0.03),
    )  # fmt: skip
    few = realised_mean(np.full(dates_needed(1) - 1, 0.5), 1, 0.05)
    assert few.mean == 0.5
    assert np.isnan([few.low, few.high, few.p]).all()
    assert realised_mean(np.zeros(0), 1, 0.05).dates == 0


def test_a_negative_mean_is_significant_and_a_positive_one_is_not() -> None:
    noise = np.random.default_rng(3).standard_normal(63) * 0.2
    below, above = (realised_mean(noise - noise.mean() + shift, 1, 0.05) for shift in (-0.15, 0.15))
    assert below.p < 0.001
    assert below.high < 0
    assert above.p > 0.999
    assert above.low > 0


def test_without_skill_the_level_is_kept() -> None:
    """Five-day labels: moving sums. 1000 series of 63 dates at 5 %, within three errors."""
    generator = np.random.default_rng(0)
    white = generator.standard_normal((1000, 67))
    series = np.stack([np.convolve(one, np.ones(5), "valid") for one in white])
    rejected = np.mean([realised_mean(one, 5, 0.05).p < 0.05 for one in series])
    assert 0.02 < rejected < 0.075
