import numpy as np
import pytest
import torch
from scipy.stats import spearmanr
from torch import nn

from foldproof.tasks.diagnose.network.scoring import Labels, in_batches, pieces, rank_ic_of
from tests.tasks.diagnose.modules import Counting, Layer

WINDOWS = torch.randn(12, 3, 2, generator=torch.Generator().manual_seed(0))
DATES = torch.arange(3).repeat(4)  # symbol by symbol


def test_each_batch_is_scored_alone_and_in_place():
    centred = Layer(lambda x: x.sum((1, 2)) - x.sum((1, 2)).mean())
    batches = [torch.tensor([5, 1, 0]), torch.tensor([7, 2])]
    forecast = in_batches(centred, WINDOWS, DATES, batches, 0)
    for batch in batches:
        sums = WINDOWS[batch].sum((1, 2))
        np.testing.assert_allclose(forecast[batch], sums - sums.mean(), rtol=1e-6)
    assert np.isnan(forecast[[3, 4, 6, 8, 9, 10, 11]]).all()


def test_batches_do_not_share_state():
    counting = Counting(used=1.0).eval()
    windows = torch.randn(12, 3, 3, generator=torch.Generator().manual_seed(0))
    alone = in_batches(counting, windows, DATES, pieces(12, None), 0)
    np.testing.assert_allclose(in_batches(counting, windows, DATES, pieces(12, 4), 0), alone)
    assert counting.seen == 0


def test_more_than_one_output_a_sample_is_refused():
    with pytest.raises(ValueError, match="one output per sample"):
        in_batches(nn.Flatten(), WINDOWS, DATES, pieces(12, None), 0)


def test_rank_ic_by_date_equals_scipy():
    draw = np.random.default_rng(0)
    forecast, target = draw.normal(size=(2, 12))
    target[3] = np.nan
    daily = rank_ic_of(forecast, DATES, target)
    assert daily.index.tolist() == [0, 1, 2]
    for date in range(3):
        rows = (DATES.numpy() == date) & np.isfinite(target)
        expected = spearmanr(forecast[rows], target[rows]).statistic
        assert daily[date] == pytest.approx(expected, rel=1e-12)


def test_pieces_keep_the_order():
    assert [piece.tolist() for piece in pieces(5, 2)] == [[0, 1], [2, 3], [4]]
    assert [piece.tolist() for piece in pieces(3, None)] == [[0, 1, 2]]


def test_labels_are_checked():
    assert Labels.of(None, None, 1, None, 4) is None
    labels = Labels.of(torch.arange(4), np.array(["b", "a", "b", "c"]), 2, 8, 4)
    assert labels.target.tolist() == [0.0, 1.0, 2.0, 3.0]
    assert labels.symbols.tolist() == [1, 0, 1, 2]
    for given, message in (
        ((torch.zeros(3), None, 1, None), r"target must be \(4,\), one value per window; it is"),
        ((torch.zeros(4), np.zeros(3), 1, None), r"symbols must be \(4,\)"),
        ((torch.zeros(4), None, 0, None), "horizon must be at least 1; it is 0"),
        ((None, None, 1, 0), "batch_size must be at least 1; it is 0"),
    ):
        with pytest.raises(ValueError, match=message):
            Labels.of(*given, 4)
