"""The exact tests of one trained unit: serving, training, batch composition, state."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from foldproof.models import engine
from foldproof.models.network import Forecaster
from foldproof.models.normalizers import resolve
from foldproof.models.windows import Windows, eligible
from foldproof.tasks.data.panel import Panel
from foldproof.tasks.diagnose.findings.catalogue import DIAGNOSTICS, FLOAT32
from foldproof.tasks.diagnose.findings.finding import Finding, Verdict, Witness
from foldproof.tasks.diagnose.network.calls import (
    changed_state,
    dropout_off,
    fresh_call,
    precise,
    state_of,
)
from foldproof.tasks.diagnose.network.composition import composition_finding
from foldproof.tasks.diagnose.network.coupling import coupling, some
from foldproof.tasks.diagnose.perturb.compare import day, difference, forecast_scale, tolerance_of
from foldproof.tasks.diagnose.perturb.cuts import choose_rows
from foldproof.tasks.diagnose.perturb.panels import change_panel
from foldproof.tasks.diagnose.perturb.rows import PERTURBATIONS, schedule
from foldproof.tasks.train import TrainedUnit, Unit, fit_statistics, network_of, normalized, score

Retrain = Callable[[Unit, Panel], TrainedUnit]

WAYS = ("truncate", "missing", "noise", "flip")
"""Keys of PERTURBATIONS: the first at every cut, the others in turn."""
SAMPLED_DATES = 8
SAMPLED_SYMBOLS = 16
REPRODUCED = 1e-3
"""Stored forecasts may differ by so many sd where they were made on another device."""


def diagnose_unit(
    trained: TrainedUnit,
    panel: Panel,
    retrain: Retrain | None = None,
    cuts: int = 3,
    seed: int = 0,
) -> list[Finding]:
    """Every exact test of a trained unit, from the panel's features on.

    Costs about one pass over the test block per cut and change, and one training if ``retrain``.

    Args:
        trained: The unit with its frozen weights and statistics.
        panel: What it was trained on.
        retrain: Trains a unit on a panel, to test train invariance; None to leave that out.
        cuts: Dates in the test block after which everything is changed.
        seed: Of cuts and changes.
    """
    before = scores(score(trained, panel, trained.unit.fold.test))
    network = network_of(trained, len(panel.features))
    samples, windows = sampled(trained, panel)
    found = [serve_invariance(trained, panel, before, cuts, seed)]
    if retrain is not None:
        found.append(train_invariance(trained, panel, retrain, seed))
    if len(samples) > 1:
        for training in (False, True):
            found.append(
                batch_composition(trained, panel, network, windows, samples, training, seed)
            )
        found.append(state_purity(network, windows, samples))
    return [*found, reproduction(trained, before)]


def scores(frame: pd.DataFrame) -> pd.Series:
    """The forecasts of a table, indexed (date, symbol)."""
    return frame.set_index(["date", "symbol"])["forecast"].astype(np.float64)


def serve_invariance(
    trained: TrainedUnit, panel: Panel, before: pd.Series, cuts: int, seed: int
) -> Finding:
    """T1: change rows after a cut, fit the statistics anew, score again with the same weights."""
    unit, test = trained.unit, DIAGNOSTICS["serve_invariance"]
    rows = choose_rows(panel.dates, unit.fold.test, cuts, seed)
    plan = schedule(len(rows), WAYS)
    scale, worst, witness, compared = forecast_scale(before), 0.0, None, 0
    for place, name in plan:
        cut, generator = rows[place], np.random.default_rng([seed, place, WAYS.index(name)])
        changed = change_panel(panel, cut, name, generator)
        past = range(unit.fold.test.start, cut + 1)
        after = scores(score(trained, changed, past, fit_statistics(unit, changed)))
        known = before[before.index.get_level_values(0) <= panel.dates[cut]]
        seen = difference(known, after, scale)
        compared += seen.count
        if seen.value > worst:
            worst, witness = seen.value, seen.witness(day(panel.dates[cut]))
    limit = max(FLOAT32, tolerance_of(before, scale))
    leaks = worst > limit
    ways = ", ".join(PERTURBATIONS[name].title for name in dict.fromkeys(n for _, n in plan))
    return Finding(
        test=test.key,
        stage="scoring",
        verdict=Verdict.LEAK if leaks else Verdict.CLEAN if compared else Verdict.UNKNOWN,
        evidence="exact" if compared else "no forecast to compare",
        statistic="largest move of a past forecast when later rows change [cross-sectional sd]",
        value=worst if compared else float("nan"),
        threshold=limit,
        tested=f"{compared} forecasts at {len(rows)} cuts of fold {unit.fold.number}: {ways}",
        witness=witness if leaks else None,
        detail=serve_detail(worst, leaks),
    )


def serve_detail(value: float, leaks: bool) -> str:
    """One sentence on the size of the move."""
    if leaks:
        return "forecasts depend on rows dated later, through what normalizes the panel"
    return "rounding only" if value > 0 else "identical to the last bit"


def train_invariance(trained: TrainedUnit, panel: Panel, retrain: Retrain, seed: int) -> Finding:
    """T2: change all that is not known when the test block begins, train again, compare bits."""
    unit, test = trained.unit, DIAGNOSTICS["train_invariance"]
    cut = unit.fold.test.start - 1
    changed = change_panel(panel, cut, "noise", np.random.default_rng(seed))
    again = retrain(unit, changed)
    differ = different(trained, again)
    # an honest unit may differ where training itself does not repeat: then nothing is known
    repeats = not differ or not different(trained, retrain(unit, panel))
    verdict = Verdict.CLEAN if not differ else Verdict.LEAK if repeats else Verdict.UNKNOWN
    return Finding(
        test=test.key,
        stage="training",
        verdict=verdict,
        evidence="exact" if repeats else "training on the same panel does not repeat",
        statistic=test.statistic,
        value=float(len(differ)),
        threshold=test.threshold,
        tested=f"trained again with noise on all that is not known on {day(panel.dates[cut])}; "
        f"{len(content_of(trained))} arrays compared",
        witness=Witness(cut=day(panel.dates[cut]), column=differ[0]) if differ else None,
        detail=f"differ: {', '.join(differ)}" if differ else "identical to the last bit",
    )


def content_of(trained: TrainedUnit) -> dict[str, bytes]:
    """All that training decides, as bytes by name."""
    arrays = {f"weights.{name}": array for name, array in trained.weights.items()}
    arrays |= {f"statistics.{name}": array for name, array in trained.statistics.items()}
    arrays |= {"target_scale": np.array(trained.target_scale)}
    arrays |= {"best_epoch": np.array(trained.best_epoch)}
    return {name: np.ascontiguousarray(array).tobytes() for name, array in arrays.items()}


def different(one: TrainedUnit, other: TrainedUnit) -> list[str]:
    """Names whose bytes differ, or that only one has."""
    a, b = content_of(one), content_of(other)
    return sorted(name for name in a.keys() | b.keys() if a.get(name) != b.get(name))


def sampled(trained: TrainedUnit, panel: Panel) -> tuple[Tensor, Windows]:
    """(N,) samples of some dates and symbols of the test block, and the windows they index."""
    unit = trained.unit
    values = normalized(unit, panel, trained.statistics).values
    member = torch.from_numpy(np.array(panel.member))
    samples = eligible(values, member, unit.fold.test, unit.network.window)
    windows = Windows.of(values, torch.from_numpy(np.array(panel.target)), unit.network.window)
    dates = windows.date(samples)
    chosen = [
        some(samples[dates == date], SAMPLED_SYMBOLS)
        for date in some(dates.unique(), SAMPLED_DATES)
    ]
    return torch.cat(chosen) if chosen else samples, windows


def batch_composition(
    trained: TrainedUnit,
    panel: Panel,
    network: Forecaster,
    windows: Windows,
    samples: Tensor,
    training: bool,
    seed: int,
) -> Finding:
    """T3: against the variant's claim; in training mode it informs only."""
    variant = resolve(trained.unit.variant)
    dates, values = windows.date(samples), windows.gather(samples)
    module, values, tolerance = precise(network, values, dates, seed)
    dropout_off(module).train(training)
    found = coupling(lambda x, d: fresh_call(module, x, d, seed), values, dates, seed)
    names = [
        (day(panel.dates[row]), str(panel.symbols[column]))
        for row, column in zip(dates.tolist(), windows.symbol(samples).tolist(), strict=True)
    ]
    return composition_finding(
        found,
        tolerance,
        "training batches" if training else "network",
        {row: day(panel.dates[row]) for row in dates.tolist()},
        names,
        counts=not training,
        claim=variant.training_coupling if training else variant.coupling,
    )


