"""A clean night passes; each planted fault fails its own check and no other."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from foldproof.tasks.operate.nightly_inputs import OperationError, night_of, scores_of
from foldproof.tasks.operate.nights.checks import CHECKS, Result, result_of, run_checks
from foldproof.tasks.operate.retraining.evidence import Champion
from foldproof.tasks.operate.spec import Bound, ScoreSpec
from foldproof.tasks.train import TrainedUnit
from foldproof.tasks.train.serving.model import write_served
from tests.champion import DATA, features, nights

Rows = pd.DataFrame
SPEC = ScoreSpec(shift=Bound(warn=0.25), shift_dates=63)
"""Drawn anew every date, so the usual bound holds over a quarter."""


@pytest.fixture(scope="module")
def when(one: TrainedUnit) -> date:
    return nights(one, 40)[0]


def checked(champion: Champion, rows: Rows, when: date, spec: ScoreSpec | None = None):
    night = night_of("stocks", champion, rows, when)
    found = run_checks(night, scores_of(night), spec or SPEC)
    return {answer.name: answer for answer in found}


def newest(rows: Rows, when: date) -> pd.Series:
    return rows["date"] == pd.Timestamp(when)


def moved(rows: Rows, when: date, **columns: object) -> Rows:
    return rows.assign(**columns).loc[lambda frame: frame["date"] <= pd.Timestamp(when)]


def stale(rows: Rows, when: date) -> Rows:
    return rows[rows["date"] <= pd.Timestamp(when - timedelta(days=10))]


def holes(rows: Rows, when: date) -> Rows:
    """Two features of five have had no value for longer than values are carried."""
    recent = rows["date"] > pd.Timestamp(when - timedelta(days=14))
    return rows.assign(f0=rows["f0"].mask(recent), f1=rows["f1"].mask(recent))


def shifted(rows: Rows, when: date) -> Rows:
    recent = rows["date"] > pd.Timestamp(when - timedelta(days=100))
    return rows.assign(f2=rows["f2"] + 1.0 * recent)


def extreme(rows: Rows, when: date) -> Rows:
    return rows.assign(f3=rows["f3"] + 100.0 * newest(rows, when))


def undelivered(rows: Rows, when: date) -> Rows:
    return rows[~(newest(rows, when) & (rows["symbol"] > "S005"))]


FAULTS: dict[str, tuple[Callable[[Rows, date], Rows], set[str]]] = {
    "staleness": (stale, {"staleness"}),
    "missing": (holes, {"missing", "coverage"}),  # without a window there is no score
    "shift": (shifted, {"shift"}),
    "distance": (extreme, {"distance"}),
    "coverage": (undelivered, {"coverage"}),
}


def test_a_clean_night_passes_every_check(champion: Champion, raw: Rows, when: date) -> None:
    found = checked(champion, raw, when)
    assert list(found) == list(CHECKS)
    assert {answer.result for answer in found.values()} == {Result.PASS}
    assert found["coverage"].value == 1
    assert found["staleness"].value == found["missing"].value == 0


@pytest.mark.parametrize("name", FAULTS)
def test_a_planted_fault_fails_its_check_and_no_other(
    name: str, champion: Champion, raw: Rows, when: date
) -> None:
    plant, expected = FAULTS[name]
    found = checked(champion, plant(raw, when), when)
    assert {one for one, answer in found.items() if answer.result is not Result.PASS} == expected
    assert found[name].detail


def test_statistics_equal_the_planted_values(champion: Champion, raw: Rows, when: date) -> None:
    # ten calendar days before a weekday leave six to eight business days
    days = np.busday_count(when - timedelta(days=10), when)
    assert checked(champion, stale(raw, when), when)["staleness"].value == days
    assert checked(champion, holes(raw, when), when)["missing"].value == 2 / 5
    assert checked(champion, undelivered(raw, when), when)["coverage"].value == 6 / 16
    far = checked(champion, extreme(raw, when), when)["distance"]
    assert (far.value, far.detail) == (1 / 5, "f3 100%")


def test_age_counts_from_the_end_of_validation(
    champion: Champion, one: TrainedUnit, raw: Rows
) -> None:
    ended = date.fromisoformat(str(one.unit.fold.validation_dates[-1]))
    bounds = replace(SPEC, age=Bound(warn=30, refuse=60))
    for days, result in ((30, Result.PASS), (31, Result.WARN), (61, Result.REFUSE)):
        found = checked(champion, raw, ended + timedelta(days=days), bounds)["age"]
        assert (found.value, found.result) == (days, result)


def test_a_symbol_that_left_the_universe_needs_no_score_after_five_dates(
    champion: Champion, raw: Rows, when: date
) -> None:
    """A symbol whose last row is a week old; and one that says it is not a member any more."""
    old = raw[(raw["symbol"] != "S000") | (raw["date"] < pd.Timestamp(when - timedelta(days=14)))]
    assert checked(champion, old, when)["coverage"].detail == "15 of 15 symbols"
    gone = raw.assign(member=(raw["symbol"] != "S000") | ~newest(raw, when))
    assert checked(champion, gone, when)["coverage"].detail == "15 of 15 symbols"


def test_rows_after_the_night_do_not_count(champion: Champion, raw: Rows, when: date) -> None:
    late = raw["date"] > pd.Timestamp(when)
    other = raw.assign(f0=raw["f0"].mask(late, -raw["f0"]))
    honest, changed = (night_of("stocks", champion, rows, when) for rows in (raw, other))
    pd.testing.assert_frame_equal(scores_of(changed), scores_of(honest), check_exact=True)
    before = raw.assign(f0=raw["f0"].mask(newest(raw, when), -raw["f0"]))
    moved_scores = scores_of(night_of("stocks", champion, before, when))
    assert (moved_scores["score"] != scores_of(honest)["score"]).all()


@pytest.mark.parametrize(
    ("name", "value", "result"),
    [
        ("age", 10.0, "pass"), ("age", 10.5, "warn"), ("age", 20.0, "warn"), ("age", 21, "refuse"),
        ("coverage", 0.9, "pass"), ("coverage", 0.8, "warn"), ("coverage", 0.4, "refuse"),
        ("shift", float("nan"), "refuse"),
    ],
)  # fmt: skip
def test_a_value_on_a_bound_passes_and_one_beyond_does_not(
    name: str, value: float, result: str
) -> None:
    bound = Bound(warn=0.9, refuse=0.5) if name == "coverage" else Bound(warn=10, refuse=20)
    assert result_of(name, value, bound) is Result(result)


def test_no_bound_lets_everything_pass() -> None:
    assert result_of("age", float("nan"), Bound()) is Result.PASS
    assert result_of("age", float("nan"), Bound(warn=1)) is Result.WARN


def test_a_champion_without_training_statistics_is_an_error(
    champion: Champion, one: TrainedUnit, raw: Rows, when: date, tmp_path: Path
) -> None:
    files = write_served(one, features(raw), DATA, tmp_path)
    bare = replace(champion, weights=files["weights"], notes=files["notes"])
    with pytest.raises(OperationError, match="version 3 of stocks was logged without statistics"):
        night_of("stocks", bare, raw, when)
