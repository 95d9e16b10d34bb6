"""Several ranges of date rows behave like the numbers that they hold."""

import numpy as np
import torch

from foldproof.models.date_rows import Spans, at, hull, parts_of
from foldproof.models.normalizers.scaling import fitted_cells
from foldproof.models.windows import eligible


def test_spans_are_the_runs_of_their_rows() -> None:
    rows = Spans.of([2, 3, 4, 8, 11, 12])
    assert rows.parts == (range(2, 5), range(8, 9), range(11, 13))
    assert [*rows] == [2, 3, 4, 8, 11, 12]
    assert (rows.start, rows.stop, len(rows), rows[3], rows[-1]) == (2, 13, 6, 8, 12)
    assert 8 in rows
    assert 5 not in rows
    assert Spans.of([]).parts == ()
    assert len(Spans.of([])) == 0
    assert hull(range(3, 5), rows) == range(2, 13)
    assert parts_of(range(4)) == (range(4),)


def test_rows_of_arrays_are_those_in_the_spans() -> None:
    values, rows = np.arange(40).reshape(20, 2), Spans.of([2, 3, 9])
    assert values[at(rows)].tolist() == [[4, 5], [6, 7], [18, 19]]
    assert torch.from_numpy(values)[at(rows)].tolist() == values[at(rows)].tolist()
    assert at(range(2, 4)) == slice(2, 4)


def test_normalizers_are_fitted_and_windows_are_taken_on_these_rows_only() -> None:
    values = torch.arange(60, dtype=torch.float32).reshape(10, 3, 2)
    member, rows = torch.ones(10, 3, dtype=torch.bool), Spans.of([2, 3, 7])
    expected = torch.cat([values[2:4], values[7:8]]).double().flatten(0, 1)
    assert torch.equal(fitted_cells(values, member, rows), expected)
    found = eligible(values, member, rows, length=2)
    assert sorted(set((found % 10).tolist())) == [2, 3, 7]
    whole = eligible(values, member, range(2, 8), length=2)
    assert found.tolist() == [one for one in whole.tolist() if one % 10 in rows]
