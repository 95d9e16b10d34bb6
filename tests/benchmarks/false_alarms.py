"""False alarm rates of the statistical leak tests.

``python -m tests.benchmarks.false_alarms [--panels 200]`` draws small unpredictable panels (30
symbols x 250 dates, labels over 5 days, persistent features, changing volatility) and runs every
statistical test on an honest ridge forecaster. It prints how often each test alone, and any test
after Holm's adjustment, reports a LEAK; then the same on panels with a strong honest signal.
"""

import argparse
import sys
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.stats import binomtest

from foldproof.tasks.diagnose.findings.catalogue import LEVEL
from foldproof.tasks.diagnose.findings.finding import Finding, Verdict
from foldproof.tasks.diagnose.findings.verdicts import jointly, statistical_finding
from foldproof.tasks.diagnose.statistical.delay import delay_curve
from foldproof.tasks.diagnose.statistical.drift import drift
from foldproof.tasks.diagnose.statistical.permutation import (
    label_permutation,
    mean_rank_ic,
    p_above_zero,
    permuted,
)
from foldproof.tasks.diagnose.statistical.placebo import noise_placebo
from foldproof.tasks.diagnose.statistical.reversal import time_reversal
from foldproof.tasks.diagnose.statistical.screen import feature_screen
from foldproof.tasks.diagnose.statistical.survivorship import survivorship
from foldproof.tasks.split import Fold
from foldproof.tasks.statistics.mean_test import mean_test
from foldproof.tasks.statistics.rank_ic import daily_rank_ic
from tests.tasks.diagnose.long_panels import (
    HORIZON,
    features_of,
    fold_of,
    forecast,
    forecast_label,
    long_panel,
    returns,
    target_of,
    with_label,
)

HAZARD = 0.05
AUDIT = (
    "noise placebo, 1 twin",
    "label permutation",
    "feature screen, ceiling .30",
    "survivorship",
)
"""The statistical tests as an audit runs them."""
STRICT = (
    "noise placebo, 1 twin",
    "mean over permutations alone",
    "feature screen, ceiling 0",
    "survivorship",
    "mean rank IC of a feature",
)
"""Their strictest forms, whose p-values should be uniform on unpredictable panels."""
INFORMING_EVERY = 20
PERMUTATIONS = 10


class Panel(NamedTuple):
    """p-values by test, whether any LEAK remains after Holm, symptoms of tests that inform only."""

    p: Mapping[str, float]
    any_leak: Mapping[str, bool]
    symptoms: Mapping[str, bool]


def universe(seed: int, symbols: int = 150, months: int = 48) -> pd.DataFrame:
    """Monthly rows of symbols that are delisted at the stated hazard."""
    draw = np.random.default_rng(seed)
    life = np.minimum(draw.exponential(12 / HAZARD, symbols), months).astype(int)
    dates = pd.date_range("2015-01-31", periods=months, freq="ME")
    symbol, month = np.nonzero(np.arange(months)[None, :] <= life[:, None])
    return pd.DataFrame({"date": dates[month], "symbol": symbol})


def permuted_means(data: pd.DataFrame, fold: Fold, seed: int) -> np.ndarray:
    """Rank ICs after training on permuted labels, the first stage of the permutation test."""
    truth = data.set_index(["date", "symbol"])["label"]
    learned = np.array([*fold.train_dates, *fold.validation_dates])
    drawn = permuted(data, "label", learned, PERMUTATIONS, seed)
    return np.array([mean_rank_ic(forecast_label(one, fold), truth) for one in drawn])


