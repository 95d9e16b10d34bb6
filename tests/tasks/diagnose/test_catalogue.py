import dataclasses

import pytest

from tasks.diagnose import DIAGNOSTICS
from tasks.diagnose.perturb import PERTURBATIONS


def test_the_tests_that_every_comparison_runs():
    assert {key: entry.number for key, entry in DIAGNOSTICS.items()} == {
        "serve_invariance": "T1",
        "train_invariance": "T2",
        "batch_composition": "T3",
        "state_purity": "T7",
        "purge": "T8",
        "fold_order": "T9",
    }


@pytest.mark.parametrize("entry", [*DIAGNOSTICS.values(), *PERTURBATIONS.values()])
def test_every_entry_is_complete_and_frozen(entry):
    texts = [value for value in dataclasses.asdict(entry).values() if isinstance(value, str)]
    assert all(texts)
    with pytest.raises(dataclasses.FrozenInstanceError):
        entry.key = "other"


@pytest.mark.parametrize("entries", [DIAGNOSTICS, PERTURBATIONS])
def test_mappings_go_by_key_and_cannot_change(entries):
    assert all(key == entry.key for key, entry in entries.items())
    with pytest.raises(TypeError):
        entries["more"] = None
