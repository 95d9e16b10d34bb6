"""The checks of an attribution as a table of the page."""

from foldproof.tasks.report import Results, page_of
from foldproof.tasks.report.attribution.checks import checks_table
from tests.tasks.report.example import with_newest


def test_a_row_a_variant_a_column_a_check(results: Results) -> None:
    table = checks_table(results)
    assert [trial.title for trial in table["heads"]] == [
        "completeness", "model randomization", "noise columns"
    ]  # fmt: skip
    order = [name for name in results.ranking.index if name in ("revin", "none")]
    assert [row["name"] for row in table["rows"]] == order
    cells = {row["name"]: row["cells"] for row in table["rows"]}
    assert [cell["answer"] for cell in cells["revin"]] == ["passes", "fails", ""]
    assert [cell["text"] for cell in cells["revin"]] == ["0 / 0", "0.8 / 0.6", "–"]
    assert [cell["answer"] for cell in cells["none"]] == ["passes", "", "untold"]
    assert cells["none"][2]["detail"] == "too few"


def test_the_page_shows_them_and_nothing_where_there_are_none(results: Results) -> None:
    page = page_of(results, {"attribution_heatmap": b""})
    assert "Whether to believe it" in page
    assert 'title="as untrained">0.8 / 0.6<br><span class="fails">fails' in page
    bare = with_newest(results, checks=results.attribution.newest.checks.head(0))
    assert "Whether to believe it" not in page_of(bare, {"attribution_heatmap": b""})
