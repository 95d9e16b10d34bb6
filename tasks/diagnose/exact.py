"""The exact tests that an audit of a forecaster adds to train and serve invariance."""

from functools import partial

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype
from torch import Tensor

from foldproof.tasks.diagnose.data.duplicates import duplicates
from foldproof.tasks.diagnose.data.execution import execution
from foldproof.tasks.diagnose.data.label_end import declared_against_measured, label_ends
from foldproof.tasks.diagnose.data.labels import Labels
from foldproof.tasks.diagnose.data.purge import order_of_samples, purge_of_samples
from foldproof.tasks.diagnose.findings.finding import Finding, Verdict
from foldproof.tasks.diagnose.findings.verdicts import unknown_finding
from foldproof.tasks.diagnose.lookahead.forecasts import Observation, answer, observe
from foldproof.tasks.diagnose.network.audit import audit_module
from foldproof.tasks.diagnose.perturb.attempt import attempt, tried
from foldproof.tasks.diagnose.perturb.compare import moved
from foldproof.tasks.diagnose.perturb.rows import KEYS, change_rows
from foldproof.tasks.diagnose.trace.reference_run import ReferenceRun

LATE_CUTS = 6
"""Cuts at which cells that are known late are changed alone."""


EXECUTION_DATES = 3
"""Dates whose targets are tried where every try runs the forecaster."""


SAMPLED_ROWS = 200_000
"""Rows of features that are searched for duplicates at most."""


def sample_findings(ground: ReferenceRun, embargo: int) -> list[Finding]:
    """Purge and order of the samples that were trained on, where they and the labels are traced."""
    train, target = ground.base.trace.samples("folds"), ground.base.trace.table("target")
    if train is None or target is None or target.ends is None:
        return []
    ends = pd.Series(target.ends, index=target.frame().index)
    scored = pd.MultiIndex.from_tuples(ground.base.scores.index, names=list(KEYS))
    known = train[train.isin(ends.index)]
    found = tried(
        "purge", "folds",
        lambda: purge_of_samples(known, scored, ends, embargo, ground.dates),
    )  # fmt: skip
    return [*found, *tried("fold_order", "folds", lambda: [order_of_samples(train, scored)])]


def duplicate_findings(ground: ReferenceRun) -> list[Finding]:
    """Test rows that are training rows too, where features are traced."""
    features = ground.base.trace.table("features")
    if features is None:
        return []
    rows, fold = features.frame(), ground.subject.fold
    noted = ground.base.trace.samples("folds")
    learned = np.concatenate([fold.train_dates, fold.validation_dates])
    own = rows.index.get_level_values(0).isin(learned) if noted is None else rows.index.isin(noted)
    scored = rows.index.isin(ground.base.scores.index)
    if len(rows) > SAMPLED_ROWS:
        own &= np.cumsum(own[::-1])[::-1] <= SAMPLED_ROWS
    train, test = (rows[some].reset_index()[list(KEYS)] for some in (own, scored))
    kept = rows[own | scored]
    return tried("duplicates", "folds", lambda: duplicates(kept, train, test))


