from dataclasses import fields

import numpy as np
import pytest

from foldproof.tasks.attribute.trust.catalogue import TRUST, check


def test_every_check_documents_itself_and_its_failure() -> None:
    assert tuple(TRUST) == (
        "completeness", "model_randomization", "label_randomization", "seed_stability",
        "fold_stability", "canaries", "comprehensiveness", "sufficiency", "infidelity",
        "sensitivity",
    )  # fmt: skip
    for trial in TRUST.values():
        assert all(getattr(trial, field.name).strip() for field in fields(trial))
    assert len({trial.title for trial in TRUST.values()}) == len(TRUST)
    with pytest.raises(TypeError):
        TRUST["another"] = TRUST["canaries"]  # type: ignore[index]


def test_a_check_has_plain_numbers() -> None:
    made = check("completeness", np.float32(0.5), np.float64(0), np.bool_(False), "words")
    assert made.value == 0.5
    assert made.passed is False
    assert [type(end) for end in (made.value, made.low, made.high, made.mark)] == [float] * 4
