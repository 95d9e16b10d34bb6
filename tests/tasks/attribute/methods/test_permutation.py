import numpy as np
import pandas as pd
import pytest
import torch
from captum.attr import FeaturePermutation
from scipy.stats import spearmanr
from torch import Generator, Tensor

from foldproof.tasks.attribute import permutation_importance
from foldproof.tasks.attribute.methods.permutation import shuffled_within_dates
from tests.tasks.attribute.toys import Recurrent, windows

EXACT = {"rtol": 0.0, "atol": 1e-12}
DATES, STOCKS = 40, 60


def seeded(seed: int = 0) -> Generator:
    return torch.Generator().manual_seed(seed)


def panel(features: int = 3) -> tuple[Tensor, np.ndarray]:
    dates = np.repeat(np.datetime64("2020-01-01") + np.arange(DATES), STOCKS)
    return windows(DATES * STOCKS, 2, features), dates


def newest(x: Tensor) -> Tensor:
    """Feature 0 determines the order within a date; feature 1 only moves a date's level."""
    return x[:, -1, 0] + 0 * x[:, -1, 1]


def test_the_only_feature_loses_the_whole_rank_ic_and_the_dead_nothing() -> None:
    inputs, dates = panel()
    found = permutation_importance(newest, inputs, dates, newest(inputs), generator=seeded())
    torch.testing.assert_close(found.rank_ic, torch.ones(DATES).double(), **EXACT)
    # after permuting, a date's rank IC is that of a random order: mean 0, sd 1 / sqrt(n - 1)
    error = 1 / np.sqrt((STOCKS - 1) * DATES * 10)
    assert abs(found.importance[0].item() - 1) < 4 * error
    assert 0.4 * error < found.error[0].item() < 1.8 * error
    assert not found.lost[:, 1:].any()
    assert not found.error[1:].any()
    np.testing.assert_array_equal(found.dates, np.unique(dates))


def test_a_level_that_a_date_shares_is_no_importance() -> None:
    """Permuted over all dates the market's level would count; within dates it cannot."""
    inputs, dates = panel()
    inputs[:, :, 1] = (
        torch.randn(DATES, generator=seeded(1)).double().repeat_interleave(STOCKS)[:, None]
    )
    level = lambda x: x[:, -1, 0] + 5 * x[:, -1, 1]  # noqa: E731
    found = permutation_importance(level, inputs, dates, level(inputs), generator=seeded())
    assert not found.lost[:, 1].any()
    assert found.importance[0] > 0.9
    mixed = permutation_importance(
        level, inputs, np.zeros(len(dates)), level(inputs), generator=seeded()
    )
    assert mixed.importance[1] > 0.5


def test_a_harmful_feature_is_below_zero_and_partners_lost_together_count_once() -> None:
    inputs, dates = panel()
    harmful = lambda x: x[:, -1, 0] - x[:, -1, 1]  # noqa: E731
    target = newest(inputs) + inputs[:, -1, 1] / 4
    found = permutation_importance(harmful, inputs, dates, target, generator=seeded())
    assert found.importance[0] > 0.3 > -0.1 > found.importance[1]
    both = permutation_importance(
        harmful, inputs, dates, target, ((0, 1), (2,)), generator=seeded()
    )
    assert both.importance[0].item() == pytest.approx(both.rank_ic.mean().item(), abs=0.03)


def test_the_loss_by_independent_recomputation() -> None:
    inputs, dates = panel()
    inputs = (2 * inputs).round()  # ties in forecasts and targets
    network = Recurrent()
    target = inputs[:, -1, 0] + inputs[:, 0, 2].round()
    target[::7] = torch.nan
    found = permutation_importance(network, inputs, dates, target, generator=seeded(), repeats=2)
    known = target.isfinite()
    table = pd.DataFrame({"date": dates[known.numpy()], "target": target[known].numpy()})
    codes = torch.from_numpy(table["date"].factorize()[0])
    draws, network = seeded(), network.eval()
    orders = [shuffled_within_dates(codes, draws) for _ in range(2)]

    def by_date(windows_: Tensor) -> np.ndarray:
        table["forecast"] = network(windows_).detach().numpy()
        return np.array(
            [spearmanr(one["forecast"], one["target"])[0] for _, one in table.groupby("date")]
        )

    whole = by_date(inputs[known])
    np.testing.assert_allclose(found.rank_ic, whole, atol=1e-12)
    for feature in range(3):
        after = []
        for order in orders:
            moved = inputs[known].clone()
            moved[:, :, feature] = moved[order][:, :, feature]
            after.append(by_date(moved))
        np.testing.assert_allclose(found.lost[:, feature], whole - np.mean(after, 0), atol=1e-12)
        means = [(whole - one).mean() for one in after]
        assert found.importance[feature].item() == pytest.approx(np.mean(means), abs=1e-12)
        assert found.error[feature].item() == pytest.approx(np.std(means, ddof=1) / 2**0.5)


