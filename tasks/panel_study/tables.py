"""The tables of a study: every variant on every panel, pooled over panels, and the controls."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
import pandas as pd

from foldproof.tasks.compare.bases import bases_of
from foldproof.tasks.compare.resampling import two_way_test, usual_seed_variance
from foldproof.tasks.compare.spec import StatisticsSpec
from foldproof.tasks.compare.verdicts import Against, detectable, gain_tests, verdicts_of
from foldproof.tasks.panel_study.networks import MEASURES, NetworkScores
from foldproof.tasks.panel_study.random_effects import RandomEffects, random_effects
from foldproof.tasks.statistics.holm import holm
from foldproof.tasks.statistics.mean_test import MeanTest

LEAST_POOLED = 2
"""Panels below which a variant's gain is not pooled."""


class Role(StrEnum):
    """What a panel is for."""

    REAL = "real"
    """Prices of a market: its gains are pooled."""
    PLANTED = "planted"
    """A signal that a known family of normalizations uses best: the study must find it."""
    NOISE = "noise"
    """Nothing to forecast: no rank IC may differ from zero."""


@dataclass(frozen=True, eq=False)
class PanelOutcome:
    """One panel's forecasts, scored, with what a reader needs beside them.

    Attributes:
        title: A few words.
        role: What the panel is for.
        scores: Rank ICs of every network.
        horizon: Rows that a label spans.
        leaks: Leak verdict of each variant.
        outside: Variants that leak: no candidates.
        training: By variant: mean_epochs, and the settings that were chosen for it.
        expected: Planted panels: the variants of which one should be the best.
    """

    title: str
    role: Role
    scores: NetworkScores
    horizon: int
    leaks: Mapping[str, str]
    outside: Collection[str]
    training: pd.DataFrame = field(default_factory=pd.DataFrame)
    expected: tuple[str, ...] = ()

    @property
    def candidates(self) -> list[str]:
        """Variants that may be the best."""
        return [name for name in self.scores.variants if name not in self.outside]

    def rank_ics_without(self, left_out: Collection[str]) -> np.ndarray:
        """(V', N, D) rank ICs of the variants that are not in ``left_out``."""
        return self.scores.rank_ic[[name not in left_out for name in self.scores.variants]]

    def daily(self, measure: str) -> dict[str, np.ndarray]:
        """(N, D) by variant; empty where the measure does not exist."""
        values = self.scores.of(measure)
        return dict(zip(self.scores.variants, values, strict=True)) if values.shape[2] else {}


def panel_tests(one: PanelOutcome, measure: str, reference: str) -> dict[str, MeanTest]:
    """The test of each variant's gain over ``reference``; empty without the measure.

    The gain of a variant that trains on batches of its own is that over the reference on the same
    batches, if the study has it (:func:`~foldproof.tasks.compare.bases.bases_of`).
    A variant that leaks is tested too, but it does not count towards the usual variance over seeds.
    """
    daily = one.daily(measure)
    over = bases_of([*daily], reference)
    rivals = {name: own - daily[over[name]] for name, own in daily.items() if name != reference}
    usual = usual_seed_variance(rivals[name] for name in rivals if name not in one.outside)
    return {name: two_way_test(rival, one.horizon, usual) for name, rival in rivals.items()}


