import re
from dataclasses import replace

import numpy as np
import pandas as pd

from foldproof.tasks.panel_study.tables import PanelOutcome, Role
from foldproof.tasks.report.panel_study.answer import in_a_word, study_answers, study_markdown
from foldproof.tasks.report.panel_study.figure import forest_figure
from foldproof.tasks.report.panel_study.page import control_row, study_report
from foldproof.tasks.report.panel_study.results import study_results
from tests.tasks.panel_study.outcomes import GAINS, STATISTICS, outcome
from tests.tasks.report.panel_study_example import FACTS, panel_study_example

RESULTS = panel_study_example()


def test_the_answer_gives_verdicts_precision_and_controls() -> None:
    found, precision, controls = study_answers(RESULTS)
    assert found.startswith("Yes. Over 3 real panels, against zscore: in rank IC 2 of 3 variants ")
    assert "(better: cs_rank; worse: no normalization), 2 by more than 0.005 with their" in found
    assert "1 are within ±0.005 and 0 are undecided; in neutral rank IC 2 of 3" in found
    assert "differs most in rank IC: " in found
    assert re.match(r"With probability 80%, one real panel detects a gain of 0\.\d{3}", precision)
    assert "the variance of a gain comes from seeds" in precision
    assert controls == (
        "Planted panels: levels not recovered, ranks recovered and noise flat. "
        "Leak audit: leaks in leaky."
    )


def test_the_answer_is_no_only_if_every_variant_is_within_the_margin() -> None:
    def word(*verdicts: str) -> str:
        return in_a_word(pd.DataFrame({"against": verdicts}))

    assert word("equivalent", "equivalent") == "No"
    assert word("equivalent", "undecided") == "Not shown, and not excluded"
    assert word("undecided", "worse") == "Yes"


def test_one_real_panel_is_not_called_an_answer() -> None:
    roles = {name: role for name, role in RESULTS.roles.items() if name in ("real0", "noise")}
    assert study_answers(replace(RESULTS, roles=roles))[0].startswith("Nothing is pooled: 1 real")


def test_the_figure_has_a_column_per_real_panel_and_one_pooled() -> None:
    figure = forest_figure(RESULTS)
    axes = figure.axes
    assert len(axes) == 4
    names = [text.get_text() for text in axes[0].get_yticklabels()]
    assert names == ["cs_rank", "revin", "no normalization", "leaky"]
    pooled = RESULTS.pooled.set_index(["measure", "variant"])["gain"]
    drawn = [line.get_xdata()[0] for line in axes[-1].lines if line.get_marker() == "o"]  # type: ignore[index]
    expected = [pooled["rank_ic", name] for name in ("cs_rank", "revin", "none")]
    assert np.allclose(sorted(drawn), sorted(expected))


def test_the_page_escapes_text_and_shows_every_table() -> None:
    report = study_report(RESULTS)
    assert "A study &lt;with&gt; made-up numbers" in report.page
    for text in (*study_answers(RESULTS), RESULTS.plan, "universal-portfolios", "run0"):
        assert text.replace("'", "&#39;") in report.page
    assert report.page.count("<h3 id=") == len(RESULTS.titles)
    assert "seed within a fold and variant" in report.page
    assert report.figures["forest"].startswith(b"<svg")


def test_the_markdown_names_what_is_left_out() -> None:
    text = study_markdown(RESULTS)
    assert "Left out: toronto (package universal" in text.replace("\\", "")


def test_variance_components_do_not_depend_on_a_variant_that_leaks() -> None:
    def components(leak: float) -> pd.DataFrame:
        return study_results(
            {"a": outcome(1, GAINS | {"leaky": leak})}, STATISTICS, **FACTS
        ).components

    pd.testing.assert_frame_equal(components(0.2), components(0.9))


def test_a_lone_variant_that_equals_the_reference_is_undecided_on_no_panel() -> None:
    same = {name: with_copy(outcome(seed, {"zscore": 0.0})) for seed, name in enumerate("abc")}
    same["c"] = with_copy(outcome(2, {"zscore": 0.0, "cs_rank": 0.03}))
    results = study_results(same, STATISTICS, **FACTS)
    row = results.pooled.set_index(["measure", "variant"]).loc[("rank_ic", "copy")]
    assert (row["panels"], row["against"]) == (1, "undecided")
    del same["c"]
    results = study_results(same, STATISTICS, **FACTS)
    assert results.pooled["panels"].eq(0).all()
    assert results.variants == ["copy"]
    assert "copy" in study_report(results).page


def with_copy(one: PanelOutcome) -> PanelOutcome:
    """A panel with a variant whose forecasts equal those of zscore."""
    before = one.scores
    plain, neutral = (np.concatenate([old, old[:1]]) for old in (before.rank_ic, before.neutral))
    variants = (*before.variants, "copy")
    return replace(
        one, scores=replace(before, variants=variants, rank_ic=plain, neutral=neutral),
        leaks={**one.leaks, "copy": "CLEAN"},
    )  # fmt: skip


def test_a_control_that_shows_nothing_is_neither_yes_nor_no() -> None:
    close = outcome(4, {"zscore": 0, "none": 0.0005}, Role.PLANTED, ("none",))
    leaking = outcome(8, {"zscore": 0, "leaky": 0.0}, Role.NOISE)
    noise = replace(leaking, outside=["zscore", "leaky"])
    one = outcome(1, {"zscore": 0, "none": 0})
    results = study_results({"a": one, "levels": close, "noise": noise}, STATISTICS, **FACTS)
    rows = [control_row(row) for _, row in results.controls.iterrows()]
    assert [row["holds"] for row in rows] == ["not shown", "not tested"]
    assert study_answers(results)[2].startswith(
        "Planted panels: levels not shown: the interval of none over zscore contains zero and "
        "noise not tested: every variant leaks. "
    )
    assert "not shown: the interval of none over zscore" in study_report(results).page


def test_the_largest_difference_is_one_of_several_panels() -> None:
    lone = outcome(0, GAINS | {"edain": 0.5})
    results = study_results({"a": lone, "b": outcome(1)}, STATISTICS, **FACTS)
    text = study_answers(results)[0]
    assert "edain" not in text
    assert "nan" not in text
    other = outcome(1, {"zscore": 0.0, "revin": 0.0})
    apart = {"a": outcome(0, {"zscore": 0.0, "none": 0.0}), "b": other}
    text = study_answers(study_results(apart, STATISTICS, **FACTS))[0]
    assert text == "Nothing is pooled: no variant could be tested on two real panels."
