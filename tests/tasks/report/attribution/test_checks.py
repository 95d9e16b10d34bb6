"""The checks of an attribution as a table of the page."""

from foldproof.tasks.report.attribution.checks import checks_table
from foldproof.tasks.report.comparison.page import page_of
from foldproof.tasks.report.results import Results
from foldproof.tasks.report.text import label
from tests.tasks.report.example import with_newest


def test_a_row_a_variant_a_column_a_check(results: Results) -> None:
    table = checks_table(results)
    assert [trial.title for trial in table["heads"]] == [
        "completeness", "model randomization", "noise columns"
    ]  # fmt: skip
    order = [name for name in results.ranking.index if name in ("revin", "none")]
    assert [row["name"] for row in table["rows"]] == [label(name) for name in order]
    cells = {row["name"]: row["cells"] for row in table["rows"]}
    assert [cell["result"] for cell in cells["revin"]] == [
        "passes (threshold 0)", "fails (threshold 0.6)", ""
    ]  # fmt: skip
    assert [cell["value"] for cell in cells["revin"]] == ["0", "0.8", "–"]
    assert [cell["fails"] for cell in cells["revin"]] == [False, True, False]
    plain = cells["no normalization"]
    assert [cell["result"] for cell in plain] == ["passes (threshold 0)", "", "undecided"]
    assert plain[2]["detail"] == "too few"


def test_the_page_shows_them_and_nothing_where_there_are_none(results: Results) -> None:
    page = page_of(results, {"attribution_heatmap": b""})
    assert "Checks of the attribution" in page
    assert 'title="as untrained">0.8<br><span class="fails">fails (threshold 0.6)' in page
    bare = with_newest(results, checks=results.attribution.newest.checks.head(0))
    assert "Checks of the attribution" not in page_of(bare, {"attribution_heatmap": b""})
