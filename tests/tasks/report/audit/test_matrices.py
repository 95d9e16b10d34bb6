from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from matplotlib.figure import Figure

from foldproof.tasks.diagnose import DIAGNOSTICS, LeakReport, Verdict
from foldproof.tasks.report.audit.matrices import (
    COLORS,
    cell_of,
    matrix,
    short,
    size_text,
    stage_matrix,
    subject_matrix,
    unit_of,
)
from tests.tasks.report.audit_example import LEAK, NAN, OPEN, finding, honest, leaking


def cells(figure: Figure) -> dict[tuple[str, str], str]:
    """Row and column heads -> the text of each cell, read off where they are drawn."""
    found = {}
    for axis in figure.axes:
        rows = [label.get_text() for label in axis.get_yticklabels()]
        heads = [label.get_text().replace("\n", " ") for label in axis.get_xticklabels()]
        for text in axis.texts:
            column, row = text.get_position()
            if text.get_text():
                found[rows[row], heads[column]] = text.get_text()
    return found


def test_stages_and_tests_stand_in_the_order_of_the_catalogue():
    figure = stage_matrix(leaking())
    (axis,) = figure.axes
    rows = [label.get_text() for label in axis.get_yticklabels()]
    heads = [label.get_text().split("\n")[0] for label in axis.get_xticklabels()]
    assert rows == ["folds", "features", "training"]
    assert heads == ["Serve", "Train", "Batch", "Purge"]


def test_every_finding_is_in_the_cell_of_its_stage_and_test_and_nothing_else_is():
    assert cells(stage_matrix(leaking())) == {
        ("folds", "Purge"): "info only:\nunknown",
        ("features", "Serve invariance"): "LEAK\n270 sd",
        ("training", "Train invariance"): "clean",
        ("training", "Batch composition"): "info only:\nsymptom",
    }


def test_colour_and_hatch_follow_the_verdict():
    undecided = finding("jacobian", "network in eval mode", Verdict.UNKNOWN, NAN)
    (axis,) = stage_matrix(LeakReport("x", (*leaking().findings, undecided))).axes
    drawn = {(p.get_facecolor()[:3], p.get_hatch()) for p in axis.patches}
    assert len(drawn) == len(COLORS)
    assert [p.get_hatch() for p in axis.patches].count("////") == 1


def test_several_subjects_share_the_columns():
    assert cells(subject_matrix([leaking(), honest()])) == {
        ("leaky", "Serve invariance"): "LEAK\n270 sd",
        ("leaky", "Train invariance"): "clean",
        ("leaky", "Batch composition"): "info only:\nsymptom",
        ("leaky", "Purge"): "info only:\nunknown",
        ("honest", "Serve invariance"): "clean",
        ("honest", "Train invariance"): "clean",
    }


@pytest.mark.parametrize("count", [len(DIAGNOSTICS), 20, 10])
@pytest.mark.parametrize(
    "subject", ["x", "NORMALIZED_BY_ALL_OF_THE_SAMPLE_V2", "two lines of a name " * 2]
)
def test_many_tests_stay_readable_in_several_rows_of_columns(subject, count):
    # the longest name a cell holds is that of a leak with its unit
    leak = {"verdict": Verdict.LEAK, "value": 0.2987}
    found = tuple(finding(test, "scoring", **leak) for test in list(DIAGNOSTICS)[:count])
    figure = subject_matrix([LeakReport(subject, found), LeakReport(f"{subject} too", found)])
    figure.draw_without_rendering()
    assert sum(len(axis.texts) for axis in figure.axes) == 2 * count
    for axis in figure.axes:
        boxes = [label.get_window_extent() for label in axis.get_xticklabels()]
        assert all(a.x1 <= b.x0 for a, b in pairwise(boxes))
        room = axis.transData.transform([[0, 0], [1, 0]])
        assert all(t.get_window_extent().width < np.ptp(room[:, 0]) for t in axis.texts)
        assert min(label.get_window_extent().x0 for label in axis.get_yticklabels()) >= 0


def test_a_panel_leaves_out_rows_without_an_answer():
    found = [finding(test, "scoring") for test in list(DIAGNOSTICS)[:-1]]
    report = LeakReport("x", (*found, finding("time_reversal", "features")))
    rows = [[t.get_text() for t in axis.get_yticklabels()] for axis in stage_matrix(report).axes]
    assert rows == [["scoring"], ["scoring"], ["features", "scoring"]]


def test_a_report_without_findings_is_an_empty_picture():
    assert cells(stage_matrix(LeakReport("x", ()))) == {}
    assert cells(matrix({})) == {}


def test_the_largest_leak_is_shown_and_a_missing_value_is_no_number():
    larger = replace(LEAK, value=1234.5)
    assert cell_of([LEAK, larger, replace(LEAK, value=NAN)]) == ("LEAK", "LEAK\n1,234 sd")
    assert cell_of([replace(LEAK, value=NAN)]) == ("LEAK", "LEAK")
    assert cell_of([LEAK, replace(LEAK, counts=False, value=9e3)]) == ("LEAK", "LEAK †\n270 sd")
    assert cell_of([OPEN, LEAK])[0] == "LEAK"


@pytest.mark.parametrize(
    ("statistic", "unit"),
    [
        ("largest move [cross-sectional sd]", "sd"),
        ("rows of the test block [rows]", "rows"),
        ("no unit at all", ""),
        ("gap [share of the change]", ""),
        ("buffers changed [count]", ""),
        ("share [fraction]", ""),
    ],
)
def test_units_are_read_from_brackets(statistic, unit):
    assert unit_of(statistic) == unit
    assert size_text(replace(LEAK, value=2.0, statistic=statistic)) == f"2 {unit}".strip()


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0"), (6.0, "6"), (0.04313, "0.0431"), (269.65, "270"), (3e-16, "3e-16"),
     (1e-9, "1e-09"), (-0.5, "-0.5"), (2e7, "2e+07"), (np.inf, "inf")],
)  # fmt: skip
def test_numbers_are_short(value, text):
    assert short(value) == text
