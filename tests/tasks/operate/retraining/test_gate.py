"""Who is champion tomorrow: rule by rule, then how often the gate is wrong."""

from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd
import pytest

from foldproof.tasks.diagnose.findings.finding import Verdict
from foldproof.tasks.operate.retraining.decision import (
    Challenger,
    Decision,
    Incumbent,
    Outcome,
    Reason,
)
from foldproof.tasks.operate.retraining.decision_text import markdown, sentence
from foldproof.tasks.operate.retraining.gate import decide
from foldproof.tasks.operate.retraining.tested_dates import Evidence, from_json
from foldproof.tasks.operate.spec import GateSpec

SPEC = GateSpec(level=0.05, min_dates=40, min_coverage=0.9, max_age=10, refresh_after=252)
CHAMPION = Incumbent("3", "none", behind=5)


def noise(seed: int, count: int = 100, sd: float = 0.1) -> np.ndarray:
    """White noise of mean exactly 0."""
    draw = np.random.default_rng(seed).normal(0, sd, count)
    return draw - draw.mean()


def daily(values: np.ndarray, horizon: int = 1, first: str = "2024-01-01") -> pd.DataFrame:
    """The differences on consecutive business days under labels over ``horizon`` days."""
    days = np.busday_offset(first, np.arange(len(values) + 1 + horizon)).astype("datetime64[s]")
    known = days[1 + horizon :]
    return pd.DataFrame({"date": days[: len(values)], "known": known, "difference": values})


def challenger(
    variant: str, gain: float | None = 0.0, seed: int = 0, horizon: int = 1, **given
) -> Challenger:
    """Clean and covering all, with a mean gain of exactly ``gain``."""
    values = given.pop("values", None if gain is None else gain + noise(seed))
    difference = None if values is None else daily(values, horizon)
    known = {"verdict": Verdict.CLEAN, "coverage": 1.0, "rank_ic": 0.02 + (gain or 0.0)}
    return Challenger(variant, **{**known, "dates": 120, "difference": difference, **given})


NIGHT = date(2024, 6, 3)
NOTHING = Evidence()


