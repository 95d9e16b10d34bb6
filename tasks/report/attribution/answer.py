"""Which features carry the forecast, and whether that attribution can be relied on."""

from foldproof.tasks.attribute.methods.catalogue import MAIN
from foldproof.tasks.report.answer import Answer
from foldproof.tasks.report.attribution.shares import (
    best_attributed,
    drifted,
    failed_checks,
    importance_shares,
    ranked_features,
    undifferentiable,
)
from foldproof.tasks.report.results import Results
from foldproof.tasks.report.text import label, listed

NAMED = 3
"""Features that the evidence names."""


def which_features(results: Results) -> Answer:
    """The leading feature of the best candidate; no feature if the attribution fails a check."""
    table = results.attribution.importance
    best = best_attributed(results)
    if table.empty:
        return Answer("Not asked: attribution was left out.", "No attribution was computed.")
    if best is None:
        return Answer(
            "Not answered: no attributed variant is a candidate.",
            "Every attributed variant leaks.",
        )
    own = table[(table["variant"] == best) & (table["method"] == MAIN)]
    share = ranked_features(table, best)
    first = str(share.index[0])
    shown = listed(f"{name} ({value:.0f}%)" for name, value in share.head(NAMED).items())
    checks = results.attribution.newest.checks
    failed = failed_checks(checks[checks["variant"] == best])
    if failed:
        return Answer(
            "Unknown: the attribution is unreliable.",
            f"In {label(best)} it fails {listed(failed)}; by it, {shown} would lead.",
        )
    leads = importance_shares(own, "fold").idxmax(axis=1) == first
    return Answer(
        f"{first} leads with {share.iloc[0]:.0f}% of the importance.",
        f"Largest shares in {label(best)}: {shown}; {first} leads in {int(leads.sum())} of "
        f"{len(leads)} folds.",
    )


def attribution_facts(results: Results) -> dict[str, str]:
    """How far the attribution of the best candidate can be relied on: a sentence by title."""
    best = best_attributed(results)
    if best is None:
        return {}
    newest = results.attribution.newest
    tables = {
        "gap": results.attribution.gap, "checks": newest.checks,
        "baselines": newest.baselines, "drift": newest.drift,
    }  # fmt: skip
    own = {name: table[table["variant"] == best] for name, table in tables.items()}
    facts = {"Variant": label(best)}
    gap = own["gap"]
    if len(gap):
        unresolved, kinks = gap["unresolved"].max(), results.variants[best].kinks
        facts["Completeness error"] = (
            f"99% of samples: at most {gap['gap_p99'].max():.0e} of the forecasts' standard "
            "deviation"
            + (f"; {unresolved:.1%} of one fold exceed the tolerance" if unresolved > 0 else "")
            + (f", because {kinks} along the path" if unresolved > 0 and kinks else "")
        )
    decided = [passed for passed in own["checks"]["passed"] if passed is not None]
    if decided:
        failed = failed_checks(own["checks"])
        facts["Checks passed"] = f"{len(decided) - len(failed)} of {len(decided)}" + (
            f"; failed: {listed(failed)}" if failed else ""
        )
    baselines = own["baselines"]
    others = baselines[baselines["baseline"] != baselines["against"]].dropna(subset="tau")
    if len(others):
        facts["Agreement with other baselines"] = (
            "Kendall's tau of the feature rankings: "
            + listed(f"{one.tau:.2f} with {one.baseline}" for one in others.itertuples())
        )
    alerts = drifted(own["drift"]).sort_values("moved", ascending=False)
    if len(alerts):
        worst = alerts.iloc[0]
        facts["Drift of importance"] = (
            f"{len(alerts)} of {len(own['drift'])} moves between folds exceed chance; most from "
            f"fold {worst['before']} to {worst['fold']}, where {worst['moved']:.0%} of the "
            "importance moved to other features or changed sign"
        )
    return facts | undifferentiable(results)