def panel_table(name: str, one: PanelOutcome, statistics: StatisticsSpec) -> pd.DataFrame:
    """One row per measure and variant of a panel.

    Columns: panel, role, measure, variant; value, its mean over seeds and dates; gain over the
    reference, its error over seeds and dates, and low and high, each interval by itself; against,
    p, p_equivalent and detectable as in :func:`~foldproof.tasks.compare.verdicts.verdicts`, over
    the candidates of the panel; leak; seeds, dates, stocks; mean_epochs and chosen settings.
    """
    base, parts = statistics.base(one.scores.variants), []
    for measure in MEASURES:
        daily, tests = one.daily(measure), panel_tests(one, measure, base)
        if not daily:
            continue
        judged = verdicts_of(
            {rival: test for rival, test in tests.items() if rival in one.candidates},
            margin=statistics.margin, level=statistics.level,
        )  # fmt: skip
        rows = pd.DataFrame({"value": {v: own.mean() for v, own in daily.items()}})
        rows = rows.join(estimates(tests, statistics.level)).join(judged)
        parts.append(rows.rename_axis("variant").reset_index().assign(measure=measure))
    table = pd.concat(parts, ignore_index=True)
    table["leak"] = table["variant"].map(dict(one.leaks))
    seeds, dates = one.scores.rank_ic.shape[1:]
    table = table.assign(panel=name, role=str(one.role), seeds=seeds, dates=dates)
    table["stocks"] = one.scores.stocks
    ordered = table.set_index(["panel", "role", "measure", "variant"]).reset_index()
    return ordered.join(one.training, on="variant") if len(one.training) else ordered


def leaking_anywhere(panels: Mapping[str, PanelOutcome]) -> set[str]:
    """Variants that leak on any panel, whatever the role of the panel."""
    return {name for one in panels.values() for name in one.outside}


def estimates(tests: Mapping[str, MeanTest], level: float) -> pd.DataFrame:
    """gain, error, low, high of each test; each interval by itself."""
    rows = {
        name: (test.mean, test.error, *test.interval((1 - level) / 2))
        for name, test in tests.items()
    }
    return pd.DataFrame.from_dict(rows, orient="index", columns=["gain", "error", "low", "high"])


def pooled_table(panels: Mapping[str, PanelOutcome], statistics: StatisticsSpec) -> pd.DataFrame:
    """The gain of each candidate over the reference, pooled over the real panels.

    A variant that leaks on any panel, a control included, is left out. Holm's procedure is over all
    variants and both measures; a variant that could be tested on one panel alone is undecided and
    no hypothesis.

    Returns:
        measure, variant, panels; gain, error, low, high, each interval by itself; predicted_low and
        predicted_high, the interval of the gain on a new panel; tau, i2; against, p, p_equivalent,
        detectable.
    """
    real = [one for one in panels.values() if one.role is Role.REAL]
    leaking = leaking_anywhere(panels)
    found: dict[tuple[str, str], list[MeanTest]] = {}
    for measure in MEASURES:
        for one in real:
            base = statistics.base(one.scores.variants)
            for name, test in panel_tests(one, measure, base).items():
                if name not in leaking and test.freedom:
                    found.setdefault((measure, name), []).append(test)
    if not found:
        return pd.DataFrame(columns=["measure", "variant", "panels"])
    return pooled_rows({key: pool(tests) for key, tests in found.items()}, statistics)


def pool(tests: Sequence[MeanTest]) -> RandomEffects:
    """The mean of one variant's gains over panels."""
    means = np.array([test.mean for test in tests])
    return random_effects(means, np.array([test.error for test in tests]))


def pooled_rows(
    pooled: Mapping[tuple[str, str], RandomEffects], statistics: StatisticsSpec
) -> pd.DataFrame:
    """The row of each measure and variant."""
    tests = {" ".join(key): one.test for key, one in pooled.items()}
    rows = estimates(tests, statistics.level)
    predicted = [one.prediction(statistics.level) for one in pooled.values()]
    rows["predicted_low"], rows["predicted_high"] = np.array(predicted).T
    rows["tau"] = [one.tau for one in pooled.values()]
    rows["i2"] = [one.i2 for one in pooled.values()]
    rows["panels"] = [one.panels for one in pooled.values()]
    family = [*rows.index[rows["panels"] >= LEAST_POOLED]]
    judged = verdicts_of(
        {name: tests[name] for name in family}, margin=statistics.margin, level=statistics.level
    )
    known = dict(zip(family, judged.to_dict("records"), strict=True))
    untested = dict.fromkeys(judged, np.nan) | {"against": str(Against.UNDECIDED)}
    said = pd.DataFrame([known.get(name, untested) for name in tests], rows.index, [*judged])
    rows = rows.join(said)
    rows.index = pd.MultiIndex.from_tuples([*pooled], names=["measure", "variant"])
    return rows.set_index("panels", append=True).reset_index()


