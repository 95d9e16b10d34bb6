"""The soak's table finds what grows, also across sessions of a process that serves."""

import pytest

from tests.faults.soak import LASTING, PER_RUN, SIZES, table


def rows(leak: float) -> list[dict[str, float | str]]:
    """60 served runs in two sessions; the memory grows by ``leak`` bytes with each run of one."""
    found = []
    for number in range(60):
        steady = dict.fromkeys(PER_RUN + SIZES, 1000000.0 + 100 * (number % 7))
        grown = {name: (number + 1) * steady[name] for name in LASTING}
        memory = {"memory": 1e6 + leak * (number % 30)}
        session = {"kind": "served", "number": number, "session": float(number >= 30)}
        found.append(steady | grown | memory | session)
    return found


@pytest.mark.parametrize(("leak", "flat"), [(0.0, "yes"), (1e4, "NO")])
def test_memory_that_grows_with_every_run_is_not_flat(leak: float, flat: str) -> None:
    lines = table(rows(leak)).splitlines()[2:]
    found = {line.split(" | ")[1]: line.split(" | ")[-1].strip(" |") for line in lines}
    assert found.pop("memory") == flat
    assert len(found) == len(PER_RUN + SIZES) - 1
    assert set(found.values()) == {"yes"}, lines
