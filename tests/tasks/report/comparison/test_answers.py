import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from foldproof.tasks.attribute import Attribution
from foldproof.tasks.attribute.unit.tables import COLUMNS
from foldproof.tasks.compare.comparison import Comparison
from foldproof.tasks.diagnose.findings.finding import Verdict
from foldproof.tasks.report.answer import LONGEST_VERDICT
from foldproof.tasks.report.attribution.answer import attribution_facts
from foldproof.tasks.report.attribution.shares import ranked_features
from foldproof.tasks.report.comparison.answers import (
    QUESTIONS,
    answers,
    best_normalization,
    sees_the_future,
    summary_markdown,
    which_features,
    worth_it,
)
from foldproof.tasks.report.results import Results
from foldproof.tasks.report.text import names
from tests.tasks.report.example import blind, finding, with_newest, without


def ranked(results: Results, **columns: object) -> Results:
    """The results with columns of the ranking set for every row."""
    return replace(
        results,
        comparison=replace_ranking(results, results.comparison.ranking.assign(**columns)),
    )


def replace_ranking(results: Results, ranking: pd.DataFrame) -> Comparison:
    return replace(results.comparison, ranking=ranking)


def leaking(results: Results) -> Results:
    """The same comparison with a LEAK in every variant."""
    return replace(results, verdicts=dict.fromkeys(results.verdicts, Verdict.LEAK))


def alone(results: Results, name: str) -> Results:
    """The same comparison with one variant."""
    return without(results, *(other for other in results.variants if other != name))


def failing(results: Results, name: str) -> Results:
    """The same comparison; the attribution of ``name`` fails a check."""
    row = (name, 1, 0, "sufficiency", 0.1, np.nan, np.nan, 0.2, False, "no better than chance")
    checks = pd.DataFrame([row], columns=list(COLUMNS["checks"]))
    return with_newest(results, checks=checks)


CASES = {
    "as it is": lambda r: r,
    "no skill": lambda r: ranked(r, low=-0.01, high=0.09),
    "all kept": lambda r: ranked(r, in_confidence_set=True),
    "all kept, no skill": lambda r: ranked(r, in_confidence_set=True, low=-1.0),
    "none kept": lambda r: ranked(r, in_confidence_set=False),
    "all variants leak": leaking,
    "one variant": lambda r: alone(r, "none"),
    "one variant without skill": lambda r: ranked(alone(r, "none"), low=-1.0),
    "two variants": lambda r: without(r, *list(r.variants)[2:]),
    "no reference": lambda r: without(r, *r.references),
    "only a zero forecast": lambda r: ranked(
        without(r, *r.references[:-1]), low=np.nan, high=np.nan
    ),
    "no control": lambda r: without(r, "full_sample_zscore"),
    "missed control": blind,
    "no audit": lambda r: replace(r, findings={}),
    "no attribution": lambda r: replace(r, attribution=Attribution.joined([])),
    "failed check": lambda r: failing(r, r.candidates[0]),
    "leaks without attribution": lambda r: leaking(replace(r, attribution=Attribution.joined([]))),
}


@pytest.mark.parametrize("case", CASES)
def test_a_verdict_has_few_words_and_its_evidence_is_one_sentence(
    case: str, results: Results
) -> None:
    found = answers(CASES[case](results))
    assert len(found) == len(QUESTIONS) == 4
    for verdict, evidence in found:
        assert len(verdict.split()) <= LONGEST_VERDICT, verdict
        assert verdict.endswith("."), verdict
        assert evidence.endswith("."), evidence
        assert ". " not in evidence, evidence
        assert "nan" not in verdict + evidence
        assert not re.search("no normalization [a-z]+s ", evidence), evidence  # not the subject
        assert "none" not in re.findall(r"\w+", verdict + evidence)


