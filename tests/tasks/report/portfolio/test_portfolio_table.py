"""The section on portfolios."""

import re
from dataclasses import replace

import numpy as np

from foldproof.tasks.report.comparison.answers import worth_it
from foldproof.tasks.report.comparison.page import page_of
from foldproof.tasks.report.portfolio.figures import profit_figure, quantiles_figure
from foldproof.tasks.report.portfolio.table import heads, long_short, portfolio_table
from foldproof.tasks.report.results import Results
from foldproof.tasks.report.template import Report
from tests.tasks.report.comparison.test_page import words


def test_the_table_has_the_figures_of_every_row(results: Results) -> None:
    found = results.portfolios
    assert found is not None
    rows = dict(portfolio_table(results))
    titles = [head.title.replace("\N{NO-BREAK SPACE}", " ") for head in heads(found)]
    best = results.candidates[0]
    cells = dict(zip(titles, rows[best], strict=True))
    entry = long_short(found).loc[best]
    assert cells["return [interval]"].startswith(f"{entry['annual_return']:+.1%}".replace("-", "−"))
    own = found.costs.query("row == @best and book == 'long-short'").set_index("cost")["sharpe"]
    assert cells["Sharpe, 20 bp"] == f"{own[20.0]:+.2f}".replace("-", "−")
    assert cells["turnover"] == f"{entry['turnover']:.1%}"
    assert rows["zero forecast"][titles.index("Sharpe, 5 bp")] == "–"
    assert len(rows) == len(results.ranking) + 4


def test_the_page_says_that_it_is_a_diagnostic(results: Results, report: Report) -> None:
    text = words(report.page)
    assert "A diagnostic, not a backtest of a strategy" in text
    for head in heads(results.portfolios):
        assert re.sub(r"\s+", " ", head.title) in text
    paid = replace(results, portfolios=replace(results.portfolios, paid_out=3, unfilled=2))
    said = words(page_of(paid, {}))
    assert "3 positions ended because the stock had no price any more" in said
    assert "2 forecasts of stocks without a price at the next close" in said


def test_without_prices_the_page_says_why(results: Results) -> None:
    bare = replace(results, portfolios=None)
    assert "Not computed: portfolios need prices" in words(page_of(bare, {}))
    assert "portfolio" not in worth_it(bare).evidence


def test_the_answer_says_at_which_cost_the_profit_is_gone(results: Results) -> None:
    found = results.portfolios
    assert found is not None
    paying = found.table.assign(annual_return=0.1, break_even=12.4)
    rich = replace(results, portfolios=replace(found, table=paying))
    assert worth_it(rich).evidence.endswith(
        "its long-short portfolio breaks even at 12 bp a trade."
    )
    losing = found.table.assign(annual_return=-0.1)
    poor = replace(results, portfolios=replace(found, table=losing))
    assert worth_it(poor).evidence.endswith("its long-short portfolio loses even before costs.")


def test_figures_draw_the_stored_numbers(results: Results) -> None:
    found = results.portfolios
    assert found is not None
    best = results.candidates[0]
    bars = [patch.get_height() for patch in quantiles_figure(results).axes[0].patches]
    own = found.quantiles.loc[found.quantiles["row"] == best, "annual_return"]
    np.testing.assert_allclose(bars, own)
    line = profit_figure(results).axes[0].lines[0].get_ydata()
    np.testing.assert_allclose(line, found.profits[best].cumsum())
