import pytest

from foldproof.tasks.diagnose import Finding, LeakReport, Verdict, Witness
from foldproof.tasks.diagnose.findings.finding import overall


def finding(verdict, counts=True, **given):
    return Finding(
        test="purge", stage="folds", verdict=verdict, evidence="exact", statistic="rows", value=1.0,
        threshold=0.0, tested="all", counts=counts, **given,
    )  # fmt: skip


LEAK, CLEAN, UNKNOWN = (
    finding(verdict) for verdict in (Verdict.LEAK, Verdict.CLEAN, Verdict.UNKNOWN)
)


@pytest.mark.parametrize(
    ("findings", "verdict"),
    [
        ([], Verdict.UNKNOWN),
        ([finding(Verdict.CLEAN, counts=False)], Verdict.UNKNOWN),
        ([CLEAN], Verdict.CLEAN),
        ([CLEAN, finding(Verdict.LEAK, counts=False)], Verdict.CLEAN),
        ([CLEAN, UNKNOWN], Verdict.UNKNOWN),
        ([UNKNOWN, CLEAN, LEAK], Verdict.LEAK),
    ],
)
def test_a_report_has_the_worst_verdict_that_counts(findings, verdict):
    assert overall(findings) is verdict
    assert LeakReport("x", tuple(findings)).verdict is verdict


def test_a_report_as_table_and_markdown():
    witness = Witness("2024-01-02", "2024-01-01", "A", "x", 1.0, 2.0)
    report = LeakReport("mine", (finding(Verdict.LEAK, witness=witness), CLEAN))
    frame = report.to_frame()
    text = "2024-01-01 A x: 1 becomes 2 when data not yet known on 2024-01-02 change"
    assert frame["witness"].tolist() == [text, ""]
    assert frame["verdict"].tolist() == ["LEAK", "CLEAN"]
    markdown = report.to_markdown()
    assert markdown.startswith("**mine: LEAK**")
    assert text in markdown
    assert markdown.count("\n| purge") == 2
