"""Planted look-ahead and honest transforms; nothing untested is called clean."""

import numpy as np
import pandas as pd
import pytest

from foldproof.tasks.diagnose import Verdict, audit_features


def by_symbol(name, function):
    return lambda f: f.groupby("symbol", group_keys=False)[name].apply(function)


def scaled_by_all(f):
    from sklearn.preprocessing import StandardScaler

    return pd.Series(StandardScaler().fit_transform(f[["close"]])[:, 0], index=f.index)


def weekly(f):
    week = f["date"].dt.to_period("W")
    return f.groupby(["symbol", week])["close"].transform("last")


def survivors(f):
    last = f.groupby("symbol")["date"].transform("max")
    return f["close"].where(last == f["date"].max())


def principal_component(f):
    wide = f.pivot(index="date", columns="symbol", values="x").fillna(0.0)
    axis = np.linalg.svd(wide.to_numpy() - wide.to_numpy().mean(0))[2][0]
    scores = pd.Series(wide.to_numpy() @ axis, index=wide.index)
    return f["date"].map(scores)


LEAKS = {
    "shift": by_symbol("close", lambda s: s.shift(-1)),
    "far_shift": by_symbol("close", lambda s: s.shift(-21)),
    "forward_return": by_symbol("close", lambda s: s.shift(-5) / s - 1),
    "centred_mean": by_symbol("close", lambda s: s.rolling(5, center=True).mean()),
    "bfill": by_symbol("x", lambda s: s.bfill()),
    "interpolate": by_symbol("x", lambda s: s.interpolate()),
    "full_z": lambda f: (f["x"] - f["x"].mean()) / f["x"].std(),
    "min_max": by_symbol("close", lambda s: (s - s.min()) / (s.max() - s.min())),
    "full_rank": lambda f: f["close"].rank(pct=True),
    "fitted_scaler": scaled_by_all,
    "month_mean": lambda f: f.groupby(["symbol", f["date"].dt.to_period("M")])["close"].transform(
        "mean"
    ),
    "weekly_bfilled": weekly,
    "survivors": survivors,
    "fill_with_mean": lambda f: f["x"].fillna(f["x"].mean()),
    "reversed_cumsum": by_symbol("x", lambda s: s[::-1].cumsum()[::-1]),
    "principal_component": principal_component,
    "next_day_market": lambda f: f["date"].map(f.groupby("date")["x"].mean().shift(-1)),
    "detached_scale": by_symbol("close", lambda s: s / s.iloc[-1]),
    "category": lambda f: pd.cut(f["x"], f["x"].quantile([0, 0.3, 0.6, 1])).astype(str),
}
CLEAN = {
    "rolling_z": by_symbol("close", lambda s: (s - s.rolling(10).mean()) / s.rolling(10).std()),
    "strict_ewm": by_symbol("close", lambda s: s.shift(1).ewm(halflife=5).mean()),
    "cs_z": lambda f: (
        (f["x"] - f.groupby("date")["x"].transform("mean"))
        / f.groupby("date")["x"].transform("std")
    ),
    "cs_rank": lambda f: f.groupby("date")["x"].rank(pct=True),
    "ffill": by_symbol("x", lambda s: s.ffill()),
    "expanding": by_symbol("close", lambda s: (s - s.expanding().mean()) / s.expanding().std()),
    "return": by_symbol("close", lambda s: s.pct_change(fill_method=None)),
    "momentum": by_symbol("close", lambda s: s.shift(5) / s.shift(20)),
    "raw": lambda f: f["x"],
    "market": lambda f: f["date"].map(f.groupby("date")["x"].mean()),
    "weekday": lambda f: f["date"].dt.day_name(),
    "single_precision": by_symbol("close", lambda s: s.rolling(9).mean().astype("float32")),
}


def frame_of(functions):
    return lambda f: pd.DataFrame({name: function(f) for name, function in functions.items()})


