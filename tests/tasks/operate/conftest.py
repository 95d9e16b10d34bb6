import pandas as pd
import pytest
import torch

from foldproof.tasks.data import load_raw
from foldproof.tasks.operate.retraining.evidence import Champion
from foldproof.tasks.train import TrainedUnit
from foldproof.tasks.train.serving.model import write_served
from foldproof.tasks.train.serving.record import background_of, served_of
from tests.champion import DATA, features, nights, trained


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def one() -> TrainedUnit:
    return trained()


@pytest.fixture(scope="session")
def raw() -> pd.DataFrame:
    return load_raw(DATA)


@pytest.fixture(scope="session")
def champion(
    one: TrainedUnit, raw: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory
) -> Champion:
    """Version 3, as the registry would hand it over."""
    names = features(raw)
    served = served_of(one, names, DATA)
    background = background_of(served, served.inputs(raw), one)
    files = write_served(one, names, DATA, tmp_path_factory.mktemp("model"), background)
    first = nights(one, 0)[0]
    return Champion("3", "zscore", first, one.unit.key, files["weights"], files["notes"])