@pytest.mark.parametrize("case", CASES)
def test_the_answers_do_not_contradict_each_other(case: str, results: Results) -> None:
    given = CASES[case](results)
    best, leaks, features, worth = (verdict for verdict, _ in answers(given))
    if best.startswith("Use ") or "it shows skill" in best:
        assert given.rank_ic(given.kept[0]).low > 0
        assert "no skill" not in worth
    if "no skill" in best or "without skill" in best:
        assert not worth.startswith("Yes")
    if not given.candidates:
        assert "every variant leaks" in best
        assert leaks.startswith(("Yes", "Unknown", "Not tested"))
    assert ("no reference forecaster was compared" in worth) == (not given.references)
    left_out = given.attribution.importance.empty
    assert ("attribution was left out" in features) == left_out


def test_the_best_is_named_only_if_the_confidence_set_holds_it_alone(results: Results) -> None:
    table = results.comparison.ranking
    best = results.candidates[0]
    inside = pd.Series(table.index == best, index=table.index)
    sole = ranked(results, in_confidence_set=inside, low=0.01)
    assert best_normalization(sole).verdict == f"Use {best}."
    assert "best may be" not in best_normalization(sole).verdict
    unsure = ranked(results, in_confidence_set=inside, low=-0.01)
    assert best_normalization(unsure).verdict == f"Best is {best}, but without skill."
    assert "No clear winner: 8 of 14 candidates" in best_normalization(results).verdict


def test_an_interval_with_zero_shows_no_skill(results: Results) -> None:
    unsure = ranked(results, low=-0.01, high=0.09)
    sure = ranked(results, low=0.001, high=0.09)
    assert "no skill" in best_normalization(unsure).verdict
    assert "does not lie above zero" in best_normalization(unsure).evidence
    assert "skill" not in best_normalization(sure).verdict
    assert "lies above zero" in best_normalization(sure).evidence


@pytest.mark.parametrize(
    ("inside", "said"),
    [(True, "14 of 14 candidates may be the best"), (False, "leaking variants outperform")],
)
def test_confidence_sets_without_a_winner(results: Results, inside: bool, said: str) -> None:
    assert said in best_normalization(ranked(results, in_confidence_set=inside)).verdict


def test_a_leaking_variant_is_no_candidate_however_good(results: Results) -> None:
    best = results.candidates[0]
    found = replace(results, verdicts={**results.verdicts, best: Verdict.LEAK})
    assert found.candidates[0] != best
    assert best not in names(found.kept)
    assert sees_the_future(found).verdict == "Yes: 1 of 14 variants leak."
    assert f"the leak in {best}" in sees_the_future(found).evidence


def test_a_detected_control_is_shown_with_its_witness(results: Results) -> None:
    verdict, evidence = sees_the_future(results)
    assert verdict == "No leak found in 13 variants; 1 undecided; features not tested."
    assert "The leak planted in full_sample_zscore shows" in evidence
    assert "2018-02-27 S03 forecast: 0.0123 becomes 0.0931" in evidence


def test_unknown_is_not_clean(results: Results) -> None:
    clean = (finding("audit_features", Verdict.CLEAN, 0.0),)
    tested = replace(results, findings={**results.findings, "features": clean})
    assert sees_the_future(tested).verdict == "No leak found in 13 variants; 1 undecided."
    allclean = dict.fromkeys(results.verdicts, Verdict.CLEAN)
    allclean["full_sample_zscore"] = Verdict.LEAK
    whole = replace(tested, verdicts=allclean)
    assert sees_the_future(whole).verdict == "No leak found in 14 variants."
    unknown = dict.fromkeys(allclean, Verdict.UNKNOWN) | {"full_sample_zscore": Verdict.LEAK}
    assert sees_the_future(replace(tested, verdicts=unknown)).verdict == "14 undecided."


def test_a_missed_control_takes_all_trust(results: Results) -> None:
    verdict, evidence = sees_the_future(blind(results))
    assert verdict.startswith("Unknown: the audit missed a planted leak")
    assert "did not detect the leak planted in full_sample_zscore" in evidence


def test_without_a_control_clean_is_weak(results: Results) -> None:
    honest = without(results, "full_sample_zscore")
    evidence = sees_the_future(replace(honest, audit_trusted=False)).evidence
    assert "it is not shown that the audit detects leaks" in evidence


