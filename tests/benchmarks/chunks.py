"""Training on chunks against training on windows: rank IC and CPU seconds.

``python -m tests.benchmarks.chunks`` trains the same units both ways, from the same weights, with
as many steps in an epoch, stopped on the same validation windows, and scores both on test windows.
The difference in mean daily rank IC is averaged over all folds of the panel; the interval is
Student's t over seeds, paired by seed. A seed's folds share its initial weights, so a seed is the
unit.
"""

import argparse
import time
from dataclasses import replace

import numpy as np
import torch
from scipy import stats

from foldproof.conf.load import load
from foldproof.models.memory import keep_activations_mapped
from foldproof.tasks.compare.comparison import daily
from foldproof.tasks.data import Panel, build
from foldproof.tasks.split import Fold
from foldproof.tasks.train import Unit, train_unit

VARIANTS = ("none", "zscore", "cs_rank", "rolling_zscore", "layer_norm")
"""Variants that chunks can train, one of each kind."""
LEVEL = 0.95


def trained(unit: Unit, panel: Panel) -> tuple[float, float, float, int]:
    """Mean daily rank IC, best validation loss, CPU seconds an epoch, epochs."""
    start = time.process_time()
    found = train_unit(unit, panel)
    spent = (time.process_time() - start) / len(found.curves)
    rank_ic = float(daily(found.forecasts).to_numpy().mean())
    return rank_ic, float(found.curves["validation_loss"].min()), spent, len(found.curves)


def differences(
    variant: str, panel: Panel, folds: tuple[Fold, ...], seeds: int, chunk: int, preset: str
) -> np.ndarray:
    """(seeds, folds, 2, 4) figures of :func:`trained` on windows and on chunks."""
    own = load(preset)
    both = own.training, replace(own.training, samples="chunks", chunk=chunk)
    return np.array(
        [
            [
                [
                    trained(
                        Unit(variant, fold, seed, own.network, way, panel.fingerprint, ""), panel
                    )
                    for way in both
                ]
                for fold in folds
            ]
            for seed in range(seeds)
        ]
    )


def interval(values: np.ndarray) -> tuple[float, float]:
    """Mean of a value per seed, and half the width of its interval."""
    if len(values) < 2:
        return float(values.mean()), float("nan")
    half = stats.t.ppf((1 + LEVEL) / 2, len(values) - 1) * stats.sem(values)
    return float(values.mean()), float(half)


def main() -> None:
    """Print a row per variant, and one for all of them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--preset", default="sp500")
    parser.add_argument("--variants", nargs="+", default=[*VARIANTS])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--folds", type=int, default=0, help="the newest ones; 0 for all")
    parser.add_argument("--chunk", type=int, default=60)
    given = parser.parse_args()
    keep_activations_mapped()
    torch.set_num_threads(1)
    own = load(given.preset)
    panel = build(own.data, own.target)
    folds = own.split.folds(panel.dates, panel.label_end)[-given.folds :]
    print(f"{len(folds)} folds, {given.seeds} seeds, chunks of {given.chunk} days")
    print("| variant | rank IC on windows | chunks - windows | validation loss, chunks - windows |"
          " CPU s an epoch, windows / chunks | epochs, windows / chunks |")  # fmt: skip
    print("|---" * 6 + "|", flush=True)
    gains = []
    for variant in given.variants:
        found = differences(variant, panel, folds, given.seeds, given.chunk, given.preset)
        change = found[:, :, 1] - found[:, :, 0]
        mean, half = interval(change[:, :, 0].mean(axis=1))
        gains.append(change[:, :, 0].mean(axis=1))
        windows, chunks = found.mean(axis=(0, 1))
        print(f"| {variant} | {windows[0]:+.4f} | {mean:+.4f} ± {half:.4f} "
              f"| {change[:, :, 1].mean():+.5f} | {windows[2]:.2f} / {chunks[2]:.2f} "
              f"| {windows[3]:.1f} / {chunks[3]:.1f} |", flush=True)  # fmt: skip
    mean, half = interval(np.mean(gains, axis=0))
    print(f"| all | | {mean:+.4f} ± {half:.4f} | | | |")


if __name__ == "__main__":
    main()
