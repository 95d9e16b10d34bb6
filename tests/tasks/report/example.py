"""A finished comparison as the flows would hand it over: made of seeded noise, no training."""

from dataclasses import replace

import numpy as np
import pandas as pd

from foldproof.models.normalizers.variant import Variant
from foldproof.models.spec import STYLES
from foldproof.tasks.attribute import Attribution, NewestUnit
from foldproof.tasks.attribute.origins.origins import ORIGINS
from foldproof.tasks.attribute.trust.drift import drifts
from foldproof.tasks.attribute.unit.tables import COLUMNS
from foldproof.tasks.compare.aligned import align
from foldproof.tasks.compare.comparison import compare
from foldproof.tasks.compare.spec import StatisticsSpec
from foldproof.tasks.data import Panel
from foldproof.tasks.decompose.decompose import Decomposition, decompose
from foldproof.tasks.decompose.prices import Closes
from foldproof.tasks.decompose.rows import decomposed_rows, places
from foldproof.tasks.decompose.spec import DecompositionSpec
from foldproof.tasks.diagnose.findings.finding import Finding, Verdict, Witness
from foldproof.tasks.portfolio.portfolio import Portfolios, simulate
from foldproof.tasks.portfolio.task import align_all
from foldproof.tasks.report.results import Results
from foldproof.tasks.split.fold import Fold

SKILL = {
    "none": 0.004, "zscore": 0.024, "robust_zscore": 0.021, "rolling_zscore": 0.030,
    "ewm_zscore": 0.027, "cs_zscore": 0.019, "cs_rank": 0.017, "instance_norm": 0.010,
    "revin": 0.006, "batch_norm": 0.012, "batch_norm_hidden": 0.022, "batch_norm_date": 0.020,
    "layer_norm": 0.025, "causal_batch_norm": 0.018, "full_sample_zscore": 0.055,
}  # fmt: skip
CANDIDATES = tuple(name for name in SKILL if name != "full_sample_zscore")
REFERENCES = {
    "ref:zero": 0.0, "ref:momentum": 0.008, "ref:ridge": 0.016, "ref:gradient_boosting": 0.02
}  # fmt: skip
FEATURES = (
    "return_1", "return_5", "momentum_21", "momentum_252", "volatility_21", "volatility_63",
    "gap_to_high_252", "gap_to_low_63", "beta_252", "idiosyncratic_21", "market_return_5",
    "autocorrelation_21",
)  # fmt: skip
TESTS = (
    "serve_invariance", "train_invariance", "batch_composition", "state_purity",
)  # fmt: skip


def example(
    *,
    seed: int = 0,
    folds: int = 5,
    test: int = 126,
    symbols: int = 12,
    seeds: int = 2,
    strength: float = 1.0,
) -> Results:
    """Fifteen variants and four references on ``folds`` folds of ``test`` days.

    ``strength`` multiplies the skill that the forecasts are given.
    """
    rng = np.random.default_rng(seed)
    plan = plan_of(folds, test)
    forecasts = forecasts_of(plan, symbols, seeds, strength, rng)
    variants = {name: variant_of(name) for name in SKILL}
    return Results(
        title="example",
        comparison_id=f"example-{seed}",
        config={"name": "example", "split": {"train": 756, "test": test}, "seeds": (0, 1),
                "network": {"window": 20, "hidden": 32}, "training": {"epochs": 12, "loss": "mse"}},
        config_yaml=f"name: example\nsplit:\n  train: 756\n  test: {test}\nseeds: [0, 1]\n",
        panel_about={
            "source": "20 large US companies, daily closes (seeded noise here)",
            "notes": "The 20 names are survivors picked from the index of 2022: every IC is "
            "flattered by that choice.",
            "terms": "Provided for testing and example purposes only.",
            "splits_repaired": ["2003-02-18 MSFT 48.30 to 24.96", "2003-06-10 DF 45.63 to 30.42"],
            "warnings": ["RRC: 11 % of daily returns are exactly zero"],
        },
        panel_summary={
            "dates": len(plan[0].calendar), "symbols": [f"S{i:02d}" for i in range(symbols)],
            "features": list(FEATURES), "first": str(plan[0].calendar[0]),
            "last": str(plan[0].calendar[-1]),
            "fingerprint": "9f3c" * 16,
        },
        dates=plan[0].calendar,
        folds=plan,
        plan="7d1e" * 4,
        plan_audit=audit_of(plan),
        variants=variants,
        comparison=compare(forecasts, 1, StatisticsSpec(draws=100)),
        forecasts=forecasts,
        curves=curves_of(plan, seeds, rng),
        best_epochs=best_epochs_of(plan, seeds, rng),
        attribution=attribution_of(plan, seeds, rng),
        findings={
            "features": (ready_made(),),
            "folds": tuple(finding(test, Verdict.CLEAN, 0.0) for test in ("purge", "fold_order")),
        } | {name: findings_of(name, folds) for name in variants},
        verdicts={
            name: Verdict.LEAK if name == "full_sample_zscore" else Verdict.CLEAN
            for name in variants
        } | {"causal_batch_norm": Verdict.UNKNOWN},
        audit_trusted=True,
        seconds={"data": 1.3, "train": 512.4, "attribute": 61.0, "diagnose": 88.2, "compare": 4.1},
        code_version="ab12cd34ef56ab78",
        engine="native avx2 0a1b2c3d",
        decomposition=decomposition_of(plan, forecasts, symbols),
        portfolios=portfolios_of(plan, forecasts, symbols),
    )  # fmt: skip


