"""Probes of the scores of a trained unit: later rows, single dates, state, files, bad input."""

import copy
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch

from foldproof.models import engine
from foldproof.models.date_rows import hull
from foldproof.models.normalizers import independent
from foldproof.models.windows import eligible
from foldproof.tasks.attribute import resolved_gradients, unit_inputs
from foldproof.tasks.attribute.baselines.sampling import draw, spread_samples
from foldproof.tasks.attribute.methods.adaptive import TOLERANCE
from foldproof.tasks.attribute.origins.raw_rows import CONTEXT
from foldproof.tasks.data import DataSpec
from foldproof.tasks.diagnose.certify.measurement import Measurement, compared, yes
from foldproof.tasks.diagnose.certify.panel import certification_panel, degenerate
from foldproof.tasks.diagnose.certify.subject import Subject, unit_of
from foldproof.tasks.diagnose.certify.target import own_date_only
from foldproof.tasks.diagnose.findings.finding import Verdict
from foldproof.tasks.diagnose.lookahead.trained_unit import (
    scores,
    serve_invariance,
    state_purity,
    train_invariance,
)
from foldproof.tasks.diagnose.network.coupling import some
from foldproof.tasks.diagnose.perturb.attempt import attempt
from foldproof.tasks.diagnose.perturb.compare import day, difference, forecast_scale
from foldproof.tasks.diagnose.perturb.panels import change_panel
from foldproof.tasks.train import fit_statistics, normalized, score, train_unit
from foldproof.tasks.train.inputs import state_of, tensors
from foldproof.tasks.train.serving.model import ModelInputs, read_served, write_served

CUTS = 2
"""Dates after which all rows change."""
COPIES, LAST = 4, 20
"""Copies of the panel that are normalized at a stretch, and their newest rows to compare."""
FORGOTTEN = 1e-3
"""Rows that move normalized cells by less than this share of their sd are not needed."""
PARTS = 3
"""Parts of the panel that are normalized alone."""
STREAMED = 5
"""Dates that are scored alone."""
EXPLAINED = 24
"""Forecasts that are attributed."""
SAVED = 1e-5
"""Forecasts of a loaded model may differ by this share of their sd and size: it scores in passes of
another shape, which round differently."""
DATA = DataSpec(source="linear", features="ready")
"""A model file names its data; here nothing reads them."""


def later_rows(subject: Subject) -> Measurement:
    """Whether weights, forecasts and normalized rows stay as they are when all later rows change.

    The network is trained again with noise in place of the test block; statistics are fitted again
    on changed panels. Weights and normalized rows are compared to the last bit.
    """
    trained, panel = subject.trained, subject.panel
    finding = serve_invariance(trained, panel, subject.forecasts, CUTS, subject.seed)
    cut, unit = trained.unit.fold.test.start + 10, trained.unit
    changed = [
        change_panel(panel, cut, name, np.random.default_rng(subject.seed))
        for name in ("truncate", "missing", "noise")
    ]
    before, *after = (
        normalized(unit, one, fit_statistics(unit, one)).values[: cut + 1].numpy()
        for one in (panel, *changed)
    )
    same = all(np.array_equal(before, rows, equal_nan=True) for rows in after)
    trained_again = train_invariance(trained, panel, train_unit, subject.seed)
    causal = same and not finding.value > finding.threshold
    detail = f"{finding.statistic}; {finding.witness or finding.detail}"
    if trained_again.verdict is not Verdict.CLEAN:
        causal, detail = False, f"trained again without the test block: {trained_again.detail}"
    return compared(yes(subject.variant.causal), yes(causal), finding.value, detail)


