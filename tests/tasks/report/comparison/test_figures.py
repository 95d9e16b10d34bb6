import re
from dataclasses import replace
from io import BytesIO

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from PIL import Image

from foldproof.tasks.attribute import Attribution
from foldproof.tasks.attribute.unit.tables import COLUMNS
from foldproof.tasks.diagnose.findings.finding import Verdict
from foldproof.tasks.report.attribution.figures import (
    attribution_heatmap,
    heatmap_of,
    heatmaps_of,
    importance_by_method,
)
from foldproof.tasks.report.attribution.origins import origins_figure
from foldproof.tasks.report.attribution.shares import best_attributed, ranked_features
from foldproof.tasks.report.audit.matrices import cell_of, variant_matrix
from foldproof.tasks.report.comparison.figures import FIGURES, figures_of
from foldproof.tasks.report.comparison.ranking import ranking_figure
from foldproof.tasks.report.kinds import KINDS, kind_of
from foldproof.tasks.report.results import Results
from foldproof.tasks.report.style import render
from foldproof.tasks.report.template import Report
from tests.tasks.report.example import finding, with_newest


def texts(figure: Figure) -> list[str]:
    figure.draw_without_rendering()
    return [
        t.get_text() for axis in figure.axes for t in axis.findobj(lambda a: hasattr(a, "get_text"))
    ]


@pytest.mark.slow
def test_every_figure_is_a_picture_with_content(results: Results, report: Report) -> None:
    assert set(report.figures) == set(FIGURES)
    for key, figure in figures_of(results).items():
        with Image.open(BytesIO(render(figure))) as image:
            pixels = np.asarray(image.convert("L"))
        assert (pixels < 128).mean() > 0.002, key
        assert pixels.shape[1] == pytest.approx(1430, abs=2), key


def test_methods_by_group_and_lag_add_no_feature_to_the_figure(results: Results) -> None:
    attribution = results.attribution
    mine = attribution.importance.query("method == 'mean_partial'")
    others = [
        mine.assign(method=method, feature=name)
        for method, name in (("occlusion_by_group", "a + b"), ("occlusion_by_lag", "all features"))
    ]
    more = replace(attribution, importance=pd.concat([attribution.importance, *others]))
    assert texts(importance_by_method(replace(results, attribution=more))) == texts(
        importance_by_method(results)
    )


def test_every_figure_has_a_title_and_a_caption(report: Report) -> None:
    captions = re.findall(r"<figcaption><b>(.+?)\.</b>(.+?)</figcaption>", report.page, re.DOTALL)
    assert len(captions) == len(FIGURES)
    assert all(title and len(caption) > 40 for title, caption in captions)


def test_ranking_names_every_row_with_its_interval_and_verdict(results: Results) -> None:
    shown = texts(ranking_figure(results))
    for name in results.ranking.index:
        assert str(results.rank_ic(name)) in shown
    assert "full_sample_zscore (control)" in shown
    assert "gradient-boosted trees" in shown
    assert shown.count("CLEAN") == 13


def test_kinds_of_rows(results: Results) -> None:
    kinds = {name: kind_of(results, name) for name in results.ranking.index}
    assert set(kinds.values()) == set(KINDS)
    assert kinds["full_sample_zscore"] == "leak"
    assert kinds["ref:ridge"] == "reference"
    assert {name for name, kind in kinds.items() if kind == "kept"} == set(results.kept)


@pytest.mark.parametrize(
    ("verdicts", "answer"),
    [
        ([Verdict.CLEAN, Verdict.LEAK, Verdict.UNKNOWN], "LEAK"),
        ([Verdict.CLEAN, Verdict.UNKNOWN], "UNKNOWN"),
        ([Verdict.CLEAN, Verdict.CLEAN], "CLEAN"),
        ([], ""),
    ],
)
def test_a_cell_shows_the_worst_answer(verdicts: list[Verdict], answer: str) -> None:
    assert cell_of([finding("t", verdict, 2.0) for verdict in verdicts])[0] == answer


def test_a_cell_shows_the_largest_leak() -> None:
    found = [finding("t", Verdict.LEAK, size) for size in (0.5, 4.25, float("nan"), 1.0)]
    assert cell_of(found) == ("LEAK", "LEAK\n4.25")


