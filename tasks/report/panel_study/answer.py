"""The answer of a study in three sentences, made from its tables."""

import pandas as pd

from foldproof.tasks.compare.verdicts import Against
from foldproof.tasks.panel_study.networks import MEASURES
from foldproof.tasks.panel_study.tables import LEAST_POOLED
from foldproof.tasks.report.panel_study.results import PanelStudyResults
from foldproof.tasks.report.text import counted, label, listed, minus

HEADS = ("Does it matter?", "How sure is that?", "Does the study find what is there?")
"""The question that each sentence answers."""
SHOWN = 4
"""Names of variants in a sentence at most."""


def study_answers(results: PanelStudyResults) -> tuple[str, str, str]:
    """What was found, how precise that is, and whether planted signals and leaks are found."""
    return found(results), precision(results), controls(results)


def found(results: PanelStudyResults) -> str:
    """Whether variants differ from the reference, pooled over the real panels."""
    panels, pooled = len(results.real), results.pooled
    if panels < LEAST_POOLED or not len(pooled):
        return (
            f"Nothing is pooled: {counted(panels, 'real panel')} compared, at least two are needed."
        )
    if not (pooled["panels"] >= LEAST_POOLED).any():
        return "Nothing is pooled: no variant could be tested on two real panels."
    margin = results.statistics.margin
    measures = [key for key in MEASURES if (pooled["measure"] == key).any()]
    apart = f" ({results.on_own_batches})" * bool(results.on_own_batches)
    parts = [verdict_counts(pooled[pooled["measure"] == key], key, margin) for key in measures]
    return (
        f"{in_a_word(pooled)}. Over {panels} real panels, against {label(results.reference)}"
        f"{apart}: "
        f"{'; '.join(parts)} (Holm over all of these, {results.statistics.level:.0%}). "
        f"{largest(pooled)}."
    )


def in_a_word(pooled: pd.DataFrame) -> str:
    """Yes if a variant differs, no if all are shown to be within the margin."""
    against = pooled["against"]
    if against.isin([Against.BETTER, Against.WORSE]).any():
        return "Yes"
    return "No" if (against == Against.EQUIVALENT).all() else "Not shown, and not excluded"


def verdict_counts(own: pd.DataFrame, measure: str, margin: float) -> str:
    """Variants that differ, of these those beyond the margin, those within it, undecided ones."""
    by = {one: own.loc[own["against"] == one, "variant"] for one in Against}
    better, worse = by[Against.BETTER], by[Against.WORSE]
    differ = own[own["against"].isin([Against.BETTER, Against.WORSE])]
    beyond = differ[(differ["low"] > margin) | (differ["high"] < -margin)]
    named = [
        f"{verdict}: {shortlist(names)}"
        for verdict, names in (("better", better), ("worse", worse))
        if len(names)
    ]
    which = f" ({'; '.join(named)}), {len(beyond)} by more than {margin:g} with their interval" * (
        len(differ) > 0
    )
    return (
        f"in {MEASURES[measure]} {len(differ)} of {len(own)} variants differ{which}, "
        f"{len(by[Against.EQUIVALENT])} are within ±{margin:g} and "
        f"{len(by[Against.UNDECIDED])} are undecided"
    )


def shortlist(names: pd.Series) -> str:
    """Up to four names; the number of the others."""
    shown, more = [label(str(name)) for name in names[:SHOWN]], len(names) - SHOWN
    return listed([*shown, *([f"{more} more"] if more > 0 else [])])


def largest(pooled: pd.DataFrame) -> str:
    """The variant with the largest difference in rank IC over several panels, and its interval."""
    own = pooled[(pooled["measure"] == "rank_ic") & (pooled["panels"] >= LEAST_POOLED)]
    top = own.sort_values("gain", key=abs).iloc[-1]
    interval = minus(f"{top['gain']:+.4f} [{top['low']:+.4f}, {top['high']:+.4f}]")
    return f"{label(str(top['variant']))} differs most in rank IC: {interval}"


def precision(results: PanelStudyResults) -> str:
    """Detectable gains by panel, heterogeneity, and where the variance of a gain lies."""
    found = results.detectable.set_index(["measure", "panel"])["detectable"]
    sizes = found.reindex([("rank_ic", name) for name in results.real]).dropna()
    parts = []
    if len(sizes):
        least, most = sizes.min(), sizes.max()
        span = f"{least:.3f}" if least == most else f"{least:.3f} to {most:.3f}"
        parts.append(f"With probability 80%, one real panel detects a gain of {span}")
    plain = results.pooled[results.pooled["measure"] == "rank_ic"] if len(results.pooled) else None
    if plain is not None and plain["tau"].notna().any():
        pooled = plain["detectable"].median()
        parts.append(
            f"the pooled test of the median variant detects {pooled:.3f}; its gain varies between "
            f"panels with a standard deviation of {plain['tau'].median():.4f}"
        )
    shares = gain_shares(results)
    if len(shares):
        text = listed(f"{name} {share:.0%}" for name, share in shares.items())
        parts.append(f"the variance of a gain comes from {text}")
    return "; ".join(parts) + "." if parts else "No real panel was compared."


GAIN_PARTS = {
    "seed": "seeds", "variant x date": "dates", "fold x variant": "folds (fold x variant)",
}  # fmt: skip
"""Components of the variance of a gain, as sentences name them."""


def gain_shares(results: PanelStudyResults) -> dict[str, float]:
    """Mean shares, over real panels, of the variance of a difference between two variants."""
    own = results.components[results.components["panel"].isin(results.real)]
    mean = own.groupby("component")["share_of_gain"].mean()
    known = mean[mean.notna()]
    return {text: float(known[key]) for key, text in GAIN_PARTS.items() if key in known}


def controls(results: PanelStudyResults) -> str:
    """Planted signals, noise and leaks."""
    parts = []
    for _, row in results.controls.iterrows():
        what = "recovered" if row["role"] == "planted" else "flat"
        # a row of texts and None alone is one of texts and NaN
        known = pd.notna(row["holds"])
        state = (what if row["holds"] else f"not {what}") if known else row["reason"]
        parts.append(f"{row['panel']} {state}")
    leaks = results.table[results.table["leak"] == "LEAK"]["variant"].unique()
    leaking = f"leaks in {listed(map(label, leaks))}" if len(leaks) else "no leaks"
    planted = f"Planted panels: {listed(parts)}. " if parts else ""
    return f"{planted}Leak audit: {leaking}."


def study_markdown(results: PanelStudyResults) -> str:
    """The answer as Markdown."""
    from foldproof.tasks.markdown import escaped

    lines = [f"# {escaped(results.title)}", "", escaped(results.question), ""]
    lines += [
        f"- **{head}** {escaped(text)}"
        for head, text in zip(HEADS, study_answers(results), strict=True)
    ]
    lines += ["", escaped(results.plan)]
    lines += [escaped(f"Left out: {name} ({why}).") for name, why in results.missing.items()]
    return "\n".join(lines)
