from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from foldproof.tasks.operate.nightly_inputs import night_of, required
from foldproof.tasks.operate.nights.checks import Result
from foldproof.tasks.operate.nights.scoring import (
    Scoring,
    check_text,
    markdown,
    read_scores,
    scoring_of,
    sentence,
    write_scores,
)
from foldproof.tasks.operate.retraining.evidence import Champion
from foldproof.tasks.operate.spec import Bound, ScoreSpec
from foldproof.tasks.train import TrainedUnit
from tests.champion import nights

REFUSING = replace(ScoreSpec(), age=Bound(warn=1, refuse=2))


def scoring(
    champion: Champion, rows: pd.DataFrame, when: date, spec: ScoreSpec | None = None
) -> Scoring:
    return scoring_of(night_of("stocks", champion, rows, when), spec or ScoreSpec())


def test_scores_are_the_comparison_s_forecasts_of_the_date(
    champion: Champion, one: TrainedUnit, raw: pd.DataFrame
) -> None:
    """Each night from its own rows alone, against the test block that was forecast at once."""
    for when in nights(one, 0, 33, 79):
        rows = raw[raw["date"] <= pd.Timestamp(when)]
        table = scoring(champion, rows, when).scores
        assert list(table) == ["date", "symbol", "score", "version"]
        assert set(table["version"]) == {"3"}
        assert set(table["date"]) == {pd.Timestamp(when)}
        known = one.forecasts[one.forecasts["date"] == pd.Timestamp(when)]
        both = table.merge(known, on="symbol", validate="one_to_one")
        assert len(both) == len(known) == 16
        np.testing.assert_allclose(both["score"], both["forecast"], atol=1e-6, rtol=0)
        assert both["forecast"].std() > 1e-3  # so that 1e-6 says something


def test_a_night_later_than_the_newest_row_scores_the_newest_row(
    champion: Champion, one: TrainedUnit, raw: pd.DataFrame
) -> None:
    friday = next(day for day in nights(one, *range(10)) if day.weekday() == 4)
    rows = raw[raw["date"] <= pd.Timestamp(friday)]
    on_time, sunday = (scoring(champion, rows, friday + timedelta(days=k)) for k in (0, 2))
    pd.testing.assert_frame_equal(sunday.scores, on_time.scores, check_exact=True)
    assert sunday.newest == friday
    assert sunday.result is Result.PASS  # the weekend makes nothing stale


def test_the_same_night_again_replaces_the_file_by_the_same_bytes(
    champion: Champion, one: TrainedUnit, raw: pd.DataFrame, tmp_path: Path
) -> None:
    first, second = nights(one, 5, 6)
    place = write_scores(scoring(champion, raw, first), tmp_path)
    assert place == tmp_path / "stocks" / f"{first}.parquet"
    content = place.read_bytes()
    assert write_scores(scoring(champion, raw, first), tmp_path) == place
    assert place.read_bytes() == content
    write_scores(scoring(champion, raw, second), tmp_path)
    names = [file.name for file in sorted((tmp_path / "stocks").iterdir())]
    assert names == [f"{first}.parquet", f"{second}.parquet"]  # no draft is left
    table = read_scores(tmp_path, "stocks")
    assert len(table) == 32
    assert table["date"].is_monotonic_increasing
    assert read_scores(tmp_path, "others").empty


def test_a_refused_night_has_no_file_and_says_why_in_numbers(
    champion: Champion, one: TrainedUnit, raw: pd.DataFrame, tmp_path: Path
) -> None:
    (when,) = nights(one, 5)
    found = scoring(champion, raw, when, REFUSING)
    assert found.refused
    with pytest.raises(ValueError, match="failed its checks; its scores are not written"):
        write_scores(found, tmp_path)
    assert not list(tmp_path.iterdir())
    days = found.beyond(Result.REFUSE)[0].value
    text = sentence(found)
    assert text.startswith(
        f"refused: the night of {when} failed its checks, version 3 (zscore) of stocks gives no "
    )
    assert f"age of the model {days:g} (days), beyond operation.score.age.refuse = 2" in text
    assert "| age of the model |" in markdown(found)
    assert "| refuse |" in markdown(found)


def test_a_warning_is_reported_and_the_night_is_scored(
    champion: Champion, one: TrainedUnit, raw: pd.DataFrame
) -> None:
    (when,) = nights(one, 5)
    found = scoring(champion, raw, when, replace(ScoreSpec(), age=Bound(warn=1)))
    assert (found.result, found.refused) == (Result.WARN, False)
    assert "beyond operation.score.age.warn = 1" in check_text(found.beyond(Result.WARN)[0])
    assert "scores 16 of 16 symbols" in sentence(found)


def test_without_a_champion_the_error_says_what_to_run(champion: Champion) -> None:
    assert required(champion, "stocks") is champion
    with pytest.raises(ValueError, match=r"'stocks' has the alias champion: run foldproof retrain"):
        required(None, "stocks")
