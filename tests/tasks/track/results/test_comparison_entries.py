import math
from collections import defaultdict
from dataclasses import replace

import numpy as np
import pytest
from mlflow.utils.validation import _validate_metric_name

from foldproof.conf.load import load
from foldproof.tasks.attribute import Attribution
from foldproof.tasks.report.results import Results
from foldproof.tasks.track.entries import NOTE, flat, key_of, metrics, params, tags
from foldproof.tasks.track.results.comparison import HEATMAP
from foldproof.tasks.track.results.comparison_entries import (
    DECISIVE,
    overall_values,
    settings,
    summary_params,
    summary_tags,
    summary_values,
    variant_params,
    variant_tags,
    variant_values,
)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, np.float64("nan")])
def test_values_that_are_not_finite_are_not_logged(value: float) -> None:
    kept = metrics([("a", 1.0, 0), ("b", value, 0), ("c", 2, 3)], 7)
    assert [(m.key, m.value, m.timestamp, m.step) for m in kept] == [
        ("a", 1.0, 7, 0),
        ("c", 2.0, 7, 3),
    ]


@pytest.mark.parametrize(
    "name", ["oos/rank_ic", "seconds/audit of features", "σ (5 d)", "ref:ridge"]
)
def test_keys_are_valid_in_mlflow(name: str) -> None:
    _validate_metric_name(key_of(name))


def test_texts_are_cut_to_the_trackers_length() -> None:
    assert len(params({"a": "x" * 9000})[0].value) == 6000
    assert len(tags({"a": "x" * 9000})[0].value) == 8000
    assert len(key_of("x" * 300)) == 250


def test_flat_settings() -> None:
    nested = {"a": {"b": {"c": 1}, "d": (1, 2)}, "e": None}
    assert flat(nested) == {"a.b.c": "1", "a.d": "1, 2", "e": "None"}
    assert flat(nested, without=("a",), prefix="p.") == {"p.e": "None"}


def test_parameters_are_the_settings_that_decide_a_ranking() -> None:
    config = load("quick").model_dump(mode="json")
    kept = settings(config)
    assert (kept["training.epochs"], kept["data.source"], kept["seeds"]) == ("3", "sp500", "0")
    sections = {key.partition(".")[0] for key in kept}
    assert sections == {*DECISIVE} - {"tuning"}  # there is none by default
    tried = {"folds": 1, "hidden": [8, 16]}
    assert settings(config | {"tuning": tried})["tuning.hidden"] == "8, 16"
    assert not {"training.chunk", "statistics.ensemble"} & {*kept}
    assert settings(config | {"seeds": [0, 1]})["statistics.ensemble"] == "True"
    assert not [key for key, value in kept.items() if value in ("", "None")]
    assert not [key for key in kept if key.startswith("data.synthetic")]
    assert len(kept) <= 45
    drawn = settings({**config, "data": {**config["data"], "source": "linear"}})
    assert drawn["data.synthetic.days"] == "1500"


def by_name(values) -> dict[str, dict[int, float]]:
    found: dict[str, dict[int, float]] = defaultdict(dict)
    for name, value, step in values:
        assert step not in found[name], f"{name} twice at step {step}"
        found[name][step] = value
    return found


def test_numbers_of_a_variant(results: Results) -> None:
    overall = by_name(overall_values(results, "zscore"))
    entry = results.ranking.loc["zscore"]
    assert overall["oos/rank_ic"] == {0: entry["rank_ic"]}
    assert overall["oos/rank_ic_low"] == {0: entry["low"]}
    assert overall["oos/rank_ic_difference_high"] == {0: entry["difference_high"]}
    assert overall["oos_secondary/mse_ratio"] == {0: entry["mse_ratio"]}
    found = by_name(variant_values(results, "zscore"))
    by_fold = results.comparison.by_fold.query("variant == 'zscore'")
    rank_ics = dict(zip(by_fold["fold"], by_fold["rank_ic"], strict=True))
    assert found["oos_by_fold/rank_ic"] == rank_ics
    assert set(found["train/loss"]) == set(range(1, 9))
    curves = results.curves.query("variant == 'zscore' and epoch == 3")
    assert found["validation/loss"][3] == pytest.approx(curves["validation_loss"].mean(), abs=1e-12)
    assert found["trust/leaks"] == {0: 0.0}
    assert len(overall) + len(found) <= 24


def test_the_rank_ic_is_the_first_metric_by_name(results: Results) -> None:
    """MLflow sorts sections and charts by name, and pictures are charts too."""
    values = *overall_values(results, "zscore"), *variant_values(results, "zscore")
    names = {name for name, _, _ in values} | {HEATMAP}
    sections = sorted({name.partition("/")[0] for name in names})
    assert sections[0] == "oos"
    assert min(name for name in names if name.startswith("oos/")) == "oos/rank_ic"


def test_alerts_of_drift_are_counted(results: Results) -> None:
    table = results.attribution.newest.drift.query("variant == 'zscore'")
    found = by_name(variant_values(results, "zscore"))
    assert found["trust/drift_alerts"] == {0: float(sum(table["alert"]))}
    assert sum(table["alert"]) == 1


def test_leaks_are_counted(results: Results) -> None:
    found = by_name(variant_values(results, "full_sample_zscore"))
    assert found["trust/leaks"] == {0: 4.0}


def test_variants_without_attribution_have_no_such_numbers(results: Results) -> None:
    bare = replace(results, attribution=Attribution.joined([]))
    names = set(by_name(variant_values(bare, "zscore")))
    assert not names & {"trust/failed_checks", "trust/drift_alerts"}
    assert names < set(by_name(variant_values(results, "zscore")))


def test_tags_and_params_of_a_variant(results: Results) -> None:
    found = variant_tags(results, "full_sample_zscore")
    assert found["comparison"] == results.comparison_id
    assert found["verdict"] == "LEAK"
    assert found["control"] == "true"
    assert found["plan"] == results.plan
    assert found["engine"] == "native avx2 0a1b2c3d"
    about = variant_params(results, "zscore")
    assert about["variant.formula"] == results.variants["zscore"].formula
    assert about["split.train"] == "756"


def test_summary_answers_in_tags_and_description(results: Results) -> None:
    found = summary_tags(results, "http://charts")
    assert found["best"] == results.candidates[0]
    assert found["audit_trusted"] == "true"
    assert found["verdict.full_sample_zscore"] == "LEAK"
    assert "http://charts" in found[NOTE]
    assert "Which normalization" in found[NOTE]


def test_a_description_too_long_keeps_the_answers(results: Results) -> None:
    assert "| variant |" not in summary_tags(results, "x" * 8000)[NOTE]


def test_numbers_of_the_summary(results: Results) -> None:
    found = by_name(summary_values(results))
    best = results.rank_ic(results.candidates[0])
    assert found["summary/best_rank_ic"] == {0: best.value}
    assert found["summary/best_rank_ic_low"] == {0: best.low}
    assert found["summary/candidates"] == {0: 2.0}
    assert found["summary/leaking"] == {0: 0.0}
    assert found["seconds/train"] == {0: 512.4}
    assert summary_params(results)["panel.symbols"] == "5"
