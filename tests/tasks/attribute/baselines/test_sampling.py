import torch

from foldproof.tasks.attribute.baselines.sampling import (
    cut,
    draw,
    spread_cross_sections,
    spread_samples,
)

DAYS, SYMBOLS = 50, 7


def available() -> torch.Tensor:
    """Dates 10..39 of all symbols, sorted by date, then symbol."""
    return torch.tensor([s * DAYS + d for d in range(10, 40) for s in range(SYMBOLS)])


def test_cut_is_the_slice_that_ends_at_the_sample() -> None:
    values = torch.arange(DAYS * SYMBOLS * 2.0).view(DAYS, SYMBOLS, 2)
    windows = cut(values, torch.tensor([3 * DAYS + 10, 0 * DAYS + 49]), 4)
    torch.testing.assert_close(windows[0], values[7:11, 3], rtol=0, atol=0)
    torch.testing.assert_close(windows[1], values[46:50, 0], rtol=0, atol=0)


def test_samples_spread_over_dates_and_symbols() -> None:
    rows = available()
    chosen = spread_samples(rows, 30, torch.Generator().manual_seed(0))
    assert (chosen % DAYS).tolist() == list(range(10, 40))  # one of each date
    assert len((chosen // DAYS).unique()) == SYMBOLS
    again = spread_samples(rows, 30, torch.Generator().manual_seed(0))
    torch.testing.assert_close(chosen, again, rtol=0, atol=0)
    other = spread_samples(rows, 30, torch.Generator().manual_seed(1))
    assert (chosen != other).any()


def test_all_samples_are_used_when_there_are_few() -> None:
    rows = available()
    for count in (len(rows), len(rows) + 5):
        chosen = spread_samples(rows, count, torch.Generator().manual_seed(0))
        torch.testing.assert_close(chosen, rows, rtol=0, atol=0)


def test_cross_sections_are_whole_and_within_the_budget() -> None:
    chosen = spread_cross_sections(available(), DAYS, dates=64, budget=SYMBOLS * 6)
    dates, count = (chosen % DAYS).unique(return_counts=True)
    assert dates.tolist() == [12, 17, 22, 27, 32, 37]
    assert (count == SYMBOLS).all()
    assert len((spread_cross_sections(available(), DAYS, 3, 10**6) % DAYS).unique()) == 3
    assert len(spread_cross_sections(available(), DAYS, 64, 1)) == SYMBOLS


def test_draws_are_available_samples_and_seeded() -> None:
    rows = available()
    drawn = draw(rows, 500, torch.Generator().manual_seed(3))
    assert len(drawn) == 500
    assert torch.isin(drawn, rows).all()
    assert len(drawn.unique()) > 100
    again = draw(rows, 500, torch.Generator().manual_seed(3))
    torch.testing.assert_close(drawn, again, rtol=0, atol=0)
