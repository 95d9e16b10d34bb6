import numpy as np
import pytest

from foldproof.tasks.data import DataSpec, Panel, SyntheticSpec, TargetSpec, build
from foldproof.tasks.data.synthetic.conditional import STATE
from foldproof.tasks.data.synthetic.truth import relevance, signal_of
from tests.benchmarks.truth import slopes, terms_of

CONDITIONAL = ("interaction", "sign_flip", "switching")
LAGS = 3


def panel_of(source: str, signal: float = 0.3, persistence: float = 0.0, seed: int = 3) -> Panel:
    size = SyntheticSpec(1500, 60, 6, signal, persistence, seed)
    return build(DataSpec(source=source, features="ready", synthetic=size), TargetSpec(1, "return"))


def samples(panel: Panel) -> tuple[np.ndarray, np.ndarray]:
    """Windows (B, 3, F), oldest row first, and their targets, without the last day."""
    moved = np.lib.stride_tricks.sliding_window_view(panel.values, LAGS, axis=0)
    windows = moved.transpose(0, 1, 3, 2)[:-1].reshape(-1, LAGS, len(panel.features))
    return windows.astype(float), panel.target[LAGS - 1 : -1].ravel().astype(float)


@pytest.mark.parametrize("source", CONDITIONAL)
@pytest.mark.parametrize("persistence", [0.0, 0.8])
def test_the_best_forecast_is_the_stated_one(source: str, persistence: float) -> None:
    """Its correlation is the stated one, and what it leaves over no cell or product explains."""
    panel = panel_of(source, persistence=persistence)
    windows, target = samples(panel)
    best = signal_of(terms_of(panel.about), windows, panel.features)
    assert np.corrcoef(best, target)[0, 1] == pytest.approx(0.3, abs=0.015)
    rest = target - best
    assert rest.std() == pytest.approx(0.02 * np.sqrt(1 - 0.3**2), rel=0.02)
    cells = windows.reshape(len(windows), -1)
    products = np.einsum("bi,bj->bij", cells, cells).reshape(len(cells), -1)
    design = (products - products.mean(0)) / products.std(0).clip(1e-9)
    t = design.T @ (rest - rest.mean()) / rest.std() / np.sqrt(len(rest))
    assert np.abs(t).max() < 5  # of 324 products


@pytest.mark.parametrize("source", CONDITIONAL)
def test_no_feature_alone_carries_it_over_all_dates(source: str) -> None:
    panel = panel_of(source, signal=0.7)
    windows, target = samples(panel)
    z = (target - target.mean()) / target.std()
    correlation = np.einsum("btf,b->tf", windows, z) / len(z)
    carries = {"interaction": [], "sign_flip": [], "switching": [(2, 0), (0, 1)]}[source]
    strong = [tuple(map(int, cell)) for cell in np.argwhere(np.abs(correlation) > 0.1)]
    assert sorted(strong) == sorted(carries)


@pytest.mark.parametrize("source", CONDITIONAL)
def test_the_stated_relevance_is_that_of_the_panel(source: str) -> None:
    panel = panel_of(source)
    windows, _ = samples(panel)
    terms = terms_of(panel.about)
    seen = np.sqrt((slopes(terms, windows, panel.features) ** 2).mean(0))
    stated = relevance(terms, panel.features, LAGS)
    np.testing.assert_allclose(seen, stated, rtol=0.1)
    assert (stated > 0).sum() == {"interaction": 2, "sign_flip": 4, "switching": 3}[source]
    listed = np.zeros_like(stated)
    for feature, lags in panel.about["truth"].items():
        for lag, weight in lags.items():
            listed[LAGS - 1 - lag, panel.features.index(feature)] = weight
    np.testing.assert_allclose(listed, stated)


@pytest.mark.parametrize("source", ["sign_flip", "switching"])
@pytest.mark.parametrize("persistence", [0.0, 0.8])
def test_the_state_is_a_chain_of_signs_shared_by_a_date(source: str, persistence: float) -> None:
    panel = panel_of(source, persistence=persistence)
    state = panel.values[:, :, panel.features.index(STATE)]
    assert (state == state[:, :1]).all()
    assert set(state[:, 0].tolist()) == {-1.0, 1.0}
    lag1 = np.corrcoef(state[1:, 0], state[:-1, 0])[0, 1]
    assert lag1 == pytest.approx(persistence, abs=0.1)


@pytest.mark.parametrize("source", CONDITIONAL)
def test_the_seed_decides(source: str) -> None:
    assert panel_of(source).fingerprint == panel_of(source).fingerprint
    assert panel_of(source).fingerprint != panel_of(source, seed=4).fingerprint


@pytest.mark.parametrize("source", ["linear", "lagged"])
def test_linear_panels_have_terms_too(source: str) -> None:
    panel = panel_of(source)
    moved = np.lib.stride_tricks.sliding_window_view(panel.values, 11, axis=0)
    windows = moved.transpose(0, 1, 3, 2)[:-1].reshape(-1, 11, len(panel.features)).astype(float)
    best = signal_of(terms_of(panel.about), windows, panel.features)
    assert np.corrcoef(best, panel.target[10:-1].ravel())[0, 1] == pytest.approx(0.3, abs=0.015)
