import numpy as np
import pytest
import torch
from torch import Tensor

from foldproof.tasks.attribute import mean_partial_derivatives
from foldproof.tasks.attribute.methods.partials import Lags

DATES, STOCKS = 200, 200


def cross_sections() -> tuple[Tensor, np.ndarray]:
    generator = torch.Generator().manual_seed(5)
    inputs = torch.randn(DATES * STOCKS, 6, generator=generator, dtype=torch.float64)
    dates = np.repeat(np.datetime64("2020-01-01") + np.arange(DATES), STOCKS)
    inputs[:, 5] = torch.arange(DATES).repeat_interleave(STOCKS) % 2  # parity of the date
    return inputs, dates


def note(x: Tensor) -> Tensor:
    """x1 + x2²/2 + x3 x4 + (-1)^date x5 / 2."""
    sign = 1 - 2 * x[:, 5]
    return x[:, 0] + 0.5 * x[:, 1] ** 2 + x[:, 2] * x[:, 3] + 0.5 * sign.detach() * x[:, 4]


def test_the_two_readings_rank_differently() -> None:
    inputs, dates = cross_sections()
    # the parity moves the forecast but is not a feature: differentiate the first five only
    partials = mean_partial_derivatives(note, inputs, dates, chunk=5000)
    a, b = partials.mean_partial, partials.mean_abs_partial
    se = np.sqrt(2 / np.pi / STOCKS)  # mean of |mean of STOCKS standard normals|
    expected_a = torch.tensor([1.0, se, se, se, 0.5]).double()
    expected_b = torch.tensor([1.0, *[np.sqrt(2 / np.pi)] * 3, 0.5]).double()
    torch.testing.assert_close(a[:5], expected_a, rtol=0, atol=0.01)
    torch.testing.assert_close(b[:5], expected_b, rtol=0, atol=0.01)
    assert a[0] == b[0] == 1
    torch.testing.assert_close(
        partials.sign_consistency[:5], (expected_a / expected_b), rtol=0, atol=0.02
    )
    assert partials.sign_consistency[5] == 0  # both readings are 0


def test_the_series_is_signed() -> None:
    inputs, dates = cross_sections()
    series = mean_partial_derivatives(note, inputs, dates, chunk=5000).series
    assert series.shape == (DATES, 6)
    torch.testing.assert_close(series[:, 4], 0.5 * (-1.0) ** torch.arange(DATES).double())
    torch.testing.assert_close(series[:, 0], torch.ones(DATES).double())


def test_dates_come_in_order_whatever_the_rows() -> None:
    inputs, dates = cross_sections()
    order = torch.randperm(len(inputs), generator=torch.Generator().manual_seed(1))
    sorted_way = mean_partial_derivatives(note, inputs, dates, chunk=3000)
    mixed = mean_partial_derivatives(note, inputs[order], dates[order.numpy()], chunk=4000)
    np.testing.assert_array_equal(mixed.dates, np.unique(dates))
    torch.testing.assert_close(mixed.signed, sorted_way.signed, rtol=0, atol=1e-12)
    torch.testing.assert_close(mixed.absolute, sorted_way.absolute, rtol=0, atol=1e-12)


def hedge(x: Tensor) -> Tensor:
    """Feature 0: 3 at the newest row, -2 before; feature 1: the sign of its own newest row."""
    return 3 * x[:, 2, 0] - 2 * x[:, 1, 0] + x[:, 2, 1].abs()


@pytest.mark.parametrize(
    ("lags", "reading_a", "reading_b"),
    [("sum", [1, 0], [1, 1]), ("abs_sum", [5, 0], [5, 1]), ("last", [3, 0], [3, 1])],
)
def test_lags_are_joined_as_requested(lags: Lags, reading_a: list, reading_b: list) -> None:
    inputs = torch.ones(4, 3, 2, dtype=torch.float64)
    inputs[1::2] = -1  # in each date one stock up, one down
    partials = mean_partial_derivatives(hedge, inputs, [0, 0, 1, 1])
    assert partials.importance("mean_partial", lags).tolist() == reading_a
    assert partials.importance("mean_abs_partial", lags).tolist() == reading_b
    expected = [a / b for a, b in zip(reading_a, reading_b, strict=True)]
    assert partials.consistency(lags).tolist() == expected
    assert partials.by_lag("mean_partial").tolist() == [[0, 0], [2, 0], [3, 0]]
    assert partials.by_lag("mean_abs_partial").tolist() == [[0, 0], [2, 0], [3, 1]]


