"""Each alarm goes off on its planted drift, and none on a quiet stretch."""

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest

from foldproof.tasks.data import Panel
from foldproof.tasks.operate.monitoring.monitor import (
    ALARMS,
    Monitoring,
    missed_nights,
    monitoring_of,
)
from foldproof.tasks.operate.monitoring.monitor_text import alert_lines, lines, page
from foldproof.tasks.operate.nightly_inputs import night_of
from foldproof.tasks.operate.retraining.evidence import Champion
from foldproof.tasks.operate.spec import MonitorSpec, OperationSpec, ScoreSpec
from foldproof.tasks.train import TrainedUnit
from tests.champion import nights
from tests.champion import panel as built

SPEC = OperationSpec(
    score=ScoreSpec(shift_dates=63), monitor=MonitorSpec(dates=30, most_shift=0.25, samples=100)
)


@pytest.fixture(scope="module")
def panel() -> Panel:
    return built()


@pytest.fixture(scope="module")
def past(champion: Champion, one: TrainedUnit, raw: pd.DataFrame) -> pd.DataFrame:
    """Scores of forty nights, of which each rests on its own rows: see Served.block."""
    days = nights(one, *range(40))
    night = night_of("stocks", champion, raw, days[-1])
    rows = night.rows.between(days[0], days[-1])
    symbols = night.rows.symbols
    return pd.DataFrame(
        {
            "date": np.repeat(night.rows.dates[list(rows)], len(symbols)),
            "symbol": np.tile(symbols, len(rows)),
            "score": night.served.block(night.rows, rows).ravel(),
            "version": "3",
        }
    )


@pytest.fixture(scope="module")
def when(one: TrainedUnit) -> date:
    return nights(one, 39)[0]


def monitored(
    champion: Champion,
    rows: pd.DataFrame,
    past: pd.DataFrame,
    panel: Panel,
    when: date,
    spec: OperationSpec = SPEC,
) -> Monitoring:
    return monitoring_of(night_of("stocks", champion, rows, when), past, panel, 1, spec)


def test_a_quiet_stretch_gives_no_alert(
    champion: Champion, raw: pd.DataFrame, past: pd.DataFrame, panel: Panel, when: date
) -> None:
    found = monitored(champion, raw, past, panel, when)
    assert not found.alerts
    assert len(found.daily) == 39  # tonight's label is not known yet
    assert found.realised.dates == 30
    assert found.realised.mean == pytest.approx(found.daily["rank_ic"].astype(float)[-30:].mean())
    assert found.realised.low > 0  # a planted signal, found
    assert found.tau > 0.5
    assert found.source == "its training windows"
    assert "No alert." in page(found)
    assert "over its newest 30 dates with labels" in lines(found)[1]


def turned(past: pd.DataFrame) -> pd.DataFrame:
    return past.assign(score=-past["score"])


def shifted(rows: pd.DataFrame, when: date) -> pd.DataFrame:
    recent = rows["date"] > pd.Timestamp(when - timedelta(days=100))
    return rows.assign(f2=rows["f2"] + 2.0 * recent)


def test_a_significantly_negative_rank_ic_is_an_alert(
    champion: Champion, raw: pd.DataFrame, past: pd.DataFrame, panel: Panel, when: date
) -> None:
    found = monitored(champion, raw, turned(past), panel, when)
    assert list(found.alerts) == ["realised"]
    assert "below operation.monitor.level = 0.05" in found.alerts["realised"]
    assert alert_lines(found)[0].startswith("ALERT realised rank IC: the mean realised rank IC of ")
    other = monitored(champion, raw, turned(past).assign(version="2"), panel, when)
    assert not other.alerts  # they are not this version's
    assert other.realised.dates == 0
    assert "no score of this version has a label yet" in lines(other)[1]


def test_long_labels_are_tested_on_more_dates_than_the_settings_ask(
    champion: Champion, raw: pd.DataFrame, past: pd.DataFrame, panel: Panel, when: date
) -> None:
    """Labels over 9 days need 36 dates; on the 30 of the settings nothing could ever alert."""
    night = night_of("stocks", champion, raw, when)
    found = monitoring_of(night, turned(past), panel, 9, SPEC)
    assert (SPEC.monitor.dates, found.realised.dates) == (30, 36)
    assert list(found.alerts) == ["realised"]