def panel_of(plan, symbols: int) -> tuple[Panel, Closes]:
    """Random walks and features of noise on the plan's calendar."""
    rng, calendar = np.random.default_rng(7), plan[0].calendar
    shape = (len(calendar), symbols)
    returns = 0.01 * rng.standard_normal(shape)
    close = 100 * np.exp(np.cumsum(returns, axis=0))
    volatility = np.abs(rng.standard_normal(len(calendar))).cumsum()
    panel = Panel(
        dates=calendar,
        symbols=np.array([f"S{i:02d}" for i in range(symbols)]),
        features=(*STYLES, "rise_252"),
        values=rng.standard_normal((*shape, len(STYLES) + 1)).astype(np.float32),
        target=rng.standard_normal(shape).astype(np.float32),
        label_end=calendar,
        member=np.ones(shape, bool),
        fingerprint="9f3c" * 16,
    )
    return panel, Closes(close, close, volatility)


def decomposition_of(plan, forecasts: pd.DataFrame, symbols: int) -> Decomposition:
    """Four styles where there are enough symbols for them, else one."""
    panel, closes = panel_of(plan, symbols)
    return decompose(
        align(forecasts), panel, plan, CANDIDATES, 1, closes=closes,
        statistics=StatisticsSpec(draws=100),
        spec=DecompositionSpec(styles=STYLES[: max(1, symbols - 4)]),
    )  # fmt: skip


def portfolios_of(plan, forecasts: pd.DataFrame, symbols: int) -> Portfolios | None:
    panel, closes = panel_of(plan, symbols)
    aligned = align_all(forecasts)
    ranked = decomposed_rows(aligned, panel, plan, CANDIDATES)
    spec = StatisticsSpec(draws=100)
    return simulate(ranked, closes, *places(aligned, panel), panel.dates, 1, statistics=spec)


def blind(results: Results) -> Results:
    """The same comparison, had its audit missed the planted leak."""
    verdicts = dict.fromkeys(results.verdicts, Verdict.CLEAN)
    return replace(results, verdicts=verdicts, audit_trusted=False)


def without(results: Results, *names: str) -> Results:
    """The same comparison, had these variants not been in it."""
    left = {name: variant for name, variant in results.variants.items() if name not in names}
    ranking = results.comparison.ranking.drop(list(names))
    comparison = replace(results.comparison, ranking=ranking)
    return replace(results, variants=left, comparison=comparison)


def with_newest(results: Results, **tables: pd.DataFrame) -> Results:
    """The same with other tables of the newest units."""
    newest = replace(results.attribution.newest, **tables)
    return replace(results, attribution=replace(results.attribution, newest=newest))


def plan_of(folds: int, test: int) -> tuple[Fold, ...]:
    train, validation, purge = 756, 126, 5
    length = train + validation + 2 * purge + folds * test
    calendar = np.busday_offset("2014-01-02", np.arange(length)).astype("datetime64[D]")
    starts = [number * test for number in range(folds)]
    return tuple(
        Fold(
            number,
            range(s, s + train),
            range(s + train + purge, s + train + purge + validation),
            range(s + train + validation + 2 * purge, s + train + validation + 2 * purge + test),
            calendar,
        )
        for number, s in enumerate(starts)
    )


