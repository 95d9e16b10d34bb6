"""The exact tests of an audit of a forecaster besides train and serve invariance."""

from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype
from torch import Tensor

from foldproof.tasks.diagnose.data.duplicates import duplicates
from foldproof.tasks.diagnose.data.execution import execution
from foldproof.tasks.diagnose.data.label_end import declared_against_measured, label_ends
from foldproof.tasks.diagnose.data.purge import order_of_samples, purge_of_samples
from foldproof.tasks.diagnose.findings.finding import Finding, Verdict
from foldproof.tasks.diagnose.findings.verdicts import unknown_finding
from foldproof.tasks.diagnose.lookahead.forecasts import invariance_finding, observe
from foldproof.tasks.diagnose.network import calls
from foldproof.tasks.diagnose.network.audit import audit_module
from foldproof.tasks.diagnose.network.coupling import as_numpy
from foldproof.tasks.diagnose.perturb.attempt import attempt, findings_or_unknown
from foldproof.tasks.diagnose.perturb.compare import moved
from foldproof.tasks.diagnose.perturb.rows import KEYS, change_rows
from foldproof.tasks.diagnose.spec import (
    EXECUTION_DATES,
    LATE_CUTS,
    SAMPLED_ROWS,
    TRACED_EXECUTION_DATES,
    Labels,
)
from foldproof.tasks.diagnose.trace.run import ReferenceRun
from foldproof.tasks.diagnose.trace.trace import TracedBatch


def sample_findings(reference: ReferenceRun) -> list[Finding]:
    """Purge and order of the training samples, if they and the labels are traced."""
    trace, scores = reference.base.trace, reference.base.scores
    train, target = trace.samples("folds"), trace.table("target")
    if train is None or target is None or target.ends is None:
        return []
    ends = pd.Series(target.ends, index=target.frame().index)
    scored = pd.MultiIndex.from_tuples(scores.index, names=list(KEYS))
    labelled, embargo = train[train.isin(ends.index)], reference.options.embargo
    return [
        *findings_or_unknown(
            "purge", "folds",
            lambda: purge_of_samples(labelled, scored, ends, embargo, reference.dates),
        ),
        *findings_or_unknown("fold_order", "folds", lambda: [order_of_samples(train, scored)]),
    ]  # fmt: skip


def duplicate_findings(reference: ReferenceRun) -> list[Finding]:
    """Test rows that are training rows too, if features are traced."""
    features = reference.base.trace.table("features")
    if features is None:
        return []
    rows, fold = features.frame(), reference.bound.fold
    samples = reference.base.trace.samples("folds")
    if samples is None:
        dates = np.concatenate([fold.train_dates, fold.validation_dates])
        trained = rows.index.get_level_values(0).isin(dates)
    else:
        trained = rows.index.isin(samples)
    scored = rows.index.isin(reference.base.scores.index)
    if len(rows) > SAMPLED_ROWS:
        trained &= np.cumsum(trained[::-1])[::-1] <= SAMPLED_ROWS
    train, test = (rows[some].reset_index()[list(KEYS)] for some in (trained, scored))
    compared = rows[trained | scored]
    return findings_or_unknown("duplicates", "folds", lambda: duplicates(compared, train, test))


