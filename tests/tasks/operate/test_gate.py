"""Who is champion tomorrow: rule by rule, then how often the gate is wrong."""

from dataclasses import replace

import numpy as np
import pytest

from foldproof.tasks.diagnose.findings.finding import Verdict
from foldproof.tasks.operate.decision import Challenger, Decision, Incumbent, Outcome, Reason
from foldproof.tasks.operate.decision_text import markdown, sentence
from foldproof.tasks.operate.gate import decide
from foldproof.tasks.operate.spec import GateSpec

SPEC = GateSpec(level=0.05, min_dates=40, min_coverage=0.9, max_age=10, refresh_after=252)
CHAMPION = Incumbent("3", "none", behind=5)


def noise(seed: int, count: int = 100, sd: float = 0.1) -> np.ndarray:
    """White noise of mean exactly 0."""
    draw = np.random.default_rng(seed).normal(0, sd, count)
    return draw - draw.mean()


def challenger(variant: str, gain: float | None = 0.0, seed: int = 0, **given) -> Challenger:
    """Clean and covering all, with a mean gain of exactly ``gain``."""
    difference = None if gain is None else gain + noise(seed)
    known = {"verdict": Verdict.CLEAN, "coverage": 1.0, "rank_ic": 0.02 + (gain or 0.0)}
    return Challenger(variant, **{**known, "dates": 120, "difference": difference, **given})


def decided(*challengers: Challenger, champion=CHAMPION, spec=SPEC, stale=0, horizon=1) -> Decision:
    return decide(challengers, champion, spec, horizon, stale)


def test_without_a_champion_the_best_clean_one_is_the_first() -> None:
    made = decided(
        challenger("none", None, rank_ic=0.01),
        challenger("cs_rank", None, rank_ic=0.03),
        challenger("peeks", None, rank_ic=0.50, verdict=Verdict.LEAK),
        challenger("unsure", None, rank_ic=0.40, verdict=Verdict.UNKNOWN),
        challenger("sparse", None, rank_ic=0.30, coverage=0.5),
        champion=None,
    )
    assert (made.outcome, made.reason, made.variant) == (Outcome.FIRST, None, "cs_rank")
    assert [one.refusal for one in made.challengers] == [
        Reason.LEAK, Reason.NO_CANDIDATE, Reason.COVERAGE, None, None,
    ]  # fmt: skip
    assert sentence(made) == (
        "first: cs_rank is the first champion, mean rank IC +0.0300 on 120 dates. Not admitted: "
        "peeks (leak), unsure (no_candidate), sparse (coverage)"
    )


def test_a_planted_improvement_is_promoted() -> None:
    made = decided(challenger("cs_rank", 0.05), challenger("layer_norm", 0.0, seed=1))
    assert (made.outcome, made.reason, made.variant) == (Outcome.PROMOTED, None, "cs_rank")
    assert made.of("cs_rank").gain == pytest.approx(0.05, abs=1e-15)
    assert made.of("cs_rank").p < made.share == 0.025
    assert made.of("layer_norm").refusal is Reason.NO_IMPROVEMENT
    assert "promoted: cs_rank replaces version 3 (none), gain in daily rank IC +0.0500" in (
        sentence(made)
    )


def test_among_several_that_pass_the_largest_gain_is_promoted() -> None:
    made = decided(challenger("a", 0.05), challenger("b", 0.09, 1), challenger("c", 0.06, 2))
    assert {one.refusal for one in made.challengers} == {None}
    assert (made.outcome, made.variant) == (Outcome.PROMOTED, "b")


def test_a_planted_leak_is_refused_however_much_it_gains() -> None:
    leak = challenger("full_sample_zscore", 0.40, verdict=Verdict.LEAK)
    made = decided(leak, challenger("cs_rank", 0.0, seed=1))
    assert (made.outcome, made.reason) == (Outcome.KEPT, Reason.LEAK)
    assert made.of("full_sample_zscore").better
    assert made.variant == "cs_rank"  # what leaks is not even registered
    assert "full_sample_zscore (rank IC +0.4200): its forecasts depend on the future" in (
        sentence(made)
    )
    assert decided(replace(leak, verdict=Verdict.CLEAN)).outcome is Outcome.PROMOTED  # the control
    assert decided(leak).variant is None


