"""What an explained forecast says, and what its figure shows."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from foldproof.tasks.attribute.explain import Explanation
from foldproof.tasks.attribute.origins.origins import ORIGINS
from foldproof.tasks.report.attribution.explanation import (
    explanation_figure,
    explanation_sentence,
    explanation_table,
    explanation_text,
)


def cells(names, values):
    return pd.DataFrame(
        [
            (name, origin, value, abs(value))
            for name, row in zip(names, values, strict=True)
            for origin, value in zip(ORIGINS, row, strict=True)
        ],
        columns=["feature", "origin", "attribution", "absolute"],
    )


ONE = Explanation(
    "rolling_zscore", "AAA", "2022-03-01", "2022-02-01", 0.5, 0.2, 2, 20, 0.1, 1e-6,
    cells(["small", "large", "against"], [(0.05, 0, 0, 0), (0.3, 0.05, 0, 0), (0, -0.1, 0, 0)]),
    np.array([[0.01, 0.1, 0.0], [0.04, 0.2, 0.0]]), ("small", "large", "against"),
)  # fmt: skip


def test_the_sentence_names_the_change_the_date_and_the_rows():
    said = explanation_sentence(ONE)
    assert said.startswith(
        "The forecast for AAA on 2022-03-01 is +0.5 (rank 2 of 20), 0.3 above the forecast of +0.2 "
        "by the same model on the rows up to 2022-02-01. By feature: large +0.35, against -0.1, "
        "small +0.05. By rows: 70% own window, 30% own earlier rows."
    )
    assert "add up to the change, within 1.0e-06 standard deviations of the date's" in said


def test_an_incomplete_attribution_is_marked_unreliable():
    bad = replace(ONE, gap=0.02)
    assert "Unreliable" in explanation_sentence(bad)
    assert "Unreliable" in explanation_figure(bad).get_suptitle()
    assert "Unreliable" not in explanation_figure(ONE).get_suptitle()


def test_through_ranks_there_are_shapley_values_without_lags():
    through = replace(
        ONE, by_feature=cells(["large"], [(0.1, 0, 0.2, 0)]), by_lag=None, variant="cs_rank"
    )
    said = explanation_sentence(through)
    assert "By feature: large +0.3. By rows" in said
    assert "By rows: 33% own window, 67% other symbols. These are Shapley values" in said
    assert len(explanation_figure(through).axes) == 1


def test_the_table_has_the_largest_first_and_its_rows_add_up():
    table = explanation_table(ONE)
    assert table.index.tolist() == ["large", "against", "small"]
    assert table["all"].tolist() == pytest.approx([0.35, -0.1, 0.05])
    assert table["all"].sum() == pytest.approx(ONE.forecast - ONE.before)
    assert "| large | +0.3 | +0.05 | +0 | +0 | +0.35 |" in explanation_text(ONE)


def test_bars_stack_to_both_sides_and_cells_follow_the_bars():
    bars, heat = explanation_figure(ONE).axes[:2]
    assert [text.get_text() for text in bars.get_yticklabels()] == ["large", "against", "small"]
    edges = {round(b.get_x() + b.get_width(), 6) for b in bars.patches if b.get_width()}
    assert {0.3, 0.35, -0.1, 0.05} <= edges
    np.testing.assert_allclose(heat.images[0].get_array(), [[0.1, 0.2], [0, 0], [0.01, 0.04]])
