import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

from foldproof.models.normalizers import CONTROLS as LEAKY
from foldproof.tasks.compare.aligned import align
from foldproof.tasks.compare.bases import bases_of
from foldproof.tasks.compare.comparison import CONTROLS, Comparison, compare, daily
from foldproof.tasks.compare.metrics import METRICS, figures, scores_of
from foldproof.tasks.compare.spec import StatisticsSpec

DATES, SYMBOLS = 240, 12


def forecasts(seed: int = 0, skill: float = 0.35) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Noise as alike as variants are; zscore knows something, the control knows the answer."""
    rng = np.random.default_rng(seed)
    target = rng.standard_normal((DATES, SYMBOLS))
    common = rng.standard_normal(target.shape)
    names = ("none", "zscore", "revin", "layer_norm", "ref:ridge", "full_sample_zscore")
    given = {name: common + 0.7 * rng.standard_normal(target.shape) for name in names}
    given["zscore"] += skill * target
    given["full_sample_zscore"] += 3 * target
    return {**given, "ref:zero": np.zeros_like(target)}, target


def measured(long: pd.DataFrame) -> pd.DataFrame:
    """Every metric of every variant, recomputed."""
    metrics = {name: figures(one) for name, one in scores_of(align(long)).items()}
    return pd.DataFrame(metrics).T.rename_axis("variant")


@pytest.fixture
def comparison(table) -> Comparison:
    return compare(table(*forecasts(), folds=4), horizon=1, spec=StatisticsSpec("none", draws=300))


COLUMNS = [
    *METRICS, "low", "high", "hac_t", "difference", "difference_low", "difference_high",
    "in_confidence_set", "against", "detectable", "coverage",
]  # fmt: skip


def test_gains_are_over_zscore_where_it_is_compared_else_over_the_first_variant() -> None:
    assert StatisticsSpec().base(["none", "zscore", "revin"]) == "zscore"
    assert StatisticsSpec().base(["revin", "none"]) == "revin"
    assert StatisticsSpec("none").base(["none", "zscore"]) == "none"


def test_the_ranking_has_its_columns_and_order(comparison: Comparison) -> None:
    ranking = comparison.ranking
    assert sorted(ranking.columns) == sorted(COLUMNS)
    assert ranking.index.name == "variant"
    assert ranking.index[:2].tolist() == ["full_sample_zscore", "zscore"]
    assert ranking["rank_ic"].is_monotonic_decreasing
    assert ranking["in_confidence_set"].dtype == bool
    assert (ranking["coverage"] == 1).all()


def test_a_planted_better_variant_is_found(comparison: Comparison) -> None:
    ranking = comparison.ranking
    assert ranking.loc["zscore", "against"] == "better"
    assert ranking.loc[["revin", "layer_norm"], "against"].tolist() == ["undecided"] * 2
    unjudged = ["none", "ref:ridge", "full_sample_zscore"]  # reference, forecaster, leak
    assert ranking.loc[unjudged, "against"].isna().all()
    assert ranking.index[ranking["in_confidence_set"]].tolist() == ["zscore"]
    assert ranking.loc["zscore", "low"] > 0
    assert ranking.loc["zscore", "difference_low"] > 0
    others = ["revin", "layer_norm", "ref:ridge", "ref:zero"]
    assert (ranking.loc[others, "difference_low"] <= 0).all()
    assert (ranking.loc[others, "low"] <= 0).all()


def test_equal_variants_stay_in_the_set(table) -> None:
    ranking = compare(table(*forecasts(skill=0)), horizon=1, spec=StatisticsSpec(draws=300)).ranking
    candidates = ["none", "zscore", "revin", "layer_norm"]
    assert ranking.loc[candidates, "in_confidence_set"].all()
    assert not ranking.drop(candidates)["in_confidence_set"].any()


def test_gains_of_variants_with_batches_of_their_own_are_over_the_reference_on_the_same() -> None:
    """``batch_norm_date`` needs date blocks; the name that is not a variant needs nothing."""
    names = ["none", "zscore", "batch_norm_date", "causal_batch_norm", "ref:ridge", "outside model"]
    assert bases_of(names, "zscore") == dict.fromkeys(names, "zscore")
    partner = "zscore @ date_block"
    found = bases_of([*names, partner], "zscore")
    assert found == dict.fromkeys([*names, partner], "zscore") | {"batch_norm_date": partner}
    assert set(bases_of([*names, partner], partner).values()) == {partner}
    elsewhere = bases_of([*names, partner, "none @ date_block"], "none")
    assert elsewhere["batch_norm_date"] == "none @ date_block"
    assert elsewhere[partner] == "none @ date_block"
    assert elsewhere["none @ date_block"] == elsewhere["zscore"] == "none"


def test_a_partner_takes_the_place_of_the_reference_in_every_figure_of_a_gain(table) -> None:
    """Batches that cost skill are not the fault of a normalization that needs them."""
    given, target = forecasts()
    rng = np.random.default_rng(1)
    common = given["none"]
    given["zscore @ date_block"] = common + 0.7 * rng.standard_normal(target.shape)
    given["batch_norm_date"] = given["zscore @ date_block"] + 0.02 * rng.standard_normal(
        target.shape
    )
    ranking = compare(table(given, target), horizon=1, spec=StatisticsSpec(draws=300)).ranking
    ic = ranking["rank_ic"]
    gain = ic["batch_norm_date"] - ic["zscore @ date_block"]
    assert ranking.at["batch_norm_date", "difference"] == pytest.approx(gain)
    assert ranking.at["batch_norm_date", "against"] == "equivalent"
    low, high = ranking.loc["batch_norm_date", ["difference_low", "difference_high"]]
    assert low < gain < high
    assert ranking.at["zscore @ date_block", "against"] == "worse"
    assert ranking.at["zscore @ date_block", "difference"] == pytest.approx(
        ic["zscore @ date_block"] - ic["zscore"]
    )


def test_references_and_controls_are_not_candidates(table) -> None:
    long = table(*forecasts())
    assert ("full_sample_zscore", *LEAKY) == CONTROLS
    everyone = compare(long, horizon=1, spec=StatisticsSpec(draws=200), outside=()).ranking
    assert everyone.index[everyone["in_confidence_set"]].tolist() == ["full_sample_zscore"]
    spec, every = StatisticsSpec(draws=200), list(everyone.index)
    nobody = compare(long, horizon=1, spec=spec, outside=every).ranking
    assert not nobody["in_confidence_set"].any()


def test_a_leak_outside_does_not_rule_out_honest_variants() -> None:
    """Three honest variants a y + noise (a = .06) and one that sees the future (a = .5)."""
    draw = np.random.default_rng(0)
    dates, symbols = pd.bdate_range("2020-01-01", periods=300), [f"S{n}" for n in range(20)]
    target = draw.normal(size=(300, 20))
    strength = {"none": 0.06, "zscore": 0.06, "revin": 0.06, "mine:leak": 0.5}
    long = pd.concat(
        pd.DataFrame(
            {
                "date": np.repeat(dates, 20), "symbol": np.tile(symbols, 300), "fold": 0,
                "variant": name, "seed": 0, "target": target.ravel(),
                "forecast": (a * target + draw.normal(size=target.shape)).ravel(),
            }
        )
        for name, a in strength.items()
    )  # fmt: skip
    leaky = compare(long, horizon=1).ranking["in_confidence_set"]
    assert leaky[leaky].index.tolist() == ["mine:leak"]
    honest = compare(long, horizon=1, outside={"mine:leak"}).ranking["in_confidence_set"]
    assert set(honest[honest].index) == {"none", "zscore", "revin"}


def test_figures_are_those_of_the_daily_series(comparison: Comparison, table) -> None:
    ranking, series = comparison.ranking, comparison.daily
    assert series.shape == (DATES, 7)
    assert series.columns.tolist() == ranking.index.tolist()
    np.testing.assert_allclose(series.mean(), ranking["rank_ic"], atol=1e-15)
    difference = series.sub(series["none"], axis=0).mean()
    np.testing.assert_allclose(difference, ranking["difference"], atol=1e-15)
    long = table(*forecasts(), folds=4)
    pd.testing.assert_frame_equal(daily(long)[series.columns], series)
    metrics = measured(long).loc[ranking.index, list(METRICS)]
    pd.testing.assert_frame_equal(ranking[list(METRICS)], metrics)


def test_the_difference_of_the_reference_to_itself_is_zero(table) -> None:
    spec = StatisticsSpec(draws=100, reference="revin")
    ranking = compare(table(*forecasts()), horizon=1, spec=spec).ranking
    zero = ranking.loc["revin", ["difference", "difference_low", "difference_high"]]
    assert (zero == 0).all()
    assert (
        ranking.drop("revin")["difference_low"] < ranking.drop("revin")["difference_high"]
    ).all()


def test_the_zero_forecast_has_no_rank_and_no_error(comparison: Comparison) -> None:
    row = comparison.ranking.loc["ref:zero"]
    assert row["rank_ic"] == row["low"] == row["high"] == 0
    assert row["mse_ratio"] == 1
    assert np.isnan(row["hac_t"])


def test_a_row_of_several_seeds_shows_one_network_beside_the_ensemble(table) -> None:
    """The ensemble averages the seeds' noise away; each network has its own rank IC."""
    rng = np.random.default_rng(2)
    target = rng.standard_normal((120, 10))
    drawn = {seed: target + 2 * rng.standard_normal(target.shape) for seed in range(4)}
    parts = [
        table({"none": forecast, "zscore": forecast[::-1]}, target, seed=seed)
        for seed, forecast in drawn.items()
    ]
    parts.append(table({"ref:zero": np.zeros_like(target)}, target))
    ranking = compare(pd.concat(parts), 1, StatisticsSpec(draws=100)).ranking
    single = [
        np.mean([spearmanr(f, y).statistic for f, y in zip(forecast, target, strict=True)])
        for forecast in drawn.values()
    ]
    assert ranking.loc["none", "rank_ic_seed"] == pytest.approx(np.mean(single), abs=1e-12)
    assert ranking.loc["none", "seed_sd"] == pytest.approx(np.std(single, ddof=1), abs=1e-12)
    assert ranking.loc["none", "rank_ic"] > ranking.loc["none", "rank_ic_seed"] + 0.1
    assert np.isnan(ranking.loc["ref:zero", "seed_sd"])


