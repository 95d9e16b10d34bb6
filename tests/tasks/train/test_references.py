from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import spearmanr
from sklearn.linear_model import Ridge

from foldproof.tasks.data import Panel
from foldproof.tasks.split import Fold
from foldproof.tasks.train import PREFIX, REFERENCES, reference_forecasts
from foldproof.tasks.train.references import MOMENTUM_ROWS, RIDGE_PENALTIES
from tests.tasks.train.conftest import changed

WINDOW = 5


@pytest.mark.parametrize("name", REFERENCES)
def test_every_reference_forecasts_what_a_unit_does(name: str, panel: Panel, fold: Fold) -> None:
    frame = reference_forecasts(name, panel, fold, WINDOW, seed=0)
    assert set(frame["variant"]) == {PREFIX + name}
    assert len(frame) == panel.member[fold.test.start : fold.test.stop].sum()
    assert np.isfinite(frame["forecast"]).all()
    again = reference_forecasts(name, panel, fold, WINDOW, seed=0)
    assert again.equals(frame)


@pytest.mark.parametrize("name", REFERENCES)
def test_no_reference_uses_the_future(name: str, panel: Panel, fold: Fold) -> None:
    """Rows after a cut in the test block change; forecasts up to the cut do not."""
    cut = fold.test.start + 30
    until = panel.dates[cut]
    honest = reference_forecasts(name, panel, fold, WINDOW, seed=0)
    other = reference_forecasts(name, changed(panel, slice(cut + 1, None)), fold, WINDOW, seed=0)
    before = honest["date"] <= until
    assert before.sum() > 100
    np.testing.assert_array_equal(honest["forecast"][before], other["forecast"][before])


def test_one_feature_ranks_by_itself_with_the_sign_of_its_training_block(panel, fold) -> None:
    """The planted signal is linear in the features; a feature and its opposite forecast alike."""
    name = panel.features[0]
    frame = reference_forecasts(f"feature:{name}", panel, fold, WINDOW, seed=0)
    assert set(frame["variant"]) == {f"ref:feature:{name}"}
    signs = []
    for row in fold.train:
        here = panel.member[row] & np.isfinite(panel.target[row])
        signs.append(spearmanr(panel.values[row, here, 0], panel.target[row, here]).statistic)
    mean = np.nanmean(signs)
    for date, rows in list(frame.groupby("date"))[::10]:
        day = np.searchsorted(panel.dates, np.datetime64(date, "D"))
        values = panel.values[day, [list(panel.symbols).index(one) for one in rows["symbol"]], 0]
        assert spearmanr(rows["forecast"], np.sign(mean) * values).statistic == pytest.approx(1)
        scale = panel.target[fold.train.start : fold.train.stop][
            panel.member[fold.train.start : fold.train.stop]
        ]
        assert rows["forecast"].std(ddof=0) == pytest.approx(
            abs(mean) * np.nanstd(scale.astype(np.float64)), rel=1e-6
        )
    values = np.array(panel.values)
    values[..., 0] *= -1
    other = reference_forecasts(f"feature:{name}", replace(panel, values=values), fold, WINDOW, 0)
    np.testing.assert_allclose(other["forecast"], frame["forecast"], rtol=1e-12)


def test_the_sign_of_a_feature_does_not_depend_on_the_test_block(panel, fold) -> None:
    name = f"feature:{panel.features[0]}"
    honest = reference_forecasts(name, panel, fold, WINDOW, seed=0)
    other = reference_forecasts(
        name, changed(panel, slice(fold.test.start + 30, None)), fold, WINDOW, seed=0
    )
    before = honest["date"] < panel.dates[fold.test.start + 30]
    np.testing.assert_array_equal(honest["forecast"][before], other["forecast"][before])
    target = np.array(panel.target)
    target[fold.test.start :] *= -1
    flipped = reference_forecasts(name, replace(panel, target=target), fold, WINDOW, seed=0)
    np.testing.assert_array_equal(flipped["forecast"], honest["forecast"])


def test_momentum_knows_only_closed_labels(panel: Panel, fold: Fold) -> None:
    """Independent recomputation with a loop over dates and symbols."""
    ends = np.where(np.isnat(panel.label_end), np.datetime64("9999-01-01"), panel.label_end)
    frame = reference_forecasts("momentum", panel, fold, WINDOW, seed=0)
    for _, row in frame.iloc[::37].iterrows():
        date, s = np.datetime64(row["date"], "D"), list(panel.symbols).index(row["symbol"])
        closed = np.flatnonzero(ends <= date)[-MOMENTUM_ROWS:]
        expected = np.nanmean(panel.target[closed, s].astype(np.float64))
        assert row["forecast"] == pytest.approx(expected, rel=1e-6, abs=1e-12)


def test_momentum_does_not_read_an_open_label(panel: Panel, fold: Fold) -> None:
    """The newest label of each date is open: planting a giant in it changes nothing yet."""
    d = fold.test.start + 20
    target = np.array(panel.target)
    target[d] = 1e6
    planted = reference_forecasts("momentum", replace(panel, target=target), fold, WINDOW, seed=0)
    honest = reference_forecasts("momentum", panel, fold, WINDOW, seed=0)
    moved = planted["date"][planted["forecast"] != honest["forecast"]]
    assert moved.min() >= np.datetime64(panel.label_end[d])


def test_momentum_of_a_symbol_that_is_used_again_is_that_of_its_new_company(
    panel: Panel, fold: Fold
) -> None:
    """Targets of 1e6 before a gap of ten dates count before the gap, and not after it."""
    gap = fold.test.start - 60
    values, target, member = (np.array(one) for one in (panel.values, panel.target, panel.member))
    values[gap : gap + 10, 0], member[gap : gap + 10, 0] = np.nan, False
    target[:gap, 0], target[gap:, 0] = 1e6, 0.25
    reused = replace(panel, values=values, target=target, member=member)
    found = reference_forecasts("momentum", reused, fold, WINDOW, seed=0)
    own = found.loc[found["symbol"] == panel.symbols[0], "forecast"]
    assert len(own) > 0
    np.testing.assert_allclose(own, 0.25, rtol=1e-6)
    whole = reference_forecasts("momentum", replace(panel, target=target), fold, WINDOW, seed=0)
    assert whole.loc[whole["symbol"] == panel.symbols[0], "forecast"].min() > 1e3


def test_ridge_finds_the_planted_signal_as_scikit_learn_does(panel: Panel, fold: Fold) -> None:
    frame = reference_forecasts("ridge", panel, fold, 1, seed=0).dropna()
    train = slice(fold.train.start, fold.train.stop)
    x = panel.values[train].reshape(-1, len(panel.features)).astype(np.float64)
    y = panel.target[train].reshape(-1).astype(np.float64)
    test = panel.values[fold.test.start : fold.test.stop].reshape(-1, x.shape[1])
    z, z_test = (x - x.mean(0)) / x.std(0), (test - x.mean(0)) / x.std(0)
    rows = {(d, s): i for i, (d, s) in enumerate(np.ndindex(len(fold.test), len(panel.symbols)))}
    place = [
        rows[
            int(np.searchsorted(fold.test_dates, np.datetime64(d, "D"))),
            list(panel.symbols).index(s),
        ]
        for d, s in zip(frame["date"], frame["symbol"], strict=True)
    ]
    fits = [Ridge(alpha=penalty).fit(z, y).predict(z_test)[place] for penalty in RIDGE_PENALTIES]
    nearest = min(np.abs(fit - frame["forecast"]).max() / y.std() for fit in fits)
    assert nearest < 1e-4
    assert frame["forecast"].corr(frame["target"]) > 0.15
