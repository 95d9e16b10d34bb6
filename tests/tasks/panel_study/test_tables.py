from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from foldproof.tasks.compare.resampling import two_way_test
from foldproof.tasks.panel_study.random_effects import random_effects
from foldproof.tasks.panel_study.tables import (
    Role,
    controls_table,
    detectable_gains,
    panel_table,
    panel_tests,
    pooled_table,
)
from foldproof.tasks.statistics.holm import holm
from foldproof.tasks.statistics.mean_test import MeanTest, upper_tail
from tests.tasks.panel_study.outcomes import GAINS, STATISTICS, outcome, panels

PANELS = panels()


def test_a_panel_has_a_row_per_measure_and_variant() -> None:
    table = panel_table("real0", PANELS["real0"], STATISTICS).set_index(["measure", "variant"])
    assert len(table) == 2 * len(GAINS)
    plain = table.loc["rank_ic"]
    assert plain["against"].to_dict() | {"zscore": "", "leaky": ""} == {
        "zscore": "", "leaky": "", "cs_rank": "better", "none": "worse", "revin": "equivalent",
    }  # fmt: skip
    assert plain["against"][["zscore", "leaky"]].isna().all()
    assert plain.at["leaky", "leak"] == "LEAK"
    assert plain["mean_epochs"].eq(4).all()
    scores = PANELS["real0"].scores
    test = two_way_test(scores.rank_ic[1] - scores.rank_ic[0], 1)
    assert plain.at["cs_rank", "gain"] == pytest.approx(test.mean)
    half = table.loc["neutral"].at["cs_rank", "gain"]
    assert half == pytest.approx(test.mean / 2)


def test_pooled_gains_are_over_real_panels_without_variants_that_leak() -> None:
    table = pooled_table(PANELS, STATISTICS).set_index(["measure", "variant"]).loc["rank_ic"]
    assert {*table.index} == {"cs_rank", "none", "revin"}
    assert table["panels"].eq(3).all()
    assert table["against"].to_dict() == {
        "cs_rank": "better", "none": "worse", "revin": "equivalent",
    }  # fmt: skip
    real = [panel_table(name, PANELS[name], STATISTICS) for name in ("real0", "real1", "real2")]
    rows = [one[one["measure"] == "rank_ic"].set_index("variant").loc["cs_rank"] for one in real]
    means, errors = (np.array([row[key] for row in rows]) for key in ("gain", "error"))
    assert table.at["cs_rank", "gain"] == pytest.approx(random_effects(means, errors).test.mean)
    assert table.at["cs_rank", "low"] < 0.03 < table.at["cs_rank", "high"]
    assert (table["predicted_low"] < table["low"]).all()


def test_panels_that_disagree_leave_the_mean_undecided() -> None:
    split = {
        "one": outcome(1, {"zscore": 0, "cs_rank": 0.05}),
        "two": outcome(2, {"zscore": 0, "cs_rank": -0.05}),
        "three": outcome(3, {"zscore": 0, "cs_rank": 0.0}),
    }
    row = pooled_table(split, STATISTICS).iloc[0]
    assert row["against"] == "undecided"
    assert row["i2"] > 0.9
    assert row["tau"] == pytest.approx(0.05, rel=0.1)


def test_nothing_is_pooled_without_two_real_panels() -> None:
    one = pooled_table({"real0": PANELS["real0"]}, STATISTICS)
    assert one["against"].eq("undecided").all()
    assert one[["low", "high"]].isna().all(axis=None)
    assert pooled_table({"noise": PANELS["noise"]}, STATISTICS).empty


def test_controls_say_what_is_recovered_and_flat() -> None:
    table = controls_table(PANELS, 0.95).set_index("panel")
    assert table["holds"].to_dict() == {"levels": False, "ranks": True, "noise": True}
    assert table.at["ranks", "reason"] == "cs_rank over zscore"
    assert table.at["ranks", "low"] > 0
    assert table.at["levels", "gain"] < 0
    loud = controls_table({"noise": outcome(8, GAINS, Role.NOISE)}, 0.95).iloc[0]
    assert not loud["holds"]
    assert "leaky" not in loud["reason"]
    part = outcome(9, {"zscore": 0, "revin": 0}, Role.PLANTED, ("cs_rank",))
    missing = controls_table({"ranks": part}, 0.95).iloc[0]
    assert missing["holds"] is None
    assert "an expected variant is missing" in missing["reason"]


