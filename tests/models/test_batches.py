from itertools import pairwise
from typing import get_args, get_type_hints

import pytest
import torch

from foldproof.models.batches import BATCHES
from foldproof.models.spec import TrainingSpec

DAYS = 40


@pytest.fixture
def samples():
    """About four fifths of 7 symbols x 40 days, in no particular order."""
    generator = torch.Generator().manual_seed(3)
    return torch.randperm(7 * DAYS, generator=generator)[: 7 * DAYS * 4 // 5]


def cut(name, samples, size, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return BATCHES[name].cut(samples, samples % DAYS, samples // DAYS, size, generator)


def dates(batch):
    return (batch % DAYS).tolist()


def test_the_choices_of_the_spec_are_the_mapping():
    assert set(get_args(get_type_hints(TrainingSpec)["batches"])) == set(BATCHES)


@pytest.mark.parametrize("size", [1, 5, 16, 1000])
@pytest.mark.parametrize("name", BATCHES)
def test_every_sample_once_and_the_seed_decides(name, size, samples):
    batches = cut(name, samples, size)
    assert sorted(torch.cat(batches).tolist()) == sorted(samples.tolist())
    again = cut(name, samples, size)
    assert [b.tolist() for b in batches] == [b.tolist() for b in again]


@pytest.mark.parametrize("name", sorted(set(BATCHES) - {"chronological"}))
def test_another_seed_gives_another_order(name, samples):
    first, second = cut(name, samples, 8), cut(name, samples, 8, seed=1)
    assert torch.cat(first).tolist() != torch.cat(second).tolist()


@pytest.mark.parametrize("name", ["date", "date_block", "chronological"])
def test_dates_are_never_cut(name, samples):
    batches = cut(name, samples, 16)
    owners = [set(dates(batch)) for batch in batches]
    assert sum(map(len, owners)) == len(set.union(*owners))
    for batch in batches:  # by date, then symbol
        order = [(s % DAYS, s) for s in batch.tolist()]
        assert order == sorted(order)


def test_date_is_one_date(samples):
    assert all(len(set(dates(batch))) == 1 for batch in cut("date", samples, 3))


@pytest.mark.parametrize("name", ["date_block", "chronological"])
def test_blocks_are_adjacent_and_as_large_as_fits(name, samples):
    batches = sorted(cut(name, samples, 16), key=lambda batch: dates(batch)[0])
    present = sorted(set(dates(samples)))
    assert [d for batch in batches for d in sorted(set(dates(batch)))] == present
    for batch, following in pairwise(batches):
        assert len(batch) <= 16
        assert len(batch) + dates(following).count(dates(following)[0]) > 16


def test_a_date_larger_than_the_batch_size_stays_whole(samples):
    batches = cut("chronological", samples, 2)
    assert max(map(len, batches)) > 2
    assert all(len(set(dates(batch))) == 1 for batch in batches if len(batch) > 2)


def test_chronological_is_in_time_order_and_date_block_is_not(samples):
    order = dates(torch.cat(cut("chronological", samples, 16)))
    assert order == sorted(order)
    order = dates(torch.cat(cut("date_block", samples, 16)))
    assert order != sorted(order)


def test_symbol_is_consecutive_windows_of_one_symbol(samples):
    for batch in cut("symbol", samples, 8):
        assert len(set((batch // DAYS).tolist())) == 1
        own = sorted(samples[samples // DAYS == batch[0] // DAYS].tolist())
        start = own.index(batch[0])
        assert own[start : start + len(batch)] == batch.tolist()


@pytest.mark.parametrize("name", ["shuffled", "symbol"])
def test_no_last_batch_of_one(name):
    samples = torch.arange(17)
    assert sorted(map(len, cut(name, samples, 8))) == [8, 9]
    assert sorted(map(len, cut(name, samples[:10], 8))) == [2, 8]
    assert [len(batch) for batch in cut(name, samples[:1], 8)] == [1]
