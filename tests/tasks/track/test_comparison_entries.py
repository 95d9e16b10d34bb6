import math
from collections import defaultdict
from dataclasses import replace

import numpy as np
import pytest
from mlflow.utils.validation import _validate_metric_name

from foldproof.tasks.attribute import Attribution
from foldproof.tasks.report.results import Results
from foldproof.tasks.track.comparison_entries import (
    settings,
    summary_params,
    summary_tags,
    summary_values,
    variant_params,
    variant_tags,
    variant_values,
)
from foldproof.tasks.track.entries import NOTE, flat, key_of, metrics, params, tags


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


def test_settings_leave_out_variants_and_workers(results: Results) -> None:
    config = {**results.config, "variants": ["a"], "workers": 3, "tracking": {"uri": "secret"}}
    kept = settings(replace(results, config=config))
    assert "training.epochs" in kept
    assert not {"variants", "workers", "tracking.uri"} & set(kept)


def by_name(values) -> dict[str, dict[int, float]]:
    found: dict[str, dict[int, float]] = defaultdict(dict)
    for name, value, step in values:
        assert step not in found[name], f"{name} twice at step {step}"
        found[name][step] = value
    return found


def test_numbers_of_a_variant(results: Results) -> None:
    found = by_name(variant_values(results, "zscore"))
    entry = results.ranking.loc["zscore"]
    assert found["oos/rank_ic"] == {0: entry["rank_ic"]}
    assert found["oos/rank_ic_low"] == {0: entry["low"]}
    assert found["oos/difference_high"] == {0: entry["difference_high"]}
    by_fold = results.comparison.by_fold.query("variant == 'zscore'")
    assert found["fold/rank_ic"] == dict(zip(by_fold["fold"], by_fold["rank_ic"], strict=True))
    assert set(found["train/loss"]) == set(range(1, 9))
    curves = results.curves.query("variant == 'zscore' and epoch == 3")
    assert found["validation/loss"][3] == pytest.approx(curves["validation_loss"].mean(), abs=1e-12)
    shares = [v[0] for name, v in found.items() if name.startswith("importance_ig/")]
    assert len(shares) == 12
    assert sum(shares) == pytest.approx(1.0, abs=1e-12)
    assert found["attribution/gap_p99"] == {0: 4e-7, 1: 4e-7}
    assert found["leak/found"] == {0: 0.0}


def test_drift_is_logged_by_fold_with_its_limit(results: Results) -> None:
    table = results.attribution.newest.drift.query("variant == 'zscore'")
    found = by_name(variant_values(results, "zscore"))
    for column, key in (("moved", "drift"), ("mark", "drift.mark"), ("p", "drift.p")):
        told = dict(zip(table["fold"], table[column], strict=True))
        assert found[f"trust/{key}"] == told
    assert found["trust/drift.alerts"] == {0: float(sum(table["alert"]))}
    assert sum(table["alert"]) == 1


def test_leaks_are_counted_and_sized(results: Results) -> None:
    found = by_name(variant_values(results, "full_sample_zscore"))
    assert found["leak/found"] == {0: 4.0}
    assert found["leak/serve_invariance"] == {0: 4.7}
    assert found["leak/state_purity"] == {0: 0.0}


def test_variants_without_attribution_have_no_such_numbers(results: Results) -> None:
    bare = replace(results, attribution=Attribution.joined([]))
    names = set(by_name(variant_values(bare, "zscore")))
    assert not any(name.startswith(("importance", "attribution")) for name in names)
    assert "oos/rank_ic" in names


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
