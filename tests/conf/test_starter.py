import pytest
import yaml

from foldproof.conf.schema import Experiment
from foldproof.conf.starter import GAPS, LEAST, LOOKBACK, split_of, starter
from foldproof.tasks.data import DataError

ROLES = {"date": "Date", "symbol": "Stock: code", "price": "Close/Last", "volume": "成交量"}


@pytest.mark.parametrize("dates", [LOOKBACK + GAPS + sum(LEAST.values()), 420, 700, 1500, 6000])
def test_the_blocks_fit_behind_the_look_back(dates: int) -> None:
    split = split_of(dates, "it")
    blocks = split["train"] + split["validation"] + split["test"]
    needed = blocks + (split["keep"] - 1) * split["test"] + GAPS + LOOKBACK
    assert needed <= dates
    assert all(split[name] >= size for name, size in LEAST.items())
    assert split["train"] <= 504
    assert 1 <= split["keep"] <= 4


def test_long_histories_get_the_usual_blocks() -> None:
    assert split_of(3000, "it") == {
        "train": 504, "validation": 126, "test": 126, "embargo": 5, "keep": 4
    }  # fmt: skip


def test_too_short_a_history_is_refused_with_what_is_needed() -> None:
    least = LOOKBACK + GAPS + sum(LEAST.values())
    split_of(least, "it")
    with pytest.raises(DataError, match=f"it: {least - 1} dates are too few .* needs {least}"):
        split_of(least - 1, "it")


def test_the_text_is_an_experiment_with_the_user_s_columns() -> None:
    text = starter("data/my: prices.csv", "data/my: prices_long.csv", ROLES, 1500, "seen")
    experiment = Experiment.model_validate(yaml.safe_load(text))
    assert experiment.name == "my: prices"
    assert experiment.data.path == "data/my: prices_long.csv"
    assert experiment.data.columns.roles == ROLES
    assert experiment.controls == ("full_sample_zscore",)
    assert max(map(len, text.splitlines())) <= 100