def test_a_finding_that_informs_only_is_never_the_answer() -> None:
    informs = finding("t", Verdict.LEAK, 9.0, counts=False)
    assert cell_of([informs]) == ("informs", "info only:\nsymptom")
    assert cell_of([informs, finding("t", Verdict.CLEAN, 0.0)]) == ("CLEAN", "clean †")


def test_a_test_that_did_not_run_is_not_clean(results: Results) -> None:
    fewer = tuple(f for f in results.findings["zscore"] if f.test != "state_purity")
    without = replace(results, findings={**results.findings, "zscore": fewer})
    assert "not run" not in texts(variant_matrix(results))
    assert texts(variant_matrix(without)).count("not run") == 1


def test_heatmaps_of_all_folds_are_those_of_each_fold(results: Results) -> None:
    lagged = results.attribution.lagged.query("variant == 'none'")
    order = list(ranked_features(results.attribution.importance, "none").index)
    found = dict(heatmaps_of(lagged, "none", order))
    assert list(found) == sorted(set(lagged["fold"]))
    for fold, rows in lagged.groupby("fold"):
        assert found[fold] == render(heatmap_of(rows, f"none, fold {fold}", order))


def test_heatmap_of_one_fold_names_features_and_lags(results: Results) -> None:
    lagged = results.attribution.lagged.query("variant == 'none' and fold == 1")
    shown = texts(heatmap_of(lagged, "none, fold 1"))
    assert {"none, fold 1", "return_1", "15", "0"} <= set(shown)


def test_features_are_ordered_by_their_net_share(results: Results) -> None:
    best = str(best_attributed(results))
    net = ranked_features(results.attribution.importance, best)
    (large, *_) = attribution_heatmap(results).axes
    named = [text.get_text() for text in large.get_yticklabels()]
    assert named == [f"{name}  {share:.0f}%" for name, share in net.items()]
    lagged = results.attribution.lagged.query("variant == @best")
    (axis, _) = heatmap_of(lagged, order=list(net.index)[::-1]).axes
    assert [text.get_text() for text in axis.get_yticklabels()] == list(net.index)[::-1]


def test_figures_without_data_are_left_out(results: Results) -> None:
    bare = replace(
        results, attribution=Attribution.joined([]), findings={}, curves=results.curves.head(0)
    )
    left_out = {
        "attribution_heatmap", "importance_by_method", "net_gross", "leak_matrix",
        "learning_curves", "origins", "by_return", "drift", "methods", "permutation",
        "shapley", "lag_profile",
    }  # fmt: skip
    assert set(figures_of(bare)) == set(FIGURES) - left_out


def test_origins_have_shares_and_incomplete_attributions_are_marked(
    results: Results,
) -> None:
    shown = texts(origins_figure(results))
    assert {"own window", "own earlier rows", "other symbols", "rows not yet known"} <= set(shown)
    assert "robust_zscore  (does not add up)" in shown
    assert {"60%", "40%", "70%", "30%"} <= set(shown)
    bars = origins_figure(results).axes[0].patches
    ends = {round(bar.get_x() + bar.get_width(), 9) for bar in bars}
    assert max(ends) == 1.0


def test_a_failed_check_is_marked_on_the_figure(results: Results) -> None:
    best = str(best_attributed(results))
    assert not attribution_heatmap(results).get_suptitle()
    rows = [
        (best, 1, 0, "completeness", 0.0, np.nan, np.nan, 0.0, True, "adds up"),
        (best, 1, 0, "sufficiency", 0.1, np.nan, np.nan, 0.2, False, "no better than chance"),
        ("zscore", 1, 0, "infidelity", 2.0, np.nan, np.nan, 1.0, False, "does not follow"),
        ("revin", 1, 0, "infidelity", 2.0, np.nan, np.nan, 1.0, None, "undecided"),
    ]
    checks = pd.DataFrame(rows, columns=list(COLUMNS["checks"]))
    doubtful = with_newest(results, checks=checks)
    figure = attribution_heatmap(doubtful)
    shown = texts(figure)
    assert figure.get_suptitle() == f"{best}: unreliable attribution, fails sufficiency"
    assert "zscore (fails)" in shown
    assert "revin" in shown
