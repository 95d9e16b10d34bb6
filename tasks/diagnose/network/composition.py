"""The finding on batch composition: the measured coupling, and whether it contradicts a claim."""

from dataclasses import replace

from foldproof.tasks.diagnose.findings.causes import OVER_SAMPLES
from foldproof.tasks.diagnose.findings.finding import Finding, Verdict, Witness
from foldproof.tasks.diagnose.findings.verdicts import exact_finding, unknown_finding
from foldproof.tasks.diagnose.network.batch import ONE_DATE
from foldproof.tasks.diagnose.network.coupling import Coupling

ORDER = ("none", "date", "batch")
"""Kinds of coupling, weakest first."""


def composition_finding(
    found: Coupling,
    tolerance: float,
    stage: str,
    date_of: dict[int, str],
    samples: list[tuple[str, str]],
    counts: bool,
    claim: str | None = None,
) -> Finding:
    """The finding on the coupling of samples within a batch.

    Companions of the same date are known when the forecast is made, so depending on them is no
    look-ahead. Depending on companions dated later is.

    Args:
        found: The measured coupling.
        tolerance: Moves up to this many sd are rounding.
        stage: ``network``, or ``training`` for results in training mode.
        date_of: The text of each date number in the batch.
        samples: Date and symbol of each sample, for the witness.
        counts: False if forecasts are not made in this mode.
        claim: The coupling that the variant claims, or None.
    """
    kind, ahead = found.kind(tolerance), found.ahead
    in_time = ahead.size > tolerance
    broken = claim is not None and ORDER.index(kind) > ORDER.index(claim)
    one_date = found.dates < 2
    detail = _detail(found, tolerance, kind, claim, broken)
    value = found.composition.size if one_date else ahead.size
    tested = (
        f"{len(samples)} samples of {found.dates} dates: later, earlier and same-date samples "
        "perturbed, order reversed, samples run alone"
    ) + (f"; not run: {found.failures}" if found.failures else "")
    contradicted = broken and counts and not in_time
    if one_date and kind != "none" and not contradicted:
        reason = f"{ONE_DATE}; the forecast {detail}"
        return unknown_finding(
            "batch_composition", stage, reason, tested, value=value, counts=counts
        )
    witness = None
    if in_time:
        where = samples[ahead.sample]
        witness = Witness(date_of[ahead.cut], *where, "forecast", ahead.before, ahead.after)
    finding = exact_finding(
        "batch_composition", stage, value, tested, leak=detail, clean=detail, witness=witness,
        threshold=tolerance, counts=counts,
    )  # fmt: skip
    if contradicted:
        return replace(finding, verdict=Verdict.LEAK, evidence="claim contradicted", detail=detail)
    return finding


def _detail(found: Coupling, tolerance: float, kind: str, claim: str | None, broken: bool) -> str:
    """What the forecast depends on, how strongly, and what the variant claims."""
    sizes = {
        "later dates": found.ahead.size,
        "earlier dates": found.earlier.size,
        "the same date": found.same.size,
        "order or number of samples": found.composition.size,
    }
    coupled = [f"{name} ({size:.2g} sd)" for name, size in sizes.items() if size > tolerance]
    text = f"depends on {', '.join(coupled)}" if coupled else "depends on no other sample"
    if found.over_samples:
        text += f": {OVER_SAMPLES}"
    if kind == "date":
        text += ": the cross-section of its own date, which is not look-ahead"
    if claim is not None:
        text += f"; claimed: {claim}, measured in the network: {kind}"
        text += ", which contradicts the claim" if broken else ""
    return text
