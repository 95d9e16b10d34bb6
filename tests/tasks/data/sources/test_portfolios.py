from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from foldproof.tasks.data import DataError, DataSpec, load_raw
from foldproof.tasks.data.sources import portfolios

RELATIVES = "A,\\,\x94\n1.01,0.99,1.0\n1.0403,0.9801,1.0\n1.0,1.0,1.2\n"
SPEC = DataSpec(source="nyse_old", min_history=1)


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of an installed package with one file of three stocks and three days."""
    folder = tmp_path / portfolios.FOLDER
    (folder / "universal_portfolios-9.dist-info").mkdir(parents=True)
    notes = "Metadata-Version: 2.1\nName: universal-portfolios\nVersion: 9\n"
    (folder / "universal_portfolios-9.dist-info/METADATA").write_text(notes)
    (folder / "universal/data").mkdir(parents=True)
    (folder / "universal/data/nyse_o.csv").write_text(RELATIVES)
    monkeypatch.chdir(tmp_path)
    return folder / "universal/data"


@pytest.mark.usefixtures("package")
def test_cumulated_relatives_are_prices_of_numbered_stocks_on_business_days() -> None:
    wide = load_raw(SPEC).pivot(index="date", columns="symbol", values="price")
    assert wide.columns.tolist() == ["S01", "S02", "S03"]  # their names hold control characters
    np.testing.assert_array_equal(wide, [[1.01, 0.99, 1], [1.0403, 0.9801, 1], [1, 1, 1.2]])
    days = pd.DatetimeIndex(["1962-07-03", "1962-07-04", "1962-07-05"])  # the fourth is a holiday
    assert wide.index.equals(days.as_unit(wide.index.unit))


@pytest.mark.usefixtures("package")
def test_the_made_up_dates_are_a_warning() -> None:
    rows = portfolios.load_portfolio(SPEC, "nyse_o", "1962-07-03")
    (warning,) = rows.about["warnings"]
    assert "no dates" in warning
    assert "business days from 1962-07-03" in warning


def test_a_missing_package_or_file_says_what_to_install(
    package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(DataError, match=r"universal-portfolios 9 has no file .*tse.csv; run make"):
        load_raw(DataSpec(source="toronto"))
    (package / "nyse_o.csv").write_text("A,B\n1.0,x\n")
    with pytest.raises(DataError, match=r"nyse_o.csv: not a table of numbers; install universal"):
        load_raw(SPEC)
    monkeypatch.setattr(portfolios, "PACKAGE", "foldproof-has-no-such-package")
    with pytest.raises(DataError, match="run make panels, or run pip install --no-deps"):
        load_raw(SPEC)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("source", "shape", "last"),
    [
        ("nyse_old", (5651, 36), 521.9),
        ("nyse_new", (6431, 23), 415.3),
        ("toronto", (1259, 88), 141.9),
    ],
)
def test_the_real_files(source: str, shape: tuple[int, int], last: float) -> None:
    load = partial(load_raw, DataSpec(source=source))
    try:
        wide = load().pivot(index="date", columns="symbol", values="price")
    except DataError as error:
        pytest.skip(str(error))
    assert wide.shape == shape
    assert wide.iloc[-1].sum() == pytest.approx(last, abs=0.1)
