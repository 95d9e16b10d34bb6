from datetime import date
from pathlib import Path

import pytest

from foldproof.tasks.data import DataError, TargetSpec, build
from foldproof.tasks.data.panel.read import read
from tests.tasks.data.bad_inputs import CASES, GOOD, WARNED, Case

TODAY = date(2026, 1, 1)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_bad_input_gets_its_sentence(case: Case, tmp_path: Path) -> None:
    horizon = 5 if case.name == "shorter than the horizon" else 1
    with pytest.raises(DataError) as error:
        build(case.spec(tmp_path), TargetSpec(horizon), now=TODAY)
    said, expected = str(error.value), case.expected(tmp_path)
    assert "\n" not in said
    if expected.endswith("…"):  # the rest is the reader's own reason, which varies by version
        assert said.startswith(expected[:-1])
    else:
        assert said == expected


@pytest.mark.parametrize("case", WARNED, ids=lambda case: case.name)
def test_repairs_are_counted(case: Case, tmp_path: Path) -> None:
    said = read(case.spec(tmp_path), TODAY).about["warnings"]
    assert "; ".join(said) == case.expected(tmp_path)


def test_a_good_table_has_no_warnings(tmp_path: Path) -> None:
    rows = read(Case("good", GOOD, "").spec(tmp_path), TODAY)
    assert rows.about["warnings"] == []
    assert rows.frame.shape == (12, 3)


def test_the_cases_differ() -> None:
    assert len({case.name for case in CASES}) == len(CASES) >= 20
    assert len({case.message for case in CASES}) >= len(CASES) - 8
