"""The folds, rows, epochs and options that the tasks pass to the tests."""

import sys
import types
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from foldproof.models.spec import NetworkSpec, TrainingSpec
from foldproof.tasks.data import (
    ColumnsSpec,
    DataSpec,
    SyntheticSpec,
    TargetSpec,
    build,
    load_raw,
)
from foldproof.tasks.diagnose import QUICK, LeakReport, Verdict, task
from foldproof.tasks.diagnose import spec as audit_spec
from foldproof.tasks.diagnose.spec import AuditSpec
from foldproof.tasks.diagnose.variant import OwnForecaster, OwnRows
from foldproof.tasks.encoded import decode, encode
from foldproof.tasks.report.audit.text import verdict_sentence, what_it_adds
from foldproof.tasks.split import Fold, WalkForward, plan_hash
from foldproof.tasks.train import Unit, train_unit

DATA = DataSpec(
    source="linear", features="ready", min_history=50,
    synthetic=SyntheticSpec(days=300, symbols=6, n_features=4, signal=0.3, seed=3),
)  # fmt: skip
TARGET = TargetSpec(horizon=1, kind="return")
PLAN = WalkForward(train=100, validation=30, test=40, embargo=1, keep=2)
NETWORK = NetworkSpec(window=3, hidden=4)
TRAINING = TrainingSpec(epochs=2, batch_size=256, learning_rate=1e-2)


@pytest.fixture(scope="module")
def cached(tmp_path_factory):
    """A panel and the folder that it lies in."""
    cache = tmp_path_factory.mktemp("panels")
    panel = build(DATA, TARGET, cache=cache)
    (folder,) = cache.glob("panel-*")
    return panel, folder


@pytest.fixture(scope="module")
def folds(cached):
    return PLAN.folds(cached[0].dates, cached[0].label_end)


@pytest.fixture(scope="module")
def units(cached, folds):
    """Two folds by two seeds of one variant, trained."""
    panel = cached[0]
    given = [(fold, seed) for seed in (0, 1) for fold in folds]
    return [
        train_unit(
            Unit("none", fold, seed, NETWORK, TRAINING, panel.fingerprint, plan_hash(folds)), panel
        )
        for fold, seed in given
    ]


def own(variant="none", **changes):
    return OwnForecaster(variant, DATA, TARGET, NETWORK, replace(TRAINING, **changes), seed=0)


def count(findings, test):
    return sum(finding.test == test for finding in findings)


@pytest.mark.parametrize(("retrained", "times"), [(0, 0), (1, 1), (2, 2), (9, 2)])
def test_every_fold_is_tested_on_one_seed_and_the_newest_are_trained_again(
    cached, folds, units, retrained, times
):
    spec = AuditSpec(cuts=1, retrain_folds=retrained)
    found, seconds = task.diagnose.fn(units, spec, cached[1])
    assert count(found, "serve_invariance") == len(folds) == 2
    repeated = [finding for finding in found if finding.stage == "stored forecasts"]
    assert len(repeated) == len(units) == 4
    again = [finding for finding in found if finding.test == "train_invariance"]
    assert len(again) == times
    if retrained == 1:
        eve = cached[0].dates[folds[1].test.start - 1]
        assert f"not known on {eve};" in again[0].tested
    assert {finding.verdict for finding in found if finding.counts} == {Verdict.CLEAN}
    assert seconds > 0


def test_forecasts_of_another_seed_that_do_not_repeat_are_unknown(cached, units):
    other = max(units, key=lambda one: one.unit.seed)
    wrong = replace(other, forecasts=other.forecasts.assign(forecast=1.0))
    found, _ = task.diagnose.fn([units[0], wrong], AuditSpec(cuts=1), cached[1])
    assert [finding.test for finding in found if finding.verdict is Verdict.UNKNOWN] == [
        "state_purity"
    ]


