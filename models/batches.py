"""Which samples share a batch. With batch statistics this decides what a network can see."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import torch
from torch import Generator, Tensor


@dataclass(frozen=True)
class Batches:
    """A way to cut samples into batches; every sample is in exactly one.

    Attributes:
        name: Key in :data:`BATCHES`.
        description: One line for users.
        cut: (samples (N,), their dates (N,), their symbols (N,), batch_size, generator on the CPU)
            -> batches, each (B,), in the order in which they are trained on.
        whole_dates: Whether a date is never cut, as losses over a cross-section need.
    """

    name: str
    description: str
    cut: Callable[[Tensor, Tensor, Tensor, int, Generator], list[Tensor]]
    whole_dates: bool = True


def _order(keys: Tensor, then: Tensor) -> Tensor:
    """Order by ``keys``, ties by ``then``."""
    first = then.argsort(stable=True)
    return first[keys[first].argsort(stable=True)]


def _mixed(items: list[Tensor], generator: Generator) -> list[Tensor]:
    return [items[place] for place in torch.randperm(len(items), generator=generator).tolist()]


def _chunks(samples: Tensor, size: int) -> list[Tensor]:
    """Pieces of ``size``; a last piece of 1 joins the one before, for batch norm's sake."""
    chunks = list(samples.split(size))
    if len(chunks) > 1 and len(chunks[-1]) < 2:
        chunks[-2:] = [torch.cat(chunks[-2:])]
    return chunks


def _dates(samples: Tensor, dates: Tensor, symbols: Tensor) -> list[Tensor]:
    """One tensor per date, in time order."""
    order = _order(dates, symbols)
    counts = dates[order].unique_consecutive(return_counts=True)[1]
    return list(samples[order].split(counts.tolist()))


def _blocks(samples: Tensor, dates: Tensor, symbols: Tensor, size: int) -> list[Tensor]:
    """Adjacent whole dates joined as long as they hold ``size`` samples at most."""
    blocks: list[list[Tensor]] = []
    held = 0
    for date in _dates(samples, dates, symbols):
        if not blocks or held + len(date) > size:
            blocks.append([])
            held = 0
        blocks[-1].append(date)
        held += len(date)
    return [torch.cat(block) for block in blocks]


def _shuffled(
    samples: Tensor, dates: Tensor, symbols: Tensor, size: int, generator: Generator
) -> list[Tensor]:
    order = torch.randperm(len(samples), generator=generator)
    return _chunks(samples[order.to(samples.device)], size)


def _date(
    samples: Tensor, dates: Tensor, symbols: Tensor, size: int, generator: Generator
) -> list[Tensor]:
    return _mixed(_dates(samples, dates, symbols), generator)


def _date_block(
    samples: Tensor, dates: Tensor, symbols: Tensor, size: int, generator: Generator
) -> list[Tensor]:
    return _mixed(_blocks(samples, dates, symbols, size), generator)


def _symbol(
    samples: Tensor, dates: Tensor, symbols: Tensor, size: int, generator: Generator
) -> list[Tensor]:
    order = _order(symbols, dates)
    counts = symbols[order].unique_consecutive(return_counts=True)[1]
    runs = samples[order].split(counts.tolist())
    return _mixed([chunk for run in runs for chunk in _chunks(run, size)], generator)


def _chronological(
    samples: Tensor, dates: Tensor, symbols: Tensor, size: int, generator: Generator
) -> list[Tensor]:
    return _blocks(samples, dates, symbols, size)


BATCHES: Mapping[str, Batches] = MappingProxyType(
    {
        entry.name: entry
        for entry in (
            Batches("shuffled", "any samples, drawn anew each epoch", _shuffled, False),
            Batches("date", "one whole date, whatever batch_size says; dates shuffled", _date),
            Batches("date_block", "whole adjacent dates; blocks shuffled", _date_block),
            Batches("symbol", "consecutive windows of one symbol; pieces shuffled", _symbol, False),
            Batches("chronological", "whole adjacent dates in time order", _chronological),
        )
    }
)
"""Every batch composition by its name. A date larger than batch_size is still never cut, except
by shuffled and symbol; those join a last piece of a single sample to the one before."""
