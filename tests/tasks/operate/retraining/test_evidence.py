"""What the gate is shown, recomputed by another way."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.stats import spearmanr

from foldproof.models.spec import NetworkSpec, TrainingSpec
from foldproof.tasks.data import DataSpec, Panel, SyntheticSpec, TargetSpec, build, load_raw
from foldproof.tasks.diagnose.findings.finding import Verdict
from foldproof.tasks.operate.retraining.evidence import (
    CHAMPION,
    Champion,
    challenger_of,
    champion_forecasts,
    incumbent_of,
    known_labels,
)
from foldproof.tasks.split import Fold, WalkForward, plan_hash
from foldproof.tasks.train import TrainedUnit, Unit, train_unit
from foldproof.tasks.train.serving.model import read_served, write_served

DATA = DataSpec(
    source="linear", features="ready", min_history=50,
    synthetic=SyntheticSpec(days=360, symbols=8, n_features=4, signal=0.3, seed=3),
)  # fmt: skip
SPLIT = WalkForward(train=150, validation=40, test=50, embargo=1, keep=2)


@pytest.fixture(scope="module")
def panel() -> Panel:
    torch.set_num_threads(1)
    return build(DATA, TargetSpec(horizon=1, kind="return"))


@pytest.fixture(scope="module")
def folds(panel: Panel) -> tuple[Fold, ...]:
    return SPLIT.folds(panel.dates, panel.label_end)


@pytest.fixture(scope="module")
def trained(panel: Panel, folds: tuple[Fold, ...]) -> list[TrainedUnit]:
    """cs_rank on both folds."""
    training = TrainingSpec(epochs=2, batch_size=128, learning_rate=1e-2)
    network = NetworkSpec(window=4, hidden=4)
    plan = plan_hash(folds)
    return [
        train_unit(Unit("cs_rank", one, 0, network, training, panel.fingerprint, plan), panel)
        for one in folds
    ]


@pytest.fixture
def champion(trained: list[TrainedUnit], panel: Panel, tmp_path: Path) -> Champion:
    """The network of the older fold."""
    files = write_served(trained[0], panel.features, DATA, tmp_path)
    unit = trained[0].unit
    first = unit.fold.test_dates[0].astype(date)
    return Champion("1", "cs_rank", first, unit.key, files["weights"], files["notes"])


def test_the_champions_network_repeats_its_forecasts_of_its_test_block(
    champion: Champion, trained: list[TrainedUnit], panel: Panel, folds: tuple[Fold, ...]
) -> None:
    """On its own test block it forecasts what it forecast there; beyond, it is still itself."""
    served, raw = read_served(champion.weights, champion.notes), load_raw(DATA)
    found = champion_forecasts(served, raw, panel, champion, folds)
    assert set(found["variant"]) == {CHAMPION}
    then = trained[0].forecasts
    both = found.merge(then, on=["date", "symbol"], suffixes=("", "_then"))
    assert len(both) == len(then)
    spread = then["forecast"].std()
    np.testing.assert_allclose(both["forecast"], both["forecast_then"], atol=1e-5 * spread)
    np.testing.assert_array_equal(both["target"], both["target_then"])
    assert found["date"].max() == panel.dates[-1]
    later = trained[1].forecasts.merge(found, on=["date", "symbol"], suffixes=("", "_champion"))
    assert not np.allclose(later["forecast"], later["forecast_champion"], atol=1e-3 * spread)


def test_dates_that_the_champion_was_trained_on_are_left_out(
    champion: Champion, panel: Panel, folds: tuple[Fold, ...]
) -> None:
    served, raw = read_served(champion.weights, champion.notes), load_raw(DATA)
    since = folds[1].test_dates[7]
    younger = replace(champion, tested_from=since.astype(date))
    found = champion_forecasts(served, raw, panel, younger, folds)
    assert found["date"].min() == since
    future = replace(champion, tested_from=date(2100, 1, 1))
    assert champion_forecasts(served, raw, panel, future, folds).empty


def table(dates: np.ndarray, values: np.ndarray, target: np.ndarray, variant: str) -> pd.DataFrame:
    """Long rows of (D, S) forecasts on the first D dates."""
    frame = pd.DataFrame(
        [
            (day, f"S{s}", variant, values[d, s], target[d, s])
            for d, day in enumerate(dates[: len(values)])
            for s in range(values.shape[1])
        ],
        columns=["date", "symbol", "variant", "forecast", "target"],
    )
    return frame.dropna(subset="forecast")


def test_the_difference_is_that_of_daily_rank_correlations_on_common_cells(
    panel: Panel, folds: tuple[Fold, ...]
) -> None:
    draw = np.random.default_rng(0).standard_normal
    target, new, old = draw((20, 8)), draw((20, 8)), draw((20, 8))
    old[:5] = np.nan  # the champion was trained on these
    new[3:12, 2] = np.nan  # a symbol that the challenger does not forecast
    target[18:] = np.nan  # labels that are not known yet
    made = challenger_of(
        "cs_rank", Verdict.CLEAN, table(panel.dates, new, target, "cs_rank"),
        table(panel.dates, old, target, CHAMPION),
        panel, folds,
    )  # fmt: skip
    expected = []
    for row in range(5, 18):
        both = np.isfinite(new[row]) & np.isfinite(old[row])
        mine, theirs = (spearmanr(x[row][both], target[row][both])[0] for x in (new, old))
        expected.append(mine - theirs)
    np.testing.assert_allclose(made.difference["difference"], expected, rtol=1e-12)
    np.testing.assert_array_equal(made.difference["date"], panel.dates[5:18])
    np.testing.assert_array_equal(made.difference["known"], panel.label_end[5:18])
    own = [
        spearmanr(new[r][np.isfinite(new[r])], target[r][np.isfinite(new[r])])[0]
        for r in range(18)
    ]  # fmt: skip
    assert made.dates == 18
    assert made.rank_ic == pytest.approx(np.mean(own), rel=1e-12)


def test_coverage_counts_the_universe_of_the_test_blocks(
    panel: Panel, folds: tuple[Fold, ...], trained: list[TrainedUnit]
) -> None:
    forecasts = pd.concat([one.forecasts for one in trained])
    whole = challenger_of("cs_rank", Verdict.CLEAN, forecasts, None, panel, folds)
    assert whole.coverage == 1.0
    assert whole.difference is None
    half = forecasts[forecasts["symbol"].isin(panel.symbols[:4])]
    found = challenger_of("cs_rank", Verdict.CLEAN, half, None, panel, folds)
    assert found.coverage == pytest.approx(0.5, abs=1e-15)


def test_a_target_that_becomes_known_after_the_night_is_not_used(
    panel: Panel, folds: tuple[Fold, ...]
) -> None:
    """A column of targets may have a value on the newest date, whose label ends later."""
    dates, target = panel.dates[-5:], np.random.default_rng(0).standard_normal((5, 8))
    assert np.isnat(panel.label_end[-1])
    own, old = table(dates, target, target, "cs_rank"), table(dates, -target, target, CHAMPION)
    old = known_labels(old, panel)
    made = challenger_of("cs_rank", Verdict.CLEAN, own, old, panel, folds)
    assert made.dates == 4
    np.testing.assert_array_equal(made.difference["date"], dates[:4])
    np.testing.assert_array_equal(made.difference["known"], dates[1:])


def test_without_labels_there_are_no_dates_and_no_error(
    panel: Panel, folds: tuple[Fold, ...]
) -> None:
    unknown = table(panel.dates, np.ones((3, 8)), np.full((3, 8), np.nan), "cs_rank")
    champion = unknown.assign(variant=CHAMPION)
    found = challenger_of("cs_rank", Verdict.CLEAN, unknown, champion, panel, folds)
    assert (found.dates, len(found.difference)) == (0, 0)
    nobody = champion.iloc[:0]
    known = table(panel.dates, np.eye(8), np.eye(8), "cs_rank")
    assert not len(challenger_of("a", Verdict.CLEAN, known, nobody, panel, folds).difference)


def test_how_far_the_champion_is_behind_counts_trading_dates(
    champion: Champion, folds: tuple[Fold, ...]
) -> None:
    nothing = pd.DataFrame()
    assert incumbent_of(champion, nothing, folds).behind == 50
    fresh = replace(champion, tested_from=folds[1].test_dates[0].astype(date))
    assert incumbent_of(fresh, nothing, folds).behind == 0
    never = replace(fresh, tested_from=date(2100, 1, 1))
    assert incumbent_of(never, nothing, folds).behind == 0


def test_several_seeds_of_a_challenger_are_one_ensemble(
    trained: list[TrainedUnit], panel: Panel, folds: tuple[Fold, ...]
) -> None:
    first = pd.concat([one.forecasts for one in trained])
    other = first.assign(seed=1, forecast=-3 * first["forecast"])
    mean = first.assign(forecast=-first["forecast"])
    champion = first.assign(variant=CHAMPION)
    expected = challenger_of("none", Verdict.CLEAN, mean, champion, panel, folds)
    both = pd.concat([first, other])
    found = challenger_of("none", Verdict.CLEAN, both, champion, panel, folds)
    assert (found.coverage, found.rank_ic) == (expected.coverage, expected.rank_ic)
    assert found.rank_ic != 0
    pd.testing.assert_frame_equal(found.difference, expected.difference)
