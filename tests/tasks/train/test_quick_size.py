"""Every variant on the bundled panel in the size of conf/quick.yaml, saved and read again."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from foldproof.conf.load import load
from foldproof.models.normalizers import CONTROLS, VARIANTS
from foldproof.tasks.data import Panel, build, load_raw
from foldproof.tasks.split import Fold, plan_hash
from foldproof.tasks.train import Unit, train_unit
from foldproof.tasks.train.serving.model import read_served, write_served

QUICK = load("quick")


@pytest.fixture(scope="module")
def newest() -> tuple[Panel, Fold]:
    panel = build(QUICK.data, QUICK.target)
    return panel, QUICK.split.folds(panel.dates, panel.label_end)[-1]


@pytest.mark.long
@pytest.mark.parametrize("variant", [*VARIANTS, *(n for n, v in CONTROLS.items() if not v.scoring)])
def test_it_trains_and_its_files_forecast_the_same(
    variant: str, newest: tuple[Panel, Fold], tmp_path: Path
) -> None:
    panel, fold = newest
    training = replace(QUICK.training, device="cpu")
    plan = plan_hash((fold,))
    unit = Unit(variant, fold, 0, QUICK.network, training, panel.fingerprint, plan)
    trained = train_unit(unit, panel)
    forecasts = trained.forecasts
    due = panel.member[fold.test.start : fold.test.stop].sum()
    assert len(forecasts) == due
    assert np.isfinite(forecasts["forecast"]).all()
    assert forecasts["forecast"].std() > 0
    served = read_served(*write_served(trained, panel.features, QUICK.data, tmp_path).values())
    day = fold.test_dates[-1]
    raw = load_raw(QUICK.data)
    scores = served.score(raw[raw["date"] <= day]).set_index("symbol")["score"]
    known = forecasts[forecasts["date"] == day].set_index("symbol")["forecast"]
    if not VARIANTS.get(variant, CONTROLS.get(variant)).control:
        np.testing.assert_allclose(scores, known, atol=1e-5 * known.std(), rtol=1e-5)
