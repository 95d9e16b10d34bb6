from dataclasses import replace

import numpy as np
import pytest

from foldproof.tasks.diagnose.perturb.panels import change_panel

CUT = 300


@pytest.fixture
def given(panel):
    """The panel with labels known three rows later."""
    ends = np.full(len(panel.dates), np.datetime64("NaT"), dtype="datetime64[D]")
    ends[:-3] = panel.dates[3:]
    return replace(panel, label_end=ends)


@pytest.mark.parametrize("name", ["missing", "noise", "flip"])
def test_exactly_what_is_not_known_at_the_cut_changes(given, name):
    values, target = given.values.copy(), given.target.copy()
    changed = change_panel(given, CUT, name, np.random.default_rng(0))
    assert np.array_equal(changed.values[: CUT + 1], values[: CUT + 1], equal_nan=True)
    assert np.array_equal(changed.target[: CUT - 2], target[: CUT - 2], equal_nan=True)
    known = np.isfinite(values[CUT + 1 :])
    assert (changed.values[CUT + 1 :] != values[CUT + 1 :])[known].all()
    known = np.isfinite(target[CUT - 2 :])
    assert known[:3].all()  # labels of the rows before the cut that end after it
    assert (changed.target[CUT - 2 :] != target[CUT - 2 :])[known].all()
    assert changed.values.dtype == changed.target.dtype == np.float32
    assert changed.member[CUT + 1 :].any() == (name != "missing")
    assert changed.fingerprint != given.fingerprint
    assert np.array_equal(given.values, values, equal_nan=True)
    assert np.array_equal(given.target, target, equal_nan=True)


def test_truncation_ends_the_panel_at_the_cut(given):
    changed = change_panel(given, CUT, "truncate", np.random.default_rng(0))
    for name in ("dates", "values", "target", "label_end", "member"):
        assert len(getattr(changed, name)) == CUT + 1
    assert np.isnan(changed.target[-3:]).all()
    assert np.isnat(changed.label_end[-3:]).all()
    assert np.array_equal(changed.target[:-3], given.target[: CUT - 2], equal_nan=True)
    assert np.array_equal(changed.values, given.values[: CUT + 1], equal_nan=True)
