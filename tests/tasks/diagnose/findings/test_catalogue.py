import dataclasses

import pytest

from foldproof.tasks.diagnose import DIAGNOSTICS
from foldproof.tasks.diagnose.findings.catalogue import LEVEL
from foldproof.tasks.diagnose.perturb.perturbations import PERTURBATIONS


def test_the_catalogue_has_every_kind_of_test_and_one_statistical_level():
    assert len(DIAGNOSTICS) == 22
    assert {entry.kind for entry in DIAGNOSTICS.values()} == {"exact", "statistical", "informs"}
    levels = {e.threshold for e in DIAGNOSTICS.values() if e.kind == "statistical"}
    assert levels == {LEVEL}


@pytest.mark.parametrize("entry", [*DIAGNOSTICS.values(), *PERTURBATIONS.values()])
def test_every_entry_is_complete_and_frozen(entry):
    texts = [value for value in dataclasses.asdict(entry).values() if isinstance(value, str)]
    assert all(texts)
    with pytest.raises(dataclasses.FrozenInstanceError):
        entry.key = "other"


@pytest.mark.parametrize("entries", [DIAGNOSTICS, PERTURBATIONS])
def test_mappings_are_by_key_and_read_only(entries):
    assert all(key == entry.key for key, entry in entries.items())
    with pytest.raises(TypeError):
        entries["more"] = None