def test_the_cache_key_depends_on_units_and_relevant_settings(units):
    def key(trained=units, **changes):
        parameters = {"trained": trained, "spec": replace(AuditSpec(), **changes)}
        return task.diagnosis_key(None, parameters)

    same = [key(), key(placebo=5), key(hazard=0.1), key(feature_cuts=3), key(forecast_cuts=3)]
    assert len(set(same)) == 1, "what an audit of its own is asked for decides nothing here"
    assert len({key(), key(cuts=9), key(retrain_folds=0), key(units[:2])}) == 4


def test_borders_of_the_plan_are_tested_with_the_labels_of_the_panel(cached, folds):
    found, _ = task.audit_folds.fn(folds, 1, cached[1])
    assert {finding.verdict for finding in found} == {Verdict.CLEAN}
    unpurged = tuple(
        replace(fold, train=range(fold.train.start, fold.validation.start)) for fold in folds
    )
    found, _ = task.audit_folds.fn(unpurged, 1, cached[1])
    assert [f.test for f in found if f.verdict is Verdict.LEAK][:1] == ["purge"]
    within, _ = task.audit_folds.fn(folds, 0, cached[1])
    too_wide, _ = task.audit_folds.fn(folds, 30, cached[1])
    assert not [f for f in within if f.verdict is Verdict.LEAK]
    assert [f for f in too_wide if f.verdict is Verdict.LEAK], "the embargo that is asked for"


def test_features_are_audited_at_the_requested_number_of_cuts():
    data = DataSpec(source="noise", synthetic=SyntheticSpec(days=400, symbols=3))
    found, seconds = task.audit_panel_features.fn(data, AuditSpec(feature_cuts=3))
    assert {finding.verdict for finding in found} == {Verdict.CLEAN}
    assert any("3 cuts" in finding.tested for finding in found), [f.tested for f in found]
    assert seconds > 0
    (unknown,), _ = task.audit_panel_features.fn(DATA, AuditSpec())
    assert (unknown.verdict, unknown.counts) == (Verdict.UNKNOWN, False)


@pytest.mark.parametrize(
    ("variant", "verdict", "stages"),
    [("zscore", Verdict.CLEAN, set()), ("full_sample_zscore", Verdict.LEAK, {"input normalizer"})],
)
def test_a_variant_is_audited_from_raw_rows(folds, variant, verdict, stages):
    report, seconds = task.audit_variant.fn(own(variant), folds[-1], 1, AuditSpec(), True)
    assert report.subject == variant
    assert report.verdict is verdict, report.to_markdown()
    assert {f.stage for f in report.findings if f.verdict is Verdict.LEAK} == stages
    assert seconds > 0
    assert decode(encode(report)).to_json() == report.to_json(), "it is kept and found again"


def test_the_cache_keys_of_an_audit_depend_on_rows_fold_and_settings(folds, cached):
    mine, start = own("zscore"), Path("panels/panel-one")
    given = {
        "forecaster": mine, "own": mine.rows, "data": mine.data, "fold": folds[-1], "embargo": 1,
        "spec": AuditSpec(), "quick": True, "shared": (), "panel": start, "folds": folds,
    }  # fmt: skip
    changes = {
        "panel": Path("panels/panel-two"), "fold": folds[0], "spec": AuditSpec(feature_cuts=7),
        "quick": False, "embargo": 2, "folds": folds[:1], "forecaster": own("none"),
        "shared": task.audit_folds.fn(folds, 1, cached[1]).value,
    }  # fmt: skip
    decides = {
        task.variant_key: {"panel", "fold", "spec", "quick", "embargo", "forecaster", "shared"},
        task.panel_key: {"panel", "fold", "spec", "quick"},
        task.features_key: {"panel", "spec"},
        task.folds_key: {"panel", "embargo", "folds"},
    }
    for key, names in decides.items():
        first = key(None, given)
        assert first == key(None, {**given, "panel": start.absolute()}), "wherever the panel lies"
        other = {name for name, one in changes.items() if key(None, given | {name: one}) != first}
        assert other == names
    ranks = replace(mine.rows, target=TargetSpec(1, "cs_rank"))
    assert task.panel_key(None, given | {"own": ranks}) != task.panel_key(None, given)
    without = {**given, "panel": None}
    assert task.variant_key(None, without) is task.panel_key(None, without) is None


