from typing import NamedTuple

import pytest
import torch
from torch import Tensor

from foldproof.models.native import kernel as native
from foldproof.models.native.kernel import Kernel
from foldproof.tasks.diagnose.certify.panel import certification_panel
from tests.models.kernels import BUILDS


@pytest.fixture(autouse=True, scope="session")
def _one_thread():
    torch.set_num_threads(1)


class Small(NamedTuple):
    """A small panel with gaps, ties, offsets and a changing universe."""

    values: Tensor
    member: Tensor
    target: Tensor


@pytest.fixture(scope="session")
def small() -> Small:
    panel = certification_panel()
    return Small(*(torch.tensor(one) for one in (panel.values, panel.member, panel.target)))


@pytest.fixture(params=BUILDS or [pytest.param("", marks=pytest.mark.skip(reason="not built"))])
def kernel(request: pytest.FixtureRequest) -> Kernel:
    """Each library of the native LSTM."""
    return native.loaded(request.param)


@pytest.fixture
def double_kernel(kernel: Kernel) -> Kernel:
    """Each library in float64."""
    return native.loaded(kernel.instructions, torch.float64)


@pytest.fixture(params=native.AGREEMENT, ids=str)
def any_kernel(kernel: Kernel, request: pytest.FixtureRequest) -> Kernel:
    """Each library in each precision."""
    return native.loaded(kernel.instructions, request.param)