def test_one_permuted_date_agrees_with_captum() -> None:
    """captum permutes the batch: on one date with the same order, its forecasts equal ours."""
    network, inputs = Recurrent(), windows(30)
    target = inputs[:, -1, 0]
    ours = permutation_importance(
        network, inputs, torch.zeros(30), target, generator=seeded(), repeats=1
    )
    order = shuffled_within_dates(torch.zeros(30, dtype=torch.int64), seeded())
    oracle = FeaturePermutation(
        network.eval(),
        perm_func=lambda x, mask: torch.where(mask.bool(), x[order], x),
    ).attribute(inputs, feature_mask=torch.arange(3).view(1, 1, 3))
    whole = network(inputs).detach()
    for feature in range(3):
        permuted = whole - oracle[:, 0, feature]
        loss = spearmanr(whole, target)[0] - spearmanr(permuted, target)[0]
        assert ours.importance[feature].item() == pytest.approx(loss, abs=1e-6)


def test_permutations_stay_within_dates_and_are_uniform() -> None:
    date = torch.tensor([2, 0, 1, 0, 2, 0])
    draws = torch.stack([shuffled_within_dates(date, seeded(s)) for s in range(600)])
    assert (date[draws] == date).all()
    assert (draws.sort(1).values == torch.arange(6)).all()
    counts = torch.stack([(draws[:, 1] == other).sum() for other in (1, 3, 5)])
    assert (counts - 200).abs().max() < 60  # binomial sd 11.5


def test_dates_without_three_targets_are_left_out() -> None:
    inputs, dates = windows(9), np.array([0, 0, 0, 1, 1, 1, 2, 2, 3])
    target = inputs[:, -1, 0].clone()
    target[4] = torch.nan
    found = permutation_importance(newest, inputs, dates, target, generator=seeded())
    assert found.dates.tolist() == [0]
    with pytest.raises(ValueError, match="no date has 3 samples with a known target among 9"):
        permutation_importance(newest, inputs, dates, target * torch.nan, generator=seeded())


def test_forward_gets_the_numbers_of_the_samples_that_count() -> None:
    """Every third target is unknown: the others keep their own numbers."""
    own = windows(24, 1, 1, seed=4).flatten()
    target = torch.where(torch.arange(24) % 3 == 1, torch.nan, own)
    found = permutation_importance(
        lambda _, rows: own[rows],
        windows(24),
        np.arange(24) // 12,
        target,
        generator=seeded(),
        rows=torch.arange(24),
    )
    torch.testing.assert_close(found.rank_ic, torch.ones(2).double(), **EXACT)
    assert not found.lost.any()


@pytest.mark.parametrize("chunk", [1, 7, 10_000])
def test_the_chunk_size_does_not_change_the_result(chunk: int) -> None:
    network, inputs, dates = Recurrent(), windows(24), np.arange(24) // 8
    parts, whole = (
        permutation_importance(
            network, inputs, dates, inputs[:, -1, 0], generator=seeded(), chunk=size
        )
        for size in (chunk, 256)
    )
    torch.testing.assert_close(parts.lost, whole.lost, **EXACT)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"dates": [0, 1]}, r"dates must have one entry .* 7 samples.*\(2,\)"),
        ({"target": torch.zeros(6)}, r"target must have one entry .*\(6,\)"),
        ({"inputs": windows() * torch.nan}, "inputs must be finite"),
        ({"groups": ((0, 0),)}, r"several groups: \[0\]"),
        ({"repeats": 0}, "repeats must be at least 1"),
        ({"chunk": 0}, "chunk must be at least 1"),
    ],
)
def test_bad_arguments_are_named(change: dict, message: str) -> None:
    arguments = {
        "inputs": windows(), "dates": np.zeros(7), "target": torch.zeros(7), "generator": seeded()
    } | change  # fmt: skip
    with pytest.raises(ValueError, match=message):
        permutation_importance(newest, **arguments)