@pytest.mark.parametrize("kind", ["cs_rank_normal", "volatility_scaled"])
def test_a_kind_of_target_is_audited_from_raw_rows(kind):
    """A scale from earlier returns is honest; the label is known when it is declared to be."""
    data = DataSpec(
        source="noise", min_history=50, synthetic=SyntheticSpec(days=340, symbols=5, seed=2)
    )
    rows = OwnRows(data, TargetSpec(horizon=2, kind=kind), 3)
    panel = build(rows.data, rows.target)
    fold = WalkForward(40, 20, 20, keep=1).folds(panel.dates, panel.label_end)[0]
    found, _ = task.audit_panel.fn(rows, fold, AuditSpec(), True)
    verdicts = {(one.test, one.stage): one.verdict for one in found}
    assert verdicts[("execution", "target")] is Verdict.CLEAN
    assert verdicts[("purge", "target")] is Verdict.CLEAN
    assert Verdict.LEAK not in verdicts.values()


@pytest.mark.parametrize("quick", [False, True])
def test_shared_findings_equal_those_of_a_variant_alone(folds, quick):
    variant = own("zscore")
    shared, _ = task.audit_panel.fn(variant.rows, folds[-1], AuditSpec(), quick)
    alone, _ = task.audit_variant.fn(variant, folds[-1], 1, AuditSpec(), quick)
    with_it, _ = task.audit_variant.fn(variant, folds[-1], 1, AuditSpec(), quick, shared)
    of_panel = {(f.test, f.stage) for f in shared}
    assert of_panel >= {("duplicates", "folds")}

    def of(report):
        return {(f.test, f.stage): (f.verdict, str(f.value)) for f in report.findings}

    found, made = of(with_it), of(alone)
    ready = {("serve_invariance", "features"), ("feature_screen", "features")}
    assert found.keys() - made.keys() <= ready
    assert {key: found[key] for key in made} == made


@pytest.mark.parametrize("quick", [False, True])
def test_a_ready_made_feature_that_is_the_label_is_a_leak_without_a_price(tmp_path, quick):
    """No later row changes it: only the screen finds it, and a replay from the rows has it."""
    frame = load_raw(DATA)
    noise = np.random.default_rng(0).standard_normal(len(frame))
    frame["sentiment"] = frame["target"] + 0.01 * noise
    columns = ColumnsSpec(price=None, target="target", label_end="label_end")
    path = tmp_path / "peek.csv"
    frame.to_csv(path, index=False)
    for name, verdict in (("with", Verdict.LEAK), ("without", Verdict.CLEAN)):
        if name == "without":
            frame.drop(columns="sentiment").to_csv(path, index=False)
        data = replace(DATA, source="file", path=str(path), columns=columns, incremental=False)
        variant = replace(own("zscore"), data=data)
        panel = build(data, TARGET)
        fold = PLAN.folds(panel.dates, panel.label_end)[-1]
        shared, _ = task.audit_panel.fn(variant.rows, fold, AuditSpec(), quick)
        report, _ = task.audit_variant.fn(variant, fold, 1, AuditSpec(), quick, shared)
        said = verdict_sentence(report)
        assert report.verdict is verdict, said
        if verdict is Verdict.LEAK:
            assert said == "zscore: leaks at features (feature screen)."
            assert what_it_adds(report).startswith("Not measured: the leak is in the rows")
        else:
            assert said.endswith(" Not tested: how its ready-made features were computed.")


