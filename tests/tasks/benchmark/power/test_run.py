"""Power tables against counts made by hand; one real dial."""

import math

import numpy as np
import pytest

from foldproof.tasks.benchmark.power import run as power
from foldproof.tasks.benchmark.power.dial import Dial, any_of, mixing
from foldproof.tasks.benchmark.power.run import (
    DIALS,
    Turn,
    by_dial,
    expected,
    rates,
    smallest,
    turn,
    weakest,
)
from foldproof.tasks.diagnose.findings.catalogue import DIAGNOSTICS, by_key
from tests.tasks.report.audit_example import LEAK, finding

SQUARE = Dial(
    "square", "purge", "rows", (4.0, 2.0, 1.0, 0.0),
    lambda level, seed: LEAK if level**2 > seed else finding("purge", "folds"),
    chance=lambda level: min(1.0, level / 4), at="16 rows",
)  # fmt: skip
ENDLESS = Dial(
    "endless", "serve_invariance", "size", (1.0, 0.1), lambda level, seed: LEAK, honest=None
)
DRAWS = (
    Turn("square", 1, (True, True, False, False), 0.25),
    Turn("endless", 0, (True, False), 0.5),
    Turn("square", 0, (True, True, True, False), 0.5),
    Turn("square", 2, (True, False, True, False), 0.25),
    Turn("square", 3, (True, True, False, True), 1.0),
)
"""Caught at 4, 2, 1 and 0 rows: 4, 3, 2 and 1 of 4 draws."""


@pytest.fixture
def two_dials(monkeypatch):
    monkeypatch.setattr(power, "DIALS", by_key(ENDLESS, SQUARE))


def test_dials_name_catalogued_tests_and_start_with_the_strongest_leak():
    assert len(DIALS) >= 20
    for key, dial in DIALS.items():
        assert key == dial.key
        assert dial.test in DIAGNOSTICS
        leaks = [level for level in dial.levels if level != dial.honest]
        assert len(leaks) > 1
        assert leaks == sorted(leaks, reverse=dial.key != "T10 distance")
        assert dial.honest in (None, dial.levels[-1])


def test_a_turn_runs_all_levels():
    asked = []
    dial = Dial(
        "dial", "purge", "rows", (9.0, 3.0, 0.0),
        lambda level, seed: asked.append((level, seed)) or SQUARE.found(level, seed),
    )  # fmt: skip
    one = turn(dial, 8)
    assert asked == [(9.0, 8), (3.0, 8), (0.0, 8)]
    assert (one.dial, one.seed, one.caught) == ("dial", 8, (True, True, False))
    assert one.seconds >= 0


def test_draws_are_grouped_by_dial_and_ordered_by_seed(two_dials):
    (first, once), (second, four) = by_dial(DRAWS)
    assert (first, second) == (ENDLESS, SQUARE)
    assert once.tolist() == [[True, False]]
    assert four.tolist() == [list(DRAWS[i].caught) for i in (2, 0, 3, 4)]


def test_rates_has_one_row_per_dial_and_level(two_dials):
    table = rates(DRAWS)
    assert table["dial"].tolist() == ["endless"] * 2 + ["square"] * 4
    assert table["test"].tolist() == ["endless"] * 2 + ["square"] * 4
    assert table["level"].tolist() == [1.0, 0.1, 4.0, 2.0, 1.0, 0.0]
    assert table["draws"].tolist() == [1, 1, 4, 4, 4, 4]
    assert table["rate"].tolist() == [1.0, 0.0, 1.0, 0.75, 0.5, 0.25]
    np.testing.assert_array_equal(table["expected"], [math.nan] * 2 + [1.0, 0.5, 0.25, 0.0])
    assert table["honest"].tolist() == [False] * 5 + [True]


def test_smallest_has_one_row_per_dial(two_dials):
    assert smallest(DRAWS).to_dict("records") == [
        {"test": "endless", "leak": "size", "at": "", "always": "1", "in 95 %": "1",
         "expected 95 %": "", "flagged at 0": ""},
        {"test": "square", "leak": "rows", "at": "16 rows", "always": "4", "in 95 %": "4",
         "expected 95 %": "3.8", "flagged at 0": "1/4"},
    ]  # fmt: skip


def test_a_leak_missed_once_is_not_caught_always(two_dials):
    draws = [Turn("square", seed, (True, True, seed > 0, False), 0.0) for seed in range(20)]
    (row,) = smallest(draws).to_dict("records")
    assert (row["always"], row["in 95 %"], row["flagged at 0"]) == ("2", "1", "0/20")


@pytest.mark.parametrize(
    ("rate", "expected_text"),
    [
        ((1.0, 1.0, 1.0, 0.0), "0.25"),
        ((1.0, 1.0, 0.9, 0.0), "1"),
        ((1.0, 0.9, 1.0, 0.0), "1000"),  # caught again below: that is luck, not power
        ((0.9, 1.0, 1.0, 0.0), "none"),
        ((1.0, 1.0, 1.0, 1.0), "0.25"),  # at the honest level it is a false alarm, no power
    ],
)
def test_the_weakest_leak_ends_the_unbroken_run_of_detections(rate, expected_text):
    levels, leaks = (1000.0, 1.0, 0.25, 0.0), [True, True, True, False]
    assert weakest(levels, np.array(rate), leaks, 0.95) == expected_text


@pytest.mark.parametrize("cuts", [1, 4, 20])
def test_the_expected_share_inverts_its_closed_form(cuts):
    dial = Dial("d", "serve_invariance", "share", (1.0, 0.0), lambda s, n: LEAK, any_of(cuts))
    share = 1 - 0.05 ** (1 / cuts)  # 1 - (1 - p)^K = 0.95, solved for p
    assert expected(dial) == f"{share:.2g}"


def test_the_expected_share_is_the_rate_of_random_cuts():
    draw = np.random.default_rng(0)
    hit = (draw.random((20_000, 6)) < 0.2).any(axis=1).mean()
    assert any_of(6)(0.2) == pytest.approx(hit, abs=4 * math.sqrt(0.25 / 20_000))


@pytest.mark.parametrize("rank_ic", [0.02, 0.3, 0.6])
def test_mixed_scores_have_the_requested_rank_ic(rank_ic):
    truth, noise = np.random.default_rng(1).standard_normal((2, 200_000))
    own, other = mixing(rank_ic)
    assert own**2 + other**2 == pytest.approx(1, abs=1e-12)
    ranks = [np.argsort(np.argsort(one)) for one in (truth, own * truth + other * noise)]
    assert np.corrcoef(*ranks)[0, 1] == pytest.approx(rank_ic, abs=0.01)


def test_the_purge_dial_catches_every_leak_and_flags_no_honest_fold():
    found = [turn(DIALS["T8 rows"], seed) for seed in range(2)]
    (row,) = smallest(found).to_dict("records")
    assert (row["test"], row["always"], row["flagged at 0"]) == ("T8", "1", "0/2")