def point_in_time_findings(
    ground: ReferenceRun, cuts: list[np.datetime64], rerun: float
) -> list[Finding]:
    """Whether forecasts read cells before they were known: these alone are changed."""
    if not ground.known_at or not cuts:
        return []
    some = cuts[:: max(1, len(cuts) // LATE_CUTS)][:LATE_CUTS]
    plan = [(cut, name) for cut in some for name in ("noise", "missing")]
    seen = observe(ground, plan, frozen=False, late_only=True)
    found = answer("serve_invariance", seen, ground, rerun)
    return [in_time(found, seen, ground)]


def in_time(found: Finding, seen: Observation, ground: ReferenceRun) -> Finding:
    """The finding of serve invariance, read as one on knowledge times."""
    names = ", ".join(ground.known_at)
    leaks = found.verdict is Verdict.LEAK
    return Finding(
        test="point_in_time",
        stage="raw data",
        verdict=found.verdict,
        evidence=found.evidence,
        statistic="largest move of a forecast when cells not known by then change "
        "[cross-sectional sd]",
        value=found.value,
        threshold=found.threshold,
        tested=f"{names} before they were known; {seen.tried}",
        witness=found.witness,
        detail=f"forecasts read {names} before they were known"
        if leaks
        else found.detail
        if found.verdict is Verdict.UNKNOWN
        else f"no forecast reads {names} before they were known",
        ahead=found.ahead,
    )


def target_findings(ground: ReferenceRun, labels: Labels | None) -> list[Finding]:
    """Whether the return begins after its date; and, where labels cost no run, when they end."""
    table = ground.base.trace.table("target")
    if labels is None and table is None:
        return []
    made = labels or partial(traced_target, ground)
    transform = partial(on_rows, made)
    days = 6 if labels else EXECUTION_DATES
    if ready_made(ground, transform):
        reason = "the target is a column of the data; how it was made cannot be tested from them"
        return [
            unknown_finding(
                "execution", "target", reason, "the label columns changed", counts=False
            )
        ]
    found = tried("execution", "target", lambda: [execution(transform, ground.data, dates=days)])
    if labels is None or table is None or table.ends is None:
        return found
    stated = pd.Series(table.ends, index=table.frame().index)

    def measured() -> list[Finding]:
        keys = pd.MultiIndex.from_frame(ground.data[list(KEYS)])
        declared = pd.Series(stated.reindex(keys).to_numpy(), index=ground.data.index)
        ends = label_ends(transform, ground.data, dates=3, guess=usual_ahead(declared, ground))
        return [declared_against_measured(declared, ends)]

    return [*found, *tried("purge", "target", measured)]


def usual_ahead(ends: pd.Series, ground: ReferenceRun) -> int:
    """Trading days from a row's date to its stated end, in the median; 1 where none is stated."""
    known = ends.notna().to_numpy()
    dates = ground.data["date"].to_numpy()[known]
    ahead = np.searchsorted(ground.dates, ends[known]) - np.searchsorted(ground.dates, dates)
    return max(1, int(np.median(ahead))) if known.any() else 1


def ready_made(ground: ReferenceRun, transform: Labels) -> bool:
    """Whether the target is a column of the data, or follows those that are known late."""
    before, _ = attempt(lambda: transform(ground.data).to_numpy())
    if before is None:
        return False
    columns = [ground.data[c] for c in ground.data if c not in KEYS]
    plain = [c.to_numpy(np.float64, na_value=np.nan) for c in columns if is_numeric_dtype(c)]
    given = np.isfinite(before)
    if given.any() and any(np.array_equal(before[given], one[given]) for one in plain):
        return True
    if not ground.known_at:
        return False
    every, none = np.ones(len(ground.data), dtype=bool), np.zeros(len(ground.data), dtype=bool)
    late, draw = dict.fromkeys(ground.known_at, every), np.random.default_rng(ground.seed)
    changed = change_rows(ground.data, none, "noise", draw, late)
    after, _ = attempt(lambda: transform(changed).to_numpy())
    return after is not None and bool((moved(before, after) > 0).any())


def traced_target(ground: ReferenceRun, rows: pd.DataFrame) -> pd.Series:
    """The traced target of other rows.

    Raises:
        ValueError: The forecaster marks none on them.
    """
    run = ground.subject.run(rows, ground.base.trace.reusable)
    table = run.trace.table("target")
    if table is None:
        raise ValueError("the forecaster marks no target on changed rows")
    return table.column(table.columns[0])


def on_rows(labels: Labels, rows: pd.DataFrame) -> pd.Series:
    """Labels indexed (date, symbol) on the rows that they were made from."""
    keys = pd.MultiIndex.from_frame(rows[list(KEYS)])
    return pd.Series(labels(rows).reindex(keys).to_numpy(dtype=np.float64), index=rows.index)


def network_findings(ground: ReferenceRun, horizon: int) -> list[Finding]:
    """The network tests, where a network was shown."""
    lost = ground.base.trace.lost.get("network")
    if lost:
        reason = f"the network that was shown cannot be copied: {lost}"
        return [unknown_finding("batch_composition", "network", reason, "", counts=False)]
    found: list[Finding] = []
    for shown in ground.base.trace.shown[:1]:
        report, reason = attempt(
            lambda one=shown: audit_module(  # type: ignore[misc]  # bound now
                one.module, one.windows, stamps(one.dates), target=one.target, symbols=one.symbols,
                horizon=horizon, seed=ground.seed,
            )
        )  # fmt: skip
        if report is None:
            found.append(unknown_finding("batch_composition", "network", reason, "", counts=False))
        else:
            found += report.findings
    return found


def stamps(dates: Tensor) -> np.ndarray:
    """(B,) days since 1970-01-01 as dates."""
    return dates.cpu().numpy().astype("datetime64[D]")
