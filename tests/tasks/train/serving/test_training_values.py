from dataclasses import replace

import numpy as np
import pytest

from foldproof.models.normalizers import VARIANTS
from foldproof.tasks.data import DataSpec, Panel, SyntheticSpec, load_raw
from foldproof.tasks.split import Fold
from foldproof.tasks.train import Unit, train_unit
from foldproof.tasks.train.serving.model import read_served, write_served
from foldproof.tasks.train.serving.record import background_of, served_of
from foldproof.tasks.train.serving.training_values import BACKGROUND, Background, fitted_to, profile

READY = DataSpec(
    source="linear", features="ready", min_history=50,
    synthetic=SyntheticSpec(days=420, symbols=16, n_features=5, signal=0.3, seed=3),
)  # fmt: skip


def test_a_profile_in_closed_form() -> None:
    """1 to 100 and five missing cells: ten bins of ten."""
    values = np.concatenate([np.arange(1, 101.0), np.full(5, np.nan)])
    found = profile(np.random.default_rng(0).permutation(values))
    assert found.edges == (10.0, 20.0, 30.0, 40.0, 50.0, 60.0, 70.0, 80.0, 90.0)
    assert found.shares == (0.09, *[0.1] * 8, 0.11)  # a value on a border lies above it
    assert (found.low, found.high, found.missing) == (1.0, 100.0, pytest.approx(5 / 105))


def test_few_different_values_have_fewer_bins() -> None:
    found = profile(np.array([0.0] * 70 + [1.0] * 30))
    assert (found.edges, found.shares) == ((1.0,), (0.7, 0.3))
    constant = profile(np.full(9, 2.0))
    assert (constant.edges, constant.shares) == ((2.0, np.nextafter(2.0, 3)), (0.0, 1.0, 0.0))
    rare = profile(np.array([0.0] * 95 + [1.0] * 5))
    assert (rare.edges, rare.shares) == ((1.0,), (0.95, 0.05))
    empty = profile(np.full(4, np.nan))
    assert (empty.shares, empty.low, empty.missing) == ((), None, 1.0)


def test_shares_sum_to_one_and_equal_counts() -> None:
    values = np.random.default_rng(1).standard_normal(5000).astype(np.float32)
    found = profile(values)
    counts, _ = np.histogram(values, [-np.inf, *found.edges, np.inf])
    np.testing.assert_allclose(found.shares, counts / 5000, atol=1e-12)


@pytest.fixture(scope="module")
def one(unit: Unit, panel: Panel):
    return train_unit(replace(unit, training=replace(unit.training, epochs=1)), panel)


def test_the_background_is_that_of_the_training_rows(one, panel: Panel, fold: Fold) -> None:
    served = served_of(one, panel.features, READY)
    found = background_of(served, served.inputs(load_raw(READY)), one, {"f0": 3.0, "f1": 1.0})
    block = slice(fold.train.start, fold.train.stop)
    cells = panel.values[block][panel.member[block]]
    assert found.reference == {n: profile(cells[:, k]) for k, n in enumerate(panel.features)}
    assert found.importance == {"f0": 0.75, "f1": 0.25}
    assert str(found.fitted_to) == str(fold.validation_dates[-1])
    assert str(fitted_to(replace(fold, validation=range(0, 0)))) == str(fold.train_dates[-1])


@pytest.mark.parametrize("variant", ["zscore", "rolling_zscore"])
def test_the_history_is_the_least_with_which_there_is_a_score(
    variant: str, one, panel: Panel
) -> None:
    """One date fewer, and there is none."""
    unit = replace(one.unit, variant=variant)
    statistics = one.statistics if VARIANTS[variant].input == VARIANTS["zscore"].input else {}
    served = served_of(replace(one, unit=unit, statistics=statistics), panel.features, READY)
    raw = load_raw(READY)
    needed = background_of(served, served.inputs(raw), one).history
    dates = np.sort(raw["date"].unique())
    enough = raw[raw["date"] >= dates[-needed]]
    assert served.score(enough)["score"].notna().all()
    with pytest.raises(ValueError, match="any of the 16 symbols"):
        served.score(raw[raw["date"] >= dates[1 - needed]])


def test_it_survives_the_model_s_notes(one, panel: Panel, tmp_path) -> None:
    served = served_of(one, panel.features, READY)
    found = background_of(served, served.inputs(load_raw(READY)), one, {"f0": 1.0})
    files = write_served(one, panel.features, READY, tmp_path, found)
    again = read_served(files["weights"], files["notes"]).background
    assert again == found
    assert isinstance(again, Background)
    assert BACKGROUND.validate_python(BACKGROUND.dump_python(found, mode="json")) == found
    without = write_served(one, panel.features, READY, tmp_path)
    assert read_served(without["weights"], without["notes"]).background is None
