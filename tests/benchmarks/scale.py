"""What each step of a comparison costs by the number of stocks: CPU seconds and peak memory.

``python -m tests.benchmarks.scale --stocks 100 300 1000`` prints a Markdown table. Every step runs
in a process of its own on a generated panel (source ``noise``, fixed seed, 14 price features): one
fold, one seed, one epoch. The peak is the largest resident memory of that process, its imports
included, so it is what a worker needs that does this step only.

``--mapped 5000 2500 158`` trains on a panel of that many stocks, dates and features, generated on
disk, and prints the resident memory; see :func:`mapped`.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pandas as pd
import torch

from foldproof.conf.load import load as load_settings
from foldproof.conf.schema import Experiment
from foldproof.models.memory import keep_activations_mapped
from foldproof.tasks.data import build, load
from foldproof.tasks.data.panel.panel import NOTES, Panel
from foldproof.tasks.encoded import decode, encode
from foldproof.tasks.split import Fold
from foldproof.tasks.train import TrainedUnit, Unit, fit_statistics, normalized, train_unit
from tests.benchmarks.process import last_line_of

STOCKS, DAYS = (100, 300), 1500
VARIANTS = ("none", "cs_rank", "rolling_zscore")
SETTINGS = (
    "data.source=noise", "target.horizon=5", "target.kind=cs_zscore", "split.train=504",
    "split.validation=126", "split.test=252", "split.step=252", "split.embargo=5", "split.keep=1",
    "split.anchor=end", "split.mode=sliding", "training.epochs=1", "references=[]", "seeds=[0]",
    "network.window=20", "network.hidden=32",
)  # fmt: skip
"""One fold and one epoch; everything else as in ``quick``, with the LSTM of the default."""


def settings(stocks: int, days: int) -> Experiment:
    """The comparison that is measured."""
    own = f"data.synthetic.symbols={stocks}", f"data.synthetic.days={days}", "data.start=null"
    return load_settings("quick", [*SETTINGS, *own])


class Place:
    """Where the processes of one size leave their results for the next ones."""

    def __init__(self, folder: Path, stocks: int, days: int) -> None:
        self.folder, self.experiment = folder, settings(stocks, days)

    @property
    def panel_folder(self) -> Path:
        """The folder of the only panel."""
        return next(self.folder.glob("panel-*"))

    @property
    def panel(self) -> Panel:
        """The panel, mapped from disk."""
        return load(self.panel_folder)

    @property
    def fold(self) -> Fold:
        """The only fold."""
        panel = self.panel
        return self.experiment.split.folds(panel.dates, panel.label_end)[-1]

    def unit(self, variant: str) -> Unit:
        """The only unit of a variant."""
        own = self.experiment
        return Unit(variant, self.fold, 0, own.network, own.training, self.panel.fingerprint, "")

    def trained(self, variant: str) -> TrainedUnit:
        """The trained unit of a variant."""
        found: TrainedUnit = decode((self.folder / f"{variant}.unit").read_bytes())
        return found


def build_panel(place: Place, _: str) -> None:
    """Draw the rows, check them and make them a panel."""
    build(place.experiment.data, place.experiment.target, cache=place.folder)


def features(place: Place, _: str) -> None:
    """The leak audit of the features."""
    from foldproof.tasks.diagnose.task import audit_panel_features

    audit_panel_features.fn(place.experiment.data, place.experiment.audit, place.panel_folder)


def normalize(place: Place, variant: str) -> None:
    """The normalizer of the input on the whole panel."""
    unit = place.unit(variant)
    normalized(unit, place.panel, fit_statistics(unit, place.panel))


def train(place: Place, variant: str) -> None:
    """Training of one unit, and its forecasts."""
    trained = train_unit(place.unit(variant), place.panel)
    (place.folder / f"{variant}.unit").write_bytes(encode(trained))


def forecast(place: Place, variant: str) -> None:
    """The forecasts of the test block alone."""
    from foldproof.tasks.train import forecasts_of

    forecasts_of(place.trained(variant), place.panel)


def diagnose(place: Place, variant: str) -> None:
    """The leak audit of a variant, with one training on changed data."""
    from foldproof.tasks.diagnose import task

    task.diagnose.fn([place.trained(variant)], place.experiment.audit, place.panel_folder)


def attribute(place: Place, variant: str) -> None:
    """The attributions of a variant."""
    from foldproof.tasks.attribute import task

    own = place.experiment
    task.attribute.fn([place.trained(variant)], own.attribution, place.panel_folder, own.data)


def compare(place: Place, _: str) -> None:
    """The statistics of the comparison of all variants."""
    from foldproof.tasks.compare.comparison import compare

    units = sorted(place.folder.glob("*.unit"))
    tables = [place.trained(file.stem).forecasts for file in units]
    compare(pd.concat(tables, ignore_index=True), 5, place.experiment.statistics)


STEPS: Mapping[str, Callable[[Place, str], None]] = MappingProxyType({
    "panel": build_panel, "features": features, "normalize": normalize, "train": train,
    "forecast": forecast, "diagnose": diagnose, "attribute": attribute, "compare": compare,
})  # fmt: skip
"""Every step by name, in the order in which they need one another's results."""
ONCE = ("panel", "features", "compare")
"""The steps that a comparison does once, not for every variant."""


