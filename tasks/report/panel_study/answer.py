"""The answer of a study in three sentences, made from its tables."""

import pandas as pd

from foldproof.tasks.panel_study.networks import MEASURES
from foldproof.tasks.panel_study.tables import counts
from foldproof.tasks.report.panel_study.results import PanelStudyResults
from foldproof.tasks.report.text import counted, label, listed, minus

HEADS = ("Does it matter?", "How sure is that?", "Does the study find what is there?")
"""The question that each sentence answers."""


def study_answers(results: PanelStudyResults) -> tuple[str, str, str]:
    """What was found, how precise that is, and whether planted signals and leaks are found."""
    return found(results), precision(results), controls(results)


def found(results: PanelStudyResults) -> str:
    """Verdicts against the reference, pooled over the real panels, before and after."""
    panels = len(results.real)
    if panels < 2:
        return (
            f"Nothing is pooled: {counted(panels, 'real panel')} compared, at least two are needed."
        )
    parts = [
        f"{verdict_counts(results.pooled, measure)} in {title}"
        for measure, title in MEASURES.items()
        if len(results.pooled) and (results.pooled["measure"] == measure).any()
    ]
    return (
        f"Over {panels} real panels, against {label(results.reference)} with a margin of "
        f"{results.statistics.margin:g}: {', and '.join(parts)} (Holm, "
        f"{results.statistics.level:.0%}){best_of(results)}."
    )


def verdict_counts(pooled: pd.DataFrame, measure: str) -> str:
    """Such as 1 variant better (cs_rank), 0 worse, 9 equivalent and 3 undecided."""
    count = counts(pooled, measure)
    parts = []
    for verdict, number in count.items():
        own = pooled[(pooled["measure"] == measure) & (pooled["against"] == verdict)]["variant"]
        named = f" ({listed(map(label, own))})" if 0 < number <= 3 else ""
        parts.append(f"{number} {verdict}{named}")
    return f"of {sum(count.values())} variants {listed(parts)}"


def best_of(results: PanelStudyResults) -> str:
    """The largest pooled gain in rank IC with its interval."""
    own = results.pooled[results.pooled["measure"] == "rank_ic"]
    if not len(own):
        return ""
    top = own.sort_values("gain", key=abs).iloc[-1]
    interval = minus(f"{top['gain']:+.4f} [{top['low']:+.4f}, {top['high']:+.4f}]")
    return f"; the largest difference is that of {label(str(top['variant']))}, {interval}"


def precision(results: PanelStudyResults) -> str:
    """Detectable gains by panel, heterogeneity, and where the variance of a gain lies."""
    found = results.detectable.set_index(["measure", "panel"])["detectable"]
    sizes = found.reindex([("rank_ic", name) for name in results.real]).dropna()
    parts = []
    if len(sizes):
        least, most = sizes.min(), sizes.max()
        span = f"{least:.3f}" if least == most else f"{least:.3f} to {most:.3f}"
        parts.append(f"A real panel alone shows a gain of {span} with probability 80%")
    plain = results.pooled[results.pooled["measure"] == "rank_ic"] if len(results.pooled) else None
    if plain is not None and plain["tau"].notna().any():
        pooled = plain["detectable"].median()
        parts.append(
            f"all of them together one of {pooled:.3f}, with a standard deviation of "
            f"{plain['tau'].median():.4f} between panels for the median variant"
        )
    shares = gain_shares(results)
    if len(shares):
        text = listed(f"{name} {share:.0%}" for name, share in shares.items())
        parts.append(f"the variance of a gain is {text}")
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
        state = row["reason"] if row["holds"] is None else (what if row["holds"] else f"not {what}")
        parts.append(f"{row['panel']} is {state}")
    leaks = results.table[results.table["leak"] == "LEAK"]["variant"].unique()
    parts.append(f"leaks are in {listed(map(label, leaks))}" if len(leaks) else "no variant leaks")
    text = listed(parts)
    return f"{text[0].upper()}{text[1:]}."


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