def test_paired_differences_have_shorter_intervals_than_means(table) -> None:
    """What variants share cancels in the difference."""
    widths = np.zeros(2)
    for seed in range(4):
        long = table(*forecasts(seed), folds=4)
        rows = compare(long, horizon=1, spec=StatisticsSpec(draws=200)).ranking
        rows = rows.loc[["revin", "layer_norm", "ref:ridge"]]
        widths[0] += (rows["difference_high"] - rows["difference_low"]).sum()
        widths[1] += (rows["high"] - rows["low"]).sum()
    assert widths[0] < 0.95 * widths[1]


def test_folds_are_scored_apart(comparison: Comparison, table) -> None:
    by_fold = comparison.by_fold
    assert by_fold.columns.tolist() == ["variant", "fold", *METRICS]
    assert len(by_fold) == 7 * 4
    long = table(*forecasts(), folds=4)
    second = measured(long[long["fold"] == 2])
    rows = by_fold[by_fold["fold"] == 2].set_index("variant")[list(METRICS)]
    pd.testing.assert_frame_equal(rows, second.loc[rows.index], check_exact=False)


def two_seeds(table) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Forecasts of two seeds, and their means as the forecasts of one."""
    given, target = forecasts()
    other, _ = forecasts(seed=1)
    parts = [table(given, target, seed=0), table(other, target, seed=1)]
    mean = {name: (given[name] + other[name]) / 2 for name in given}
    return pd.concat(parts), table(mean, target)


def test_the_ensemble_averages_forecasts_over_seeds(table) -> None:
    """Its figures are those of the mean forecast; only what depends on the seeds differs."""
    several, mean = two_seeds(table)
    actual = compare(several, horizon=1, spec=StatisticsSpec(draws=100)).ranking
    expected = compare(mean, horizon=1, spec=StatisticsSpec(draws=100)).ranking
    of_seeds = [
        "low", "high", "difference_low", "difference_high", "in_confidence_set", "against",
        "detectable",
    ]  # fmt: skip
    pd.testing.assert_frame_equal(
        actual.drop(columns=["rank_ic_seed", "seed_sd", *of_seeds]), expected.drop(columns=of_seeds)
    )
    rows = [name for name in actual.index if name != "ref:zero"]
    assert (actual.loc[rows, "low"] < expected.loc[rows, "low"]).all()
    assert (actual.loc[rows, "high"] > expected.loc[rows, "high"]).all()


def test_the_figures_of_one_network_are_means_over_seeds(table) -> None:
    several, _ = two_seeds(table)
    spec = StatisticsSpec(draws=100, ensemble=False)
    found = compare(several, horizon=1, spec=spec)
    alone = [
        compare(own, horizon=1, spec=StatisticsSpec(draws=100))
        for _, own in several.groupby("seed")
    ]
    columns, rows = [*METRICS, "difference"], found.ranking.index
    mean = sum(one.ranking.loc[rows, columns] for one in alone) / 2
    np.testing.assert_allclose(found.ranking[columns], mean, atol=1e-12)
    np.testing.assert_allclose(found.daily, sum(one.daily[rows] for one in alone) / 2, atol=1e-12)
    by_fold = sum(one.by_fold.set_index(["variant", "fold"])[[*METRICS]] for one in alone) / 2
    pd.testing.assert_frame_equal(
        found.by_fold.set_index(["variant", "fold"]), by_fold, check_exact=False
    )
    single = found.ranking.drop(index="ref:zero")
    np.testing.assert_allclose(single["rank_ic"], single["rank_ic_seed"], atol=1e-12)


def test_unequal_numbers_of_seeds_are_refused(table) -> None:
    several, _ = two_seeds(table)
    third = several[(several["variant"] == "revin") & (several["seed"] == 1)].assign(seed=2)
    with pytest.raises(ValueError, match=r"different numbers of seeds: .*zscore 2, revin 3"):
        compare(pd.concat([several, third]), horizon=1)


def test_the_same_seed_gives_the_same_comparison(table) -> None:
    long = table(*forecasts())
    specs = [StatisticsSpec(draws=100, seed=seed) for seed in (3, 3, 4)]
    first, again, other = (compare(long, horizon=2, spec=spec) for spec in specs)
    pd.testing.assert_frame_equal(first.ranking, again.ranking)
    assert (first.ranking["low"] != other.ranking["low"]).sum() >= 5


def test_overlapping_noise_is_seldom_called_better(table) -> None:
    """Five-day labels, persistent forecasts, no skill: about one panel in twenty at the most."""
    rng, panels, wrong = np.random.default_rng(14), 40, 0
    for number in range(panels):
        returns = rng.standard_normal((205, 8))
        sums = np.cumsum(returns, axis=0)
        target = sums[5:] - sums[:-5]
        given = {}
        for name in ("none", "zscore", "revin"):
            shocks = rng.standard_normal((200, 8))
            given[name] = np.array([shocks[max(0, t - 9) : t + 1].sum(axis=0) for t in range(200)])
        spec = StatisticsSpec(draws=100, seed=number)
        ranking = compare(table(given, target), horizon=5, spec=spec).ranking
        wrong += bool((ranking["low"] > 0).any() or (ranking["difference_low"] > 0).any())
    assert wrong / panels <= 0.125


def test_an_unknown_reference_is_named(table) -> None:
    spec = StatisticsSpec(reference="batch")
    with pytest.raises(ValueError, match=r"reference 'batch' is not among .* variants: none, "):
        compare(table(*forecasts()), horizon=1, spec=spec)


def test_other_plans_are_refused(table) -> None:
    long = table(*forecasts())
    plans = np.where(long["variant"] == "revin", "second", "first")
    with pytest.raises(ValueError, match=r"2 plans .*first, second"):
        compare(long.assign(plan=plans), horizon=1)
