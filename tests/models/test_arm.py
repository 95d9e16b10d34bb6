"""The kernel compiled for ARM and run by an emulator, against torch in float64."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from foldproof.models.adamw import AdamW
from foldproof.models.spec import TrainingSpec

COMPILER, EMULATOR = "aarch64-linux-gnu-gcc", "qemu-aarch64-static"
SOURCE = Path(__file__).with_name("arm.c")
OPTIONS = ("-O3", "-std=gnu11", "-ffp-contract=fast", "-fno-math-errno", "-fno-trapping-math",
           "-fno-signed-zeros", "-static")  # fmt: skip
"""Those of setup.py."""

pytestmark = [
    pytest.mark.slow,  # the compiler takes 3 CPU seconds
    pytest.mark.skipif(
        not (shutil.which(COMPILER) and shutil.which(EMULATOR)),
        reason=f"needs {COMPILER} and {EMULATOR}",
    ),
]


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program for ARM, which uses NEON."""
    built = tmp_path_factory.mktemp("arm") / "arm"
    subprocess.run([COMPILER, *OPTIONS, str(SOURCE), "-o", str(built), "-lm"], check=True)
    return built


def floats(*tensors: Tensor) -> bytes:
    return b"".join(one.detach().to(torch.float32).numpy().tobytes() for one in tensors)


@pytest.mark.parametrize("shape", [(6, 29, 5, 21, 2), (20, 30, 14, 32, 1)], ids=str)
def test_an_arm_processor_gets_the_results_of_torch(program: Path, shape: tuple[int, ...]) -> None:
    length, samples, features, hidden, layers = shape
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        lstm, head = nn.LSTM(features, hidden, layers, batch_first=True), nn.Linear(hidden, 1)
        x, target = torch.randn(samples, length, features), torch.randn(samples)
    parameters = [*lstm.parameters(), *head.parameters()]
    given = np.array(shape, np.int32).tobytes() + floats(x, *parameters, target)
    done = subprocess.run([EMULATOR, str(program)], input=given, capture_output=True, check=True)

    double, linear = lstm.double(), head.double()
    parameters = [*double.parameters(), *linear.parameters()]
    last = double(x.double())[0][:, -1]
    loss = (linear(last).squeeze(-1) - target).square().mean()
    slopes = torch.autograd.grad(loss, parameters)
    expected = [last, *slopes[:-2], *slopes, loss.unsqueeze(0)]
    for one, slope in zip(parameters, slopes, strict=True):
        one.grad = slope
    AdamW(parameters, TrainingSpec(learning_rate=0.01, weight_decay=0.1)).step()
    expected += parameters

    found = torch.from_numpy(np.frombuffer(done.stdout, np.float32).copy()).double()
    parts = found.split([one.numel() for one in expected])
    for place, (mine, right) in enumerate(zip(parts, expected, strict=True)):
        error = (mine - right.detach().flatten()).abs().max() / right.detach().abs().max()
        learned = place >= len(expected) - len(parameters)
        assert error < (1e-4 if learned else 2e-6), place  # AdamW divides by gradients of rounding
