"""The exact tests of one trained unit: serving, training, batch composition, state."""

import copy
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import torch
from numpy.random import Generator
from torch import Tensor, nn

from foldproof.models import engine
from foldproof.models.date_rows import Spans, parts_of
from foldproof.models.leaky import prepare
from foldproof.models.network import Forecaster
from foldproof.models.normalizers import independent, resolve
from foldproof.models.windows import Windows
from foldproof.tasks.data.panel import Panel
from foldproof.tasks.diagnose.findings.catalogue import FLOAT32
from foldproof.tasks.diagnose.findings.finding import Finding, Verdict, Witness
from foldproof.tasks.diagnose.findings.verdicts import exact_finding, unknown_finding
from foldproof.tasks.diagnose.lookahead.forecasts import STATISTIC
from foldproof.tasks.diagnose.network import calls
from foldproof.tasks.diagnose.network.composition import composition_finding
from foldproof.tasks.diagnose.network.coupling import Coupling, coupling, some
from foldproof.tasks.diagnose.perturb.attempt import Attempt, after_cuts, changes_of
from foldproof.tasks.diagnose.perturb.compare import (
    Difference,
    day,
    difference,
    forecast_scale,
    largest_ordinary,
    tolerance_of,
)
from foldproof.tasks.diagnose.perturb.cuts import choose_rows
from foldproof.tasks.diagnose.perturb.panels import change_panel
from foldproof.tasks.diagnose.perturb.perturbations import PERTURBATIONS
from foldproof.tasks.split.cut import known_rows
from foldproof.tasks.train import (
    TrainedUnit,
    Unit,
    fit_statistics,
    network_of,
    score,
    unit_windows,
)

Retrain = Callable[[Unit, Panel], TrainedUnit]
Batch = tuple[Tensor, Windows]
"""(N,) samples and the windows that they index."""

SAMPLED_DATES, SAMPLED_SYMBOLS = 8, 16
"""Size of the batch that tests the network."""
REPRODUCED = 1e-3
"""Stored forecasts may differ by this many sd, since another device rounds differently."""


def diagnose_unit(
    trained: TrainedUnit, panel: Panel, retrain: Retrain | None = None, cuts: int = 3, seed: int = 0
) -> list[Finding]:
    """Every exact test of a trained unit, from the panel's features on.

    Costs about one pass over the test block per cut and perturbation, and one training if
    ``retrain`` is given.

    Args:
        trained: The unit with its weights and statistics.
        panel: The panel that it was trained on.
        retrain: Trains a unit on a panel, to test train invariance; None skips that test.
        cuts: Dates in the test block after which everything changes.
        seed: Seed of cuts and perturbations.
    """
    before = scores(score(trained, panel, trained.unit.fold.test))
    network = network_of(trained, len(panel.features))
    batch = sampled(trained.unit, panel, trained.statistics, SAMPLED_DATES, SAMPLED_SYMBOLS)
    found = [serve_invariance(trained, panel, before, cuts, seed)]
    if retrain is not None:
        found.append(train_invariance(trained, panel, retrain, seed))
    if len(batch[0]) > 1:
        found += [
            _batch_composition(trained.unit, panel, network, batch, training, seed)
            for training in (False, True)
        ]
        found.append(state_purity(network, *batch))
    return [*found, _reproduction(trained, before)]


def sampled(
    unit: Unit, panel: Panel, statistics: dict[str, np.ndarray], dates: int, symbols: int
) -> Batch:
    """(N,) samples of a few dates and symbols of the test block, and the windows they index."""
    windows = unit_windows(unit, panel, statistics, unit.fold.test, np.array(panel.target))
    samples = windows.eligible(torch.from_numpy(np.array(panel.member)), unit.fold.test)
    days = windows.date(samples)
    chosen = [some(samples[days == date], symbols) for date in some(days.unique(), dates)]
    return torch.cat(chosen) if chosen else samples, windows


def scores(frame: pd.DataFrame) -> pd.Series:
    """The forecasts of a table, indexed (date, symbol)."""
    return frame.set_index(["date", "symbol"])["forecast"].astype(np.float64)