def rows_needed(subject: Subject) -> Measurement:
    """How many earlier rows the input normalizer needs: the ``CONTEXT`` newest, or all.

    On four copies of the panel one after the other, with and without the rows before these.
    """
    normalizer, panel = subject.variant.input, subject.panel
    claim, measured, move = "all" if subject.variant.unbounded else str(CONTEXT), "0", 0.0
    if normalizer is not None:
        values, member = (torch.cat([one] * COPIES) for one in tensors(panel))
        state = state_of(subject.trained.statistics)
        first = len(values) - CONTEXT - LAST
        whole, cut = (
            normalizer.apply(values[begin:], member[begin:], state).values[-LAST:].numpy()
            for begin in (0, first)
        )
        moved = np.where(np.isnan(whole) != np.isnan(cut), np.inf, np.abs(whole - cut))
        move = float(np.nanmax(moved) / np.nanstd(whole))
        measured = "all" if move > FORGOTTEN else str(CONTEXT)
    detail = f"largest move of a normalized cell without the rows before the {CONTEXT} newest [sd]"
    return compared(claim if normalizer is not None else "", measured, move, detail)


def target_rows(subject: Subject) -> Measurement:
    """Whether the labels that the variant trains on read no later row."""
    return own_date_only(subject.variant.target, certification_panel(), subject.seed)


def in_parts(subject: Subject) -> Measurement:
    """Whether parts of the panel are normalized as in the whole, along the axis that is claimed.

    A large panel is normalized in parts where the input normalizer claims to be ``independent``.
    Values and slopes are compared to the last bit.
    """
    normalizer = subject.variant.input
    axis = independent(normalizer)
    if normalizer is None or axis is None:
        return Measurement("", "not claimed", True)
    state = {name: torch.from_numpy(array) for name, array in subject.trained.statistics.items()}
    dim, panel = ("dates", "symbols").index(axis), tensors(subject.panel)
    whole = normalizer.apply(*panel, state)
    cut = ([part.clone() for part in array.tensor_split(PARTS, dim)] for array in panel)
    parts = [normalizer.apply(one, its, state) for one, its in zip(*cut, strict=True)]
    joined = torch.cat([part.values for part in parts], dim)
    slopes = torch.cat([part.slope.expand_as(part.values) for part in parts], dim)
    same = np.array_equal(joined.numpy(), whole.values.numpy(), equal_nan=True)
    same = same and torch.equal(slopes, whole.slope.expand_as(whole.values))
    return compared("same", "same" if same else "differs", float("nan"), f"{PARTS} parts by {axis}")


def day_by_day(subject: Subject) -> Measurement:
    """Whether a date scored alone, on the rows known on it, has the forecasts of the whole block.

    Statistics are fitted again on the rows up to that date. Forecasts are compared to the last bit.
    """
    trained, panel = subject.trained, subject.panel
    scale, largest, detail = forecast_scale(subject.forecasts), 0.0, ""
    for row in some(torch.arange(trained.unit.fold.test.start, len(panel.dates)), STREAMED):
        known = change_panel(panel, int(row), "truncate", np.random.default_rng(0))
        today = range(int(row), int(row) + 1)
        statistics = fit_statistics(trained.unit, known)
        alone, reason = attempt(lambda: score(trained, known, today, statistics))  # noqa: B023
        if alone is None:
            largest, detail = float("inf"), f"{day(panel.dates[row])} cannot be scored: {reason}"
            break
        dated = subject.forecasts.index.get_level_values(0) == panel.dates[row]
        moves = difference(subject.forecasts[dated], scores(alone), scale)
        if moves.value > largest:
            largest, detail = moves.value, str(moves.witness())
    measured = "same" if largest == 0 else "differs"
    claim = "same" if subject.variant.causal else ""
    return compared(claim, measured, largest, detail or "largest difference [sd]")