def test_every_planted_leak_is_caught_and_every_honest_feature_passes(frame):
    report = audit_features(frame_of(LEAKS | CLEAN), frame)
    assert report.verdict is Verdict.LEAK
    leaks = [f for f in report.findings if f.verdict is Verdict.LEAK]
    assert {f.witness.column for f in leaks} == set(LEAKS)
    assert all(f.value > f.threshold and f.counts for f in leaks)
    (clean,) = [f for f in report.findings if f.verdict is not Verdict.LEAK]
    assert clean.verdict is Verdict.CLEAN
    assert set(clean.detail.split(", ")) == set(CLEAN)
    assert clean.value == 0.0
    assert "20 cuts" in clean.tested


@pytest.mark.parametrize("way", ["truncate", "missing", "noise", "flip"])
def test_each_perturbation_alone_catches_a_shift_and_passes_honest_features(frame, way):
    functions = {"shift": LEAKS["shift"]} | CLEAN
    report = audit_features(frame_of(functions), frame, perturbations=(way,), cuts=6)
    assert [f.witness.column for f in report.findings if f.verdict is Verdict.LEAK] == ["shift"]


def test_the_witness_of_a_shift_by_hand():
    """One stock, close d + 1: row d holds d + 2; without later rows, row d of a cut is missing."""
    dates = pd.date_range("2024-01-01", periods=10)
    data = pd.DataFrame({"date": dates, "symbol": "A", "close": np.arange(10.0) + 1})
    ways = {"cuts": 1, "perturbations": ("flip",), "seed": 4}
    report = audit_features(lambda f: f[["close"]].shift(-1), data, **ways)
    (finding,) = report.findings
    cut = pd.Timestamp(finding.witness.cut)
    assert finding.witness.date == finding.witness.cut
    assert finding.witness.before == cut.day + 1
    later = np.arange(cut.day + 1, 11)
    mirrored = np.exp(2 * np.log(later).mean()) / later[0]
    assert finding.witness.after == pytest.approx(mirrored, rel=1e-12)
    moved = abs(mirrored - (cut.day + 1)) / np.arange(2.0, 11).std()
    assert finding.value == pytest.approx(moved, rel=1e-12)
    assert "at least 1 trading day ahead" in finding.detail


@pytest.mark.parametrize("days", [1, 3, 7])
def test_the_finding_states_how_far_a_feature_looks_ahead(frame, days):
    data = frame[frame["symbol"].isin(list("ABC"))]
    report = audit_features(
        lambda f: f.groupby("symbol")[["close"]].shift(-days), data, perturbations=("noise",)
    )
    assert f"at least {days} trading day" in report.findings[0].detail


def test_data_are_not_modified_by_a_transform_that_writes_to_them(frame):
    def writes(f):
        f["close"] = f["close"] * 2
        del f["x"]
        return f[["close"]]

    before = frame.copy(deep=True)
    assert audit_features(writes, frame, cuts=4).verdict is Verdict.CLEAN
    pd.testing.assert_frame_equal(frame, before)


def test_the_same_seed_gives_the_same_report(frame):
    some = {name: LEAKS[name] for name in ("shift", "bfill", "full_z")}
    one, other = (
        audit_features(frame_of(some), frame, cuts=4, seed=3).to_markdown() for _ in range(2)
    )
    assert one == other


def test_rounding_is_reported_and_is_no_leak(frame):
    def jitters(f):
        return pd.DataFrame({"x": f["x"].fillna(0.0) * (1 + 1e-14 * len(f))})

    (finding,) = audit_features(jitters, frame, cuts=4).findings
    assert finding.verdict is Verdict.CLEAN
    assert 0 < finding.value < 1e-9
    assert "rounding only: x" in finding.detail


def test_single_precision_has_a_larger_tolerance(frame):
    def jitters(f):
        return pd.DataFrame({"x": (f["x"].fillna(0.0) * (1 + 2e-9 * len(f))).astype("float32")})

    assert audit_features(jitters, frame, cuts=4).verdict is Verdict.CLEAN
    assert audit_features(jitters, frame, cuts=4, tolerance=1e-9).verdict is Verdict.LEAK


def test_a_transform_that_needs_later_rows_is_unknown(frame):
    def fussy(f):
        if len(f) < len(frame):
            raise RuntimeError("the table is too short")
        return f[["x"]]

    (finding,) = audit_features(fussy, frame, cuts=4).findings
    assert finding.verdict is Verdict.UNKNOWN
    assert "RuntimeError: the table is too short" in finding.evidence


