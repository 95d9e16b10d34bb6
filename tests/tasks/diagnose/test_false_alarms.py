"""The statistical tests together on panels without predictability, and with a strong signal."""

import pytest

from tests.benchmarks.false_alarms import AUDIT, audit, line, table


def test_a_rate_is_within_its_level_where_its_interval_reaches_down():
    """5 of 200 at 1 %: the exact interval begins at .0082; 6 of 200: .0111."""
    for hits, within in ((0, True), (2, True), (5, True), (6, False)):
        text, fine = line("a test", hits, 200, 0.01)
        assert fine is within
        assert f"| {hits} / 200 |" in text


@pytest.mark.long
def test_honest_pipelines_are_not_called_leaks(capsys):
    noise = [audit(seed) for seed in range(100, 124)]
    assert table(noise)
    signal = [audit(seed, rank_ic=0.15) for seed in range(100, 104)]
    assert not any(one.p[name] <= 0.001 for one in signal for name in AUDIT)
    assert capsys.readouterr().out.count("\n") > 20