def state_purity(network: Forecaster, windows: Windows, samples: Tensor) -> Finding:
    """T7: score as the comparison does, and look at modes on the way and at the state after."""
    test, state, in_training = DIAGNOSTICS["state_purity"], state_of(network), set[str]()

    def watch(name: str) -> Callable[[nn.Module, tuple[object, ...]], None]:
        return lambda module, _: in_training.add(name) if module.training else None

    parts = dict(network.named_modules())
    hooks = [
        part.register_forward_pre_hook(watch(name or "network")) for name, part in parts.items()
    ]
    engine.predict(network, windows, samples)
    for hook in hooks:
        hook.remove()
    wrong = [f"{name} changed" for name in changed_state(state, network)]
    wrong += [f"{name} ran in training mode" for name in sorted(in_training)]
    return Finding(
        test=test.key,
        stage="scoring",
        verdict=Verdict.LEAK if wrong else Verdict.CLEAN,
        evidence="exact",
        statistic=test.statistic,
        value=float(len(wrong)),
        threshold=test.threshold,
        tested=f"{len(state)} parameters and buffers, {len(parts)} modules, {len(samples)} samples",
        witness=Witness(column=wrong[0]) if wrong else None,
        detail="; ".join(wrong) or "scoring leaves no trace and runs in eval mode",
    )


def reproduction(trained: TrainedUnit, before: pd.Series) -> Finding:
    """Whether the stored forecasts are those of the frozen network in eval mode."""
    seen = difference(scores(trained.forecasts), before, forecast_scale(before))
    same = seen.count > 0 and seen.value <= REPRODUCED
    return Finding(
        test="state_purity",
        stage="stored forecasts",
        verdict=Verdict.CLEAN if same else Verdict.UNKNOWN,
        evidence="exact" if same else "stored forecasts are not those of the frozen network",
        statistic="largest difference between stored and repeated forecasts [cross-sectional sd]",
        value=seen.value,
        threshold=REPRODUCED,
        tested=f"{seen.count} forecasts scored again in eval mode",
        witness=None if same else seen.witness(),
        detail="the frozen network gives them again" if same else "how they were made is not known",
    )