def test_a_moved_feature_is_an_alert(
    champion: Champion, raw: pd.DataFrame, past: pd.DataFrame, panel: Panel, when: date
) -> None:
    found = monitored(champion, shifted(raw, when), past, panel, when)
    assert "shift" in found.alerts
    assert found.shift.index[0] == "f2"
    assert "f2 " in found.alerts["shift"]
    assert "f0 " not in found.alerts["shift"]
    never = replace(SPEC, monitor=replace(SPEC.monitor, most_shift=None))
    assert "shift" not in monitored(champion, shifted(raw, when), past, panel, when, never).alerts


def test_features_that_change_places_are_an_alert(
    champion: Champion, raw: pd.DataFrame, past: pd.DataFrame, panel: Panel, when: date
) -> None:
    """The features that carried the forecasts stop moving and the others swing: the order turns."""
    recent = (raw["date"] > pd.Timestamp(when - timedelta(days=100))).to_numpy()
    swing = np.where(recent, 8.0, 1.0)  # net: swings of a feature's lags offset each other
    quiet = np.where(recent, 0.0, 1.0)
    rows = raw.assign(f0=raw["f0"] * quiet, f1=raw["f1"] * quiet, f4=raw["f4"] * swing,
                      f3=raw["f3"] * swing)  # fmt: skip
    found = monitored(champion, rows, past, panel, when)
    honest = monitored(champion, raw, past, panel, when)
    assert found.tau < honest.tau
    strict = replace(SPEC, monitor=replace(SPEC.monitor, least_tau=honest.tau - 0.01))
    alerts = monitored(champion, rows, past, panel, when, strict).alerts
    assert "below operation.monitor.least_tau" in alerts["attribution"]
    assert "attribution" not in monitored(champion, raw, past, panel, when, strict).alerts


def test_nights_without_a_score_are_an_alert(
    champion: Champion, one: TrainedUnit, raw: pd.DataFrame, past: pd.DataFrame, panel: Panel
) -> None:
    days = nights(one, *range(60))
    assert monitored(champion, raw, past, panel, days[39]).missed == 0
    assert not monitored(champion, raw, past, panel, days[41]).alerts  # two nights
    found = monitored(champion, raw, past, panel, days[57])
    assert found.missed == 18
    assert found.alerts["missing"].startswith("the newest 18 nights have no score, more than ")
    assert "missed nights: 18 in a row" in lines(found)[-1]
    after = past[past["date"] == past["date"].max()].assign(date=pd.Timestamp(days[57]))
    again = monitored(champion, raw, pd.concat([past, after]), panel, days[57])
    assert (again.missed, again.gap) == (0, 17)
    assert again.alerts["missing"].startswith("the 17 nights between the two newest scores have no")
    assert "have no score, and 17 between the two newest scores" in lines(again)[-1]
    never = replace(SPEC, monitor=replace(SPEC.monitor, most_missed=None))
    assert "missing" not in monitored(champion, raw, past, panel, days[57], never).alerts


def test_a_model_that_was_never_scored_is_an_alert(
    champion: Champion, raw: pd.DataFrame, past: pd.DataFrame, panel: Panel, when: date
) -> None:
    found = monitored(champion, raw, past[:0], panel, when)
    assert np.isnan(found.missed)
    assert found.alerts == {"missing": "no night of stocks has a score: run foldproof score"}


def test_business_days_after_the_newest_row_are_missed_nights() -> None:
    dates = np.array(["2024-01-04", "2024-01-05"], "datetime64[D]")  # Thursday, Friday
    scores = pd.DataFrame({"date": pd.to_datetime(["2024-01-04", "2024-01-05"])})
    expected = {5: 0, 6: 0, 7: 0, 8: 1, 12: 5}
    for day, missed in expected.items():
        assert missed_nights(scores, dates, date(2024, 1, day)) == missed
    assert missed_nights(scores[:1], dates, date(2024, 1, 8)) == 2
    assert missed_nights(scores, dates[:1], date(2024, 1, 4)) == 0  # of later scores none counts


def test_every_alarm_was_planted() -> None:
    assert list(ALARMS) == ["realised", "shift", "attribution", "missing"]
    assert all(alarm.title and alarm.text.__doc__ for alarm in ALARMS.values())
