"""Reports of a leak audit as the tests of the room need them: made by hand, nothing audited."""

from dataclasses import replace

from foldproof.tasks.diagnose.findings.finding import (
    Excerpt,
    Finding,
    Inflation,
    LeakReport,
    Verdict,
    Witness,
)

NAN = float("nan")
DATES = tuple(f"2020-06-{day:02d}" for day in range(1, 11))
CUT = "2020-06-06"
BEFORE = (1.0, 1.1, 1.2, 1.1, 1.0, 1.3, 1.2, 1.1, 1.0, 1.2)
AFTER = (1.0, 1.1, 1.2, 1.1, 4.5, 1.3, 90.0, -90.0, 70.0, -50.0)
GLIMPSE = Excerpt(DATES, BEFORE, AFTER)
WITNESS = Witness(CUT, "2020-06-05", "S03", "mean_5", 1.0, 4.5, GLIMPSE)
PRICE = Inflation(0.300, 0.020, 0.200, 0.360, 60)
MOVE = "largest move of a past forecast when later rows change [cross-sectional sd]"


def finding(test: str, stage: str, verdict: Verdict = Verdict.CLEAN, value: float = 0.0, **more):
    given = {"evidence": "exact", "statistic": MOVE, "threshold": 1e-9, "tested": "20 cuts"}
    return Finding(test=test, stage=stage, verdict=verdict, value=value, **(given | more))


LEAK = finding(
    "serve_invariance", "features", Verdict.LEAK, 269.7, witness=WITNESS, ahead=2, inflation=PRICE,
    detail="mean_5 (features) depends on later rows",
)  # fmt: skip
ROUNDING = finding("train_invariance", "training", value=3e-12, detail="rounding only")
OPEN = finding(
    "purge", "folds", Verdict.UNKNOWN, NAN, counts=False, evidence="it is not known when labels end"
)
COUPLED = finding("batch_composition", "training batches", Verdict.LEAK, 2.1, counts=False)


def leaking(subject: str = "leaky", **more) -> LeakReport:
    return LeakReport(subject, (OPEN, LEAK, ROUNDING, COUPLED), {"data": "16 symbols"}, **more)


def honest(subject: str = "honest") -> LeakReport:
    return LeakReport(subject, (finding("serve_invariance", "scoring"), ROUNDING))


def undecided(subject: str = "undecided") -> LeakReport:
    why = "two runs differ: seed the model"
    one = finding("serve_invariance", "scoring", Verdict.UNKNOWN, 0.3, evidence=why)
    return LeakReport(subject, (one,))


def priced(price: Inflation | None) -> LeakReport:
    return LeakReport("leaky", (replace(LEAK, inflation=price),))
