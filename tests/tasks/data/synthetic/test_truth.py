import json

import numpy as np
import pytest
import torch

from foldproof.tasks.data.synthetic.conditional import INTERACTION, SIGN_FLIP, SWITCHING
from foldproof.tasks.data.synthetic.truth import Term, relevance, signal_of
from tests.benchmarks.truth import slopes, terms_of

FEATURES = ("f0", "f1", "f2", "f3", "f4")
SHAPES = {"interaction": INTERACTION, "sign_flip": SIGN_FLIP, "switching": SWITCHING}
LAGGED = (Term(2.0, (("f0", 0),)), Term(-1.5, (("f2", 2),)))


@pytest.fixture
def windows() -> np.ndarray:
    return np.random.default_rng(0).standard_normal((200, 4, len(FEATURES)))


def test_a_product_by_hand() -> None:
    window = np.array([[[5.0, 7.0], [1.0, 1.0], [3.0, 2.0]]])  # oldest row first
    terms = (Term(2.0, (("a", 0), ("b", 2))),)
    assert signal_of(terms, window, ("a", "b")).tolist() == [2 * 3 * 7]
    assert slopes(terms, window, ("a", "b")).tolist() == [[[0, 6], [0, 0], [14, 0]]]
    assert relevance(terms, ("a", "b"), 3).tolist() == [[0, 2], [0, 0], [2, 0]]


def test_one_feature_at_a_time_where_the_regime_says(windows: np.ndarray) -> None:
    windows[:100, -1, 3], windows[100:, -1, 3] = 1, -1
    found = slopes(SWITCHING, windows, FEATURES)
    assert np.all(found[:100, -1, 0] == 1)
    assert not found[:100, -3, 1].any()
    assert not found[100:, -1, 0].any()
    assert np.all(found[100:, -3, 1] == 1)
    # what the regime is worth: half of the difference between the two features
    np.testing.assert_allclose(found[:, -1, 3], (windows[:, -1, 0] - windows[:, -3, 1]) / 2)


@pytest.mark.parametrize("shape", [*SHAPES.values(), LAGGED])
def test_slopes_are_those_of_autograd(shape: tuple[Term, ...], windows: np.ndarray) -> None:
    points = torch.from_numpy(windows).requires_grad_()
    total = torch.zeros(())
    for term in shape:
        part = torch.full((len(points),), term.weight, dtype=torch.float64)
        for feature, lag in term.cells:
            part = part * points[:, 3 - lag, FEATURES.index(feature)]
        total = total + part.sum()
    total.backward()
    assert points.grad is not None
    np.testing.assert_allclose(slopes(shape, windows, FEATURES), points.grad, atol=1e-14)
    assert total.item() == pytest.approx(signal_of(shape, windows, FEATURES).sum())


@pytest.mark.parametrize("shape", [*SHAPES.values(), LAGGED])
def test_relevance_is_the_root_mean_square_slope(shape: tuple[Term, ...]) -> None:
    draw = np.random.default_rng(1)
    windows = draw.standard_normal((200_000, 3, len(FEATURES)))
    windows[:, -1, 3] = draw.choice([-1, 1], len(windows))
    seen = np.sqrt((slopes(shape, windows, FEATURES) ** 2).mean(0))
    stated = relevance(shape, FEATURES, 3)
    np.testing.assert_allclose(seen, stated, rtol=0.02)
    assert not seen[stated == 0].any()


def test_terms_survive_a_cached_panel() -> None:
    """JSON has text for keys and lists for tuples."""
    linear = {"truth": {"f0": {0: 2.0}, "f2": {2: -1.5}}}
    product = {"signal": [[2.0, [["f0", 0], ["f1", 2]]]]}
    for about in (linear, product):
        assert terms_of(json.loads(json.dumps(about))) == terms_of(about)
    assert terms_of(linear) == LAGGED
    assert terms_of(product) == (Term(2.0, INTERACTION[0].cells),)


def test_a_window_that_is_too_short_is_refused(windows: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"f1 2 days back.*2 rows.*lengthen the window"):
        slopes(INTERACTION, windows[:, -2:], FEATURES)
    with pytest.raises(ValueError, match="keep the feature"):
        relevance(INTERACTION, ("f0", "f2"), 3)


@pytest.mark.parametrize(
    ("about", "message"),
    [
        ({"source": "sp500"}, "'sp500' states no truth"),
        ({"truth": {"f0": {0: 1.0}}, "sign_turns": "2001-01-01"}, "2001-01-01.*use sign_flip"),
    ],
)
def test_a_panel_whose_truth_is_not_in_its_cells_is_refused(
    about: dict[str, object], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        terms_of(about)