@pytest.mark.parametrize(("quick", "epochs", "blocks"), [(True, 1, (14, 7)), (False, 3, (16, 8))])
def test_the_audit_trains_few_epochs_on_few_rows_with_the_options_of_the_spec(
    folds, monkeypatch, quick, epochs, blocks
):
    asked = []

    def audits(forecaster, rows, fold, options, shared):
        asked.append((forecaster, rows, fold, options))
        return LeakReport("any", ())

    monkeypatch.setattr(task, "audit_forecaster", audits)
    monkeypatch.setattr(audit_spec, "QUICK_ROWS", 14)
    spec = AuditSpec(placebo=5, hazard=0.03, forecast_cuts=5, rows=16)
    report, _ = task.audit_variant.fn(own(epochs=7), folds[-1], 2, spec, quick)
    ((forecaster, given, fold, options),) = asked
    assert forecaster.training.epochs == epochs
    assert report.subject == forecaster.variant == "none"
    assert (options.placebo, options.hazard) == (5, 0.03)
    assert options.cuts == (3 if quick else 5)
    assert (options.horizon, options.embargo, options.quick) == (1, 2, quick)
    assert (options.known_at, options.prices) == ({"target": "label_end"}, ())
    assert (len(fold.train), len(fold.validation)) == blocks
    assert fold.validation_dates[-1] == folds[-1].validation_dates[-1]
    assert len(options.target(given)) == given["target"].notna().sum()


def test_prices_are_passed_if_there_are_prices_and_no_ready_target(monkeypatch):
    asked = []

    def audits(forecaster, rows, fold, options, shared):
        asked.append(options)
        return LeakReport("any", ())

    monkeypatch.setattr(task, "audit_forecaster", audits)
    data = DataSpec(source="noise", synthetic=SyntheticSpec(days=400, symbols=3))
    panel = build(data, TARGET)
    forecaster = replace(own(), data=data)
    fold = PLAN.folds(panel.dates, panel.label_end)[-1]
    task.audit_variant.fn(forecaster, fold, 0, AuditSpec(), True)
    assert (asked[0].known_at, asked[0].prices) == ({}, ("price",))


@pytest.mark.parametrize("quick", [False, True])
def test_features_are_cut_over_all_rows_of_the_fold(monkeypatch, quick):
    asked = []

    def cuts(data, cuts, rows):
        asked.append((cuts, np.unique(rows["date"].to_numpy()).astype("datetime64[D]")))
        return []

    monkeypatch.setattr(task, "diagnose_features", cuts)
    data = DataSpec(source="noise", synthetic=SyntheticSpec(days=900, symbols=3))
    panel = build(data, TARGET)
    fold = PLAN.folds(panel.dates, panel.label_end)[-1]
    task.audit_panel.fn(replace(own(), data=data).rows, fold, AuditSpec(rows=20), quick)
    read = fold.calendar[fold.train.start - 504 : fold.test.stop]  # none of it is left out
    assert [(one, dates.tolist()) for one, dates in asked] == (
        [] if quick else [(20, read.tolist())]
    )


def last_change(data, fold):
    """Honest: yesterday's change of each price."""
    change = data.groupby("symbol")["close"].pct_change(fill_method=None)
    asked = data["date"].isin(fold.test_dates) & change.notna()
    return change[asked].set_axis(pd.MultiIndex.from_frame(data.loc[asked, ["date", "symbol"]]))


def next_change(data, fold):
    """Tomorrow's change of each price."""
    ahead = data.assign(close=data.groupby("symbol")["close"].shift(-1))
    return last_change(ahead, fold)


@pytest.mark.parametrize(("name", "verdict"), [("last_change", "CLEAN"), ("next_change", "LEAK")])
def test_a_users_forecaster_is_named_and_timed(frame, monkeypatch, name, verdict):
    module = types.ModuleType("somebodys_own")
    module.last_change, module.next_change = last_change, next_change
    monkeypatch.setitem(sys.modules, "somebodys_own", module)
    monkeypatch.setattr(sys, "path", [*sys.path])
    dates = np.unique(frame["date"].to_numpy()).astype("datetime64[D]")
    fold = Fold(0, range(5, 45), range(48, 60), range(63, 90), dates)
    named = f"somebodys_own:{name}"
    report, seconds = task.audit_outside.fn(named, frame, fold, None, QUICK)
    assert (report.subject, report.verdict) == (named, verdict)
    assert seconds > 0
