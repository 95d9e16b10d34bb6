from pathlib import Path

import pandas as pd
import pytest

from foldproof.tasks.data import DataSpec, SyntheticSpec, TargetSpec, build, folder_of, load_raw
from foldproof.tasks.data.panel.kept_rows import FILE, keep_rows, rows_of

SPEC = DataSpec(
    source="noise", min_history=50, synthetic=SyntheticSpec(days=330, symbols=3, seed=1)
)


def test_a_panel_keeps_the_rows_that_it_was_made_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = load_raw(SPEC)
    folder = folder_of(build(SPEC, TargetSpec(), cache=tmp_path), tmp_path)
    monkeypatch.setattr("foldproof.tasks.data.panel.kept_rows.load_raw", lambda _: 1 / 0)
    pd.testing.assert_frame_equal(rows_of(folder, SPEC), expected, check_exact=True)


def test_without_kept_rows_the_source_is_read(tmp_path: Path) -> None:
    expected = load_raw(SPEC)
    pd.testing.assert_frame_equal(rows_of(None, SPEC), expected, check_exact=True)
    pd.testing.assert_frame_equal(rows_of(tmp_path, SPEC), expected, check_exact=True)
    (tmp_path / FILE).write_bytes(b"half a file")
    pd.testing.assert_frame_equal(rows_of(tmp_path, SPEC), expected, check_exact=True)


@pytest.mark.parametrize(
    "rows",
    [pd.DataFrame({"x": [1, "a"]}), pd.DataFrame({"x": [(1, 2), (3, 4)]})],
    ids=["mixed", "tuples"],
)
def test_rows_that_would_come_back_changed_are_not_kept(rows: pd.DataFrame, tmp_path: Path) -> None:
    keep_rows(rows, tmp_path)
    assert not list(tmp_path.iterdir())
