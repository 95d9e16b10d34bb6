"""The finding on batch composition: what was measured, and whether a claim holds."""

from foldproof.tasks.diagnose.findings.catalogue import DIAGNOSTICS
from foldproof.tasks.diagnose.findings.finding import Finding, Verdict, Witness
from foldproof.tasks.diagnose.network.coupling import Coupling

ORDER = ("none", "date", "batch")
"""Kinds of coupling, from the weakest."""
TEST = DIAGNOSTICS["batch_composition"]


def composition_finding(
    found: Coupling,
    tolerance: float,
    stage: str,
    date_of: dict[int, str],
    samples: list[tuple[str, str]],
    counts: bool,
    claim: str | None = None,
) -> Finding:
    """What the coupling of a network within its batch comes to.

    Companions of the same date are known when the forecast is made: to depend on them is no leak
    in time. Companions dated later are not.

    Args:
        found: What was measured.
        tolerance: Rounding.
        stage: network, or training for what holds in training mode.
        date_of: Date as text, by the number that stands for it in the batch.
        samples: Date and symbol of each sample, for the witness.
        counts: False where the mode is not the one that forecasts are made in.
        claim: Coupling that the variant claims, or None.
    """
    kind = found.kind(tolerance)
    broken = claim is not None and ORDER.index(kind) > ORDER.index(claim)
    verdict = verdict_of(found, tolerance, kind, broken and counts)
    return Finding(
        test=TEST.key,
        stage=stage,
        verdict=verdict,
        evidence=evidence_of(verdict, found, tolerance),
        statistic=TEST.statistic,
        value=found.later.size if found.dates > 1 else found.composition.size,
        threshold=tolerance,
        tested=f"{len(samples)} samples of {found.dates} dates: later, earlier and same-date "
        f"companions changed, order reversed, samples alone"
        + (f"; not tried: {found.failures}" if found.failures else ""),
        witness=witness_of(found, tolerance, date_of, samples),
        detail=detail_of(found, tolerance, kind, claim, broken),
        counts=counts,
    )


def verdict_of(found: Coupling, tolerance: float, kind: str, broken: bool) -> Verdict:
    """LEAK: later companions move it, or a claim on scored forecasts is broken."""
    if found.later.size > tolerance or broken:
        return Verdict.LEAK
    if found.dates < 2 and kind != "none":
        return Verdict.UNKNOWN
    return Verdict.CLEAN


def evidence_of(verdict: Verdict, found: Coupling, tolerance: float) -> str:
    """exact, or what else the verdict rests on."""
    if verdict is Verdict.UNKNOWN:
        return "all samples are of one date, so companions of other dates could not be changed"
    leak_in_time = found.later.size > tolerance
    return "exact" if leak_in_time or verdict is Verdict.CLEAN else "claim contradicted"


def witness_of(
    found: Coupling, tolerance: float, date_of: dict[int, str], samples: list[tuple[str, str]]
) -> Witness | None:
    """The sample that moved most when later ones changed."""
    move = found.later
    if move.size <= tolerance:
        return None
    date, symbol = samples[move.sample]
    return Witness(date_of[move.cut], date, symbol, "forecast", move.before, move.after)


def detail_of(found: Coupling, tolerance: float, kind: str, claim: str | None, broken: bool) -> str:
    """One sentence: who it is coupled to, how strongly, and what was claimed."""
    sizes = {
        "later dates": found.later.size,
        "earlier dates": found.earlier.size,
        "the same date": found.same.size,
        "order or number of samples": found.composition.size,
    }
    coupled = [f"{name} ({size:.2g} sd)" for name, size in sizes.items() if size > tolerance]
    text = f"depends on {', '.join(coupled)}" if coupled else "depends on no companion in the batch"
    if kind == "date":
        text += ": its own date's cross-section, which is no leak in time"
    if claim is not None:
        text += f"; claimed: {claim}, measured in the network: {kind}" + (
            ", the claim is broken" * broken
        )
    return text