def audit_of(plan: tuple[Fold, ...]) -> pd.DataFrame:
    pairs = (("train", "validation"), ("validation", "test"), ("train", "test"))
    return pd.DataFrame(
        {
            "fold": fold.number,
            "border": f"{earlier}|{later}",
            "earlier": len(getattr(fold, earlier)),
            "later": len(getattr(fold, later)),
            "earlier_last": getattr(fold, f"{earlier}_dates")[-1],
            "later_first": getattr(fold, f"{later}_dates")[0],
            "overlap": 0,
            "gap": getattr(fold, later).start - getattr(fold, earlier).stop,
        }
        for fold in plan
        for earlier, later in pairs
    )


def variant_of(name: str) -> Variant:
    return Variant(
        title=name.replace("_", " "),
        formula="(x - μ) / σ",
        source="a paper",
        causal=name != "full_sample_zscore",
        control=name == "full_sample_zscore",
    )


def forecasts_of(
    plan, symbols: int, seeds: int, strength: float, rng: np.random.Generator
) -> pd.DataFrame:
    dates = np.concatenate([fold.test_dates for fold in plan])
    numbers = np.concatenate([[fold.number] * len(fold.test) for fold in plan])
    target = rng.standard_normal((len(dates), symbols)).astype(np.float32)
    shared = rng.standard_normal(target.shape)
    parts = []
    for name, skill in (SKILL | REFERENCES).items():
        own = 0.8 * shared + 0.6 * rng.standard_normal(target.shape)
        for seed in range(seeds if name in SKILL else 1):
            noise = own + 0.3 * rng.standard_normal(target.shape)
            forecast = (
                np.zeros(target.shape) if name == "ref:zero" else strength * skill * target + noise
            )
            parts.append(
                pd.DataFrame(
                    {
                        "date": np.repeat(dates, symbols),
                        "symbol": np.tile([f"S{i:02d}" for i in range(symbols)], len(dates)),
                        "fold": np.repeat(numbers, symbols),
                        "variant": name,
                        "seed": seed,
                        "forecast": forecast.ravel().astype(np.float32),
                        "target": target.ravel(),
                    }
                )
            )
    return pd.concat(parts, ignore_index=True)


def curves_of(plan, seeds: int, rng: np.random.Generator) -> pd.DataFrame:
    rows = []
    for name in SKILL:
        for fold in plan:
            for seed in range(seeds):
                for epoch in range(1, 9):
                    fit = 0.99 - 0.004 * epoch + 0.004 * rng.standard_normal()
                    hold = 0.995 - 0.003 * epoch + 0.0004 * epoch**2 + 0.004 * fold.number
                    rows.append((name, fold.number, seed, epoch, fit, hold))
    columns = ["variant", "fold", "seed", "epoch", "train_loss", "validation_loss"]
    return pd.DataFrame(rows, columns=columns)


def best_epochs_of(plan, seeds: int, rng: np.random.Generator) -> pd.DataFrame:
    rows = [
        (name, fold.number, seed, int(rng.integers(3, 7)))
        for name in SKILL for fold in plan for seed in range(seeds)
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=["variant", "fold", "seed", "best_epoch"])


