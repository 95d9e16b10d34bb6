"""The section on what the forecasts are made of."""

from dataclasses import replace

import pytest

from foldproof.tasks.decompose.rows import ENSEMBLE
from foldproof.tasks.report.comparison.answers import worth_it
from foldproof.tasks.report.comparison.figures import figures_of
from foldproof.tasks.report.comparison.page import page_of
from foldproof.tasks.report.decomposition.rows import (
    best_features,
    decomposition_table,
    front_rows,
    neutral,
    shown_rows,
    signed,
)
from foldproof.tasks.report.results import Results
from foldproof.tasks.report.template import Report
from foldproof.tasks.report.text import label
from tests.tasks.report.comparison.test_page import words


def test_rows_are_all_compared_ones_the_ensemble_and_three_features(results: Results) -> None:
    found = results.decomposition
    assert found is not None
    rows = shown_rows(results, found)
    assert {*results.ranking.index, ENSEMBLE} < {*rows}
    assert len(rows) == len(results.ranking) + 4
    assert found.table.loc[rows, "rank_ic"].is_monotonic_decreasing


def test_a_feature_with_the_same_order_as_another_is_not_shown_twice(results: Results) -> None:
    found = results.decomposition
    assert found is not None
    first = best_features(found)
    table = found.table.copy()
    table.loc["ref:feature:again"] = table.loc[first[0]]
    assert best_features(replace(found, table=table)) == first


def test_curves_are_drawn_for_forecasts_that_rank(results: Results) -> None:
    found = results.decomposition
    assert found is not None
    rows = front_rows(results, found)
    assert rows[:2] == [results.candidates[0], ENSEMBLE]
    assert rows[2] == results.references[0]
    assert "ref:zero" not in rows
    assert rows[3].startswith("ref:feature:")


def test_the_page_shows_every_row_with_its_numbers(results: Results, report: Report) -> None:
    text = words(report.page)
    for name, ic, left, _ in decomposition_table(results):
        assert name in text
        assert ic.split(" ", 1)[0] in text
        assert left.split(" ", 1)[1] in text
    assert "momentum_252_21, volatility_63, return_5 and beta_63, date by date" in text


def test_the_answer_says_what_is_left_without_the_styles(results: Results) -> None:
    assert results.decomposition is not None
    left = neutral(results.decomposition, results.candidates[0])
    assert f"return_5 and beta_63 the LSTM has {left}" in worth_it(results).evidence
    assert "the LSTM has" not in worth_it(replace(results, decomposition=None)).evidence


def test_without_styles_the_page_says_how_to_get_them(results: Results) -> None:
    found = results.decomposition
    assert found is not None
    kept = [name for name in found.table if not name.startswith(("neutral", "exposure"))]
    bare = replace(
        results, decomposition=replace(found, table=found.table[kept], styles=(), dropped=0)
    )
    assert "name some in decomposition.styles" in words(page_of(bare, {}))
    assert "styles" not in figures_of(bare)


def test_names_of_the_added_rows() -> None:
    assert label("ref:feature:beta_63") == "beta_63 alone"
    assert label(ENSEMBLE) == "ensemble of candidates"


@pytest.mark.parametrize(("value", "text"), [(-0.001, "+0.00"), (-0.25, "−0.25"), (0.5, "+0.50")])
def test_a_rounded_zero_has_no_minus(value: float, text: str) -> None:
    assert signed(value) == text