def serve_invariance(
    trained: TrainedUnit, panel: Panel, before: pd.Series, cuts: int, seed: int
) -> Finding:
    """Change rows after a cut, fit the statistics again, score with the same weights.

    A combinatorial fold trains on rows after its test blocks. There, only the rows of the block
    after the cut change, and only its forecasts up to the cut are compared.
    """
    unit, scale, compared = trained.unit, forecast_scale(before), 0
    top = largest_ordinary(before.to_numpy())
    worst, witness = Difference(), None
    tested = unit.fold.test if unit.fold.in_order else Spans.of(unit.fold.test)
    rows = choose_rows(panel.dates, tested, cuts, seed)
    attempts = Attempt(panel.dates[rows])

    def block_of(cut: int) -> range:
        return next(part for part in parts_of(tested) if cut in part)

    def change(cut: int, name: str, generator: Generator) -> tuple[int, Panel]:
        stop = None if unit.fold.in_order else block_of(cut).stop
        return cut, change_panel(panel, cut, name, generator, stop)

    def run(changed: tuple[int, Panel]) -> pd.Series:
        cut, other = changed
        past = range(block_of(cut).start, cut + 1)
        return scores(score(trained, other, past, fit_statistics(unit, other)))

    whole = [name for name, one in PERTURBATIONS.items() if unit.fold.in_order or one.change]
    changes = changes_of(rows, tuple(whole), 2, seed)
    for cut, after in after_cuts(run, change, changes, attempts):
        date, first = panel.dates[cut], panel.dates[block_of(cut).start]
        dates = before.index.get_level_values(0)
        moves = difference(before[(dates >= first) & (dates <= date)], after, scale, top=top)
        compared += moves.count
        if moves.value > worst.value:
            worst, witness = moves, moves.witness(day(date))
    return exact_finding(
        "serve_invariance", "scoring", worst.value if compared else float("nan"),
        f"{compared} forecasts of fold {unit.fold.number}; {attempts}",
        leak="forecasts depend on later rows, through the normalization of the panel",
        clean="rounding only" if worst.value > 0 else "identical to the last bit",
        reason=attempts.unknown() if compared or attempts.failed else "no forecast to compare",
        witness=witness, threshold=max(FLOAT32, tolerance_of(before, scale)), statistic=STATISTIC,
    )  # fmt: skip


def train_invariance(trained: TrainedUnit, panel: Panel, retrain: Retrain, seed: int) -> Finding:
    """Change what training must not depend on, train again, compare the bytes."""
    fold, generator = trained.unit.fold, np.random.default_rng(seed)
    if fold.in_order:
        cut = fold.test.start - 1
        date = day(panel.dates[cut])
        changed = change_panel(panel, cut, "noise", generator)
        noise = f"all data not known on {date}"
    else:
        date, changed = "", tested_changed(trained.unit, panel, generator)
        noise = "all labels that overlap a tested one"
        noise += " and on the inputs of tested dates" * (changed.values is not panel.values)
    differ = different(trained, retrain(trained.unit, changed))
    tested = f"trained again with noise on {noise}; {len(content_of(trained))} arrays compared"
    # an honest unit may differ too if training does not repeat
    if differ and different(trained, retrain(trained.unit, panel)):
        reason = "training on the same panel does not repeat"
        return unknown_finding(
            "train_invariance", "training", reason, tested, value=float(len(differ))
        )
    return exact_finding(
        "train_invariance", "training", float(len(differ)), tested,
        leak=f"differ: {', '.join(differ)}", clean="identical to the last bit",
        witness=Witness(cut=date, column=differ[0]) if differ else None,
    )  # fmt: skip


def tested_changed(unit: Unit, panel: Panel, generator: Generator) -> Panel:
    """The panel with noise in what a fold that trains around its test blocks must not use.

    These are all labels that overlap a tested one, and the inputs of the tested dates, but of no
    later ones: training windows may read those. The inputs stay if the input normalizer is computed
    from earlier dates: then those of later training rows depend on them, which is not a leak.
    """
    known = known_rows(panel.dates, panel.label_end)
    changed = panel
    for block in Spans.of(unit.fold.test).parts:
        stop = min(int(known[block.stop - 1]) + 1, len(panel.dates))
        inputs = change_panel(changed, block.start - 1, "noise", generator, block.stop).values
        labels = change_panel(changed, block.start - 1, "noise", generator, stop)
        changed = replace(labels, values=inputs)
    normalizer = resolve(unit.variant).input
    if normalizer is None or independent(normalizer) == "dates":
        return changed
    return replace(changed, values=panel.values)