def test_an_unknown_verdict_is_not_clean() -> None:
    made = decided(challenger("cs_rank", 0.40, verdict=Verdict.UNKNOWN))
    assert (made.outcome, made.reason) == (Outcome.KEPT, Reason.NO_CANDIDATE)


@pytest.mark.parametrize(
    ("given", "reason", "words"),
    [
        ({"coverage": 0.89}, Reason.COVERAGE, "forecasts 89.0% of the universe's rows"),
        ({"difference": 0.4 + noise(0, 39)}, Reason.TOO_FEW_DATES, "on 39 dates, fewer than"),
        ({"difference": np.zeros(0)}, Reason.TOO_FEW_DATES, "on 0 dates, fewer than"),
        ({"difference": noise(0)}, Reason.NO_IMPROVEMENT, "not below 0.05"),
    ],
)
def test_a_champion_is_kept_for_a_reason_with_its_number(given, reason, words) -> None:
    """Each with a gain that would be promoted if only that were otherwise."""
    made = decided(challenger("cs_rank", 0.4, **given))
    assert (made.outcome, made.reason, made.variant) == (Outcome.KEPT, reason, "cs_rank")
    assert sentence(made).startswith(f"kept ({reason}): version 3 (none) stays; ")
    assert words in sentence(made)


@pytest.mark.parametrize("champion", [CHAMPION, None])
def test_stale_data_promote_nothing(champion: Incumbent | None) -> None:
    gain = 0.4 if champion else None
    assert decided(challenger("a", gain), champion=champion, stale=10).outcome.moves
    for given in ([challenger("a", gain)], []):
        made = decided(*given, champion=champion, stale=11)
        assert (made.outcome, made.reason) == (Outcome.KEPT, Reason.STALE_DATA)
        assert "the newest row is 11 business days older than the night" in sentence(made)


def test_a_gain_must_exceed_the_least_gain() -> None:
    one = challenger("cs_rank", 0.05)
    assert decided(one, spec=replace(SPEC, least_gain=0.0)).outcome is Outcome.PROMOTED
    made = decided(one, spec=replace(SPEC, least_gain=0.04))
    assert (made.outcome, made.reason) == (Outcome.KEPT, Reason.NO_IMPROVEMENT)
    assert decided(one, spec=replace(SPEC, least_gain=0.05)).challengers[0].p == pytest.approx(0.5)


def test_the_level_is_divided_among_the_admitted() -> None:
    barred = [challenger(f"leak{n}", 0.0, n, verdict=Verdict.LEAK) for n in range(5)]
    two = [challenger("a", 0.0, 7), challenger("b", 0.0, 8)]
    assert decided(*two, *barred).share == 0.025
    made = decided(challenger("a", 0.05))
    p = made.of("a").p
    exact = replace(SPEC, level=p * 2.0001)
    assert decided(challenger("a", 0.05), two[1], spec=exact).outcome is Outcome.PROMOTED
    short = replace(SPEC, level=p * 1.9999)
    assert decided(challenger("a", 0.05), two[1], spec=short).outcome is Outcome.KEPT


def test_the_champion_retrained_on_the_same_rows_gains_nothing() -> None:
    made = decided(challenger("none", difference=np.zeros(100)))
    assert (made.outcome, made.reason) == (Outcome.KEPT, Reason.NO_IMPROVEMENT)
    assert (made.of("none").gain, made.of("none").p) == (0.0, 1.0)


def test_a_champion_due_for_renewal_is_replaced_by_one_not_significantly_worse() -> None:
    old = replace(CHAMPION, behind=252)
    level, worse = challenger("cs_rank", -0.005), challenger("revin", -0.08, 1)
    made = decided(worse, level, champion=old)
    assert (made.outcome, made.reason, made.variant) == (Outcome.RENEWED, None, "cs_rank")
    assert "due for renewal (252 trading dates older)" in sentence(made)
    assert decided(worse, level, champion=replace(old, behind=251)).outcome is Outcome.KEPT
    never = replace(SPEC, refresh_after=None)
    assert decided(worse, level, champion=old, spec=never).outcome is Outcome.KEPT
    alone = decided(worse, champion=old)
    assert (alone.outcome, alone.reason) == (Outcome.KEPT, Reason.NO_IMPROVEMENT)
    assert "every challenger is significantly worse" in sentence(alone)
    leak = replace(level, verdict=Verdict.LEAK)
    assert decided(leak, champion=old).outcome is Outcome.KEPT