def decided(
    *challengers: Challenger, champion=CHAMPION, spec=SPEC, stale=0, horizon=1, night=NIGHT,
    past=NOTHING,
) -> Decision:  # fmt: skip
    return decide(challengers, champion, spec, horizon, stale, night, past)


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
    values = 0.05 + noise(0)  # a date between two blocks is left out
    gain = np.mean([values[start : start + 5] for start in range(0, 96, 6)])
    assert made.of("cs_rank").gain == pytest.approx(gain, abs=1e-15)
    assert made.of("cs_rank").low > 0
    assert made.share == 0.025
    assert made.of("layer_norm").refusal is Reason.NO_IMPROVEMENT
    assert f"promoted: cs_rank replaces version 3 (none), gain in daily rank IC {gain:+.4f}" in (
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
        (
            {"values": 0.4 + noise(0, 39)},
            Reason.TOO_FEW_DATES,
            "on 39 dates since the champion took office, and at least 41",
        ),
        ({"values": np.zeros(0)}, Reason.TOO_FEW_DATES, "on 0 dates since"),
        (
            {"values": noise(0)},
            Reason.NO_IMPROVEMENT,
            "not significant at level 0.05 a year; a year of tests finds a gain of +0.0",
        ),
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
    low = decided(one).of("cs_rank").low
    assert 0 < low < 0.05
    assert decided(one, spec=replace(SPEC, least_gain=low - 2e-3)).outcome is Outcome.PROMOTED
    made = decided(one, spec=replace(SPEC, least_gain=low + 2e-3))
    assert (made.outcome, made.reason) == (Outcome.KEPT, Reason.NO_IMPROVEMENT)


def test_the_level_is_divided_among_the_admitted() -> None:
    barred = [challenger(f"leak{n}", 0.0, n, verdict=Verdict.LEAK) for n in range(5)]
    two = [challenger("a", 0.0, 7), challenger("b", 0.0, 8)]
    made = decided(*two, *barred)
    assert made.share == 0.025
    assert set(made.evidence.rows["level"]) == {0.025}
    assert set(made.evidence.rows["variant"]) == {"a", "b"}  # a leak gathers no evidence
    outcomes = [
        [decided(*some, spec=replace(SPEC, level=level)).outcome for level in (0.06, 0.12)]
        for some in ([challenger("a", 0.03)], [challenger("a", 0.03), two[1]])
    ]
    assert outcomes == [[Outcome.PROMOTED] * 2, [Outcome.KEPT, Outcome.PROMOTED]]


def test_the_champion_retrained_on_the_same_rows_gains_nothing() -> None:
    made = decided(challenger("none", values=np.zeros(100)))
    assert (made.outcome, made.reason) == (Outcome.KEPT, Reason.NO_IMPROVEMENT)
    assert (made.of("none").gain, made.of("none").better) == (0.0, False)


def test_a_champion_due_is_renewed_by_one_whose_loss_is_shown_to_be_below_the_margin() -> None:
    old, spec = replace(CHAMPION, behind=252), replace(SPEC, renewal_margin=0.04)
    level, worse = challenger("cs_rank", -0.005), challenger("revin", -0.08, 1)
    made = decided(worse, level, champion=old, spec=spec)
    assert (made.outcome, made.reason, made.variant) == (Outcome.RENEWED, None, "cs_rank")
    assert "due for renewal (252 trading dates older)" in sentence(made)
    assert (
        "so a loss of operation.gate.renewal_margin = 0.04 is excluded at level 0.025 a year"
        in (sentence(made))
    )
    young = replace(old, behind=251)
    assert decided(worse, level, champion=young, spec=spec).outcome is Outcome.KEPT
    never = replace(spec, refresh_after=None)
    assert decided(worse, level, champion=old, spec=never).outcome is Outcome.KEPT
    leak = replace(level, verdict=Verdict.LEAK)
    assert decided(leak, champion=old, spec=spec).outcome is Outcome.KEPT
    alone = decided(worse, champion=old, spec=spec)
    assert (alone.outcome, alone.reason) == (Outcome.KEPT, Reason.NO_IMPROVEMENT)
    margin = -alone.of("revin").low
    assert 0.08 < margin < 0.12
    assert f"a margin of about {margin:.3f} would renew it" in sentence(alone)
    wide = replace(spec, renewal_margin=margin + 2e-3)
    assert decided(worse, champion=old, spec=wide).outcome is Outcome.RENEWED


def test_a_noisy_equal_is_not_renewed_because_it_is_not_significantly_worse() -> None:
    """A large loss that no test finds is no reason to renew."""
    old = replace(CHAMPION, behind=252)
    made = decided(challenger("cs_rank", values=-0.05 + noise(3, 60, sd=0.3)), champion=old)
    assert (made.outcome, made.reason) == (Outcome.KEPT, Reason.NO_IMPROVEMENT)


def test_each_date_is_tested_once_however_often_the_gate_is_asked() -> None:
    """Asked every week on stretches that overlap: the same evidence as one night on all dates."""
    values = 0.04 + noise(0, 120)
    table = daily(values)
    past = Evidence("3", None, None)
    for last in range(50, 121, 5):
        stretch = table.iloc[max(0, last - 60) : last]
        # a later network on old dates must not count: those dates were tested
        again = stretch.assign(difference=stretch["difference"] + 0.3 * (stretch.index < last - 5))
        one = challenger("cs_rank", difference=again if last > 50 else stretch)
        night = table["known"].iloc[last - 1].date()
        made = decided(one, past=past, night=night)
        past = from_json(made.evidence.to_json())
        if made.outcome.moves:
            break
    assert (made.outcome, last) == (Outcome.PROMOTED, 85)
    whole = challenger("cs_rank", difference=table.iloc[:last])
    assert vars(decided(whole, night=night).of("cs_rank")) | {"difference": 0} == vars(
        made.of("cs_rank")
    ) | {"difference": 0}
    before = challenger("cs_rank", difference=table.iloc[: last - 5])
    assert decided(before, night=night).outcome is Outcome.KEPT


def test_a_new_champion_is_tested_on_dates_whose_labels_start_after_the_change() -> None:
    table = daily(0.3 + noise(0, 100), horizon=5)
    known = table["known"].iloc[79].date()
    first = decided(challenger("a", 0.05), champion=None, night=known)
    promoted = decided(
        challenger("a", difference=table.iloc[:80]), horizon=5, night=known, past=Evidence("3")
    )
    assert promoted.outcome is Outcome.PROMOTED
    for past in (first.evidence, promoted.evidence):
        assert len(past.rows) == 0
        later = decided(
            challenger("a", difference=table), horizon=5, night=NIGHT, past=past,
            champion=replace(CHAMPION, version="4"),
        )  # fmt: skip
        assert later.evidence.rows["date"].min().date() == known
        assert (later.reason, later.of("a").dates) == (Reason.TOO_FEW_DATES, 15)


def test_after_a_rollback_the_old_evidence_does_not_promote_again() -> None:
    table = daily(0.3 + noise(0, 100))
    promoted = decided(challenger("a", difference=table.iloc[:80]), past=Evidence("3"))
    assert promoted.outcome is Outcome.PROMOTED
    again = decided(challenger("a", difference=table.iloc[:85]), past=promoted.evidence)
    assert again.reason is Reason.TOO_FEW_DATES


def test_evidence_while_a_challenger_leaks_does_not_count_later() -> None:
    table = daily(0.3 + noise(0, 100))
    leaks = challenger("a", difference=table.iloc[:80], verdict=Verdict.LEAK)
    honest = challenger("b", values=noise(5, 80))
    barred = decided(leaks, honest, past=Evidence("3"))
    assert (barred.of("a").better, barred.reason) == (True, Reason.LEAK)
    repaired = decided(challenger("a", difference=table), past=barred.evidence)
    assert (repaired.outcome, repaired.of("a").dates) == (Outcome.KEPT, 20)


def test_a_night_without_training_keeps_the_evidence() -> None:
    kept = decided(challenger("a", 0.0))
    stale = decided(stale=11, past=kept.evidence)
    pd.testing.assert_frame_equal(stale.evidence.rows, kept.evidence.rows)
    assert stale.evidence.since == kept.evidence.since


def test_evidence_survives_as_text_and_a_damaged_one_is_an_error() -> None:
    kept = decided(challenger("a", 0.0), challenger("b", 0.01, 1)).evidence
    again = from_json(kept.to_json())
    assert (again.champion, again.since, again.newest) == (kept.champion, kept.since, kept.newest)
    pd.testing.assert_frame_equal(again.rows, kept.rows)
    empty = from_json(Evidence().to_json())
    assert (empty.champion, empty.since, len(empty.rows)) == ("", None, 0)
    for text in ("{}", "[]", '{"champion": "1"', '{"since": 3, "newest": null}', "null"):
        with pytest.raises(ValueError, match=r"tested dates|Expecting"):
            from_json(text)


def test_the_page_has_a_row_per_challenger() -> None:
    made = decided(
        challenger("cs_rank", 0.05), challenger("peeks", 0.4, 1, verdict=Verdict.LEAK),
        challenger("young", values=noise(2, 5)),
    )  # fmt: skip
    page = markdown(made)
    assert page.startswith(f"**{sentence(made)}**")
    rows = {line.split(" | ")[0].strip("| "): line for line in page.splitlines()[4:7]}
    assert rows["cs_rank"].endswith("| promoted |")
    assert rows["peeks"].endswith("| its forecasts depend on the future |")
    assert rows["young"].endswith("| 5 | - | too few dates for a test |")
    assert " | at least | dates | detectable | result |" in page


def persistent(rho: float, columns: int, count: int, rng: np.random.Generator) -> np.ndarray:
    """(D, columns) AR(1) differences of mean 0 that share the champion's part."""
    shocks = rng.standard_normal((count + 50, columns)) + rng.standard_normal((count + 50, 1))
    for t in range(1, count + 50):
        shocks[t] += rho * shocks[t - 1]
    return shocks[50:] * 0.1


def test_dates_that_no_gain_could_pass_are_too_few() -> None:
    """At level .05 six blocks of five dates and five gaps of 25 dates are needed."""
    made = decided(challenger("cs_rank", values=0.4 + noise(0, 153), horizon=25), horizon=25)
    assert (made.outcome, made.reason, made.dates_needed) == (
        Outcome.KEPT, Reason.TOO_FEW_DATES, 155,
    )  # fmt: skip
    assert "cs_rank was compared on 153 dates since the champion took office, and at least 155" in (
        sentence(made)
    )
    enough = decided(challenger("cs_rank", values=0.4 + noise(0, 155), horizon=25), horizon=25)
    assert enough.outcome is Outcome.PROMOTED


@pytest.mark.slow
def test_a_gain_of_half_a_daily_deviation_is_mostly_found() -> None:
    rng = np.random.default_rng(9)
    found = [
        decided(
            *(challenger(f"v{n}", values=0.07 * (n == 0) + one)
              for n, one in enumerate(persistent(0.0, 3, 126, rng).T))
        )
        for _ in range(200)
    ]  # fmt: skip
    promoted = [made.variant for made in found if made.outcome is Outcome.PROMOTED]
    assert promoted.count("v0") > 0.9 * len(found)
