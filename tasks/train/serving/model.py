"""A trained unit as files without pickles: weights as safetensors, the rest as JSON."""

import json
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from pydantic import TypeAdapter
from safetensors.numpy import load_file, save_file

from foldproof.models.network import Ensemble, Forecaster, build
from foldproof.models.normalizers import resolve, with_state
from foldproof.models.normalizers.chained import state_below
from foldproof.models.spec import NetworkSpec
from foldproof.models.windows import Windows, eligible
from foldproof.tasks.data import DataSpec, features_of
from foldproof.tasks.data.features.grid import Grid, grid_of, members
from foldproof.tasks.data.panel.layout import dense_features
from foldproof.tasks.data.rows import names_of
from foldproof.tasks.train.serving.rows import inputs_of, is_read, rows_since, short_history
from foldproof.tasks.train.serving.training_values import BACKGROUND, Background
from foldproof.tasks.train.unit import TrainedUnit

DATA = TypeAdapter(DataSpec)
WEIGHTS, NOTES = "weights.safetensors", "model.json"


@dataclass(frozen=True, eq=False)
class ModelInputs:
    """Dense features of raw rows, as a model reads them.

    Attributes:
        dates: (D,) datetime64, ascending.
        symbols: (S,) names.
        features: F names.
        values: (D, S, F) float32; NaN where missing.
        member: (D, S) bool.
    """

    dates: np.ndarray
    symbols: np.ndarray
    features: tuple[str, ...]
    values: np.ndarray
    member: np.ndarray

    def between(self, first: date, last: date) -> range:
        """The rows of dates from ``first`` to ``last``, both included."""
        days = self.dates.astype("datetime64[D]")
        start = np.searchsorted(days, np.datetime64(first))
        return range(int(start), int(np.searchsorted(days, np.datetime64(last), side="right")))


@dataclass(frozen=True, eq=False)
class Served:
    """A frozen forecaster that scores raw rows.

    Attributes:
        network: In eval mode, on the CPU; an ensemble if it was trained with several seeds.
        statistics: State of the input normalizer.
        variant: Key of the variant.
        data: How raw rows become features.
        features: F names, in the network's order.
        window: Rows in a window, T.
        target_scale: Target units per unit of the network's output.
        background: Facts about its training rows; None if it was written without them.
    """

    network: Forecaster | Ensemble
    statistics: dict[str, torch.Tensor]
    variant: str
    data: DataSpec
    features: tuple[str, ...]
    window: int
    target_scale: float
    background: Background | None = None

    def score(self, rows: pd.DataFrame) -> pd.DataFrame:
        """One score per symbol for the last date of ``rows``.

        Args:
            rows: Long: date, symbol, and the raw columns (price, and volume if trained with it;
                or the ready features), with enough history for features and window.

        Returns:
            date, symbol, score in target units; NaN for a symbol that is missing on the last date
            or has too little history.

        Raises:
            DataError: What is wrong with which column, in which row; or no symbol has enough
                history, and how much a score needs; or the rows begin too late for a normalization
                by all rows so far.
        """
        frame = inputs_of(rows, self.data, self.features)
        if self.background and self.background.since:
            frame = rows_since(frame, self.background.since)
        scores = self.table(self.inputs(frame))
        if scores["score"].isna().all():
            raise short_history(frame, self.background.history if self.background else None)
        return scores

    def table(self, inputs: ModelInputs) -> pd.DataFrame:
        """date, symbol, score of the last date of ``inputs``."""
        scores = self.scores(inputs, len(inputs.dates) - 1)
        return pd.DataFrame({"date": inputs.dates[-1], "symbol": inputs.symbols, "score": scores})

    def inputs(self, rows: pd.DataFrame) -> ModelInputs:
        """Dense features of checked raw rows, which may be in any order."""
        frame = rows.assign(date=pd.to_datetime(rows["date"]).dt.as_unit("us"))
        frame = frame.sort_values(["date", "symbol"], ignore_index=True)
        grid = grid_of(frame)
        values, member = self.dense(frame, grid), members(frame, grid)
        return ModelInputs(grid.dates, grid.symbols, self.features, values, member)

    def normalized(self, inputs: ModelInputs) -> torch.Tensor:
        """(D, S, F) features after the input normalizer."""
        values, member = torch.from_numpy(inputs.values), torch.from_numpy(inputs.member)
        normalizer = resolve(self.variant).input
        if normalizer is None:
            return values
        return normalizer.apply(values, member, self.statistics).values

    def scores(self, inputs: ModelInputs, row: int) -> np.ndarray:
        """(S,) scores in target units for one date row; NaN without a complete window."""
        return self.block(inputs, range(row, row + 1))[0]

    def block(self, inputs: ModelInputs, rows: range) -> np.ndarray:
        """(D', S) scores for each date row in ``rows``, made from the rows up to that date only."""
        values, member = self.normalized(inputs), torch.from_numpy(inputs.member)
        windows = Windows.of(values, torch.full(inputs.member.shape, torch.nan), self.window)
        scores = np.full((len(rows), len(inputs.symbols)), np.nan)
        for place, row in enumerate(rows):
            samples = eligible(values, member, range(row, row + 1), self.window)
            if len(samples):
                with torch.no_grad():
                    found = self.network(windows.gather(samples), windows.date(samples))
                names = windows.symbol(samples).numpy()
                scores[place, names] = found.numpy() * self.target_scale
        return scores

    def dense(self, frame: pd.DataFrame, grid: Grid) -> np.ndarray:
        """(D, S, F) float32 features of long rows, carried over gaps as in training."""
        transform = features_of(self.data)
        features = frame if transform is None else transform(frame)
        return dense_features(features[[*self.features]], grid, self.data.fill_limit)


