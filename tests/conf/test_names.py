"""Names in configurations stay as they are written."""

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import pytest

from foldproof.conf.explanation import load_explanation
from foldproof.conf.load import load
from foldproof.conf.names import read_yaml, setting_at
from foldproof.conf.outside import load_outside
from foldproof.conf.schema import Experiment
from foldproof.models.spec import TrainingSpec

TICKERS = [
    "ON",
    "NO",
    "TRUE",
    "000001",
    "600519",
    "1e5",
    "NULL",
    "Null",
    "2024-01-01",
    "0x1F",
    "AAPL",
]


@pytest.mark.parametrize("ticker", TICKERS)
def test_a_ticker_is_explained_by_its_name(ticker: str) -> None:
    assert load_explanation("latest", [f"symbol={ticker}"]).symbol == ticker


@pytest.mark.parametrize("nothing", ["null", "~", ""])
def test_no_ticker_is_the_default(nothing: str) -> None:
    assert load_explanation("latest", [f"symbol={nothing}"]).symbol is None


def test_names_in_a_file_stay_text_and_numbers_stay_numbers(tmp_path: Path) -> None:
    file = tmp_path / "own.yaml"
    file.write_text(
        "name: 2024\n"
        "data: {source: file, path: 0042, columns: {price: on, features: [yes, 1, x]}}\n"
        "split: {train: 100, validation: 20, test: 5W, step: 1W}\n"
        "variants: [none]\ntraining: {epochs: 7, learning_rate: 1.0e-3}\n"
    )
    found = load(file, ["data.end=2020-06-30", "data.columns.volume=off"])
    assert (found.name, found.data.path) == ("2024", "0042")
    assert (found.data.columns.price, found.data.columns.volume) == ("on", "off")
    assert found.data.columns.features == ("yes", "1", "x")
    assert (found.split.train, found.split.test) == (100, "5W")
    assert (found.training.epochs, found.training.learning_rate) == (7, 0.001)
    assert found.data.end == date(2020, 6, 30)


def test_keys_and_values_of_a_mapping_of_names_stay_text() -> None:
    for given in ("known_at={on: 2024}", "known_at.on=2024"):
        assert load_outside("mine:f", "rows.csv", [given]).known_at == {"on": "2024"}


@dataclass(frozen=True)
class Section:
    name: Annotated[str | None, "a note"] = None
    count: int | None = None
    groups: tuple[tuple[str, ...], ...] = ()
    size: int | str = 1


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("{name: NULL, count: null}", {"name": "NULL", "count": None}),
        ("{name: null}", {"name": None}),
        ("{groups: [[on, off], [1]]}", {"groups": [["on", "off"], ["1"]]}),
        ("{size: 5}", {"size": 5}),
        ("{size: 5W}", {"size": "5W"}),
        ("{other: on}", {"other": True}),
        ("{name: [on]}", {"name": [True]}),
        ("{base: &x {name: on}, <<: *x}", {"base": {"name": True}, "name": True}),
    ],
)
def test_only_names_are_read_as_text(text: str, value: Any) -> None:
    assert read_yaml(text, Section) == value


def test_the_type_of_a_setting_is_found_by_its_path() -> None:
    assert setting_at(["training"], Experiment) is TrainingSpec
    assert setting_at(["training", "epochs"], Experiment) is int
    assert setting_at(["variants", "0"], Experiment) is str
    assert setting_at(["training", "nothing", "below"], Experiment) is Any
