"""What an explained forecast says of days, and what its figure shows."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from foldproof.tasks.attribute.origins.price_result import PARTS, FromPrices
from foldproof.tasks.attribute.origins.returns import Steps
from foldproof.tasks.report.attribution.explained_days import (
    days_figure,
    days_sentence,
    days_table,
    shown_days,
)
from foldproof.tasks.report.attribution.explanation import explanation_sentence, explanation_text
from tests.tasks.report.attribution.test_explanation import ONE


def cells(*own):
    """(4, 2, 1): the first a start, then returns of the stock and of another one."""
    rows = [[3.0, 3.0], *([value, 0.01] for value in own)]
    anchor = torch.tensor([[True, True], *[[False, False]] * len(own)])
    return Steps(torch.tensor(rows).double().unsqueeze(-1), anchor)


def moved(*rows):
    return torch.tensor([[0.0, 0.0], *rows]).double().unsqueeze(-1)


FOUND = FromPrices(
    np.arange("2022-02-24", "2022-03-02", dtype="datetime64[D]"), np.array(["AAA", "BBB"]),
    cells(0.05, 0.02, -0.01), cells(0.0, 0.0, 0.05), moved([0.3, 0.0], [0.04, 0.0], [-0.1, 0.02]),
    moved([0.0, 0.0], [0.0, 0.0], [0.04, 0.0]), 2, 3, 0, 0.3, 1e-6, 10,
)  # fmt: skip


def test_a_day_in_both_windows_counts_by_its_two_places():
    days = FOUND.by_day().set_index("lag")
    assert days["own returns"].to_dict() == pytest.approx({0: -0.1, 1: 0.04, 2: 0.34})
    assert days["other returns"].to_dict() == pytest.approx({0: 0.02, 1: 0.0, 2: 0.0})
    assert days["moved"].to_dict() == pytest.approx({0: -0.01, 1: 0.02, 2: 0.05})
    assert days["date"].astype(str).tolist() == ["2022-03-01", "2022-02-28", "2022-02-27"]


def test_the_sentence_separates_new_days_from_older_ones():
    said = explanation_sentence(replace(ONE, prices=FOUND))
    assert said.startswith(explanation_sentence(ONE))
    assert said.endswith(
        "By day: -0.06 from returns of AAA since 2022-02-01, +0.34 from its older returns, which "
        "moved back in the window, +0.02 from returns of other stocks. The largest single day is "
        "2022-02-27, 2 trading days back, with +0.34 from a return of +5.00%. The attributions "
        "add up to the change, within 1.0e-06 standard deviations of the date's forecasts."
    )


def test_days_are_missing_if_not_requested_and_explained_if_impossible():
    assert days_sentence(ONE) == ""
    said = explanation_sentence(replace(ONE, stops="the features were supplied ready-made"))
    assert said.endswith("It cannot be split by days: the features were supplied ready-made.")


def test_incomplete_days_are_marked_unreliable():
    bad = replace(FOUND, gap=0.02)
    assert "Unreliable" in days_sentence(replace(ONE, prices=bad))
    assert "Unreliable" in days_figure(ONE, bad).get_suptitle()
    assert "Unreliable" not in days_figure(ONE, FOUND).get_suptitle()


def test_the_table_has_the_largest_day_first():
    lines = days_table(FOUND).splitlines()
    assert lines[0] == "| date | days back | own log return | own returns | other returns |"
    assert lines[2] == "| 2022-02-27 | 2 | +0.0500 | +0.34 | +0 |"
    assert len(lines) == 5
    assert lines[2] in explanation_text(replace(ONE, prices=FOUND))


def test_a_bar_a_day_stacked_to_both_sides():
    (axis,) = days_figure(ONE, FOUND).axes
    bars = {(round(b.get_x() + 0.45), round(b.get_height(), 6)) for b in axis.patches}
    assert {(0, -0.1), (0, 0.02), (1, 0.04), (2, 0.34)} <= bars
    left, right = axis.get_xlim()
    assert left > right, "time runs to the right"


def test_old_days_with_negligible_attributions_are_left_out() -> None:
    none = dict.fromkeys(PARTS, 0.0)
    own = [0.5, 0.0, -0.4, 0.095, 0.003, 0.002]
    days = pd.DataFrame([none | {"lag": k, "own returns": part} for k, part in enumerate(own)])
    shown, left = shown_days(days, 2)
    assert shown["lag"].tolist() == [0, 1, 2, 3]
    assert left == pytest.approx(0.005)
    assert shown_days(days, 5)[1] == 0, "all of them are new"
    assert len(shown_days(days.assign(**none), 5)[0]) == 6, "nothing moved"
