"""Train a unit and score with it. Pure functions: panel in, arrays and frames out."""

from dataclasses import replace

import numpy as np
import pandas as pd
import torch

from foldproof.models import engine
from foldproof.models.date_rows import Rows, at, hull
from foldproof.models.network import Forecaster, build
from foldproof.models.normalizers import resolve, with_state
from foldproof.tasks.data.panel import Panel
from foldproof.tasks.split.fold import Fold
from foldproof.tasks.train.inputs import TrainingError, fit_statistics, state_of, unit_windows
from foldproof.tasks.train.unit import TrainedUnit, Unit


def network_of(trained: TrainedUnit, n_features: int) -> Forecaster:
    """The trained network in eval mode."""
    unit = trained.unit
    variant = with_state(resolve(unit.variant), trained.statistics)
    network = build(variant, n_features, unit.network, unit.seed, unit.training.engine)
    network.load_state_dict(state_of(trained.weights))
    return network.eval()


def train_unit(unit: Unit, panel: Panel) -> TrainedUnit:
    """Fit the normalizer and the network on train, stop on validation, then forecast the test.

    The test block is read once, after weights, statistics and the best epoch are fixed.

    Raises:
        TrainingError: Too few complete windows with a known label, or the loss diverged.
    """
    trained = fit_unit(unit, panel)[0]
    return replace(trained, forecasts=forecasts_of(trained, panel))


def fit_unit(unit: Unit, panel: Panel) -> tuple[TrainedUnit, Forecaster]:
    """The unit without forecasts, and the network as training left it.

    The network of a trained unit is built again from its weights, see :func:`network_of`. The two
    forecast alike unless the network keeps state outside its parameters and buffers.

    Raises:
        TrainingError: Too few complete windows with a known label, or the loss diverged.
    """
    place = f"variant {unit.variant}, fold {unit.fold.number}"
    statistics = fit_statistics(unit, panel)
    variant = with_state(resolve(unit.variant), statistics)
    scale = target_scale(panel, unit.fold.train)
    network = build(variant, len(panel.features), unit.network, unit.seed, unit.training.engine)
    fitted = hull(unit.fold.train, unit.fold.validation)
    rows = range(fitted.start, min(fitted.stop + beyond(network), len(panel.dates)))
    windows = unit_windows(unit, panel, statistics, rows, panel.target / np.float32(scale))
    member = torch.from_numpy(np.array(panel.member))
    train, validation = (
        windows.eligible(member, block, labelled=True)
        for block in (unit.fold.train, unit.fold.validation)
    )
    device = engine.device(unit.training)
    windows, network = windows.on(device), network.to(device)
    try:
        engine.require_engine(unit.network, unit.training)
        engine.require_samples(unit.variant, variant, unit.training)
        fit = engine.fit(
            network, windows, train, validation, unit.training, unit.seed, variant.batches
        )
    except ValueError as error:
        raise TrainingError(f"{place}: {error}") from error
    trained = TrainedUnit(
        unit=unit,
        weights={name: tensor.numpy() for name, tensor in fit.weights.items()},
        statistics=statistics,
        target_scale=scale,
        curves=pd.DataFrame(
            [(n, e.train_loss, e.validation_loss) for n, e in enumerate(fit.curves, 1)],
            columns=["epoch", "train_loss", "validation_loss"],
        ),
        best_epoch=fit.best_epoch,
        forecasts=pd.DataFrame(),
        engine=engine.lstm_engine(unit.network, unit.training) if variant.native else "torch",
    )
    return trained, network


def beyond(network: Forecaster) -> int:
    """Rows after training and validation that training reads: none, but for leaky controls."""
    normalizer = network.window
    return 0 if normalizer is None or normalizer.purged else normalizer.ahead


def forecasts_of(trained: TrainedUnit, panel: Panel) -> pd.DataFrame:
    """Out-of-sample forecasts of a unit: date, symbol, fold, variant, seed, forecast, target."""
    unit = trained.unit
    frame = score(trained, panel, unit.fold.test)
    return with_unit(frame, panel, unit.fold, unit.variant, unit.seed)


def with_unit(
    frame: pd.DataFrame, panel: Panel, fold: Fold, variant: str, seed: int
) -> pd.DataFrame:
    """``frame`` (date, symbol, forecast) with fold, variant and seed, then forecast and target."""
    named = frame.assign(fold=fold.number, variant=variant, seed=seed)
    columns = ["date", "symbol", "fold", "variant", "seed", "forecast"]
    return with_target(named[columns], panel)


def score(
    trained: TrainedUnit, panel: Panel, rows: Rows, statistics: dict[str, np.ndarray] | None = None
) -> pd.DataFrame:
    """Forecasts for ``rows`` in eval mode: date, symbol, forecast in target units.

    ``statistics`` replace those of the trained unit: the leak audit fits them again on a changed
    panel. A member whose window has a missing cell gets no forecast.
    """
    unit = trained.unit
    fitted = trained.statistics if statistics is None else statistics
    windows = unit_windows(unit, panel, fitted, rows, np.array(panel.target))
    samples = windows.eligible(torch.from_numpy(np.array(panel.member)), rows)
    device = engine.device(unit.training)
    network = network_of(trained, len(panel.features)).to(device)
    forecast = (
        engine.predict(network, windows.on(device), samples).cpu().numpy() * trained.target_scale
    )
    return forecast_table(panel, samples.numpy(), forecast)


def forecast_table(panel: Panel, samples: np.ndarray, forecast: np.ndarray) -> pd.DataFrame:
    """date, symbol, forecast of samples (n,) numbered as in ``models.windows``."""
    symbol, date = np.divmod(samples, len(panel.dates))
    return pd.DataFrame(
        {"date": panel.dates[date], "symbol": panel.symbols[symbol], "forecast": forecast}
    )


def with_target(frame: pd.DataFrame, panel: Panel) -> pd.DataFrame:
    """``frame`` (date, symbol, ...) with the panel's target as its last column."""
    row = np.searchsorted(panel.dates, frame["date"].to_numpy().astype("datetime64[D]"))
    column = pd.Index(panel.symbols).get_indexer(frame["symbol"])
    return frame.assign(target=panel.target[row, column].astype(np.float64))


def on_target(trained: TrainedUnit, panel: Panel) -> pd.DataFrame:
    """The forecasts of a unit beside the target of ``panel``, in its units.

    A unit may be trained on another kind of target than the one that all are scored on. Its
    forecasts are then multiplied by the ratio of the standard deviations that both targets have in
    the training rows. Rank IC, IC and confidence sets do not depend on it; the MSE does.
    """
    unit = trained.unit
    if unit.panel == panel.fingerprint:
        return trained.forecasts
    factor = target_scale(panel, unit.fold.train) / trained.target_scale
    forecasts = trained.forecasts.drop(columns="target")
    return with_target(forecasts.assign(forecast=forecasts["forecast"] * factor), panel)


def target_scale(panel: Panel, rows: Rows) -> float:
    """Standard deviation of the members' known targets in ``rows``; it scales losses to about 1."""
    block = at(rows)
    known = panel.target[block][panel.member[block]].astype(np.float64)
    known = known[np.isfinite(known)]
    spread = float(known.std()) if known.size else 0.0
    if not spread > 0:
        raise TrainingError(
            f"the {known.size} known targets in training rows {rows.start}..{rows.stop - 1} do not "
            "vary, so there is nothing to learn; check the target column and the dates"
        )
    return spread
