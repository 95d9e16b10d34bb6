"""Composition of batches. With batch statistics it decides which samples a forecast depends on."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import torch
from torch import Generator, Tensor


@dataclass(frozen=True)
class Batches:
    """A way to cut samples into batches; each sample is in exactly one.

    Attributes:
        description: One line for users.
        cut: (samples (N,), their dates (N,), their symbols (N,), batch_size, generator on the CPU)
            -> batches, each (B,), in training order.
        whole_dates: Whether a date is never cut, which losses over a cross-section require.
    """

    description: str
    cut: Callable[[Tensor, Tensor, Tensor, int, Generator], list[Tensor]]
    whole_dates: bool = True


def _groups(samples: Tensor, keys: Tensor, then: Tensor) -> list[Tensor]:
    """One tensor per value of ``keys``, in their order, each in the order of ``then``."""
    first = then.argsort(stable=True)
    order = first[keys[first].argsort(stable=True)]
    counts = keys[order].unique_consecutive(return_counts=True)[1]
    return list(samples[order].split(counts.tolist()))


def _mixed(items: list[Tensor], generator: Generator) -> list[Tensor]:
    return [items[place] for place in torch.randperm(len(items), generator=generator).tolist()]


def _chunks(samples: Tensor, size: int) -> list[Tensor]:
    """Pieces of ``size``; a last piece of 1 joins the piece before it, as batch norm needs 2."""
    chunks = list(samples.split(size))
    if len(chunks) > 1 and len(chunks[-1]) < 2:
        chunks[-2:] = [torch.cat(chunks[-2:])]
    return chunks


def _blocks(samples: Tensor, dates: Tensor, symbols: Tensor, size: int) -> list[Tensor]:
    """Adjacent whole dates, joined while they have at most ``size`` samples."""
    blocks: list[list[Tensor]] = []
    held = 0
    for date in _groups(samples, dates, symbols):
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


def _symbol(
    samples: Tensor, dates: Tensor, symbols: Tensor, size: int, generator: Generator
) -> list[Tensor]:
    stocks = _groups(samples, symbols, dates)
    return _mixed([chunk for stock in stocks for chunk in _chunks(stock, size)], generator)


BATCHES: Mapping[str, Batches] = MappingProxyType({
    "shuffled": Batches("any samples, drawn again each epoch", _shuffled, False),
    "date": Batches("one whole date, regardless of batch_size; dates shuffled",
                    lambda s, dates, symbols, _, draw: _mixed(_groups(s, dates, symbols), draw)),
    "date_block": Batches("whole adjacent dates; blocks shuffled",
                          lambda s, dates, symbols, size, draw:
                          _mixed(_blocks(s, dates, symbols, size), draw)),
    "symbol": Batches("consecutive windows of one symbol; pieces shuffled", _symbol, False),
    "chronological": Batches("whole adjacent dates in time order",
                             lambda s, dates, symbols, size, _: _blocks(s, dates, symbols, size)),
})  # fmt: skip
"""Every batch composition by its name. Only shuffled and symbol cut dates; the others keep a date
whole even if it is larger than batch_size. A last piece of one sample joins the piece before it."""
