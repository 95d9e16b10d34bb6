from dataclasses import replace

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from foldproof.tasks.diagnose import Verdict, Witness
from foldproof.tasks.diagnose.findings.finding import Excerpt
from foldproof.tasks.report.audit.witness import shown_change, witness_picture
from foldproof.tasks.report.style import render
from tests.tasks.report.audit_example import AFTER, BEFORE, CUT, DATES, GLIMPSE, LEAK, NAN, WITNESS
from tests.tasks.report.comparison.test_figures import texts

PAST = 6


def picture(**change) -> Figure:
    figure = witness_picture(replace(LEAK, witness=replace(WITNESS, **change)))
    assert figure is not None
    return figure


@pytest.mark.parametrize(
    "finding",
    [
        replace(LEAK, witness=None),
        replace(LEAK, witness=replace(WITNESS, excerpt=None)),
        replace(LEAK, witness=replace(WITNESS, excerpt=Excerpt((), (), ()))),
        replace(LEAK, verdict=Verdict.CLEAN),
    ],
)
def test_no_picture_where_there_is_nothing_to_show(finding):
    assert witness_picture(finding) is None


def test_it_reads_without_the_text_around_it():
    figure = picture()
    shown = texts(figure)
    names = {text.get_text() for text in figure.legends[0].get_texts()}
    assert names == {
        "original data",
        "after changing data that become known later",
    }
    assert "S03 mean_5 (features) depends on the future, at least 2 trading days ahead" in shown
    assert "2020-06-05\n1 becomes 4.5" in shown
    assert f"cut {CUT}" in shown
    assert "after the cut:\nno evidence" in shown


def test_the_cut_lies_between_its_date_and_the_next_and_the_future_is_shaded():
    (axis,) = picture().axes
    (shade,) = [p for p in axis.patches if isinstance(p, Rectangle)]
    assert shade.get_x() == PAST - 0.5
    assert shade.get_width() == len(DATES) - PAST
    cut = [line for line in axis.lines if list(line.get_xdata()) == [PAST - 0.5] * 2]
    assert len(cut) == 1


def test_both_runs_are_drawn_whole_and_only_the_evidence_in_full_colour():
    (axis,) = picture().axes
    full = [line for line in axis.lines if line.get_label() and line.get_marker() in "so"]
    past = {tuple(line.get_ydata()) for line in full if line.get_alpha() is None}
    later = {tuple(line.get_ydata()) for line in full if line.get_alpha() == 0.25}
    assert {BEFORE[:PAST], AFTER[:PAST]} <= past
    assert later == {BEFORE[PAST:], AFTER[PAST:]}


def test_the_future_does_not_set_the_scale():
    (axis,) = picture().axes
    low, high = axis.get_ylim()
    assert low < 1.0
    assert 4.5 < high < 10.0


def test_an_earlier_witness_is_a_note_and_the_largest_shown_change_is_marked():
    shown = texts(picture(date="2020-01-02", before=8.0, after=-3.0))
    assert "Largest change on 2020-01-02, not shown: 8 becomes \N{MINUS SIGN}3" in shown
    assert "2020-06-05\n1 becomes 4.5" in shown


@pytest.mark.parametrize(
    ("before", "after", "place"),
    [
        ((1.0, 2.0, 3.0), (1.0, 5.0, 2.0), 1),
        ((1.0, NAN, 3.0), (1.0, 5.0, 3.5), 2),
        ((1.0, NAN, 3.0), (1.0, 5.0, 3.0), 1),
        ((NAN, NAN, NAN), (NAN, NAN, NAN), None),
        ((1.0, 2.0, 3.0), (1.0, 2.0, 3.0), None),
    ],
)
def test_the_largest_move_shown(before, after, place):
    excerpt = Excerpt((*DATES[:3], "2020-07-01"), (*before, 0.0), (*after, 99.0))
    assert shown_change(excerpt, Witness(cut=DATES[2], date="2020-01-01"), 3) == place


def test_a_value_that_goes_missing_is_called_so():
    gone = replace(GLIMPSE, after=(*AFTER[:4], NAN, *AFTER[5:]))
    shown = texts(picture(after=NAN, excerpt=gone))
    assert "2020-06-05\n1 becomes missing" in shown


@pytest.mark.parametrize(
    "excerpt",
    [
        Excerpt(DATES[:1], (1.0,), (2.0,)),
        Excerpt(DATES, (NAN,) * 10, (NAN,) * 10),
        Excerpt(DATES, (2.0,) * 10, (2.0,) * 10),
        Excerpt(DATES, (np.inf,) * 10, (-np.inf,) * 10),
        Excerpt(DATES, (np.inf,) * 10, (np.inf,) * 10),
    ],
)
def test_odd_series_are_drawn_without_a_warning(excerpt):
    for date in (WITNESS.date, "2019-01-01"):
        assert render(picture(excerpt=excerpt, date=date))[:4] == b"\x89PNG"
