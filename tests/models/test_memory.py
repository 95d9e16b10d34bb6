import platform
import subprocess
import sys

import pytest

FAULTS = """
import resource, torch
from models.memory import keep_activations_mapped
torch.set_num_threads(1)
assert not {settle} or keep_activations_mapped()
step = lambda: torch.empty(1 << 24).fill_(1.0)
for _ in range(3):
    step()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(5):
    step()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(settle: bool) -> int:
    code = FAULTS.format(settle=settle)
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return int(run.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="a setting of glibc")
def test_pages_are_reused():
    assert faults(settle=True) * 10 < faults(settle=False)


def test_it_is_a_no_op_elsewhere(monkeypatch):
    from models.memory import keep_activations_mapped

    monkeypatch.setattr(sys, "platform", "darwin")
    assert keep_activations_mapped() is False
