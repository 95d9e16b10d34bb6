"""Which features carry the forecast, in words, and whether to believe that."""

from foldproof.tasks.attribute.methods.catalogue import MAIN
from foldproof.tasks.report.attribution.by_return import stops_sentence
from foldproof.tasks.report.attribution.shares import (
    best_attributed,
    drifted,
    failed_checks,
    importance_shares,
    ranked_features,
)
from foldproof.tasks.report.results import Results, label, names


def which_features(results: Results) -> str:
    """What carries the best candidate's forecast, and how steadily over the folds."""
    best = best_attributed(results)
    if best is None:
        return "Not asked: attribution was left out, or no candidate was attributed."
    table = results.attribution.importance
    own = table[(table["variant"] == best) & (table["method"] == MAIN)]
    share = ranked_features(table, best)
    leading = importance_shares(own, "fold").idxmax(axis=1)
    top = share.head(3)
    listed = names(f"{name} ({value:.0f} %)" for name, value in top.items())
    steady = int((leading == top.index[0]).sum())
    return (
        f"In {label(best)}, {listed} carry {top.sum():.0f} % of the attribution, lags of a "
        f"feature taken together; an even split "
        f"over {len(share)} features would give {len(top)} of them "
        f"{100 * len(top) / len(share):.0f} %. {top.index[0]} leads in {steady} of {len(leading)} "
        f"folds. {_completeness(results, best)} {_believed(results, best)}"
        f"{_rebased(results, best)}{_drifted(results, best)}{stops_sentence(results)}"
        "This is what the network uses, not what causes returns."
    )


def _completeness(results: Results, best: str) -> str:
    gap = results.attribution.gap
    own = gap[gap["variant"] == best]
    unresolved = own["unresolved"].max()
    missed = f"; in one fold {unresolved:.1%} stayed above the tolerance" if unresolved > 0 else ""
    return (
        "The attributions add up to the change of the forecast but for at most "
        f"{own['gap_p99'].max():.0e} of the forecasts' spread in 99 % of samples{missed}."
    )


def _believed(results: Results, best: str) -> str:
    """How many checks the attribution passes, and which it fails."""
    table = results.attribution.newest.checks
    own = table[table["variant"] == best]
    told = sum(passed is not None for passed in own["passed"])
    if not told:
        return ""
    failed = failed_checks(own)
    short = f"; it fails {names(failed)}: do not rely on it" if failed else ""
    return f"It passes {told - len(failed)} of {told} checks of an attribution{short}. "


def _rebased(results: Results, best: str) -> str:
    """Whether other baselines rank the features alike."""
    table = results.attribution.newest.baselines
    own = table[(table["variant"] == best) & (table["baseline"] != table["against"])]
    told = [f"{one.baseline} {one.tau:.2f}" for one in own.dropna(subset="tau").itertuples()]
    if not told:
        return ""
    return f"Kendall's tau of its ranking with that against another baseline: {names(told)}. "


def _drifted(results: Results, best: str) -> str:
    """Between which folds importance moved more than chance moves it."""
    alerts = drifted(results.attribution.newest.drift)
    own = alerts[alerts["variant"] == best]
    if own.empty:
        return ""
    worst = next(own.sort_values("moved", ascending=False).itertuples())
    others = f" (and in {len(own) - 1} more folds)" if len(own) > 1 else ""
    return (
        f"Alert: from fold {worst.before} to {worst.fold} {worst.moved:.0%} of it moved to other "
        f"features or to the other direction{others}. "
    )
