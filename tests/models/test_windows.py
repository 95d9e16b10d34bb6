import pytest
import torch

from foldproof.models.windows import Windows, eligible


def test_gather_equals_slicing(small):
    windows = Windows.of(small.values, small.target, 7)
    days, symbols = small.member.shape
    samples = torch.tensor([s * days + d for s in range(symbols) for d in range(6, days, 11)])
    samples = samples[torch.randperm(len(samples), generator=torch.Generator().manual_seed(0))]
    gathered = windows.gather(samples)
    assert gathered.shape == (len(samples), 7, 4)
    for row, sample in enumerate(samples.tolist()):
        symbol, day = divmod(sample, days)
        expected = small.values[day - 6 : day + 1, symbol]
        assert torch.equal(gathered[row].nan_to_num(-9), expected.nan_to_num(-9))
        assert windows.date(samples)[row] == day
        assert windows.symbol(samples)[row] == symbol
        assert windows.target[sample] == small.target[day, symbol]
    assert windows.symbols == symbols


def naive(small, rows, length, labelled):
    days = len(small.values)
    return [
        s * days + d
        for d in rows
        for s in range(small.member.shape[1])
        if d >= length - 1
        and small.member[d, s]
        and small.values[d - length + 1 : d + 1, s].isfinite().all()
        and (not labelled or small.target[d, s].isfinite())
    ]


@pytest.mark.parametrize("labelled", [False, True])
@pytest.mark.parametrize(
    ("rows", "length"), [(range(400), 5), (range(0, 60), 1), (range(90, 95), 20), (range(7), 8)]
)
def test_eligible_equals_a_search_cell_by_cell(small, rows, length, labelled):
    gappy = small._replace(target=small.target.clone())
    gappy.target[::3, 2] = torch.nan
    target = gappy.target if labelled else None
    found = eligible(gappy.values, gappy.member, rows, length, target)
    assert found.dtype == torch.int64
    assert found.tolist() == naive(gappy, rows, length, labelled)


def test_eligible_is_empty_rather_than_an_error_when_no_window_fits(small):
    few = small.values[:3], small.member[:3]
    assert len(eligible(*few, range(3), 4)) == 0


def test_rows_outside_the_panel_are_refused(small):
    with pytest.raises(ValueError, match=r"rows 390\.\.401 .* 400 date rows"):
        eligible(small.values, small.member, range(390, 401), 5)


def test_shapes_must_match(small):
    with pytest.raises(ValueError, match="must match the dates and symbols"):
        Windows.of(small.values, small.target[:-1], 5)


def test_features_of_some_rows_give_the_same_windows(small):
    whole = Windows.of(small.values, small.target, 7)
    held = small.values[100:200].transpose(0, 1).contiguous()
    part = Windows.of_rows(held, small.target, 7, first=100)
    samples = part.eligible(small.member, range(106, 200), labelled=True)
    assert samples.tolist() == naive(small, range(106, 200), 7, True)
    assert torch.equal(part.gather(samples), whole.gather(samples))
    assert torch.equal(part.target, whole.target)
    assert part.symbols == whole.symbols


@pytest.mark.parametrize("rows", [range(105, 110), range(195, 201)])
def test_windows_beyond_the_features_are_refused(small, rows):
    held = small.values[100:200].transpose(0, 1)
    part = Windows.of_rows(held, small.target, 7, first=100)
    with pytest.raises(ValueError, match="need earlier or later features"):
        part.eligible(small.member, rows)
