"""The decomposition of a panel whose composition is known."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

from foldproof.tasks.compare.aligned import aligned_of
from foldproof.tasks.compare.comparison import daily as compared_daily
from foldproof.tasks.compare.cube import cube_of
from foldproof.tasks.compare.intervals import simultaneous_intervals
from foldproof.tasks.compare.metrics import scores_of
from foldproof.tasks.compare.seeds import rank_ic_of_ensembles, side_by_side, without_each_seed
from foldproof.tasks.compare.spec import StatisticsSpec
from foldproof.tasks.decompose import rows
from foldproof.tasks.decompose.decay import later_return
from foldproof.tasks.decompose.decompose import Decomposition, decompose
from foldproof.tasks.decompose.estimates import estimates
from foldproof.tasks.decompose.regimes import by_regime, trailing_volatility
from foldproof.tasks.decompose.rows import ENSEMBLE, decomposed_rows, ensemble, places
from foldproof.tasks.decompose.spec import DecompositionSpec
from foldproof.tasks.split import WalkForward
from foldproof.tasks.statistics.mean_test import mean_test
from tests.tasks.decompose.conftest import HORIZON, Case

STATISTICS = StatisticsSpec(draws=100)
CANDIDATES = ("mine", "size", "noise")
SPEC = DecompositionSpec(styles=("size",))


def decomposed(case: Case, **changes) -> Decomposition:
    given = {"closes": case.closes, "statistics": STATISTICS, "spec": SPEC} | changes
    return decompose(case.aligned, case.panel, case.folds, CANDIDATES, HORIZON, **given)


@pytest.fixture(scope="module")
def found(case: Case) -> Decomposition:
    return decomposed(case)


def test_the_rank_ic_is_that_of_the_ranking(case: Case, found: Decomposition) -> None:
    expected = compared_daily(case.forecasts).mean()
    for name in expected.index:
        assert found.table.at[name, "rank_ic"] == pytest.approx(expected[name], abs=1e-12)


def test_a_forecast_made_of_a_style_has_nothing_left(found: Decomposition) -> None:
    assert found.table.at["size", "rank_ic"] > 0.05
    assert found.table.at["size", "neutral"] == 0
    assert found.table.at["size", "exposure:size"] == pytest.approx(1)
    assert 0.4 < found.table.at["mine", "exposure:size"] < 0.9
    assert abs(found.table.at["noise", "exposure:size"]) < 0.1
    assert abs(found.table.at["mine", "neutral"]) < found.table.at["mine", "rank_ic"]


def test_rows_are_the_compared_ones_the_ensemble_and_every_feature(found: Decomposition) -> None:
    alone = [f"ref:feature:{name}" for name in ("size", "value", "noise")]
    assert [*found.table.index] == [*CANDIDATES, "ref:zero", ENSEMBLE, *alone]
    assert found.table.at["ref:feature:size", "rank_ic"] == pytest.approx(
        found.table.at["size", "rank_ic"]
    )


def test_a_feature_has_the_sign_of_its_training_block(case: Case) -> None:
    """Turned in the training rows of the second fold only, the feature turns in its test block."""
    train = case.folds[1].train
    target = np.array(case.panel.target)
    turned = decomposed_rows(case.aligned, case.panel, case.folds, CANDIDATES)
    target[: train.stop] *= -1
    panel = replace(case.panel, target=target)
    other = decomposed_rows(case.aligned, panel, case.folds, CANDIDATES)
    size = turned.names.index("ref:feature:size")
    second = case.aligned.folds == 1
    np.testing.assert_array_equal(other.ranks[size, second], -turned.ranks[size, second])


def test_later_labels_do_not_change_the_sign(case: Case) -> None:
    target = np.array(case.panel.target)
    target[case.folds[1].train.stop :] *= -1
    panel = replace(case.panel, target=target)
    before, after = (
        decomposed_rows(case.aligned, one, case.folds, CANDIDATES) for one in (case.panel, panel)
    )
    np.testing.assert_array_equal(before.ranks, after.ranks)


def test_the_ensemble_averages_ranks(case: Case) -> None:
    mean = ensemble(list(case.aligned.forecasts[:3]))
    parts = [pd.DataFrame(case.aligned.forecasts[k]).rank(axis=1) for k in range(3)]
    expected = sum(one.sub(one.mean(axis=1), axis=0) for one in parts) / 3
    np.testing.assert_allclose(mean, expected, atol=1e-12)
    ranked = decomposed_rows(case.aligned, case.panel, case.folds, CANDIDATES)
    own = ranked.row(ranked.names.index(ENSEMBLE))
    np.testing.assert_array_equal(pd.DataFrame(own).rank(axis=1), pd.DataFrame(mean).rank(axis=1))


def test_of_many_features_the_strongest_in_training_are_shown(case: Case, monkeypatch) -> None:
    monkeypatch.setattr(rows, "MOST_FEATURES", 1)
    ranked = decomposed_rows(case.aligned, case.panel, case.folds, CANDIDATES)
    assert [name for name in ranked.names if "feature:" in name] == ["ref:feature:size"]


def test_the_choice_of_features_sees_no_tested_label() -> None:
    """The training blocks of later folds contain the test blocks of earlier ones."""
    days = np.arange("2020-01-01", 600, dtype="datetime64[D]")
    ends = np.append(days[1:], np.datetime64("NaT"))
    folds = WalkForward(train=200, validation=20, test=100).folds(days, ends)
    assert np.isin(folds[0].test, folds[-1].train).any()
    daily = np.random.default_rng(0).standard_normal((600, 60))
    moved = daily.copy()
    moved[np.concatenate([fold.test for fold in folds])] *= -5
    moved[folds[0].test] += 3 * (np.arange(60) < 30)
    chosen = rows.strongest(daily, folds)
    assert len(chosen) == rows.MOST_FEATURES < 60
    np.testing.assert_array_equal(rows.strongest(moved, folds), chosen)
    np.testing.assert_array_equal(rows.strongest(daily, folds[::-1]), chosen)


def test_horizon_and_delay_against_scipy_on_prices(case: Case, found: Decomposition) -> None:
    """Return from close d + 1 + delay to close d + 1 + delay + horizon, stock by stock."""
    aligned = case.aligned
    dates, columns = places(aligned, case.panel)
    price = case.closes.quoted[:, columns]
    for horizon, delay in ((1, 0), (5, 0), (HORIZON, 2)):
        values = []
        for d, row in enumerate(dates):
            start = row + 1 + delay
            if start + horizon < len(price):
                label = price[start + horizon] / price[start] - 1
                both = np.isfinite(label) & np.isfinite(aligned.forecasts[0, d])
                values.append(spearmanr(aligned.forecasts[0, d, both], label[both]).statistic)
        table = found.decay.query("row == 'mine' and horizon == @horizon and delay == @delay")
        assert table["dates"].item() == len(values)
        assert table["rank_ic"].item() == pytest.approx(np.mean(values), abs=1e-12)


def test_at_the_targets_horizon_without_delay_it_is_the_rank_ic(found: Decomposition) -> None:
    own = found.decay.query("horizon == @HORIZON and delay == 0").set_index("row")
    np.testing.assert_allclose(own["rank_ic"], found.table["rank_ic"], atol=1e-6)


def test_a_delay_moves_the_return_into_the_future() -> None:
    price = 2.0 ** np.arange(8)[:, None] ** 2
    np.testing.assert_array_equal(later_return(price, 1, 2)[:4], later_return(price, 1)[2:6])
    assert np.isnan(later_return(price, 1, 2)[4:]).all()


def test_a_delisted_stock_has_the_return_of_the_target() -> None:
    price = np.array([[1.0, 1], [2, 2], [4, 2], [8, np.nan], [9, np.nan], [9, np.nan]])
    assert np.isnan(later_return(price, 2)[1, 1])
    assert later_return(price, 2, 0, -0.3)[1, 1] == pytest.approx(-0.3)  # held at 2 from row 2
    assert later_return(price, 2, 1, -0.3)[0, 1] == pytest.approx(-0.3)  # the same, a day later


def test_regimes_partition_the_dates(case: Case, found: Decomposition) -> None:
    mine = found.regimes[found.regimes["row"] == "mine"]
    for _, kind in mine.groupby("kind"):
        assert kind["dates"].sum() == len(case.aligned.dates)
        mean = np.average(kind["rank_ic"], weights=kind["dates"])
        assert mean == pytest.approx(found.table.at["mine", "rank_ic"])
    assert set(mine["kind"]) == {"market volatility", "half", "year"}


def test_volatility_terciles_hold_the_calm_and_the_wild_dates() -> None:
    dates = np.datetime64("2020-01-01") + np.arange(90)
    daily = pd.DataFrame({"x": np.repeat([1.0, 2.0, 3.0], 30)}, index=dates)
    found = by_regime(daily, np.arange(90.0), 1, 0.95).set_index("regime")
    assert found.loc[["low", "middle", "high"], "rank_ic"].tolist() == [1, 2, 3]


def test_volatility_uses_returns_up_to_its_date() -> None:
    market = np.random.default_rng(0).standard_normal((100, 1))
    later = market.copy()
    later[80:] *= 9
    before, after = trailing_volatility(market), trailing_volatility(later)
    np.testing.assert_array_equal(before[:80], after[:80])
    assert before[79] == pytest.approx(market[17:80].std(ddof=1))


def test_estimates_are_those_of_the_mean_test() -> None:
    daily = np.random.default_rng(1).standard_normal((120, 2))
    found = estimates(daily, 3, 0.9)
    for k in range(2):
        one = mean_test(daily[:, k], 3)
        assert found["rank_ic"][k] == pytest.approx(one.mean)
        assert (found["low"][k], found["high"][k]) == pytest.approx(one.interval(0.05))
    assert np.isnan(estimates(daily[:5], 3, 0.9)["low"]).all()


def test_without_styles_and_prices_the_rest_remains(case: Case) -> None:
    bare = decomposed(case, closes=None, spec=DecompositionSpec(styles=()))
    assert "neutral" not in bare.table
    assert bare.decay.empty
    assert set(bare.regimes["kind"]) == {"half", "year"}


def test_too_few_stocks_for_the_styles_leave_out_the_neutral_rank_ic(case: Case) -> None:
    one_each = np.tile(np.arange(9), (len(case.panel.dates), 1))
    found = decomposed(case, industries=one_each)
    assert "neutral" not in found.table
    assert found.dropped == len(case.aligned.dates)


def test_an_unknown_style_is_named() -> None:
    with pytest.raises(ValueError, match=r"names 'sise', which is not a feature .* size, value"):
        DecompositionSpec(styles=("sise",)).chosen(("size", "value"))
    assert DecompositionSpec().chosen(("beta_63", "x")) == ("beta_63",)


def of_seeds(case: Case, count: int) -> pd.DataFrame:
    """The forecasts with other noise for each seed; the zero forecast has one seed."""
    rng = np.random.default_rng(11)
    own = case.forecasts[case.forecasts["variant"] != "ref:zero"]
    drawn = [
        own.assign(seed=seed, forecast=own["forecast"] + 2 * rng.standard_normal(len(own)))
        for seed in range(count)
    ]
    return pd.concat([*drawn, case.forecasts[case.forecasts["variant"] == "ref:zero"]])


def test_with_several_seeds_the_intervals_allow_for_others(case: Case) -> None:
    """Those of the rank IC are the ranking's; those of the neutral one are recomputed."""
    cube = cube_of(of_seeds(case, 3))
    aligned = aligned_of(cube)

    def of(without) -> Decomposition:
        return decompose(
            aligned, case.panel, case.folds, (), HORIZON, without=without,
            statistics=STATISTICS, spec=SPEC,
        )  # fmt: skip

    several, alone = of([*without_each_seed(cube, aligned)]), of(())
    ends = ["low", "high", "neutral_low", "neutral_high"]
    pd.testing.assert_frame_equal(several.table.drop(columns=ends), alone.table.drop(columns=ends))
    wider = (several.table - alone.table)[ends]
    assert (wider.loc["noise", ["low", "neutral_low"]] < 0).all()
    assert (wider.loc["noise", ["high", "neutral_high"]] > 0).all()

    names = [*several.table.index]
    daily = {name: one.rank_ic for name, one in scores_of(aligned).items()}
    by_seed = rank_ic_of_ensembles(cube, aligned, daily)
    ranked = decomposed_rows(aligned, case.panel, case.folds, ())
    fixed = dict(zip(names, ranked.rank_ics(aligned.target).T[:, None], strict=True))
    joined = side_by_side(fixed | by_seed, tuple(names))
    given = {"level": STATISTICS.level, "draws": STATISTICS.draws, "seed": STATISTICS.seed}
    low, high = simultaneous_intervals(joined, (np.arange(len(names)),), HORIZON, **given)
    np.testing.assert_allclose(several.table["low"], low, atol=1e-9)
    np.testing.assert_allclose(several.table["high"], high, atol=1e-9)

    left = [
        decompose(other, case.panel, case.folds, (), HORIZON, statistics=STATISTICS, spec=SPEC)
        for other in without_each_seed(cube, aligned)
    ]
    whole = several.neutral.to_numpy()
    parts = np.stack([one.neutral.to_numpy() for one in left])
    values = whole + 2 * (parts.mean(axis=0) - parts)
    low, high = simultaneous_intervals(values, (np.arange(len(names)),), HORIZON, **given)
    np.testing.assert_allclose(several.table["neutral_low"], low, atol=1e-9)
    np.testing.assert_allclose(several.table["neutral_high"], high, atol=1e-9)


def test_one_seed_has_no_other_to_leave_out(case: Case) -> None:
    cube = cube_of(case.forecasts)
    assert not [*without_each_seed(cube, aligned_of(cube))]