def audit(seed: int, rank_ic: float = 0.0) -> Panel:
    """Every test on one panel."""
    data = long_panel(seed, rank_ic=rank_ic)
    fold, label, features = fold_of(data), target_of(data), features_of(data)
    labelled = with_label(data)
    placebo = partial(
        noise_placebo,
        forecast,
        data,
        fold,
        target_of,
        prices=("close",),
        horizon=HORIZON,
        seed=seed,
    )
    single = mean_test(daily_rank_ic(features["f1"], label).to_numpy(), HORIZON)
    alone = p_above_zero(permuted_means(labelled, fold, seed))
    # same draws; if the first stage is not significant, it is the whole test
    whole = partial(
        label_permutation, forecast_label, labelled, fold, "label",
        permutations=PERMUTATIONS, seed=seed,
    )  # fmt: skip
    at = partial(feature_screen, features, label, HORIZON, seed=seed, permutations=499)
    findings = {
        "noise placebo, 1 twin": placebo(),
        "noise placebo, 5 twins": placebo(panels=5),
        "label permutation": whole(level=0.05)
        if alone <= 0.05
        else as_finding("label_permutation", alone),
        "mean over permutations alone": as_finding("label_permutation", alone),
        "feature screen, ceiling .30": at().finding,
        "survivorship": survivorship(universe(seed), HAZARD),
    }
    families = {"as audited": AUDIT}
    if rank_ic == 0:  # otherwise a feature has a true rank IC
        findings["feature screen, ceiling 0"] = at(ceiling=0.0).finding
        findings["mean rank IC of a feature"] = as_finding("noise_placebo", single.p)
        families["strictest forms"] = STRICT
    any_leak = {
        f"{name} at {level:g}": any(
            f.verdict is Verdict.LEAK for f in jointly(relevel(findings, names, level), level)
        )
        for name, names in families.items()
        for level in (LEVEL, 0.05)
    }
    symptoms = {} if seed % INFORMING_EVERY else informing(data, fold, features)
    return Panel({name: f.p_value or 0.0 for name, f in findings.items()}, any_leak, symptoms)


def as_finding(test: str, p: float) -> Finding:
    """A finding with this p-value."""
    return statistical_finding(test, "scoring", 0.0, p, LEVEL, "", "")


def relevel(findings: Mapping[str, Finding], names: tuple[str, ...], level: float) -> list[Finding]:
    """The findings of ``names`` at another level."""
    chosen = [findings[name] for name in names]
    return [
        statistical_finding(f.test, f.stage, f.value, f.p_value or 0.0, level, f.tested, f.detail)
        for f in chosen
    ]


def informing(data: pd.DataFrame, fold: Fold, features: pd.DataFrame) -> dict[str, bool]:
    """Which of the informing tests report a symptom."""
    past, future = (returns(data, days) for days in (-HORIZON, HORIZON))
    found = {
        "delay curve": delay_curve(forecast(data, fold), target_of(data), HORIZON)[0],
        "drift": drift(features, fold.train_dates, fold.test_dates),
        "time reversal": time_reversal(features, past, future, HORIZON)[0],
    }
    return {name: f.evidence.startswith("a symptom") for name, f in found.items()}


def line(name: str, hits: int, panels: int, level: float) -> tuple[str, bool]:
    """A row of the table, and whether the interval of the rate reaches down to the level."""
    interval = binomtest(hits, panels).proportion_ci(0.95)
    within = bool(interval.low <= level)
    text = (
        f"| {name} | {level:g} | {hits} / {panels} | {hits / panels:.3f} | "
        f"[{interval.low:.3f}, {interval.high:.3f}] | {'yes' if within else 'NO'} |"
    )
    return text, within


def table(panels: list[Panel]) -> bool:
    """Print the rates; return whether all are within their levels."""
    print("| test | level | LEAK | rate | 95 % interval | within |")
    print("|---|---|---|---|---|---|")
    n = len(panels)
    rows = [
        line(name, sum(one.p[name] <= level for one in panels), n, level)
        for name in panels[0].p
        for level in (LEVEL, 0.05)
    ]
    for name in panels[0].any_leak:
        family, _, level = name.rpartition(" at ")
        hits = sum(one.any_leak[name] for one in panels)
        rows.append(line(f"any of them, Holm, {family}", hits, n, float(level)))
    print("\n".join(text for text, _ in rows))
    informed = [one.symptoms for one in panels if one.symptoms]
    for name in informed[0] if informed else ():
        hits = sum(symptoms[name] for symptoms in informed)
        print(f"| {name}: a symptom (informs) | | {hits} / {len(informed)} | | | |")
    return all(within for _, within in rows)


def main(arguments: list[str] | None = None) -> int:
    """Print the tables; return 1 if a rate is above its level."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--panels", type=int, default=200)
    parser.add_argument("--workers", type=int, default=1)
    given = parser.parse_args(arguments)
    within = True
    with ProcessPoolExecutor(given.workers) as pool:
        for rank_ic, count in (
            (0.0, given.panels),
            (0.06, max(1, given.panels // 4)),
            (0.15, max(1, given.panels // 4)),
        ):
            panels = list(pool.map(partial(audit, rank_ic=rank_ic), range(count)))
            print(f"\n{count} panels, rank IC of the honest signal {rank_ic:g}\n")
            within &= table(panels)
            sys.stdout.flush()
    return 0 if within else 1


if __name__ == "__main__":
    sys.exit(main())
