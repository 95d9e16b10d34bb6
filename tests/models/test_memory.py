import platform
import subprocess
import sys

import pytest

FAULTS = """
import resource, torch
from foldproof.models.memory import keep_activations_mapped
torch.set_num_threads(1)
assert not {settle} or keep_activations_mapped()
lstm, x = torch.nn.LSTM(8, 64, batch_first=True), torch.zeros(1024, 20, 8)
faults = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for step in range(9):
    before = before if step > 5 else faults()  # the first five warm up
    lstm(x)[1][0].sum().backward()
print(faults() - before)
"""


def faults(settle: bool) -> int:
    code = FAULTS.format(settle=settle)
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return int(run.stdout)


@pytest.mark.slow
@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="a setting of glibc")
def test_pages_are_reused():
    # Warm-up and other allocations of torch leave some faults: a factor, not a count.
    # What else torch allocates leaves some faults: their number depends on the machine.
    assert faults(settle=True) * 10 < faults(settle=False)


def test_it_is_a_no_op_elsewhere(monkeypatch):
    from foldproof.models.memory import keep_activations_mapped

    monkeypatch.setattr(sys, "platform", "darwin")
    assert keep_activations_mapped() is False