def test_scale_makes_units_comparable() -> None:
    generator = torch.Generator().manual_seed(2)
    standard = torch.randn(60, 4, 2, generator=generator, dtype=torch.float64)
    sigma = torch.tensor([10.0, 0.1], dtype=torch.float64)
    dates = torch.arange(60) // 6

    def of_standard(z: Tensor) -> Tensor:
        return torch.tanh(z.sum((1, 2))) + z[:, -1, 1] ** 2

    expected = mean_partial_derivatives(of_standard, standard, dates)
    scaled = mean_partial_derivatives(
        lambda x: of_standard(x / sigma), standard * sigma, dates, scale=sigma
    )
    torch.testing.assert_close(scaled.signed, expected.signed, rtol=1e-12, atol=1e-14)
    per_cell = sigma.expand(60, 4, 2).contiguous()
    cells = mean_partial_derivatives(
        lambda x: of_standard(x / sigma), standard * sigma, dates, scale=per_cell
    )
    torch.testing.assert_close(cells.signed, scaled.signed, rtol=0, atol=0)


def test_agrees_with_finite_differences() -> None:
    generator = torch.Generator().manual_seed(4)
    inputs = torch.randn(6, 2, 2, generator=generator, dtype=torch.float64)

    def smooth(x: Tensor) -> Tensor:
        return torch.sin(x[:, 0, 0]) * x[:, 1, 1] + torch.exp(x[:, 1, 0] / 2)

    partials = mean_partial_derivatives(smooth, inputs, np.zeros(6))
    for t, f in np.ndindex(2, 2):
        step = torch.zeros(2, 2, dtype=torch.float64)
        step[t, f] = 1e-6
        slope = (smooth(inputs + step) - smooth(inputs - step)) / 2e-6
        assert partials.signed[0, t, f].item() == pytest.approx(slope.mean().item(), abs=1e-8)
        assert partials.absolute[0, t, f].item() == pytest.approx(
            slope.abs().mean().item(), abs=1e-8
        )


def test_mean_partial_never_exceeds_mean_abs_partial() -> None:
    generator = torch.Generator().manual_seed(6)
    inputs = torch.randn(90, 3, 4, generator=generator)
    weight = torch.randn(3, 4, generator=generator)
    partials = mean_partial_derivatives(
        lambda x: torch.tanh((x * weight).sum((1, 2))) + (x[:, :, 0] ** 2).sum(1),
        inputs,
        np.arange(90) // 9,
    )
    assert partials.signed.dtype == torch.float32
    for lags in ("sum", "abs_sum", "last"):
        share = partials.consistency(lags)
        assert ((share >= 0) & (share <= 1)).all()
        a, b = (
            partials.importance("mean_partial", lags),
            partials.importance("mean_abs_partial", lags),
        )
        assert (a <= b * (1 + 1e-6)).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"inputs": torch.zeros(0, 3, 2)}, "at least one sample"),
        ({"inputs": torch.zeros(4)}, r"\(B, T, F\) or \(B, F\)"),
        ({"dates": [0, 1]}, r"each of the 4 samples, shape \(4,\); their shape is \(2,\)"),
        ({"scale": torch.ones(5)}, r"scale of shape \(5,\) .* per feature, \(2,\)"),
        ({"scale": torch.tensor([1.0, torch.nan])}, "scale must be finite"),
        ({"inputs": torch.full((4, 3, 2), torch.nan)}, "inputs must be finite"),
        ({"chunk": 0}, "chunk must be at least 1"),
    ],
)
def test_bad_arguments_are_named(change: dict, message: str) -> None:
    arguments = {"inputs": torch.ones(4, 3, 2), "dates": [0, 0, 1, 1]} | change
    with pytest.raises(ValueError, match=message):
        mean_partial_derivatives(lambda x: x.sum((1, 2)), **arguments)