def write_served(
    trained: TrainedUnit,
    features: tuple[str, ...],
    data: DataSpec,
    folder: Path,
    background: Background | None = None,
) -> dict[str, Path]:
    """Write a unit's files into ``folder``; the files by their artifact names.

    The networks of an ensemble share everything but their weights. A user's feature function or
    variant is stored by name, so its module must be importable where the model is loaded.
    """
    tensors = {f"network.{name}": array for name, array in trained.weights.items()}
    for one in trained.others:
        prefix = f"network {one.unit.seed}."
        tensors |= {f"{prefix}{name}": array for name, array in one.weights.items()}
    tensors |= {f"statistics.{name}": array for name, array in trained.statistics.items()}
    save_file({name: np.ascontiguousarray(a) for name, a in tensors.items()}, folder / WEIGHTS)
    unit = trained.unit
    notes = {
        "variant": unit.variant,
        "fold": unit.fold.number,
        "seed": unit.seed,
        "other_seeds": [one.unit.seed for one in trained.others],
        "network": asdict(unit.network),
        "engine": unit.training.engine,
        "data": DATA.dump_python(data, mode="json"),
        "features": list(features),
        "target_scale": trained.target_scale,
        "trained_on": [str(day) for day in unit.fold.train_dates[[0, -1]]],
        "tested_from": str(unit.fold.test_dates[0]),
        "panel": unit.panel,
        "plan": unit.plan,
        "key": unit.key,
    } | (BACKGROUND.dump_python(background, mode="json") if background else {})
    (folder / NOTES).write_text(json.dumps(notes, indent=2), encoding="utf-8")
    return {"weights": folder / WEIGHTS, "notes": folder / NOTES}


def read_served(weights: Path, notes: Path) -> Served:
    """The forecaster from files of :func:`write_served`."""
    about: dict[str, Any] = json.loads(notes.read_text(encoding="utf-8"))
    tensors = {name: torch.from_numpy(array) for name, array in load_file(weights).items()}
    spec = NetworkSpec(**about["network"])
    engine = about.get("engine", "auto")
    seeds = {"network.": about["seed"]}
    seeds |= {f"network {seed}.": seed for seed in about.get("other_seeds", ())}
    variant = with_state(resolve(about["variant"]), state_below("statistics.", tensors))
    networks = []
    for prefix, seed in seeds.items():
        one = build(variant, len(about["features"]), spec, seed, engine)
        one.load_state_dict(state_below(prefix, tensors))
        networks.append(one.eval())
    return Served(
        network=Ensemble(networks) if len(networks) > 1 else networks[0],
        statistics=state_below("statistics.", tensors),
        variant=about["variant"],
        data=DATA.validate_python(about["data"]),
        features=tuple(about["features"]),
        window=spec.window,
        target_scale=about["target_scale"],
        background=BACKGROUND.validate_python(about) if "reference" in about else None,
    )


def example_rows(
    raw: pd.DataFrame, data: DataSpec, features: tuple[str, ...], rows: int, symbols: int
) -> pd.DataFrame:
    """The newest ``rows`` dates of raw rows, in the columns that a served model reads.

    They contain at most ``symbols`` symbols of the newest date, so that the example of a wide panel
    is not larger than its model.
    """
    wanted = [name for name in names_of(raw) if is_read(name, data, features)]
    dates = np.sort(raw["date"].unique())[-rows:]
    chosen = np.sort(raw.loc[raw["date"] == dates[-1], "symbol"].unique())[:symbols]
    newest = raw.loc[(raw["date"] >= dates[0]) & raw["symbol"].isin(chosen), wanted]
    return newest.reset_index(drop=True).assign(date=newest["date"].dt.strftime("%Y-%m-%d").array)