def peak() -> float:
    """The largest resident memory of this process so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def one(step: str, variant: str, folder: Path, stocks: int, days: int) -> dict[str, float]:
    """CPU seconds of a step and the peak memory of this process, which does nothing else."""
    keep_activations_mapped()
    torch.set_num_threads(1)
    place = Place(folder, stocks, days)
    start = time.process_time()
    STEPS[step](place, variant)
    return {"seconds": time.process_time() - start, "peak": peak()}


def rows(stocks: Sequence[int], days: int, variants: Sequence[str]) -> dict[str, list[str]]:
    """CPU seconds / peak MB by step and size."""
    table: dict[str, list[str]] = {}
    for count in stocks:
        with tempfile.TemporaryDirectory() as folder:
            for step in STEPS:
                for variant in [""] if step in ONCE else variants:
                    found = json.loads(last_line_of(
                        "scale", "--one", step, variant, folder, str(count), str(days)
                    ))  # fmt: skip
                    cell = f"{found['seconds']:.1f} / {found['peak']:.0f}"
                    table.setdefault(f"{step} {variant}".strip(), []).append(cell)
                    print(f"{count} {step} {variant}: {cell}", file=sys.stderr, flush=True)
    return table


def draw_panel(folder: Path, stocks: int, days: int, features: int) -> None:
    """Write a panel of standard normal features date by date, never as a whole in memory.

    One cell of 200 is in the universe, so that an epoch has few steps and yet reads windows from
    everywhere.
    """
    folder.mkdir()
    generator = np.random.default_rng(0)
    values = np.lib.format.open_memmap(
        folder / "values.npy", "w+", np.float32, (days, stocks, features)
    )
    for day in values:
        generator.standard_normal(out=day, dtype=np.float32)
    values.flush()
    dates = np.arange(np.datetime64("2000-01-01"), np.datetime64("2000-01-01") + days)
    shape = days, stocks
    arrays = {
        "dates": dates, "symbols": np.array([f"S{k:04d}" for k in range(stocks)]),
        "target": generator.standard_normal(shape, dtype=np.float32),
        "label_end": dates + 1, "member": generator.random(shape) < 1 / 200,
    }  # fmt: skip
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)
    names = [f"f{k}" for k in range(features)]
    (folder / NOTES).write_text(
        json.dumps({"features": names, "fingerprint": "drawn", "about": {}}), encoding="utf-8"
    )


def mapped(variant: str, stocks: int, days: int, features: int) -> dict[str, float]:
    """Train a variant on a panel on disk that is larger than what may be in memory.

    Returns:
        Size of the features in MB, samples trained on, CPU seconds, peak resident memory in MB.
    """
    own = settings(2, 100)
    with tempfile.TemporaryDirectory(dir=".") as name:
        folder = Path(name) / "panel-drawn"
        subprocess.run(  # another process, whose memory is not counted
            [sys.executable, "-m", "tests.benchmarks.scale", "--draw", str(folder),
             *map(str, (stocks, days, features))], check=True,
        )  # fmt: skip
        panel = load(folder)
        ends = [20, 8 * days // 10, 9 * days // 10, days]
        blocks = (range(first, stop - 5) for first, stop in pairwise(ends))
        fold = Fold(0, *blocks, panel.dates)
        unit = Unit(variant, fold, 0, own.network, own.training, panel.fingerprint, "")
        start = time.process_time()
        trained = train_unit(unit, panel)
        spent = time.process_time() - start
        return {"panel": panel.values.nbytes / 1e6, "forecasts": len(trained.forecasts),
                "seconds": spent, "peak": peak()}  # fmt: skip


def main() -> None:
    """Print the table, or the figures of one step."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--stocks", nargs="+", type=int, default=[*STOCKS])
    parser.add_argument("--days", type=int, default=DAYS)
    parser.add_argument("--variants", nargs="+", default=[*VARIANTS])
    parser.add_argument("--mapped", nargs=3, type=int, metavar=("STOCKS", "DAYS", "FEATURES"))
    parser.add_argument("--one", nargs=5, help=argparse.SUPPRESS)
    parser.add_argument("--draw", nargs=4, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        step, variant, folder, stocks, days = given.one
        print(json.dumps(one(step, variant, Path(folder), int(stocks), int(days))))
    elif given.draw:
        folder, *size = given.draw
        draw_panel(Path(folder), *map(int, size))
    elif given.mapped:
        for variant in given.variants:
            print(variant, {name: round(value, 1) for name, value in
                            mapped(variant, *given.mapped).items()})  # fmt: skip
    else:
        print(f"| CPU s / peak MB | {' | '.join(map(str, given.stocks))} |")
        print("|---" * (1 + len(given.stocks)) + "|")
        for name, cells in rows(given.stocks, given.days, given.variants).items():
            print(f"| {name} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
