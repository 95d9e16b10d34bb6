"""A unit reads only the rows that it needs, and gets the same bits as from the whole panel."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from foldproof.models.normalizers import VARIANTS, independent
from foldproof.models.normalizers.pooled import ZScore
from foldproof.models.normalizers.variant import Scaled
from foldproof.tasks.data import Panel
from foldproof.tasks.train import Unit, fit_statistics, inputs, normalized, unit_windows
from tests.variants import STYLED


class Leaky(ZScore):
    """Overrides ``apply``: the claim of the method that it replaces does not hold for it."""

    def apply(
        self, values: torch.Tensor, member: torch.Tensor, state: dict[str, torch.Tensor]
    ) -> Scaled:
        return Scaled(values - values.nanmean(), torch.ones(()))


def test_a_replaced_apply_does_not_inherit_independence() -> None:
    assert independent(ZScore()) == "dates"
    assert independent(Leaky()) is None


@pytest.mark.parametrize("variant", [name for name, one in VARIANTS.items() if one.input])
def test_parts_of_the_panel_are_normalized_like_the_whole(
    monkeypatch: pytest.MonkeyPatch, unit: Unit, panel: Panel, variant: str
) -> None:
    monkeypatch.setattr(inputs, "TOGETHER", 1)  # one date or one symbol at a time
    own = replace(unit, variant=f"{variant} ~ f0" if variant in STYLED else variant)
    statistics, rows = fit_statistics(own, panel), range(300, 350)
    windows = unit_windows(own, panel, statistics, rows, np.array(panel.target))
    whole = normalized(own, panel, statistics).values
    assert windows.values.shape[0] == len(rows) + unit.network.window - 1
    assert torch.equal(windows.values.nan_to_num(-9), whole[windows.first : 350].nan_to_num(-9))