def completeness(subject: Subject) -> Measurement:
    """Whether integrated gradients of each forecast add up to its change from the baseline.

    Within 1e-4 of the spread of the forecasts, unless the variant states that it has kinks. If
    attribution refuses the variant, the reason is stated.
    """

    def largest_error() -> float:
        inputs = unit_inputs(subject.trained, subject.panel)
        generator = torch.Generator().manual_seed(subject.seed)
        chosen = spread_samples(inputs.test, EXPLAINED, generator)
        start = inputs.windows(draw(inputs.train, len(chosen), generator))
        numbers = torch.arange(len(chosen))
        windows = inputs.windows(chosen)
        paths = resolved_gradients(inputs.forward(chosen), windows, start, rows=numbers)
        return float(paths.error.max())

    error, reason = attempt(largest_error)
    variant = subject.variant
    claim = "" if variant.control or variant.kinks else "complete"
    if error is None:
        return Measurement(claim, "refused", True, detail=reason)
    measured = "complete" if error <= TOLERANCE else "incomplete"
    detail = "largest completeness error of a forecast, in sd of the forecasts"
    if variant.kinks and error > TOLERANCE:
        detail += f": {variant.kinks}"
    return compared(claim, measured, error, detail)


def unchanged_by_scoring(subject: Subject) -> Measurement:
    """Whether scoring runs in eval mode and leaves parameters and buffers as they are.

    The network is given in training mode, as a forgotten ``eval()`` leaves it.
    """
    finding = state_purity(copy.deepcopy(subject.network).train(), *subject.batch)
    claim = "" if subject.variant.control else "unchanged"
    measured = "changed" if finding.value else "unchanged"
    return compared(claim, measured, finding.value, finding.detail)


def saved(subject: Subject) -> Measurement:
    """Whether the network as trained, and a model read from its files, forecast the same.

    The files are read under another seed, so that weights that are not in them cannot be drawn
    again by chance.
    """
    unit, panel = subject.trained.unit, subject.panel
    samples, windows = subject.batch
    as_trained, again = (
        engine.predict(network, windows, samples).numpy()
        for network in (subject.fitted, subject.network)
    )
    other = replace(subject.trained, unit=replace(unit, seed=unit.seed + 1))
    with TemporaryDirectory() as folder:
        served = read_served(*write_served(other, panel.features, DATA, Path(folder)).values())
        inputs = ModelInputs(
            panel.dates, panel.symbols, panel.features, np.array(panel.values),
            np.array(panel.member),
        )  # fmt: skip
        loaded = served.block(inputs, hull(unit.fold.test))
    wide = subject.forecasts.unstack().reindex(columns=list(panel.symbols))
    stored = wide.reindex(panel.dates[unit.fold.test.start : unit.fold.test.stop]).to_numpy()
    drift = max(drift_of(as_trained, again), drift_of(stored, loaded))
    measured = "same" if drift <= SAVED else "differs"
    claim = "" if subject.variant.control else "same"
    return compared(claim, measured, drift, "largest difference after saving and loading [share]")


def drift_of(one: np.ndarray, other: np.ndarray) -> float:
    """The largest difference as a share of the sd of all forecasts plus the size of this one.

    Infinite where a forecast is missing on one side only.
    """
    if not np.array_equal(np.isnan(one), np.isnan(other)):
        return float("inf")
    return float(np.nanmax(np.abs(one - other) / (np.nanstd(one) + np.abs(one))))


def survives(subject: Subject) -> Measurement:
    """Whether it trains and forecasts on a constant feature and on dates with one stock.

    Every member with a complete raw window must get a finite forecast, and forecasts must vary.
    """
    panel = degenerate(subject.panel)
    unit = unit_of(subject.trained.unit.variant, panel, subject.seed)
    trained, reason = attempt(lambda: train_unit(unit, panel))
    claim = "" if subject.variant.control else "yes"
    if trained is None:
        return compared(claim, "no", float("nan"), reason)
    forecasts = trained.forecasts["forecast"].to_numpy()
    values, member = tensors(panel)
    due = len(eligible(values, member, unit.fold.test, unit.network.window))
    lacking = due - int(np.isfinite(forecasts).sum())
    flat = not forecasts.std() > 0
    detail = f"{lacking} of {due} forecasts are missing" + "; all are equal" * flat
    return compared(claim, yes(not lacking and not flat), float(lacking), detail)
