from datetime import date
from typing import Any, get_args

import pytest

from foldproof.models.spec import TargetName
from foldproof.tasks.data import SOURCES, ColumnsSpec, DataSpec, SyntheticSpec, TargetSpec
from foldproof.tasks.data.features.target import KINDS
from foldproof.tasks.data.spec import SourceName


def test_choices_are_the_entries_of_their_mappings() -> None:
    assert list(get_args(SourceName)) == list(SOURCES)
    assert list(get_args(TargetName)) == list(KINDS)


@pytest.mark.parametrize(
    ("make", "settings", "message"),
    [
        (
            DataSpec,
            {"source": "yahoo"},
            "source has no choice 'yahoo'; there are sp500,",
        ),
        (DataSpec, {"source": "file"}, "path is required for source 'file'"),
        (DataSpec, {"path": "x.csv"}, "path is required for source 'file'"),
        (DataSpec, {"query": "select 1"}, "query is required for source 'query' and not allowed"),
        (DataSpec, {"source": "query", "query": "drop table a"}, "query begins with 'drop'"),
        (DataSpec, {"incremental": True}, "incremental needs source 'file' or 'query'"),
        (DataSpec, {"overlap": 0}, "overlap must be at least 1; it is 0"),
        (DataSpec, {"features": "prices"}, "features has no choice 'prices'; did you mean price"),
        (DataSpec, {"fill_limit": -1}, "fill_limit must be at least 0; it is -1"),
        (DataSpec, {"min_history": 0}, "min_history must be at least 1; it is 0"),
        (DataSpec, {"start": date(2020, 1, 2), "end": date(2020, 1, 2)}, "start must be before"),
        (DataSpec, {"start": "2020-01-02"}, "start must be a datetime.date; it is '2020-01-02'"),
        (TargetSpec, {"horizon": 0}, "horizon must be at least 1; it is 0"),
        (TargetSpec, {"kind": "log"}, "kind has no choice 'log'; there are return"),
        (ColumnsSpec, {"target": "y"}, "go together"),
        (ColumnsSpec, {"label_end": "end"}, "go together"),
        (ColumnsSpec, {"features": ()}, "columns.features is empty"),
        (
            ColumnsSpec,
            {"volume": "close"},
            "duplicate columns.*: close",
        ),
        (SyntheticSpec, {"days": 29}, "days must be at least 30; it is 29"),
        (SyntheticSpec, {"symbols": 1}, "symbols must be at least 2"),
        (SyntheticSpec, {"n_features": 3}, "n_features must be at least 4"),
        (SyntheticSpec, {"signal": 1.0}, "signal must lie in"),
        (SyntheticSpec, {"persistence": -0.1}, "persistence must lie in"),
    ],
)
def test_a_bad_setting_names_itself(make: Any, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make(**settings)


@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)
def test_every_source_says_what_a_reader_must_know(source: Any) -> None:
    assert source.title
    assert source.notes
    assert source.terms