def attribution_of(plan, seeds: int, rng: np.random.Generator):
    lagged, importance, gap, series = [], [], [], []
    weight = np.exp(-np.arange(len(FEATURES)) / 4)
    lags = np.arange(20)
    for name in SKILL:
        own = weight * np.exp(0.5 * rng.standard_normal(len(FEATURES)))
        decay = 3 + 6 * rng.random()
        for fold in plan:
            for seed in range(seeds):
                size = own[:, None] * np.exp(-lags / decay) * rng.uniform(0.7, 1.3, (len(own), 20))
                key = {"variant": name, "fold": fold.number, "seed": seed}
                for method, factor in (("integrated_gradients", 1.0), ("mean_partial", 0.6)):
                    lagged.append(
                        pd.DataFrame(
                            key | {
                                "method": method,
                                "feature": np.repeat(FEATURES, 20),
                                "lag": np.tile(lags, len(FEATURES)),
                                "signed": (factor * size * 0.1).ravel(),
                                "absolute": (factor * size).ravel(),
                            }
                        )
                    )  # fmt: skip
                for method in ("integrated_gradients", "mean_partial", "mean_abs_partial"):
                    gross = size.sum(1) * rng.uniform(0.8, 1.2, len(FEATURES))
                    net = cancelled(name) ** np.arange(len(FEATURES)) * gross
                    importance.append(
                        pd.DataFrame(
                            key | {
                                "method": method,
                                "feature": list(FEATURES),
                                "importance": net if method == "integrated_gradients" else gross,
                                "net": net,
                                "gross": gross,
                                "sign_consistency": rng.uniform(0.3, 1.0, len(FEATURES)),
                            }
                        )
                    )  # fmt: skip
                importance += asked_besides(key, own, rng)
                gap.append(key | {"samples": 400, "nodes": 20, "gap_median": 2e-9, "gap_p99": 4e-7,
                                  "gap_max": 3e-6, "unresolved": 0.0})  # fmt: skip
            series.append(
                pd.DataFrame(
                    {"date": fold.test_dates[0], "feature": list(FEATURES), "variant": name,
                     "fold": fold.number, "seed": 0, "mean_partial": own}
                )
            )  # fmt: skip
    origins, supplied = origins_of(plan[-1])
    by_return, to_prices = prices_of(plan[-1])
    periods = periods_of(plan, seeds, rng)
    return Attribution(
        periods=periods,
        newest=NewestUnit(
            drift=pd.concat(
                [drifts(rows, 0.1) for _, rows in periods.groupby("variant", sort=False)],
                ignore_index=True,
            ),
            origins=origins,
            supplied=supplied,
            by_return=by_return,
            to_prices=to_prices,
            checks=checks_of(plan[-1]),
        ),
        lagged=pd.concat(lagged, ignore_index=True),
        importance=pd.concat(importance, ignore_index=True),
        series=pd.concat(series, ignore_index=True),
        gap=pd.DataFrame(gap),
    )


def asked_besides(key: dict, own: np.ndarray, rng: np.random.Generator) -> list[pd.DataFrame]:
    """Methods that are not asked by default: of features, in rank IC, of groups."""
    groups = ["return_1 + return_5", "momentum_21 + momentum_252", "volatility_21"]
    noise = rng.uniform(0.8, 1.2, (3, len(own)))
    sizes = {
        "expected_gradients": (list(FEATURES), own * noise[0], 0.05 * own),
        "permutation": (list(FEATURES), 0.02 * own * noise[1] - 0.004, np.full(len(own), 0.004)),
        "shapley": (groups, (own * noise[2])[:3], np.full(3, 0.02)),
    }
    return [
        pd.DataFrame(
            key | {"method": method, "feature": names, "importance": np.abs(net), "net": net,
                   "gross": np.abs(net), "net_error": error}
        )
        for method, (names, net, error) in sizes.items()
    ]  # fmt: skip


def checks_of(fold) -> pd.DataFrame:
    """Two checks of two variants that are not candidates for the best, one of them failed."""
    who = (fold.number, 0)
    rows = [
        ("revin", *who, "completeness", 0.0, np.nan, np.nan, 0.0, True, "adds up"),
        ("revin", *who, "model_randomization", 0.8, np.nan, np.nan, 0.6, False, "as untrained"),
        ("none", *who, "completeness", 0.0, np.nan, np.nan, 0.0, True, "adds up"),
        ("none", *who, "canaries", np.nan, np.nan, np.nan, np.nan, None, "too few"),
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS["checks"]))


def periods_of(plan, seeds: int, rng: np.random.Generator) -> pd.DataFrame:
    """Eight stretches a fold; the first feature turns its direction in the last fold of many."""
    rows = []
    for name in SKILL:
        weight = np.exp(-np.arange(len(FEATURES)) / 4)
        sign = np.where(np.arange(len(FEATURES)) % 3, 1, -1)
        for fold in plan:
            turned = sign * np.where(fold is plan[-1] and name != "none", [-1] + 11 * [1], 1)
            for seed in range(seeds):
                for period in range(8):
                    size = weight * rng.gamma(25, 0.04, len(FEATURES))
                    rows += [
                        (name, fold.number, seed, period, fold.test_dates[7 * period], 50, feature,
                         one * (0.9 if way > 0 else 0.1), one * (0.1 if way > 0 else 0.9))
                        for feature, one, way in zip(FEATURES, size, turned, strict=True)
                    ]  # fmt: skip
    return pd.DataFrame(rows, columns=list(COLUMNS["periods"]))


