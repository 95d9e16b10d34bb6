import numpy as np
import pandas as pd
import pytest

from foldproof.tasks.diagnose.perturb.perturbations import PERTURBATIONS, blur, mirror
from foldproof.tasks.diagnose.perturb.rows import change_rows, late_cells, schedule


@pytest.fixture
def rows():
    return pd.DataFrame(
        {
            "date": pd.date_range("2024-01-01", periods=6),
            "symbol": "A",
            "price": [1.0, 2, 4, 8, 16, 32],
            "x": [-1.0, 2, -3, 4, np.nan, 6],
            "volume": [10, 20, 30, 40, 50, 60],
            "member": [True, False, True, True, False, True],
            "sector": ["a", "b", "c", "d", "e", "f"],
            "single": np.arange(6, dtype="float32") - 2,
            "known": pd.date_range("2024-01-03", periods=6),
        }
    )


LATER = np.array([False, False, False, True, True, True])


@pytest.mark.parametrize("name", [name for name in PERTURBATIONS if name != "truncate"])
def test_changes_every_value_after_the_cut_and_none_before(rows, name):
    before = rows.copy(deep=True)
    changed = change_rows(rows, LATER, name, np.random.default_rng(0))
    pd.testing.assert_frame_equal(rows, before)
    pd.testing.assert_frame_equal(changed[~LATER], rows[~LATER], check_dtype=name != "missing")
    for column in ("price", "x", "volume", "single"):
        kept = rows.loc[LATER, column]
        same = (changed.loc[LATER, column] == kept) & kept.notna()
        assert not same.any()
    assert changed["date"].equals(rows["date"])
    assert changed["known"].equals(rows["known"])
    if name != "missing":
        assert changed.dtypes.equals(rows.dtypes)
        assert (changed["price"] > 0).all()
        assert np.isnan(changed["x"][4])
        assert changed.loc[LATER, "member"].tolist() == [False, True, False]


def test_truncation_removes_rows(rows):
    changed = change_rows(rows, LATER, "truncate", np.random.default_rng(0))
    pd.testing.assert_frame_equal(changed, rows[~LATER])


def test_noise_permutes_texts():
    many = pd.DataFrame({"date": pd.date_range("2024", periods=50), "symbol": "A"})
    many["sector"] = pd.Categorical([f"s{i}" for i in range(50)])
    later = np.arange(50) >= 10
    changed = change_rows(many, later, "noise", np.random.default_rng(0))
    assert changed["sector"].dtype == many["sector"].dtype
    assert changed["sector"][:10].equals(many["sector"][:10])
    assert sorted(changed["sector"][10:]) == sorted(many["sector"][10:])
    assert not changed["sector"].equals(many["sector"])


def test_flips_by_hand():
    generator = np.random.default_rng(0)
    assert mirror(np.array([-1.0, np.nan, 3.0]), generator).tolist()[::2] == [1.0, -3.0]
    assert mirror(np.array([1.0, 4.0]), generator).tolist() == pytest.approx([4.0, 1.0], rel=1e-15)


def test_noise_has_three_standard_deviations():
    generator, values = np.random.default_rng(0), np.random.default_rng(1).normal(5, 2, 20_000) - 5
    assert (blur(values, generator) - values).std() == pytest.approx(3 * values.std(), rel=0.02)
    prices = np.exp(values / 10)
    moves = np.log(blur(prices, generator) / prices)
    assert moves.std() == pytest.approx(3 * np.log(prices).std(), rel=0.02)
    assert (blur(np.full(9, 7.0), generator) != 7.0).all()
    assert (blur(np.zeros(9), generator) != 0.0).all()


def test_cells_that_are_known_later_change_with_the_rows(rows):
    cut = np.datetime64("2024-01-04")
    rows.loc[0, "known"] = pd.NaT
    late = late_cells(rows, {"x": "known"}, cut)
    assert late["x"].tolist() == [True, False, True, True, True, True]
    later = (rows["date"] > cut).to_numpy()
    truncated = change_rows(rows, later, "truncate", np.random.default_rng(0), late)
    assert truncated["x"].isna().tolist() == [True, False, True, True]
    assert truncated["price"].tolist() == [1, 2, 4, 8]
    flipped = change_rows(rows, later, "flip", np.random.default_rng(0), late)
    assert flipped["x"].tolist()[:4] == [1, 2, 3, -4]


def test_the_first_perturbation_at_every_cut_and_the_others_in_turn():
    assert schedule(4, ("a", "b", "c")) == [
        (0, "a"), (0, "b"), (1, "a"), (1, "c"), (2, "a"), (2, "b"), (3, "a"), (3, "c"),
    ]  # fmt: skip
    assert schedule(2, ("a",)) == [(0, "a"), (1, "a")]
    assert schedule(0, ("a", "b")) == []
    assert schedule(3, ("a", "b"), each=1) == [(0, "a"), (1, "b"), (2, "a")]
