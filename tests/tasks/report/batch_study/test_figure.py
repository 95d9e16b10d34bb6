from foldproof.tasks.report.batch_study.figure import SCORES, batch_norm_figure
from foldproof.tasks.report.batch_study.results import answer_markdown
from foldproof.tasks.report.style import render
from tests.tasks.report.study_example import COMPOSITIONS, NORMALIZATIONS, PANELS, study_example

RESULTS = study_example()


def test_a_row_a_panel_a_column_a_normalization() -> None:
    figure = batch_norm_figure(RESULTS)
    assert len(figure.axes) == len(PANELS) * len(NORMALIZATIONS)
    names = [text.get_text() for text in figure.axes[0].get_yticklabels()]
    assert names == [one.title for one in COMPOSITIONS]
    assert render(figure).startswith(b"\x89PNG")


def test_marks_are_at_the_values_of_the_table() -> None:
    axis = batch_norm_figure(RESULTS).axes[NORMALIZATIONS.index("batch_norm_hidden")]
    drawn = {
        (line.get_color(), int(line.get_ydata()[0])): line.get_xdata()[0]  # type: ignore[index]
        for line in axis.lines
        if line.get_marker() not in ("None", None, "")
    }
    for place, composition in enumerate(COMPOSITIONS):
        cell = RESULTS.cell("noise", "batch_norm_hidden", composition.title)
        assert cell is not None
        for name, (_, color, *_) in SCORES.items():
            assert drawn[color, place] == cell[name]


def test_untrained_cells_are_marked() -> None:
    axis = batch_norm_figure(RESULTS).axes[NORMALIZATIONS.index("causal_batch_norm")]
    assert [text.get_text() for text in axis.texts] == ["not trained"] * 5


def test_the_markdown_lists_skipped_cells_with_reasons() -> None:
    text = answer_markdown(RESULTS)
    assert all(paragraph in text for paragraph in RESULTS.answer)
    assert "Skipped: causal_batch_norm, shuffled 256, one date" in text
    assert "Student's t over 6 seeds at 95%" in text