def cancelled(name: str) -> float:
    """What of gross is left of a feature's net, more the further down it stands."""
    return 0.7 if name in ("instance_norm", "revin") else 0.97


def origins_of(fold) -> tuple[pd.DataFrame, pd.DataFrame]:
    """One forecast a variant: on earlier rows, on other symbols, the control on rows to come."""
    kinds = {
        "rolling_zscore": (0.5, 0.5, 0, 0), "ewm_zscore": (0.6, 0.4, 0, 0),
        "cs_zscore": (0.4, 0, 0.6, 0), "cs_rank": (0.5, 0, 0.5, 0),
        "batch_norm_date": (0.3, 0, 0.7, 0), "full_sample_zscore": (0.8, 0.05, 0.1, 0.05),
    }  # fmt: skip
    rows, lines = [], []
    for name in SKILL:
        who = (name, fold.number, 0, fold.test_dates[0], "AAA")
        for feature in FEATURES:
            for origin, share in zip(ORIGINS, kinds.get(name, (1, 0, 0, 0)), strict=True):
                rows.append((*who, feature, origin, 0.01 * share, 0.02 * share))
        lines.append((*who, 0.1, 0.02 if name == "robust_zscore" else 1e-7, 20,
                      name != "robust_zscore", "integrated gradients"))  # fmt: skip
    return (
        pd.DataFrame(rows, columns=list(COLUMNS["origins"])),
        pd.DataFrame(lines, columns=list(COLUMNS["supplied"])),
    )


def prices_of(fold) -> tuple[pd.DataFrame, pd.DataFrame]:
    """One forecast a variant, less on older returns; ranks stop at the features."""
    rows, lines = [], []
    for name in SKILL:
        who = (name, fold.number, 0, fold.test_dates[0], "AAA")
        if name == "cs_rank":
            lines.append((*who, np.nan, np.nan, 0, False, "ranks have no derivative"))
            continue
        for lag in range(70):
            size = 0.01 / (1 + lag)
            rows += [(*who, lag, part, size, size) for part in ("own returns", "other returns")]
        lines.append((*who, 0.1, 1e-7, 20, True, ""))
    return (
        pd.DataFrame(rows, columns=list(COLUMNS["by_return"])),
        pd.DataFrame(lines, columns=list(COLUMNS["to_prices"])),
    )


def finding(test: str, verdict: Verdict, value: float, *, counts: bool = True, **more) -> Finding:
    return Finding(
        test=test, stage="scoring", verdict=verdict, evidence="exact",
        statistic="max |Δforecast| / cross-sectional sd", value=value, threshold=0.0,
        tested="4 cuts, 3 perturbations", counts=counts, **more,
    )  # fmt: skip


def ready_made() -> Finding:
    detail = "ready-made features"
    return finding("audit_features", Verdict.UNKNOWN, 0.0, counts=False, detail=detail)


def findings_of(name: str, folds: int) -> tuple[Finding, ...]:
    if name == "full_sample_zscore":
        witness = Witness("2018-03-05", "2018-02-27", "S03", "forecast", 0.0123, 0.0931)
        return tuple(
            finding(
                test, Verdict.LEAK if "invariance" in test else Verdict.CLEAN,
                4.7 - fold if "invariance" in test else 0.0,
                witness=witness if "invariance" in test else None,
                detail=f"fold {fold}: forecasts before the cut move when later rows change",
            )
            for fold in range(folds) for test in TESTS
        )  # fmt: skip
    found = [
        finding(test, Verdict.CLEAN, 0.0, detail=f"fold {fold}")
        for fold in range(folds) for test in TESTS
    ]  # fmt: skip
    if name == "batch_norm":
        found.append(finding("batch_composition", Verdict.LEAK, 2.1, counts=False))
    if name == "causal_batch_norm":
        found.append(finding("train_invariance", Verdict.UNKNOWN, float("nan")))
    return tuple(found)