def point_in_time_findings(
    reference: ReferenceRun, cuts: list[np.datetime64], rerun: float
) -> list[Finding]:
    """Whether forecasts read cells before they are known: only these cells change."""
    known_at = reference.options.known_at
    if not known_at or not cuts:
        return []
    some = cuts[:: max(1, len(cuts) // LATE_CUTS)][:LATE_CUTS]
    plan = [(cut, name) for cut in some for name in ("noise", "missing")]
    found = observe(reference, plan, retrain=False, late_only=True)
    served = invariance_finding("serve_invariance", found, reference, rerun)
    names = ", ".join(known_at)
    details = {
        Verdict.LEAK: f"forecasts read {names} before they were known",
        Verdict.UNKNOWN: served.detail,
        Verdict.CLEAN: f"no forecast reads {names} before they were known",
    }
    statistic = (
        "largest move of a forecast when cells not known by then change [cross-sectional sd]"
    )
    return [
        replace(
            served, test="point_in_time", stage="raw data", statistic=statistic,
            tested=f"{names} before they were known; {found.attempts}",
            detail=details[served.verdict],
        )
    ]  # fmt: skip


def target_findings(reference: ReferenceRun) -> list[Finding]:
    """Whether the return begins after its date and, if that needs no run, when labels end."""
    table, given = reference.base.trace.table("target"), reference.options.labels
    if given is None and table is None:
        return []
    labels = partial(_on_rows, given or partial(_traced_target, reference))
    data, dates = reference.data, EXECUTION_DATES if given else TRACED_EXECUTION_DATES
    if is_ready_made(reference, labels):
        reason = "the target is a column of the data: how it was computed cannot be tested"
        tested = "the label columns changed"
        return [unknown_finding("execution", "target", reason, tested, counts=False)]
    found = findings_or_unknown(
        "execution", "target", lambda: [execution(labels, data, dates=dates)]
    )
    if given is None or table is None or table.ends is None:
        return found
    stated = pd.Series(table.ends, index=table.frame().index)

    def measured() -> list[Finding]:
        keys = pd.MultiIndex.from_frame(data[list(KEYS)])
        declared = pd.Series(stated.reindex(keys).to_numpy(), index=data.index)
        ends = label_ends(labels, data, dates=3, guess=usual_ahead(declared, reference))
        return [declared_against_measured(declared, ends)]

    return [*found, *findings_or_unknown("purge", "target", measured)]


def usual_ahead(ends: pd.Series, reference: ReferenceRun) -> int:
    """Median number of trading days from a row's date to its stated end; 1 without stated ends."""
    known = ends.notna().to_numpy()
    dates = reference.data["date"].to_numpy()[known]
    places = (np.searchsorted(reference.dates, one) for one in (ends[known], dates))
    return max(1, int(np.median(np.subtract(*places)))) if known.any() else 1


def is_ready_made(reference: ReferenceRun, labels: Labels) -> bool:
    """Whether the target is a column of the data, or changes with the columns known late."""
    data, known_at = reference.data, reference.options.known_at
    before, _ = attempt(lambda: labels(data).to_numpy())
    if before is None:
        return False
    columns = [data[name] for name in data if name not in KEYS and is_numeric_dtype(data[name])]
    plain = [column.to_numpy(np.float64, na_value=np.nan) for column in columns]
    given = np.isfinite(before)
    if given.any() and any(np.array_equal(before[given], one[given]) for one in plain):
        return True
    if not known_at:
        return False
    every, none = np.ones(len(data), dtype=bool), np.zeros(len(data), dtype=bool)
    late, generator = dict.fromkeys(known_at, every), np.random.default_rng(reference.options.seed)
    changed = change_rows(data, none, "noise", generator, late)
    after, _ = attempt(lambda: labels(changed).to_numpy())
    return after is not None and bool((moved(before, after) > 0).any())


def _traced_target(reference: ReferenceRun, rows: pd.DataFrame) -> pd.Series:
    """The traced target of other rows.

    Raises:
        ValueError: The forecaster traces none on them.
    """
    run = reference.bound.run(rows, reference.base.trace.reusable)
    table = run.trace.table("target")
    if table is None:
        raise ValueError("the forecaster traces no target on changed rows")
    return table.column(table.columns[0])


def _on_rows(labels: Labels, rows: pd.DataFrame) -> pd.Series:
    """Labels indexed (date, symbol), on the index of the rows they were computed from."""
    keys = pd.MultiIndex.from_frame(rows[list(KEYS)])
    return pd.Series(labels(rows).reindex(keys).to_numpy(dtype=np.float64), index=rows.index)


def network_findings(reference: ReferenceRun) -> list[Finding]:
    """The network tests, if a network is traced."""
    trace, options = reference.base.trace, reference.options
    error = trace.not_copied.get("network")
    if error:
        reason = f"the traced network cannot be copied: {error}"
        return [unknown_finding("batch_composition", "network", reason, "", counts=False)]
    if not trace.batches:
        return []
    batch = trace.batches[0]

    def audited() -> list[Finding]:
        dates = batch.dates.cpu().numpy().astype("datetime64[D]")
        report = audit_module(
            batch.module, batch.windows, dates, target=batch.target,
            symbols=names_of_samples(batch, reference.base.scores),
            horizon=options.horizon, seed=options.seed,
        )  # fmt: skip
        return list(report.findings)

    return findings_or_unknown("batch_composition", "network", audited)


def names_of_samples(batch: TracedBatch, scores: pd.Series) -> Tensor | np.ndarray | None:
    """The symbols of a traced batch: as given, else those of the scores if it yields them in order.

    A forecaster often scores the traced windows in one batch, in the order of (date, symbol) or
    (symbol, date). Its symbols are then known although it passed none.
    """
    if batch.symbols is not None or len(batch.windows) != len(scores):
        return batch.symbols
    module, windows, dates = batch.module, batch.windows, batch.dates
    made, _ = attempt(lambda: as_numpy(calls.fresh_call(module, windows, dates, 0)).reshape(-1))
    for ordered in (scores, scores.sort_index(level=[1, 0])):
        own = ordered.to_numpy(dtype=np.float64)
        days = ordered.index.get_level_values(0).to_numpy().astype("datetime64[D]")
        in_order = np.array_equal(days.astype(np.int64), dates.cpu().numpy())
        if made is None or not in_order or made.shape != own.shape:
            continue
        if np.allclose(made, own, rtol=1e-4, atol=1e-6):
            return ordered.index.get_level_values(1).to_numpy(dtype=object)
    return None
