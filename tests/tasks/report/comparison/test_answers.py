from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from foldproof.tasks.attribute import Attribution
from foldproof.tasks.compare import Comparison
from foldproof.tasks.diagnose.findings.finding import Verdict
from foldproof.tasks.report import QUESTIONS, Results, answers, summary_markdown
from foldproof.tasks.report.comparison.words import (
    best_normalization,
    names,
    sees_the_future,
    which_features,
    worth_it,
)
from tests.tasks.report.example import blind, finding, without


def ranked(results: Results, **columns: object) -> Results:
    """The results with columns of the ranking set for every row."""
    return replace(
        results,
        comparison=replace_ranking(results, results.comparison.ranking.assign(**columns)),
    )


def replace_ranking(results: Results, ranking: pd.DataFrame) -> Comparison:
    return replace(results.comparison, ranking=ranking)


def test_one_answer_a_question(results: Results) -> None:
    assert len(answers(results)) == len(QUESTIONS) == 4
    assert all(answer.endswith((".", ")")) for answer in answers(results))


def test_names_the_confidence_set(results: Results) -> None:
    text = best_normalization(results)
    assert text.startswith(names(results.kept))
    assert "cannot be ruled out" in text


def test_an_interval_with_zero_shows_no_skill(results: Results) -> None:
    unsure = ranked(results, low=-0.01, high=0.09)
    sure = ranked(results, low=0.001, high=0.09)
    assert "includes zero: no skill is shown" in best_normalization(unsure)
    assert "no skill" not in best_normalization(sure)
    assert "above zero" in best_normalization(sure)


def test_a_gain_with_zero_inside_is_none(results: Results) -> None:
    unsure = ranked(results, difference=0.01, difference_low=-0.01, difference_high=0.03)
    sure = ranked(results, difference=0.02, difference_low=0.01, difference_high=0.03)
    assert "no gain is shown" in best_normalization(unsure)
    assert "Against none it gains +0.0200 [+0.0100, +0.0300]." in best_normalization(sure)


@pytest.mark.parametrize(
    ("inside", "said"),
    [(True, "none of the 14 candidates can be ruled out"), (False, "holds no candidate")],
)
def test_sets_that_tell_nothing(results: Results, inside: bool, said: str) -> None:
    assert said in best_normalization(ranked(results, in_confidence_set=inside))


def test_a_leaking_variant_is_no_candidate_however_good(results: Results) -> None:
    best = results.candidates[0]
    leaking = replace(results, verdicts={**results.verdicts, best: Verdict.LEAK})
    assert leaking.candidates[0] != best
    assert best not in names(leaking.kept)
    assert f"These see the future: {best}." in sees_the_future(leaking)


def test_caught_control_is_told_with_its_witness(results: Results) -> None:
    text = sees_the_future(results)
    assert "caught the leak planted in full_sample_zscore" in text
    assert "2018-02-27 S03 forecast: 0.0123 becomes 0.0931" in text
    assert "13 variants did not depend on the future" in text


def test_unknown_is_not_clean(results: Results) -> None:
    assert "Undecided, which is not clean: causal_batch_norm." in sees_the_future(results)
    allclean = dict.fromkeys(results.verdicts, Verdict.CLEAN)
    allclean["full_sample_zscore"] = Verdict.LEAK
    assert "Undecided" not in sees_the_future(replace(results, verdicts=allclean))


def test_a_missed_control_takes_all_trust(results: Results) -> None:
    text = sees_the_future(blind(results))
    assert "cannot be trusted: it did not catch the leak planted in full_sample_zscore" in text
    assert "did not depend on the future" not in text


def test_without_a_control_clean_is_weak(results: Results) -> None:
    honest = without(results, "full_sample_zscore")
    text = sees_the_future(replace(honest, audit_trusted=False))
    assert "not put to the test" in text
    assert "cannot be trusted" not in text


def test_no_audit_is_said(results: Results) -> None:
    assert sees_the_future(replace(results, findings={})).startswith("Not tested")


def test_features_that_cannot_be_judged_are_said(results: Results) -> None:
    assert "could not be judged: ready-made features." in sees_the_future(results)
    clean = (finding("audit_features", Verdict.CLEAN, 0.0),)
    tested = replace(results, findings={**results.findings, "features": clean})
    assert "could not be judged" not in sees_the_future(tested)


def test_a_shared_leak_is_the_witness_of_every_variant(results: Results) -> None:
    shared = (finding("audit_features", Verdict.LEAK, 3.0, detail="column peek uses tomorrow"),)
    verdicts = dict.fromkeys(results.verdicts, Verdict.LEAK)
    leaking = replace(results, findings={**results.findings, "features": shared}, verdicts=verdicts)
    assert best_normalization(leaking).startswith("None that was compared")
    assert "column peek uses tomorrow" in sees_the_future(leaking)


def test_features_are_named_with_their_share(results: Results) -> None:
    text = which_features(results)
    assert text.startswith(f"In {results.candidates[0]}, ")
    assert "not what causes returns" in text
    empty = replace(results, attribution=Attribution.joined([]))
    assert which_features(empty).startswith("Not asked")


def test_unresolved_attributions_are_said(results: Results) -> None:
    gap = results.attribution.gap.assign(unresolved=0.125)
    open_ended = replace(results, attribution=replace(results.attribution, gap=gap))
    assert "12.5% stayed above the tolerance" in which_features(open_ended)
    assert "stayed above" not in which_features(results)


def test_worth_is_shown_only_by_separate_intervals(results: Results) -> None:
    best = results.candidates[0]
    table = results.comparison.ranking.assign(rank_ic=0.0, low=-0.01, high=0.01)
    table.loc[best, ["rank_ic", "low", "high"]] = [0.05, 0.02, 0.08]
    apart = replace(results, comparison=replace_ranking(results, table))
    table = table.assign(high=0.03)
    overlapping = replace(results, comparison=replace_ranking(results, table))
    table = table.assign(rank_ic=np.where(table.index == "ref:ridge", 0.1, table["rank_ic"]))
    beaten = replace(results, comparison=replace_ranking(results, table))
    assert "intervals lie apart" in worth_it(apart)
    assert "not shown to be worth it" in worth_it(overlapping)
    assert "does not beat it" in worth_it(beaten)


def test_markdown_has_a_row_for_everything_ranked(results: Results) -> None:
    text = summary_markdown(results, "http://host/x")
    assert sum(line.startswith("|") for line in text.splitlines()) == len(results.ranking) + 2
    assert "(http://host/x)" in text
    assert "| full_sample_zscore | " in text