def content_of(trained: TrainedUnit) -> dict[str, bytes]:
    """Everything that training determines, as bytes by name."""
    arrays = {f"weights.{name}": array for name, array in trained.weights.items()}
    arrays |= {f"statistics.{name}": array for name, array in trained.statistics.items()}
    arrays |= {"target_scale": np.array(trained.target_scale)}
    arrays |= {"best_epoch": np.array(trained.best_epoch)}
    return {name: np.ascontiguousarray(array).tobytes() for name, array in arrays.items()}


def different(one: TrainedUnit, other: TrainedUnit) -> list[str]:
    """Names of arrays that differ or that only one unit has."""
    a, b = content_of(one), content_of(other)
    return sorted(name for name in a.keys() | b.keys() if a.get(name) != b.get(name))


def _batch_composition(
    unit: Unit, panel: Panel, network: Forecaster, batch: Batch, training: bool, seed: int
) -> Finding:
    """Coupling within the batch against the variant's claim; in training mode it only informs."""
    variant, (samples, windows) = resolve(unit.variant), batch
    dates = windows.date(samples)
    found, tolerance = batch_coupling(network, batch, training, seed)
    texts = {row: day(panel.dates[row]) for row in dates.tolist()}
    symbols = [str(panel.symbols[column]) for column in windows.symbol(samples).tolist()]
    names = [(texts[row], symbol) for row, symbol in zip(dates.tolist(), symbols, strict=True)]
    claim = variant.training_coupling if training else variant.coupling
    stage = "training batches" if training else "network"
    return composition_finding(
        found, tolerance, stage, texts, names, counts=not training, claim=claim
    )


def batch_coupling(
    network: Forecaster, batch: Batch, training: bool, seed: int
) -> tuple[Coupling, float]:
    """How the forecasts of a batch depend on each other, and up to how many sd that is rounding.

    The network runs in training mode with dropout off, or as it is scored.
    """
    samples, windows = batch
    dates, values = windows.date(samples), windows.gather(samples)
    module, values, tolerance = calls.precise(network, values, dates, seed)
    calls.dropout_off(module).train()
    assert isinstance(module, Forecaster)  # as network is
    stateless = {id(part): part for part in (module.lstm, module.head)}  # costly to copy

    def forward(x: Tensor, d: Tensor) -> Tensor:
        one = copy.deepcopy(module, stateless.copy())  # which it fills
        if not training:
            prepare(one, [(x, d)])
        return calls.call(one, x, d, seed)

    return coupling(forward, values, dates, seed), tolerance


def state_purity(network: Forecaster, samples: Tensor, windows: Windows) -> Finding:
    """Score as the comparison does; check the mode of every module and the state afterwards."""
    state, in_training = calls.state_of(network), set[str]()

    def record(name: str) -> Callable[[nn.Module, tuple[object, ...]], None]:
        return lambda module, _: in_training.add(name) if module.training else None

    parts = dict(network.named_modules())
    hooks = [
        part.register_forward_pre_hook(record(name or "network")) for name, part in parts.items()
    ]
    engine.predict(network, windows, samples)
    for hook in hooks:
        hook.remove()
    wrong = [f"{name} changed" for name in calls.changed_state(state, network)]
    wrong += [f"{name} ran in training mode" for name in sorted(in_training)]
    return exact_finding(
        "state_purity", "scoring", float(len(wrong)),
        f"{len(state)} parameters and buffers, {len(parts)} modules, {len(samples)} samples",
        leak="; ".join(wrong), clean="scoring changes no state and runs in eval mode",
        witness=Witness(column=wrong[0]) if wrong else None,
    )  # fmt: skip


def reproduction(trained: TrainedUnit, panel: Panel) -> Finding:
    """Whether the stored forecasts of a unit are those of its network in eval mode."""
    return _reproduction(trained, scores(score(trained, panel, trained.unit.fold.test)))


def _reproduction(trained: TrainedUnit, before: pd.Series) -> Finding:
    """Whether the stored forecasts are those of the trained network in eval mode."""
    moves = difference(scores(trained.forecasts), before, forecast_scale(before))
    same = moves.count > 0 and moves.value <= REPRODUCED
    return Finding(
        "state_purity", "stored forecasts", Verdict.CLEAN if same else Verdict.UNKNOWN,
        "exact" if same else "stored forecasts are not those of the trained network",
        "largest difference between stored and repeated forecasts [cross-sectional sd]",
        moves.value, REPRODUCED, f"{moves.count} forecasts scored again in eval mode",
        witness=None if same else moves.witness(),
        detail="the trained network reproduces them" if same else "their origin is not known",
    )  # fmt: skip