def controls_table(panels: Mapping[str, PanelOutcome], level: float) -> pd.DataFrame:
    """Whether each planted signal is recovered, and noise is flat: one row per such panel.

    The gain of a planted panel is that of the best expected variant over the best other one. The
    signal is recovered if the interval of the gain lies above zero, and not recovered if it lies
    below; else nothing is shown. Both variants were chosen by their rank ICs on the same dates, so
    the interval errs by a little in either direction. Noise is flat if no rank IC differs from zero
    (two-sided, Holm over the candidates).

    Returns:
        panel, title, role, holds, best, gain, low, high, reason. holds is None if nothing is shown
        or nothing could be tested; the reason then begins with the one or the other.
    """
    checks = {Role.PLANTED: recovered, Role.NOISE: flat}
    rows = [
        {"panel": name, "title": one.title, "role": str(one.role)} | checks[one.role](one, level)
        for name, one in panels.items()
        if one.role in checks
    ]
    columns = ["panel", "title", "role", "holds", "best", "gain", "low", "high", "reason"]
    return pd.DataFrame(rows, columns=columns)


def recovered(one: PanelOutcome, level: float) -> dict[str, object]:
    """Whether an expected variant of a planted panel is better than every other one."""
    daily = one.daily("rank_ic")
    ranked = sorted(one.candidates, key=lambda name: -float(daily[name].mean()))
    inside = [name for name in ranked if name in one.expected]
    others = [name for name in ranked if name not in one.expected]
    if not inside or not others:
        lacking = "an expected variant" if not inside else "another variant"
        return {"holds": None, "reason": f"not tested: {lacking} is missing"}
    test = two_way_test(daily[inside[0]] - daily[others[0]], one.horizon)
    low, high = test.interval((1 - level) / 2)
    pair, holds = f"{inside[0]} over {others[0]}", None
    if not test.freedom:
        reason = "not tested: too few dates"
    elif low > 0 or high < 0:
        reason, holds = pair, low > 0
    else:
        reason = f"not shown: the interval of {pair} contains zero"
    return {
        "holds": holds, "best": ranked[0], "gain": test.mean, "low": low, "high": high,
        "reason": reason,
    }  # fmt: skip


def flat(one: PanelOutcome, level: float) -> dict[str, object]:
    """Whether no candidate's rank IC on noise differs from zero."""
    daily = one.daily("rank_ic")
    tests = gain_tests({name: daily[name] for name in one.candidates}, one.horizon)
    if not tests:
        return {"holds": None, "reason": "not tested: every variant leaks"}
    adjusted = holm(np.array([test.p for test in tests.values()]))
    if np.isnan(adjusted).all():
        return {"holds": None, "reason": "not tested: too few dates"}
    found = [name for name, p in zip(tests, adjusted, strict=True) if p < 1 - level]
    best = max(tests, key=lambda name: abs(tests[name].mean))
    low, high = tests[best].interval((1 - level) / 2)
    return {
        "holds": not found, "best": best, "gain": tests[best].mean, "low": low, "high": high,
        "reason": f"rank IC differs from zero: {', '.join(found)}" if found else
        "no rank IC differs from zero",
    }  # fmt: skip


def detectable_gains(
    panels: Mapping[str, PanelOutcome], statistics: StatisticsSpec
) -> pd.DataFrame:
    """By panel and measure: the median over candidates of the gain that would be found.

    It follows from the noise of the differences about their mean, whatever that mean is.
    """
    rows = []
    for name, one in panels.items():
        base = statistics.base(one.scores.variants)
        for measure in MEASURES:
            tests = panel_tests(one, measure, base)
            rivals = [test for rival, test in tests.items() if rival in one.candidates]
            alpha = (1 - statistics.level) / max(1, len(rivals))
            sizes = [detectable(test, alpha) for test in rivals]
            if sizes:
                median = float(np.median(sizes))
                rows.append({"panel": name, "measure": measure, "detectable": median})
    return pd.DataFrame(rows, columns=["panel", "measure", "detectable"])
