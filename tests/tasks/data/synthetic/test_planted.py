import numpy as np
import pytest

from foldproof.tasks.data import DataSpec, Panel, SyntheticSpec, TargetSpec, build

PLANTED = ("linear", "lagged", "regime")
SIZE = SyntheticSpec(days=1200, symbols=60, n_features=6, signal=0.2, seed=3)


def panel_of(source: str, size: SyntheticSpec = SIZE, kind: str = "return") -> Panel:
    return build(DataSpec(source=source, features="ready", synthetic=size), TargetSpec(1, kind))


def design(panel: Panel, lags: int) -> tuple[np.ndarray, np.ndarray]:
    """Every feature at every lag as a column, and the target, where both are there."""
    days = range(lags, len(panel.dates) - 1)
    x = [
        panel.values[d - np.arange(lags + 1)].transpose(1, 2, 0).reshape(panel.symbols.size, -1)
        for d in days
    ]
    return np.concatenate(x).astype(float), panel.target[days.start : days.stop].ravel()


@pytest.mark.parametrize("source", ["linear", "lagged"])
@pytest.mark.parametrize("persistence", [0.0, 0.6])
def test_least_squares_finds_the_planted_weights(source: str, persistence: float) -> None:
    size = SyntheticSpec(1200, 60, 6, 0.2, persistence, 3)
    panel = panel_of(source, size)
    x, y = design(panel, 10)
    weights, residual, *_ = np.linalg.lstsq(x, y, rcond=None)
    truth = np.zeros((6, 11))
    for feature, at in panel.about["truth"].items():
        for lag, weight in at.items():
            truth[int(feature[1:]), lag] = weight
    error = np.sqrt(residual[0] / len(y) * np.diag(np.linalg.inv(x.T @ x))).reshape(6, 11)
    assert np.abs((weights.reshape(6, 11) - truth) / error).max() < 4
    assert np.count_nonzero(truth) in (3, 4)
    assert not truth[3:].any()


def planted_signal(panel: Panel, lags: int = 10) -> np.ndarray:
    """(D - lags, S) the best forecast, from the stated truth."""
    out = np.zeros(panel.target[lags:].shape)
    for feature, at in panel.about["truth"].items():
        for lag, weight in at.items():
            out += weight * panel.values[lags - lag : len(panel.dates) - lag, :, int(feature[1:])]
    if "sign_turns" in panel.about:
        out[panel.dates[lags:] >= np.datetime64(panel.about["sign_turns"])] *= -1
    return out


@pytest.mark.parametrize("source", PLANTED)
@pytest.mark.parametrize("signal", [0.05, 0.3])
def test_the_best_forecast_has_the_stated_ic(source: str, signal: float) -> None:
    panel = panel_of(source, SyntheticSpec(1500, 60, 5, signal, 0.9, 1))
    best, target = planted_signal(panel)[:-1], panel.target[10:-1]
    daily = [np.corrcoef(a, b)[0, 1] for a, b in zip(best, target, strict=True)]
    standard_error = np.std(daily) / np.sqrt(len(daily))
    assert np.mean(daily) == pytest.approx(signal, abs=4 * standard_error)
    assert standard_error < 0.005
    assert panel.about["information_coefficient"] == signal


def test_the_sign_of_regime_turns_where_it_says() -> None:
    panel = panel_of("regime")
    turn = np.searchsorted(panel.dates, np.datetime64(panel.about["sign_turns"]))
    x = panel.values[..., 0]
    before = np.corrcoef(x[:turn].ravel(), panel.target[:turn].ravel())[0, 1]
    after = np.corrcoef(x[turn:-1].ravel(), panel.target[turn:-1].ravel())[0, 1]
    assert before > 0.1 > -0.1 > after


@pytest.mark.parametrize("source", PLANTED)
def test_labels_become_known_on_the_next_day(source: str) -> None:
    panel = panel_of(source)
    np.testing.assert_array_equal(panel.label_end[:-1], panel.dates[1:])
    assert np.isnat(panel.label_end[-1])
    assert np.isnan(panel.target[-1]).all()
    assert not np.isnan(panel.target[:-1]).any()


def standard_ranks(values: np.ndarray) -> np.ndarray:
    ranks = values.argsort(axis=1).argsort(axis=1)
    return (ranks - ranks.mean()) / ranks.std()


def test_noise_has_nothing_to_find() -> None:
    """Neither a feature's rank IC by date nor a pooled correlation differs from zero."""
    size = SyntheticSpec(days=1500, symbols=40, seed=1)
    panel = build(DataSpec(source="noise", synthetic=size), TargetSpec(1))
    rows = slice(252, -2)
    target = standard_ranks(panel.target[rows])
    for k, name in enumerate(panel.features):
        daily = (standard_ranks(panel.values[rows, :, k]) * target).mean(axis=1)
        t = daily.mean() / (daily.std() / np.sqrt(len(daily)))
        assert abs(t) < 3.5, name
        assert abs(daily.mean()) < 0.02, name


def test_noise_is_a_martingale_difference_with_clusters_of_volatility() -> None:
    panel = build(DataSpec(source="noise", features="price"), TargetSpec(1, "return"))
    k = panel.features.index("return_1")
    r = panel.values[1:, :, k].astype(float)
    market = r.mean(axis=1)
    lag1 = np.corrcoef(market[1:], market[:-1])[0, 1]
    clusters = np.mean([np.corrcoef(s[1:] ** 2, s[:-1] ** 2)[0, 1] for s in r.T])
    assert abs(lag1) < 4 / np.sqrt(len(market))
    assert clusters > 0.03
    assert np.corrcoef(r.T)[np.triu_indices(40, 1)].mean() > 0.1  # the common factor


@pytest.mark.parametrize("source", [*PLANTED, "noise"])
def test_the_seed_decides(source: str) -> None:
    def prints(seed: int) -> str:
        size = SyntheticSpec(days=300, symbols=5, seed=seed)
        features = "price" if source == "noise" else "ready"
        return build(DataSpec(source=source, features=features, synthetic=size)).fingerprint

    assert prints(1) == prints(1) != prints(2)