def test_detectable_gains_do_not_depend_on_the_gains() -> None:
    before = detectable_gains({"one": outcome(1)}, STATISTICS)
    after = detectable_gains({"one": outcome(1, dict.fromkeys(GAINS, 0.0))}, STATISTICS)
    assert before["detectable"].to_numpy() == pytest.approx(after["detectable"].to_numpy())
    assert (before["detectable"] > 0).all()


def test_a_variant_that_leaks_does_not_change_the_tests_of_the_others() -> None:
    honest = outcome(1, {"zscore": 0.0, "cs_rank": 0.03, "none": -0.03})
    wild = np.random.default_rng(9).standard_normal((1, 3, 300))
    scores = replace(
        honest.scores,
        variants=(*honest.scores.variants, "leaky"),
        rank_ic=np.concatenate([honest.scores.rank_ic, wild]),
    )
    beside = panel_tests(replace(honest, scores=scores, outside=["leaky"]), "rank_ic", "zscore")
    alone = panel_tests(honest, "rank_ic", "zscore")
    assert {name: beside[name] for name in alone} == alone
    assert beside["leaky"].error > 10 * alone["cs_rank"].error


def test_a_variant_that_leaks_on_a_control_panel_alone_is_not_pooled() -> None:
    planted = replace(outcome(5, role=Role.PLANTED, expected=("none",)), outside=["cs_rank"])
    table = pooled_table(PANELS | {"levels": planted}, STATISTICS)
    assert {*table["variant"]} == {"none", "revin"}


def test_noise_is_not_called_flat_where_nothing_could_be_tested() -> None:
    leaking = outcome(8, {"leaky": 0.2}, Role.NOISE)
    short = outcome(8, dict.fromkeys(GAINS, 0.0), Role.NOISE, dates=6)
    table = controls_table({"leaking": leaking, "short": short}, 0.95)
    assert [*table["holds"]] == [None, None]
    assert [*table["reason"]] == [
        "not tested: every variant leaks", "not tested: too few dates",
    ]  # fmt: skip


def test_a_planted_signal_is_recovered_only_if_the_interval_lies_above_zero() -> None:
    def row(gain: float, dates: int = 300) -> pd.Series:
        one = outcome(4, {"zscore": 0, "none": gain}, Role.PLANTED, ("none",), dates=dates)
        return controls_table({"levels": one}, 0.95).iloc[0]

    close = row(0.0005)
    assert close["best"] == "none"
    assert close["low"] < 0 < close["high"]
    assert close["holds"] is None
    assert close["reason"] == "not shown: the interval of none over zscore contains zero"
    assert row(0.03)["holds"]
    assert row(-0.03)["holds"] == False  # noqa: E712  # None is not enough
    assert row(0.03, dates=6)["reason"] == "not tested: too few dates"


def test_pooled_verdicts_allow_for_both_measures_at_once() -> None:
    table = pooled_table(PANELS, STATISTICS)
    assert len(table) == 6
    require_one_family(table)


def test_a_variant_of_a_single_panel_is_undecided_and_no_hypothesis() -> None:
    lone = outcome(0, GAINS | {"edain": 0.5})
    table = pooled_table({"a": lone, "b": outcome(1)}, STATISTICS)
    own = table["variant"] == "edain"
    assert table[own]["panels"].eq(1).all()
    assert table[own]["against"].eq("undecided").all()
    assert table[own]["p"].isna().all()
    require_one_family(table[~own])


def require_one_family(table: pd.DataFrame) -> None:
    """Both adjusted p-values are those of Holm's procedure over all of the rows."""
    different, within = [], []
    for _, row in table.iterrows():
        test = MeanTest(row["gain"], row["error"], row["panels"] - 1, np.nan)
        different.append(2 * upper_tail(abs(test.mean) / test.error, test.freedom))
        margin = STATISTICS.margin
        within.append(max(test.above(-margin), test.below(margin)))
    adjusted = holm(np.array(different + within)).reshape(2, -1)
    assert table["p"].to_numpy() == pytest.approx(adjusted[0])
    assert table["p_equivalent"].to_numpy() == pytest.approx(adjusted[1])