def test_a_transform_that_fails_on_missing_values_is_still_tested(frame):
    def fussy(f):
        if f["close"].isna().any():
            raise ValueError("no blanks please")
        return f[["close"]]

    (finding,) = audit_features(fussy, frame, cuts=4).findings
    assert finding.verdict is Verdict.CLEAN
    assert "failed with values set to missing: ValueError: no blanks please" in finding.tested


def test_a_leak_is_reported_even_if_other_runs_fail(frame):
    def fussy(f):
        if len(f) < len(frame):
            raise RuntimeError("the table is too short")
        return f.groupby("symbol")[["close"]].shift(-1)

    assert audit_features(fussy, frame, cuts=4).verdict is Verdict.LEAK


def test_a_random_feature_is_unknown_unless_a_leak_exceeds_the_noise(frame):
    draw = np.random.default_rng(0)

    def noise(f, size):
        return size * draw.normal(size=len(f))

    def unsteady(f):
        ahead = f.groupby("symbol")["close"].shift(-1)
        return pd.DataFrame({"x": f["x"] + noise(f, 0.1), "ahead": ahead + noise(f, 1e-6)})

    report = audit_features(unsteady, frame, cuts=8)
    verdicts = {f.witness.column if f.witness else "x": f.verdict for f in report.findings}
    assert verdicts == {"ahead": Verdict.LEAK, "x": Verdict.UNKNOWN}
    assert "two runs on the same data differ" in report.findings[-1].detail


def test_a_feature_without_values_is_unknown(frame):
    report = audit_features(lambda f: f[["x"]].assign(empty=np.nan), frame, cuts=4)
    assert [f.verdict for f in report.findings] == [Verdict.CLEAN, Verdict.UNKNOWN]
    assert report.verdict is Verdict.UNKNOWN


def test_dropped_rows_are_missing_values(frame):
    assert audit_features(lambda f: f[["x"]].dropna(), frame, cuts=4).verdict is Verdict.CLEAN

    def drops_the_unfinished(f):
        return f[f["date"] < f["date"].max()][["close"]]

    report = audit_features(drops_the_unfinished, frame, cuts=4)
    assert report.verdict is Verdict.LEAK
    assert "appear or vanish" in report.findings[0].detail


def test_labels_change_if_known_at_says_they_are_known_later(frame):
    forward = frame.groupby("symbol")["close"].shift(-3) / frame["close"]
    known = frame.groupby("symbol")["date"].shift(-3)
    data = frame.assign(label=forward, known=known)
    given = {"cuts": 8, "known_at": {"label": "known"}}
    assert audit_features(lambda f: f[["label"]], data, cuts=8).verdict is Verdict.CLEAN
    report = audit_features(lambda f: f[["label"]], data, **given)
    assert report.verdict is Verdict.LEAK
    honest = audit_features(lambda f: f.groupby("symbol")[["label"]].shift(3), data, **given)
    assert honest.verdict is Verdict.CLEAN


@pytest.mark.parametrize(
    ("data", "options", "message"),
    [
        (lambda f: f.drop(columns="symbol"), {}, "symbol is missing"),
        (lambda f: f.assign(date=f["date"].astype(str)), {}, "must hold dates"),
        (lambda f: f.set_index("symbol", drop=False), {}, "index must be unique"),
        (lambda f: f[f["date"] == f["date"].min()], {}, "at least 2 dates"),
        (lambda f: f, {"cuts": 0}, "1 cut"),
        (lambda f: f, {"perturbations": ("melt",)}, "one or more of truncate, missing, noise"),
        (lambda f: f, {"known_at": {"y": "end"}}, "y, end is missing"),
    ],
)
def test_unusable_input_is_refused(frame, data, options, message):
    with pytest.raises(ValueError, match=message):
        audit_features(lambda f: f[["x"]], data(frame), **options)


@pytest.mark.parametrize(
    "transform",
    [
        lambda f: f["x"],
        lambda f: f[["x"]].set_axis(range(7, 7 + len(f))),
        lambda f: pd.concat([f[["x"]], f[["x"]]]),
    ],
)
def test_output_on_other_rows_is_refused(frame, transform):
    with pytest.raises(ValueError, match="transform must return"):
        audit_features(transform, frame)
