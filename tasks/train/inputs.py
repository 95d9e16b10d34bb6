"""The normalized features of a panel: as a whole, or of the rows that a unit reads."""

import mmap
import warnings
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from foldproof.models.date_rows import Rows
from foldproof.models.normalizers import (
    InputNormalizer,
    Scaled,
    independent,
    resolve,
    with_features,
)
from foldproof.models.windows import Windows
from foldproof.tasks.data.panel import Panel
from foldproof.tasks.train.unit import Unit

TOGETHER = 1 << 22
"""Cells that are normalized together."""

Part = tuple[slice, slice, Tensor]
"""Date rows and symbols of a part of a panel, and its normalized values."""


class TrainingError(ValueError):
    """A unit cannot be trained on its fold; the message says why."""


def tensors(panel: Panel) -> tuple[Tensor, Tensor]:
    """Features (D, S, F) float32 and membership (D, S) bool as tensors in memory."""
    return torch.from_numpy(np.array(panel.values)), torch.from_numpy(np.array(panel.member))


def shared(array: np.ndarray) -> Tensor:
    """The memory of a read-only array as a tensor, without a copy; it must not be written to."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch has no read-only tensors
        return torch.from_numpy(array)


def fit_statistics(unit: Unit, panel: Panel) -> dict[str, np.ndarray]:
    """State of the unit's input normalizer, fitted on the fold's training rows only.

    Raises:
        TrainingError: A feature has no value in the training rows.
    """
    try:
        normalizer = with_features(resolve(unit.variant), panel.features).input
    except ValueError as error:
        raise TrainingError(str(error)) from error
    if normalizer is None:
        return {}
    values, member = tensors(panel) if independent(normalizer) is None else (
        shared(panel.values), shared(panel.member)
    )  # fmt: skip
    try:
        state = normalizer.fit(values, member, unit.fold.train)
    except ValueError as error:
        raise TrainingError(f"variant {unit.variant}, fold {unit.fold.number}: {error}") from error
    return {name: tensor.numpy() for name, tensor in state.items()}


def normalized(unit: Unit, panel: Panel, statistics: dict[str, np.ndarray]) -> Scaled:
    """The normalized panel, (D, S, F) float32, and the slope of the normalization."""
    normalizer = resolve(unit.variant).input
    values, member = tensors(panel)
    if normalizer is None:
        return Scaled(values, torch.ones(()))
    return normalizer.apply(values, member, state_of(statistics))


def state_of(statistics: dict[str, np.ndarray]) -> dict[str, Tensor]:
    """The state of an input normalizer as tensors."""
    return {name: torch.from_numpy(np.array(array)) for name, array in statistics.items()}


def unit_windows(
    unit: Unit, panel: Panel, statistics: dict[str, np.ndarray], rows: Rows, target: np.ndarray
) -> Windows:
    """The normalized windows of a unit that end at the date rows ``rows``.

    Args:
        unit: Its variant and window length count.
        panel: The panel; where the variant allows it, only the needed part is read.
        statistics: State of the input normalizer.
        rows: Date rows; they may reach beyond the panel.
        target: (D, S) what the windows forecast.
    """
    normalizer = resolve(unit.variant).input
    return windows_of(
        panel, normalizer, state_of(statistics), rows, torch.from_numpy(target), unit.network.window
    )


def windows_of(
    panel: Panel,
    normalizer: InputNormalizer | None,
    state: dict[str, Tensor],
    rows: Rows,
    target: Tensor,
    length: int,
) -> Windows:
    """The normalized windows of ``length`` rows that end at the date rows ``rows``.

    The features are in memory once, in the layout of the windows, besides the part that is being
    normalized.
    """
    days, symbols, features = panel.values.shape
    needed = range(max(0, rows.start - length + 1), min(rows.stop, days))
    held = torch.empty(symbols, max(0, len(needed)), features)
    for dates, names, part in parts(panel, normalizer, state, needed):
        held[names, dates] = part.transpose(0, 1)
    return Windows.of_rows(held, target, length, needed.start)


def parts(
    panel: Panel, normalizer: InputNormalizer | None, state: dict[str, Tensor], needed: range
) -> Iterator[Part]:
    """The normalized features of the date rows ``needed``, part by part.

    Yields:
        Date rows, counted from the first needed one; symbols; (d, s, F) values.
    """
    days, symbols, features = panel.values.shape
    inside, axis = slice(needed.start, needed.stop), independent(normalizer)
    if axis == "dates":
        size = max(1, TOGETHER // max(1, symbols * features))
        for start in range(needed.start, needed.stop, size):
            dates = slice(start, min(start + size, needed.stop))
            part = normalized_part(panel, normalizer, state, dates, slice(None))
            yield slice(dates.start - needed.start, dates.stop - needed.start), slice(None), part
    elif axis == "symbols":
        size = max(1, TOGETHER // max(1, days * features))
        for start in range(0, symbols, size):
            names = slice(start, min(start + size, symbols))
            part = normalized_part(panel, normalizer, state, slice(None), names)
            yield slice(None), names, part[inside]
    else:
        part = normalized_part(panel, normalizer, state, slice(None), slice(None))
        yield slice(None), slice(None), part[inside]


def normalized_part(
    panel: Panel,
    normalizer: InputNormalizer | None,
    state: dict[str, Tensor],
    dates: slice,
    names: slice,
) -> Tensor:
    """Normalized values (d, s, F) of some dates and symbols, read from the panel alone."""
    values = torch.from_numpy(np.array(panel.values[dates, names]))
    if values.numel() < panel.values.size:
        let_go(panel.values)
    if normalizer is None:
        return values
    member = torch.from_numpy(np.array(panel.member[dates, names]))
    return normalizer.apply(values, member, state).values


def let_go(array: np.ndarray) -> None:
    """Drop the pages of a memory-mapped file that were read; they are read again when needed.

    Otherwise all of a panel that is larger than the memory for it would count as this process's.
    """
    held = getattr(array, "_mmap", None)
    if held is not None and array.nbytes > LARGE and hasattr(mmap, "MADV_DONTNEED"):
        held.madvise(mmap.MADV_DONTNEED)


LARGE = 1 << 30
"""Bytes of a panel whose pages are dropped once they were read."""