def test_the_page_has_a_row_per_challenger() -> None:
    made = decided(
        challenger("cs_rank", 0.05), challenger("peeks", 0.4, 1, verdict=Verdict.LEAK),
        challenger("young", difference=noise(2, 5)),
    )  # fmt: skip
    page = markdown(made)
    assert page.startswith(f"**{sentence(made)}**")
    rows = {line.split(" | ")[0].strip("| "): line for line in page.splitlines()[4:7]}
    assert rows["cs_rank"].endswith("| promoted |")
    assert rows["peeks"].endswith("| its forecasts depend on the future |")
    assert rows["young"].endswith("| 5 | - | too few dates for a test |")


def persistent(rho: float, columns: int, count: int, rng: np.random.Generator) -> np.ndarray:
    """(D, columns) AR(1) differences of mean 0 that share the champion's part."""
    shocks = rng.standard_normal((count + 50, columns)) + rng.standard_normal((count + 50, 1))
    for t in range(1, count + 50):
        shocks[t] += rho * shocks[t - 1]
    return shocks[50:] * 0.1


def overlapping(horizon: int, columns: int, count: int, rng: np.random.Generator) -> np.ndarray:
    """(D, columns) differences of mean 0 under labels over ``horizon`` days."""
    shocks = rng.standard_normal((count + horizon, columns)) + rng.standard_normal(
        (count + horizon, 1)
    )
    total = np.cumsum(shocks, axis=0)
    return (total[horizon:] - total[:-horizon]) * 0.1


@pytest.mark.parametrize(
    ("make", "parameter", "horizon", "bound"),
    [
        (persistent, 0.0, 1, 4 / 3),
        (persistent, 0.3, 1, 4 / 3),
        (persistent, 0.5, 5, 4 / 3),
        (overlapping, 5, 5, 4 / 3),
        (persistent, 0.8, 5, 2),  # .33 at lag five, where the overlap of labels has ended
    ],
)
@pytest.mark.parametrize("count", [1, 3])
def test_a_champion_as_good_as_all_is_rarely_replaced(
    make, parameter, horizon, bound, count
) -> None:
    """1,500 nights of ``count`` challengers on 63 dates: within the level, however many try."""
    rng = np.random.default_rng(count)
    promoted = 0
    for _ in range(1500):
        challengers = [
            challenger(f"v{n}", difference=one)
            for n, one in enumerate(make(parameter, count, 63, rng).T)
        ]
        promoted += decided(*challengers, horizon=horizon).outcome is Outcome.PROMOTED
    noise_of_it = 3 * np.sqrt(0.05 * 0.95 / 1500)
    assert promoted / 1500 < 0.05 * bound + noise_of_it
    assert promoted > 0


def test_dates_below_four_label_horizons_are_too_few() -> None:
    made = decided(challenger("cs_rank", difference=0.4 + noise(0, 99)), horizon=25)
    assert (made.outcome, made.reason, made.dates_needed) == (
        Outcome.KEPT, Reason.TOO_FEW_DATES, 100,
    )  # fmt: skip
    assert "cs_rank was compared on 99 dates, fewer than the 100 needed" in sentence(made)
    enough = decided(challenger("cs_rank", difference=0.4 + noise(0, 100)), horizon=25)
    assert enough.outcome is Outcome.PROMOTED


def test_a_gain_of_half_a_daily_deviation_is_mostly_found() -> None:
    rng = np.random.default_rng(9)
    found = [
        decided(
            *(challenger(f"v{n}", difference=0.07 * (n == 0) + one)
              for n, one in enumerate(persistent(0.0, 3, 126, rng).T))
        )
        for _ in range(200)
    ]  # fmt: skip
    promoted = [made.variant for made in found if made.outcome is Outcome.PROMOTED]
    assert promoted.count("v0") > 0.9 * len(found)