def test_a_missing_audit_is_reported(results: Results) -> None:
    assert sees_the_future(replace(results, findings={})).verdict.startswith("Not tested")


def test_a_shared_leak_is_the_witness_of_every_variant(results: Results) -> None:
    shared = (finding("audit_features", Verdict.LEAK, 3.0, detail="column peek uses tomorrow"),)
    found = leaking(replace(results, findings={**results.findings, "features": shared}))
    assert "every variant leaks" in best_normalization(found).verdict
    assert "column peek uses tomorrow" in sees_the_future(found).evidence


def test_features_are_named_with_their_share(results: Results) -> None:
    verdict, evidence = which_features(results)
    share = ranked_features(results.attribution.importance, results.candidates[0])
    assert verdict == f"{share.index[0]} leads with {share.iloc[0]:.0f}% of the importance."
    assert f"in {results.candidates[0]}: " in evidence
    assert all(f"{name} ({value:.0f}%)" in evidence for name, value in share.head(3).items())


def test_no_feature_leads_by_an_attribution_that_fails_a_check(results: Results) -> None:
    verdict, evidence = which_features(failing(results, results.candidates[0]))
    assert verdict == "Unknown: the attribution is unreliable."
    assert "fails sufficiency" in evidence


def test_unresolved_attributions_are_reported(results: Results) -> None:
    gap = results.attribution.gap.assign(unresolved=0.125)
    unresolved = replace(results, attribution=replace(results.attribution, gap=gap))
    assert "12.5% of one fold" in attribution_facts(unresolved)["Completeness error"]
    assert "tolerance" not in attribution_facts(results)["Completeness error"]


def test_other_baselines_and_passed_checks_are_facts(results: Results) -> None:
    best = results.candidates[0]
    rows = [(best, 1, 0, name, "training", tau, 0.0, "") for name, tau in BASELINES.items()]
    baselines = pd.DataFrame(rows, columns=list(COLUMNS["baselines"]))
    given = with_newest(failing(results, best), baselines=baselines)
    facts = attribution_facts(given)
    assert facts["Agreement with other baselines"].endswith("0.87 with cs_median")
    assert facts["Checks passed"] == "0 of 1; failed: sufficiency"


BASELINES = {"training": 1.0, "cs_median": 0.87, "zeros": np.nan}


def test_the_lstm_is_worth_it_only_if_intervals_are_apart(results: Results) -> None:
    best = results.candidates[0]
    table = results.comparison.ranking.assign(rank_ic=0.0, low=-0.01, high=0.01)
    table.loc[best, ["rank_ic", "low", "high"]] = [0.05, 0.02, 0.08]
    apart = replace(results, comparison=replace_ranking(results, table))
    table = table.assign(high=0.03)
    overlapping = replace(results, comparison=replace_ranking(results, table))
    table = table.assign(rank_ic=np.where(table.index == "ref:ridge", 0.1, table["rank_ic"]))
    beaten = replace(results, comparison=replace_ranking(results, table))
    assert worth_it(apart).verdict.startswith("Yes: the LSTM beats ")
    assert worth_it(overlapping).verdict.startswith("Not shown: the lead over ")
    assert worth_it(beaten).verdict == "No: the LSTM does not beat ridge regression."
    table = table.assign(rank_ic=np.where(table.index == "ref:zero", 0.2, table["rank_ic"]))
    zero = worth_it(replace(results, comparison=replace_ranking(results, table)))
    assert zero.verdict == "No: the LSTM does not beat the zero forecast."
    assert " for the zero forecast, the best forecaster without an LSTM; " in zero.evidence


def test_markdown_has_a_row_for_everything_ranked(results: Results) -> None:
    text = summary_markdown(results, "http://host/x")
    assert sum(line.startswith("|") for line in text.splitlines()) == len(results.ranking) + 2
    assert "(http://host/x)" in text
    assert "| full_sample_zscore | " in text
    assert "| none |" not in text
